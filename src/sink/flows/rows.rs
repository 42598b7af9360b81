//! Row formatters, and rows that are formatted before the number of their flow is final.

use crate::flow::{FlowRecord, OutcomeKind};
use crate::packet::Timestamp;
use crate::sink::number;

/// Formatter of flows as rows.
pub trait RowFormatter: Send {
    /// Returns a new formatter that writes rows in the same format.
    fn worker(&self) -> Box<dyn RowFormatter>;

    /// Writes the header. `first` is the time of the first flow's first packet, or `None` if there
    /// is no flow.
    fn write_head(&mut self, _first: Option<Timestamp>, _out: &mut Vec<u8>) {}

    /// Writes the row of a flow.
    fn write_row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>);

    /// Returns the bytes before the flow number in every row, or `None` if rows have no flow
    /// number.
    fn number_prefix(&self) -> Option<&'static [u8]> {
        None
    }

    /// Writes the footer after the last row.
    fn write_tail(&mut self, _tally: &VerdictTally, _out: &mut Vec<u8>) {}
}

/// A row that was formatted with a provisional flow number.
#[derive(Debug, Clone, Copy)]
pub struct FormattedRow<'a> {
    /// The row with the provisional number.
    pub bytes: &'a [u8],
    /// The provisional number.
    pub formatted_number: u64,
    /// The final number of the flow.
    pub number: u64,
    /// Time of the flow's first packet.
    pub first_time: Timestamp,
    /// Outcome of the flow.
    pub verdict: OutcomeKind,
}

impl FormattedRow<'_> {
    /// Writes the row with the final number in place of the provisional one, which follows
    /// `number_prefix`; without a prefix the row has no number and is written unchanged.
    pub(super) fn write(&self, number_prefix: Option<&[u8]>, out: &mut Vec<u8>) {
        let Some(prefix) = number_prefix else {
            return out.extend_from_slice(self.bytes);
        };
        let digits = self.formatted_number.checked_ilog10().unwrap_or(0) as usize + 1;
        out.extend_from_slice(prefix);
        number::decimal64(out, self.number);
        let rest = self.bytes.get(prefix.len() + digits..);
        out.extend_from_slice(rest.unwrap_or_default());
    }
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
