//! Reassembly of one direction of a TCP connection: each byte is delivered once, in stream order,
//! from the first segment that carried it.
//!
//! Out-of-order bytes are buffered. Missing bytes before them are declared lost, as a gap, in three
//! cases: the receiver has acknowledged them (they were sent, and only the capture lacks them) and
//! newer data has arrived since; the buffer limit is exceeded; or the flow ends. An acknowledgement
//! can be captured before its data: across two devices or CPUs the capture order is arbitrary. If
//! no streams are emitted, only the positions of out-of-order bytes are kept.

mod gaps;
mod overlaps;

use std::collections::{BTreeMap, VecDeque};

use super::coverage::covered_until;
use crate::packet::Payload;
use gaps::PendingGap;

/// Output of an assembler, in stream order. Offsets are in bytes, from the first byte of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery<'a> {
    /// `len` bytes, of which `bytes` were captured, at this time in nanoseconds.
    Data {
        offset: u64,
        bytes: &'a [u8],
        len: u64,
        time: i64,
    },
    /// `len` missing bytes that were declared lost.
    Gap { offset: u64, len: u64 },
    /// `len` retransmitted bytes that differ from the originals, which are kept.
    Mismatch { offset: u64, len: u64 },
}

/// Result of an insertion: classification of a segment's bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct InsertSummary {
    /// Number of bytes that had been received before.
    pub(super) old_bytes: u64,
    /// Number of new bytes.
    pub(super) new_bytes: u64,
    /// Number of missing bytes that were declared lost because the buffer was full, and the number
    /// of gaps that they formed.
    pub(super) skipped: (u64, u32),
}

/// Policy for the bytes that an assembler keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retention {
    /// Positions of out-of-order ranges, and the bytes of the opening (up to this offset): for
    /// flows without streams.
    Opening(u64),
    /// All out-of-order bytes: for streams.
    OutOfOrder,
    /// Delivered bytes too, until they are acknowledged, for comparison with retransmissions.
    Unacknowledged,
}

/// Retention policy and buffer limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReassemblyOptions {
    pub(super) retention: Retention,
    /// Maximum size of out-of-order data in one direction, in bytes, including overhead.
    pub(super) max_out_of_order_bytes: u64,
}

impl ReassemblyOptions {
    /// Returns true if the streams are emitted.
    #[inline]
    pub(super) fn emits_streams(&self) -> bool {
        !matches!(self.retention, Retention::Opening(_))
    }
}

/// Reassembly state of one direction.
#[derive(Debug, Clone, Default)]
pub(super) struct Assembler {
    /// Offset of the next byte to deliver.
    pub(super) next: u64,
    buffers: Option<Box<ReassemblyBuffers>>,
}

/// State that is seldom needed, allocated on demand.
#[derive(Debug, Clone, Default)]
struct ReassemblyBuffers {
    /// Out-of-order ranges, by offset; they do not overlap.
    out_of_order: BTreeMap<u64, BufferedRange>,
    /// Size of the out-of-order ranges, including overhead.
    out_of_order_bytes: u64,
    /// The last delivered bytes that are not acknowledged, contiguous up to `next`; only if
    /// retransmissions are compared.
    unacknowledged: VecDeque<u8>,
    /// Highest acknowledged offset.
    acknowledged: u64,
    pending_gap: PendingGap,
}

#[derive(Debug, Clone)]
struct BufferedRange {
    len: u64,
    bytes: Box<[u8]>,
    /// Time of its segment, in nanoseconds.
    time: i64,
}

/// Memory overhead of a range, in addition to its bytes.
const RANGE_OVERHEAD_BYTES: u64 = 64;
/// Maximum number of delivered bytes kept for comparison with retransmissions.
const MAX_UNACKNOWLEDGED_BYTES: usize = 256 << 10;

impl Assembler {
    /// Returns true if this offset is the next to deliver, and nothing after it is buffered.
    #[inline]
    pub(super) fn is_next(&self, offset: u64) -> bool {
        self.next == offset && self.out_of_order_bytes() == 0
    }

    /// Inserts a segment's data, captured at this time.
    #[inline]
    pub(super) fn insert(
        &mut self,
        offset: u64,
        payload: Payload,
        time: i64,
        options: ReassemblyOptions,
        deliver: &mut dyn FnMut(Delivery),
    ) -> InsertSummary {
        let len = u64::from(payload.len);
        if offset != self.next
            || self.buffers.is_some()
            || options.retention == Retention::Unacknowledged
        {
            return self.insert_slow(offset, payload, time, options, deliver);
        }
        self.next += len;
        let bytes = payload.bytes;
        deliver(Delivery::Data {
            offset,
            bytes,
            len,
            time,
        });
        InsertSummary {
            new_bytes: len,
            ..InsertSummary::default()
        }
    }

    fn insert_slow(
        &mut self,
        offset: u64,
        payload: Payload,
        time: i64,
        options: ReassemblyOptions,
        deliver: &mut dyn FnMut(Delivery),
    ) -> InsertSummary {
        let retention = options.retention;
        let end = offset.saturating_add(u64::from(payload.len));
        let mut summary = InsertSummary::default();
        if let Some(buffers) = &self.buffers {
            buffers.compare_overlaps(self.next, offset, payload.bytes, deliver);
        }
        summary.old_bytes += self.next.min(end).saturating_sub(offset);
        let mut at = offset.max(self.next);
        while at < end {
            let buffers = self.buffers.get_or_insert_default();
            let (is_buffered, until) =
                covered_until(&buffers.out_of_order, |range| range.len, at, end);
            if is_buffered {
                summary.old_bytes += until - at;
                at = until;
                continue;
            }
            summary.new_bytes += until - at;
            let bytes = subslice(payload.bytes, at - offset, until - at);
            if at == self.next {
                self.deliver_bytes(at, (bytes, until - at, time), retention, deliver);
                self.deliver_contiguous(retention, deliver);
            } else {
                let kept = match retention {
                    Retention::OutOfOrder | Retention::Unacknowledged => bytes,
                    Retention::Opening(opening) => subslice(bytes, 0, opening.saturating_sub(at)),
                };
                let len = until - at;
                buffers.out_of_order_bytes += len + RANGE_OVERHEAD_BYTES;
                buffers.out_of_order.insert(
                    at,
                    BufferedRange {
                        len,
                        bytes: kept.into(),
                        time,
                    },
                );
            }
            // Buffered ranges that follow were delivered too; they had been received before.
            at = until.max(self.next.min(end));
            summary.old_bytes += at - until;
        }
        self.check_pending_gap(offset, time, retention, deliver);
        while self.out_of_order_bytes() > options.max_out_of_order_bytes {
            // Acknowledged missing bytes have already been counted.
            let settled = self.settled_offset();
            let missing = self
                .first_buffered_offset()
                .unwrap_or(settled)
                .saturating_sub(settled);
            summary.skipped.0 += missing;
            summary.skipped.1 += u32::from(missing > 0);
            self.skip_to_first_buffered(retention, deliver);
        }
        if let Some(buffers) = self
            .buffers
            .as_mut()
            .filter(|_| options.max_out_of_order_bytes == 0)
        {
            buffers.unacknowledged = VecDeque::new();
        }
        self.drop_empty_buffers();
        summary
    }

    /// Ends the stream: delivers everything that is buffered.
    pub(super) fn finish(&mut self, options: ReassemblyOptions, deliver: &mut dyn FnMut(Delivery)) {
        while self.out_of_order_bytes() > 0 {
            self.skip_to_first_buffered(options.retention, deliver);
        }
        self.skip_to(self.settled_offset(), deliver);
        // Avoids the drop call if the option is empty, as it usually is.
        if self.buffers.is_some() {
            self.buffers = None;
        }
    }

    /// Returns the size of the out-of-order data, including overhead.
    pub(super) fn out_of_order_bytes(&self) -> u64 {
        self.buffers
            .as_ref()
            .map_or(0, |buffers| buffers.out_of_order_bytes)
    }

    /// Returns the number of buffered bytes: out-of-order data, and delivered data that is compared
    /// with retransmissions.
    #[inline]
    pub(super) fn buffered_bytes(&self) -> u64 {
        self.buffers.as_ref().map_or(0, |buffers| {
            buffers.out_of_order_bytes + buffers.unacknowledged.len() as u64
        })
    }

    fn first_buffered_offset(&self) -> Option<u64> {
        let buffers = self.buffers.as_ref()?;
        buffers
            .out_of_order
            .first_key_value()
            .map(|(&start, _)| start)
    }

    fn skip_to_first_buffered(&mut self, retention: Retention, deliver: &mut dyn FnMut(Delivery)) {
        if let Some(first) = self.first_buffered_offset() {
            self.skip_to(first, deliver);
            self.deliver_contiguous(retention, deliver);
        }
    }

    /// Declares everything missing before `offset` lost.
    fn skip_to(&mut self, offset: u64, deliver: &mut dyn FnMut(Delivery)) {
        let len = offset - self.next;
        if len > 0 {
            deliver(Delivery::Gap {
                offset: self.next,
                len,
            });
            self.next = offset;
            if let Some(buffers) = &mut self.buffers {
                buffers.unacknowledged.clear();
            }
        }
    }

    fn deliver_contiguous(&mut self, retention: Retention, deliver: &mut dyn FnMut(Delivery)) {
        loop {
            let next = self.next;
            let Some(buffers) = &mut self.buffers else {
                return;
            };
            let Some(range) = buffers.out_of_order.remove(&next) else {
                return;
            };
            buffers.out_of_order_bytes -= range.len + RANGE_OVERHEAD_BYTES;
            let captured = (&*range.bytes, range.len, range.time);
            self.deliver_bytes(next, captured, retention, deliver);
        }
    }

    /// Delivers captured bytes, with the length that was sent and the time of their segment.
    fn deliver_bytes(
        &mut self,
        offset: u64,
        (bytes, len, time): (&[u8], u64, i64),
        retention: Retention,
        deliver: &mut dyn FnMut(Delivery),
    ) {
        deliver(Delivery::Data {
            offset,
            bytes,
            len,
            time,
        });
        self.next = offset + len;
        if retention != Retention::Unacknowledged {
            return;
        }
        let recent = &mut self.buffers.get_or_insert_default().unacknowledged;
        if (bytes.len() as u64) < len {
            // Truncated: the bytes kept for comparison must be contiguous up to `next`.
            return recent.clear();
        }
        let kept = subslice(
            bytes,
            len.saturating_sub(MAX_UNACKNOWLEDGED_BYTES as u64),
            len,
        );
        let excess = (recent.len() + kept.len()).saturating_sub(MAX_UNACKNOWLEDGED_BYTES);
        recent.drain(..excess.min(recent.len()));
        recent.extend(kept);
    }

    /// Frees the buffers if they are empty: most directions have no gap most of the time.
    fn drop_empty_buffers(&mut self) {
        let next = self.next;
        let is_empty = |buffers: &ReassemblyBuffers| {
            buffers.out_of_order.is_empty()
                && buffers.unacknowledged.is_empty()
                && buffers.acknowledged <= next
        };
        if self.buffers.as_deref().is_some_and(is_empty) {
            self.buffers = None;
        }
    }
}

/// Returns up to `len` bytes, starting at `at`.
fn subslice(bytes: &[u8], at: u64, len: u64) -> &[u8] {
    let available = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
    let available = available.unwrap_or_default();
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    available.get(..len).unwrap_or(available)
}

#[cfg(test)]
mod tests;
