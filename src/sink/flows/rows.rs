//! Row formatters.

use crate::flow::{FlowRecord, OutcomeKind};
use crate::packet::Timestamp;

/// Formatter of flows as rows.
pub trait RowFormatter {
    /// Writes the header. `first` is the first flow that is written, or `None` if there is none.
    fn write_head(&mut self, _first: Option<&FlowRecord>, _out: &mut Vec<u8>) {}

    /// Writes the row of a flow.
    fn write_row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>);

    /// Writes the footer after the last row.
    fn write_tail(&mut self, _tally: &VerdictTally, _out: &mut Vec<u8>) {}
}

/// Summary of all rows, for the footer.
#[derive(Debug, Default)]
pub struct VerdictTally {
    /// Number of flows with each outcome, in order of first occurrence.
    pub verdicts: Vec<(OutcomeKind, u64)>,
    /// Latest start time of a flow.
    pub latest_start: Option<Timestamp>,
}

impl VerdictTally {
    /// Adds a flow, by the time of its first packet and its outcome.
    pub(super) fn add(&mut self, first_time: Timestamp, verdict: OutcomeKind) {
        match self
            .verdicts
            .iter_mut()
            .find(|(counted, _)| *counted == verdict)
        {
            Some((_, count)) => *count += 1,
            None => self.verdicts.push((verdict, 1)),
        }
        self.latest_start = self.latest_start.max(Some(first_time));
    }

    /// Returns true if no flow was added.
    pub fn is_empty(&self) -> bool {
        self.verdicts.is_empty()
    }
}
