//! Pcap-filter(7) expressions, compiled for each link type that occurs.

use super::bpf::BpfProgram;
use crate::error::Result;
use crate::packet::{Frame, LinkType};

/// An expression, and the programs compiled from it so far.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    text: String,
    /// One program per link type; `None` if the expression is not valid for the link type.
    programs: Vec<(LinkType, Option<BpfProgram>)>,
    /// Number of frames for whose link type the expression is not valid.
    undecided: u64,
}

/// Link types for which an expression is compiled before the first frame arrives, in this order.
const COMMON_LINK_TYPES: [LinkType; 4] = [
    LinkType::ETHERNET,
    LinkType::LINUX_SLL2,
    LinkType::NULL,
    LinkType::RAW,
];

impl Expression {
    /// Compiles an expression for the first common link type for which it is valid.
    pub(super) fn compile(text: &str) -> Result<Expression> {
        let mut first_error = None;
        let mut compile = |link| match BpfProgram::compile(link, text) {
            Ok(program) => Some((link, Some(program))),
            Err(error) => {
                first_error.get_or_insert(error);
                None
            }
        };
        let program = COMMON_LINK_TYPES.into_iter().find_map(&mut compile);
        match (program, first_error) {
            (None, Some(error)) => Err(error),
            (program, _) => Ok(Expression {
                text: text.to_owned(),
                programs: program.into_iter().collect(),
                undecided: 0,
            }),
        }
    }

    /// Checks that the expression compiles for at least one of these link types, if there are any.
    #[cfg(feature = "cli")]
    pub(super) fn check_link_types(&self, links: impl IntoIterator<Item = LinkType>) -> Result<()> {
        let mut compiled = links
            .into_iter()
            .map(|link| BpfProgram::compile(link, &self.text).map(drop));
        let first = compiled.next().unwrap_or(Ok(()));
        if compiled.any(|other| other.is_ok()) {
            Ok(())
        } else {
            first
        }
    }

    /// Returns the text, after a check that it compiles for this link type.
    pub(super) fn text_for(&self, link: LinkType) -> Result<&str> {
        BpfProgram::compile(link, &self.text)?;
        Ok(&self.text)
    }

    /// Returns the number of frames rejected because the expression is not valid for their link
    /// type.
    #[cfg(feature = "cli")]
    pub(super) fn undecided(&self) -> u64 {
        self.undecided
    }

    /// Returns true if the frame matches.
    pub(super) fn matches(&mut self, frame: &Frame) -> bool {
        let compiled = |(link, _): &(LinkType, _)| *link == frame.link;
        let at = match self.programs.iter().position(compiled) {
            Some(at) => at,
            None => {
                let program = BpfProgram::compile(frame.link, &self.text).ok();
                self.programs.push((frame.link, program));
                self.programs.len() - 1
            }
        };
        match &self.programs[at].1 {
            Some(program) => program.matches(frame.bytes, frame.wire_len),
            None => {
                self.undecided += 1;
                false
            }
        }
    }
}
