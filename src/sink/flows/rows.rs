//! What makes a row of a flow, and rows that were made where their place among all was not known yet.

use crate::flow::{FlowRecord, Verdict};
use crate::packet::Timestamp;
use crate::sink::number;

/// How a flow becomes bytes.
pub trait Rows: Send {
    /// Another one that makes the same rows.
    fn fresh(&self) -> Box<dyn Rows>;

    /// What stands before the first row, of a flow whose first packet has this time; none if there is no flow.
    fn begin(&mut self, _first: Option<Timestamp>, _out: &mut Vec<u8>) {}

    /// A flow.
    fn row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>);

    /// What stands before the flow's number in every row; none where rows do not say it.
    fn before_number(&self) -> Option<&'static [u8]> {
        None
    }

    /// What stands behind the last row.
    fn end(&mut self, _tally: &Tally, _out: &mut Vec<u8>) {}
}

/// A row, made for a flow whose number among all was not known.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// With the number that it was made for.
    pub bytes: &'a [u8],
    /// The number that it was made for.
    pub made_for: u64,
    /// The flow's number.
    pub number: u64,
    /// The flow's first packet's time.
    pub first: Timestamp,
    /// How the flow ended.
    pub verdict: Verdict,
}

impl Row<'_> {
    /// Writes it with the flow's number, if that is told, behind what stands before it.
    pub(super) fn write(&self, before_number: Option<&[u8]>, out: &mut Vec<u8>) {
        let Some(before) = before_number else {
            return out.extend_from_slice(self.bytes);
        };
        let digits = self.made_for.checked_ilog10().unwrap_or(0) as usize + 1;
        out.extend_from_slice(before);
        number::decimal64(out, self.number);
        let rest = self.bytes.get(before.len() + digits..);
        out.extend_from_slice(rest.unwrap_or_default());
    }
}

/// What all rows come to.
#[derive(Debug, Default)]
pub struct Tally {
    /// How often each verdict was, in the order in which they came first.
    pub verdicts: Vec<(Verdict, u64)>,
    /// The latest begin of a flow.
    pub latest: Option<Timestamp>,
}

impl Tally {
    /// Counts a flow.
    pub(super) fn add(&mut self, first: Timestamp, verdict: Verdict) {
        match self.verdicts.iter_mut().find(|(own, _)| *own == verdict) {
            Some((_, count)) => *count += 1,
            None => self.verdicts.push((verdict, 1)),
        }
        self.latest = self.latest.max(Some(first));
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.verdicts.is_empty()
    }
}
