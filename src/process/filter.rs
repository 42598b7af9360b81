//! Filter by process.

use super::{Owner, Owners, Process};

/// A filter that matches packets with any of these processes at either end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessFilter {
    /// Process IDs.
    pub pids: Vec<u32>,
    /// Process names.
    pub names: Vec<String>,
    /// User IDs.
    pub uids: Vec<u32>,
}

impl ProcessFilter {
    /// True if the filter has no criteria.
    #[inline]
    pub fn is_empty(&self) -> bool {
        let has_processes = !self.pids.is_empty() || !self.names.is_empty();
        !has_processes && self.uids.is_empty()
    }

    /// True if either end matches.
    pub fn matches(&self, owners: &Owners) -> bool {
        let ends = [&owners.orig, &owners.resp];
        ends.into_iter()
            .flatten()
            .any(|owner| self.matches_owner(owner))
    }

    fn matches_owner(&self, owner: &Owner) -> bool {
        owner.uid.is_some_and(|uid| self.uids.contains(&uid))
            || owner
                .processes
                .iter()
                .any(|process| self.matches_process(process))
    }

    fn matches_process(&self, process: &Process) -> bool {
        self.pids.contains(&process.pid)
            || self.uids.contains(&process.uid)
            || self.names.iter().any(|name| name == process.name())
    }
}
