//! Comparison of retransmitted bytes with the buffered originals.

use super::{Delivery, ReassemblyBuffers, subslice};

impl ReassemblyBuffers {
    /// Reports retransmitted bytes that differ from the buffered originals; `next` is the offset of
    /// the next byte to deliver.
    pub(super) fn compare_overlaps(
        &self,
        next: u64,
        offset: u64,
        bytes: &[u8],
        deliver: &mut dyn FnMut(Delivery),
    ) {
        let end = offset + bytes.len() as u64;
        let buffered_start = next - self.unacknowledged.len() as u64;
        let (from, until) = (offset.max(buffered_start), end.min(next));
        if from < until {
            let original = self
                .unacknowledged
                .iter()
                .skip((from - buffered_start) as usize);
            let repeated = subslice(bytes, from - offset, until - from);
            report_mismatch(from, original, repeated, deliver);
        }
        let previous = self.out_of_order.range(..offset).next_back();
        for (&start, range) in previous
            .into_iter()
            .chain(self.out_of_order.range(offset..end))
        {
            let (from, until) = (
                start.max(offset),
                (start + range.bytes.len() as u64).min(end),
            );
            if from < until {
                let original = subslice(&range.bytes, from - start, until - from).iter();
                let repeated = subslice(bytes, from - offset, until - from);
                report_mismatch(from, original, repeated, deliver);
            }
        }
    }
}

fn report_mismatch<'a>(
    offset: u64,
    original: impl Iterator<Item = &'a u8>,
    repeated: &[u8],
    deliver: &mut dyn FnMut(Delivery),
) {
    let len = original.zip(repeated).filter(|(a, b)| a != b).count() as u64;
    if len > 0 {
        deliver(Delivery::Mismatch { offset, len });
    }
}
