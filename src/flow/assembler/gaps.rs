//! Acknowledged gaps of one direction: data that was received but not captured, and its timeout.

use super::{Assembler, Delivery, Retention};
use crate::flow::coverage::covered_until;

/// Missing data that was acknowledged, and the state of its timeout.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PendingGap {
    /// End offset of the missing data.
    until: u64,
    /// Time of the acknowledgement, in nanoseconds.
    since: i64,
    /// Number of segments after the gap that have arrived since that time.
    segments_after: u8,
}

/// Number of later segments after which an acknowledged gap is declared lost.
const MAX_SEGMENTS_AFTER_GAP: u8 = 16;
/// Time in nanoseconds after which a single later segment is enough to declare the gap lost.
pub(super) const GAP_TIMEOUT_NS: i64 = 300_000_000;

impl Assembler {
    /// Counts a segment after an acknowledged gap, and declares the gap lost if one of the limits
    /// is reached.
    pub(super) fn check_pending_gap(
        &mut self,
        offset: u64,
        time: i64,
        retention: Retention,
        deliver: &mut dyn FnMut(Delivery),
    ) {
        let next = self.next;
        let Some(buffers) = &mut self.buffers else {
            return;
        };
        if buffers.pending_gap.until <= next || offset <= next {
            return;
        }
        buffers.pending_gap.segments_after += 1;
        let is_late = time.saturating_sub(buffers.pending_gap.since) >= GAP_TIMEOUT_NS;
        if buffers.pending_gap.segments_after < MAX_SEGMENTS_AFTER_GAP && !is_late {
            return;
        }
        let until = buffers.pending_gap.until;
        // Data acknowledged since then starts a new timeout.
        buffers.pending_gap = PendingGap {
            until: buffers.acknowledged,
            since: time,
            segments_after: 0,
        };
        while self.next < until {
            let first = self.first_buffered_offset().unwrap_or(until).min(until);
            self.skip_to(first, deliver);
            self.deliver_contiguous(retention, deliver);
        }
    }

    /// Records that the receiver acknowledged everything before `offset`. Returns the number of
    /// missing bytes that this reveals, and the number of gaps that they form.
    #[inline]
    pub(in crate::flow) fn acknowledge(&mut self, offset: u64, time: i64) -> (u64, u32) {
        if offset <= self.next && self.buffers.is_none() {
            return (0, 0);
        }
        self.acknowledge_slow(offset, time)
    }

    fn acknowledge_slow(&mut self, offset: u64, time: i64) -> (u64, u32) {
        let next = self.next;
        let buffers = self.buffers.get_or_insert_default();
        let (mut bytes, mut gaps) = (0, 0);
        let mut at = next.max(buffers.acknowledged);
        while at < offset {
            let (is_buffered, until) =
                covered_until(&buffers.out_of_order, |range| range.len, at, offset);
            if !is_buffered {
                bytes += until - at;
                gaps += 1;
            }
            at = until;
        }
        buffers.acknowledged = buffers.acknowledged.max(offset);
        if buffers.pending_gap.until <= next {
            buffers.pending_gap = PendingGap {
                until: buffers.acknowledged,
                since: time,
                segments_after: 0,
            };
        }
        let unacknowledged = usize::try_from(next.saturating_sub(offset)).unwrap_or(usize::MAX);
        let excess = buffers.unacknowledged.len().saturating_sub(unacknowledged);
        buffers.unacknowledged.drain(..excess);
        self.drop_empty_buffers();
        (bytes, gaps)
    }

    /// Returns the offset before which everything was delivered or acknowledged, so no data before
    /// it is expected.
    pub(in crate::flow) fn settled_offset(&self) -> u64 {
        let acknowledged = self
            .buffers
            .as_ref()
            .map_or(0, |buffers| buffers.acknowledged);
        self.next.max(acknowledged)
    }
}
