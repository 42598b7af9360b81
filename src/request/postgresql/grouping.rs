//! Assignment of messages of the extended protocol to rows.

use super::fields::ObjectName;
use super::queue::{Awaited, Group};

/// Names of the objects of a message, by which it belongs to a row.
pub(super) struct Names {
    pub(super) statement: Option<ObjectName>,
    pub(super) portal: Option<ObjectName>,
    is_parse: bool,
    pub(super) has_bind: bool,
}

impl Names {
    pub(super) fn of(awaited: &Awaited) -> Names {
        let mut names = Names {
            statement: None,
            portal: None,
            is_parse: matches!(awaited, Awaited::Parse(..)),
            has_bind: false,
        };
        match awaited {
            Awaited::Parse(name, _) | Awaited::DescribeStatement(name) => {
                names.statement = Some(name.clone());
            }
            Awaited::Bind(bind) => {
                names.statement = Some(bind.statement.clone());
                names.portal = Some(bind.portal.clone());
                names.has_bind = true;
            }
            Awaited::Execute(name) | Awaited::DescribePortal(name) => {
                names.portal = Some(name.clone());
            }
            _ => {}
        }
        names
    }

    /// Returns true if the message continues a row.
    pub(super) fn belong_to(&self, group: &Group) -> bool {
        match (&group.statement, &group.portal) {
            // Only Close messages, which are before the others.
            (None, None) => true,
            // Parse and Describe, without Bind.
            (Some(statement), None) => !self.is_parse && self.statement.as_ref() == Some(statement),
            (_, Some(portal)) => self.statement.is_none() && self.portal.as_ref() == Some(portal),
        }
    }
}
