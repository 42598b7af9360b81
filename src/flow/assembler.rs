//! One direction of a TCP connection put in order: bytes are given once, the first copy of each, in the order of the stream.
//!
//! Bytes that come too early wait. What is missing before them is given up, as a gap, when the receiver has acknowledged it (so it
//! had it, and only the capture has not) and the sender has gone on since, when too much waits, or when the flow ends. Captures
//! may have an acknowledgement before its data: where two devices or processors are involved their order is a matter of luck.
//! Where only flows are wanted, what waits is remembered by its place alone.

mod again;

use std::collections::{BTreeMap, VecDeque};

use super::pieces::stretch;
use crate::packet::Payload;

/// What comes out of an assembler, in the order of the stream. Offsets are from the first byte of data, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery<'a> {
    /// `len` bytes, of which `bytes` were captured.
    Data {
        offset: u64,
        bytes: &'a [u8],
        len: u64,
    },
    /// `len` bytes that will not come any more.
    Gap { offset: u64, len: u64 },
    /// `len` bytes that were sent again with other contents; the first copy stands.
    Mismatch { offset: u64, len: u64 },
}

/// What the place of a segment in the stream says of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// How many of its bytes had been seen before.
    pub(super) old: u64,
    /// How many were new.
    pub(super) new: u64,
    /// How many bytes before it were given up because too much waited, and in how many pieces.
    pub(super) given_up: (u64, u32),
}

/// How much of what passes is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Places only, and the bytes of the opening: for flows.
    Opening(u64),
    /// Everything that waits: for streams.
    Streams,
    /// And what was delivered until it is acknowledged, for comparison with what is sent again.
    Repeats,
}

/// What is kept, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) keep: Keep,
    /// The most that may wait in one direction, in bytes.
    pub(super) most: u64,
}

/// One direction's state.
#[derive(Debug, Clone, Default)]
pub(super) struct Assembler {
    /// The offset of the next byte to deliver.
    pub(super) next: u64,
    rest: Option<Box<Rest>>,
}

/// What most directions most of the time do not have.
#[derive(Debug, Clone, Default)]
struct Rest {
    /// What waits, by its offset; pieces do not overlap.
    ahead: BTreeMap<u64, Piece>,
    /// How many bytes of the stream the pieces cover.
    covered: u64,
    /// The last bytes that were delivered and not acknowledged, up to `next` without a gap, where they are compared.
    recent: VecDeque<u8>,
    /// What the receiver has is known up to here.
    acknowledged: u64,
    doubt: Doubt,
}

/// What is missing although it was acknowledged, and for how long that has been known.
#[derive(Debug, Clone, Copy, Default)]
struct Doubt {
    /// What is missing before this offset.
    until: u64,
    /// Since this time, in nanoseconds,
    since: i64,
    /// and so many segments that came behind it.
    behind: u8,
}

#[derive(Debug, Clone)]
struct Piece {
    len: u64,
    bytes: Box<[u8]>,
}

/// What a piece costs beside its bytes.
const PIECE: u64 = 64;
/// What is missing and was acknowledged is given up when so many segments came behind it,
const PASSED: u8 = 16;
/// or one after so long, in nanoseconds.
const PATIENCE: i64 = 300_000_000;
/// The most that is kept of what was delivered, for comparison with what is sent again.
const RECENT: usize = 256 << 10;

impl Assembler {
    /// Whether it goes on at this offset, and nothing waits or is compared.
    #[inline]
    pub(super) fn is_at(&self, offset: u64) -> bool {
        self.next == offset && self.rest.is_none()
    }

    /// Whether all before this offset was delivered, and nothing waits or is compared.
    #[inline]
    pub(super) fn has(&self, offset: u64) -> bool {
        offset <= self.next && self.rest.is_none()
    }

    /// Takes a segment's data, which came at this time.
    #[inline]
    pub(super) fn insert(
        &mut self,
        offset: u64,
        payload: Payload,
        time: i64,
        rules: Rules,
        deliver: &mut dyn FnMut(Delivery),
    ) -> Evidence {
        let len = u64::from(payload.len);
        if offset != self.next || self.rest.is_some() || rules.keep == Keep::Repeats {
            return self.insert_slowly(offset, payload, time, rules, deliver);
        }
        self.next += len;
        let bytes = payload.bytes;
        deliver(Delivery::Data { offset, bytes, len });
        Evidence {
            new: len,
            ..Evidence::default()
        }
    }

    fn insert_slowly(
        &mut self,
        offset: u64,
        payload: Payload,
        time: i64,
        rules: Rules,
        deliver: &mut dyn FnMut(Delivery),
    ) -> Evidence {
        let keep = rules.keep;
        let end = offset.saturating_add(u64::from(payload.len));
        let mut evidence = Evidence::default();
        self.compare(offset, payload.bytes, deliver);
        evidence.old += self.next.min(end).saturating_sub(offset);
        let mut at = offset.max(self.next);
        while at < end {
            let rest = self.rest.get_or_insert_default();
            let (waits, until) = stretch(&rest.ahead, |piece| piece.len, at, end);
            if waits {
                evidence.old += until - at;
                at = until;
                continue;
            }
            evidence.new += until - at;
            let bytes = part(payload.bytes, at - offset, until - at);
            if at == self.next {
                self.give(at, bytes, until - at, keep, deliver);
                self.give_what_follows(keep, deliver);
            } else {
                let kept = match keep {
                    Keep::Streams | Keep::Repeats => bytes,
                    Keep::Opening(opening) => part(bytes, 0, opening.saturating_sub(at)),
                };
                let len = until - at;
                rest.covered += len + PIECE;
                rest.ahead.insert(
                    at,
                    Piece {
                        len,
                        bytes: kept.into(),
                    },
                );
            }
            // What waited behind it was given too, and had been seen.
            at = until.max(self.next.min(end));
            evidence.old += at - until;
        }
        self.note_passing(offset, time, keep, deliver);
        while self.waiting() > rules.most {
            // What was acknowledged is known to be missing already.
            let known = self.settled();
            let missing = self.first_piece().unwrap_or(known).saturating_sub(known);
            evidence.given_up.0 += missing;
            evidence.given_up.1 += u32::from(missing > 0);
            self.skip_to_first_piece(keep, deliver);
        }
        if let Some(rest) = self.rest.as_mut().filter(|_| rules.most == 0) {
            rest.recent = VecDeque::new();
        }
        self.tidy();
        evidence
    }

    /// A segment came: whether it is one too many behind something that the receiver has.
    fn note_passing(
        &mut self,
        offset: u64,
        time: i64,
        keep: Keep,
        deliver: &mut dyn FnMut(Delivery),
    ) {
        let next = self.next;
        let Some(rest) = &mut self.rest else { return };
        if rest.doubt.until <= next || offset <= next {
            return;
        }
        rest.doubt.behind += 1;
        let is_late = time.saturating_sub(rest.doubt.since) >= PATIENCE;
        if rest.doubt.behind < PASSED && !is_late {
            return;
        }
        let until = rest.doubt.until;
        // What was acknowledged since then is waited for anew.
        rest.doubt = Doubt {
            until: rest.acknowledged,
            since: time,
            behind: 0,
        };
        while self.next < until {
            let first = self.first_piece().unwrap_or(until).min(until);
            self.skip(first, deliver);
            self.give_what_follows(keep, deliver);
        }
    }

    /// The receiver has everything before `offset`. Returns how many bytes of it are missing of which that was not known, and in how
    /// many pieces.
    #[inline]
    pub(super) fn acknowledged(&mut self, offset: u64, time: i64) -> (u64, u32) {
        if offset <= self.next && self.rest.is_none() {
            return (0, 0);
        }
        self.acknowledged_slowly(offset, time)
    }

    fn acknowledged_slowly(&mut self, offset: u64, time: i64) -> (u64, u32) {
        let next = self.next;
        let rest = self.rest.get_or_insert_default();
        let (mut bytes, mut pieces) = (0, 0);
        let mut at = next.max(rest.acknowledged);
        while at < offset {
            let (waits, until) = stretch(&rest.ahead, |piece| piece.len, at, offset);
            if !waits {
                bytes += until - at;
                pieces += 1;
            }
            at = until;
        }
        rest.acknowledged = rest.acknowledged.max(offset);
        if rest.doubt.until <= next {
            rest.doubt = Doubt {
                until: rest.acknowledged,
                since: time,
                behind: 0,
            };
        }
        let unacknowledged = usize::try_from(next.saturating_sub(offset)).unwrap_or(usize::MAX);
        let forget = rest.recent.len().saturating_sub(unacknowledged);
        rest.recent.drain(..forget);
        self.tidy();
        (bytes, pieces)
    }

    /// The offset before which nothing is waited for: it was delivered, or is known to be missing.
    pub(super) fn settled(&self) -> u64 {
        let acknowledged = self.rest.as_ref().map_or(0, |rest| rest.acknowledged);
        self.next.max(acknowledged)
    }

    /// No more will come: gives all that waits.
    pub(super) fn finish(&mut self, rules: Rules, deliver: &mut dyn FnMut(Delivery)) {
        while self.waiting() > 0 {
            self.skip_to_first_piece(rules.keep, deliver);
        }
        self.skip(self.settled(), deliver);
        // To give back what hardly any has would be a call.
        if self.rest.is_some() {
            self.rest = None;
        }
    }

    /// How many bytes wait, with what they cost beside.
    pub(super) fn waiting(&self) -> u64 {
        self.rest.as_ref().map_or(0, |rest| rest.covered)
    }

    /// How many bytes are held in all: what waits, and what is compared with what comes again.
    #[inline]
    pub(super) fn held(&self) -> u64 {
        self.rest
            .as_ref()
            .map_or(0, |rest| rest.covered + rest.recent.len() as u64)
    }

    fn first_piece(&self) -> Option<u64> {
        let rest = self.rest.as_ref()?;
        rest.ahead.first_key_value().map(|(&start, _)| start)
    }

    fn skip_to_first_piece(&mut self, keep: Keep, deliver: &mut dyn FnMut(Delivery)) {
        if let Some(first) = self.first_piece() {
            self.skip(first, deliver);
            self.give_what_follows(keep, deliver);
        }
    }

    /// Gives up what is missing before `offset`.
    fn skip(&mut self, offset: u64, deliver: &mut dyn FnMut(Delivery)) {
        let len = offset - self.next;
        if len > 0 {
            deliver(Delivery::Gap {
                offset: self.next,
                len,
            });
            self.next = offset;
            if let Some(rest) = &mut self.rest {
                rest.recent.clear();
            }
        }
    }

    fn give_what_follows(&mut self, keep: Keep, deliver: &mut dyn FnMut(Delivery)) {
        loop {
            let next = self.next;
            let Some(rest) = &mut self.rest else { return };
            let Some(piece) = rest.ahead.remove(&next) else {
                return;
            };
            rest.covered -= piece.len + PIECE;
            self.give(next, &piece.bytes, piece.len, keep, deliver);
        }
    }

    fn give(
        &mut self,
        offset: u64,
        bytes: &[u8],
        len: u64,
        keep: Keep,
        deliver: &mut dyn FnMut(Delivery),
    ) {
        deliver(Delivery::Data { offset, bytes, len });
        self.next = offset + len;
        if keep != Keep::Repeats {
            return;
        }
        let recent = &mut self.rest.get_or_insert_default().recent;
        if (bytes.len() as u64) < len {
            // Cut: nothing that follows can be compared across the hole.
            return recent.clear();
        }
        let kept = part(bytes, len.saturating_sub(RECENT as u64), len);
        let excess = (recent.len() + kept.len()).saturating_sub(RECENT);
        recent.drain(..excess.min(recent.len()));
        recent.extend(kept);
    }

    /// Most directions go on without a gap: their state is small again.
    fn tidy(&mut self) {
        let next = self.next;
        let is_empty = |rest: &Rest| {
            rest.ahead.is_empty() && rest.recent.is_empty() && rest.acknowledged <= next
        };
        if self.rest.as_deref().is_some_and(is_empty) {
            self.rest = None;
        }
    }
}

/// `len` bytes from `at` on, or those of them that are there.
fn part(bytes: &[u8], at: u64, len: u64) -> &[u8] {
    let there = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
    let there = there.unwrap_or_default();
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    there.get(..len).unwrap_or(there)
}

#[cfg(test)]
mod tests;
