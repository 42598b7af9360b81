//! What is sent again, compared with what was sent first, as far as that is still there.

use super::{Assembler, Delivery, part};

impl Assembler {
    /// Looks whether bytes that were seen before are the same again.
    pub(super) fn compare(&self, offset: u64, bytes: &[u8], deliver: &mut dyn FnMut(Delivery)) {
        let Some(rest) = &self.rest else { return };
        let end = offset + bytes.len() as u64;
        let recent = self.next - rest.recent.len() as u64;
        let (from, until) = (offset.max(recent), end.min(self.next));
        if from < until {
            let first = rest.recent.iter().skip((from - recent) as usize);
            let again = part(bytes, from - offset, until - from);
            mismatch(from, first, again, deliver);
        }
        let before = rest.ahead.range(..offset).next_back();
        for (&start, piece) in before.into_iter().chain(rest.ahead.range(offset..end)) {
            let (from, until) = (
                start.max(offset),
                (start + piece.bytes.len() as u64).min(end),
            );
            if from < until {
                let first = part(&piece.bytes, from - start, until - from).iter();
                let again = part(bytes, from - offset, until - from);
                mismatch(from, first, again, deliver);
            }
        }
    }
}

fn mismatch<'a>(
    offset: u64,
    first: impl Iterator<Item = &'a u8>,
    again: &[u8],
    deliver: &mut dyn FnMut(Delivery),
) {
    let len = first.zip(again).filter(|(a, b)| a != b).count() as u64;
    if len > 0 {
        deliver(Delivery::Mismatch { offset, len });
    }
}
