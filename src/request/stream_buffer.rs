//! Bytes of one side's stream that an analyzer has not consumed.

use super::analyzer::{Analyzer, Context, Step};
use crate::flow::Side;
use crate::packet::Timestamp;

/// The beginning of an incomplete message.
#[derive(Debug, Default)]
pub(super) struct StreamBuffer {
    bytes: Vec<u8>,
    /// Time of the first byte.
    start: Option<Timestamp>,
    /// Number of bytes that the analyzer requires.
    required: usize,
}

/// Result of passing bytes to an analyzer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FeedResult {
    /// All bytes were processed or buffered.
    Continue,
    /// The position in the protocol is lost.
    Unrecognized,
    /// The incomplete message is longer than [`max_message_len`](super::RequestSettings).
    TooLong,
    /// Both streams contain something else from here on.
    Opaque,
}

impl StreamBuffer {
    /// Returns the number of buffered bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Removes all bytes, and returns them.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).bytes
    }

    /// Passes the next bytes of a side's stream, which have the time of the context, to an
    /// analyzer, and keeps what it does not consume: the beginning of an incomplete message, or the
    /// bytes that it does not recognize.
    pub(super) fn feed(
        &mut self,
        analyzer: &mut dyn Analyzer,
        side: Side,
        bytes: &[u8],
        context: &mut Context,
    ) -> FeedResult {
        let time = context.time;
        if self.bytes.is_empty() {
            context.start = time;
            let (used, result) = parse_all(analyzer, side, bytes, context);
            let rest = &bytes[used..];
            if !rest.is_empty() {
                if let Parsed::Incomplete(required) = result {
                    // Most messages end with the next segment.
                    self.bytes
                        .reserve_exact(required.clamp(rest.len(), 2 * rest.len()));
                    self.required = required;
                }
                self.bytes.extend_from_slice(rest);
                self.start = Some(time);
            }
            return self.result(result, context);
        }
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() < self.required {
            return self.result(Parsed::Incomplete(self.required), context);
        }
        context.start = self.start.unwrap_or(time);
        let buffered = std::mem::take(&mut self.bytes);
        let (used, result) = parse_all(analyzer, side, &buffered, context);
        if used == 0 {
            self.bytes = buffered;
        } else {
            // Earlier bytes were a part of one message, which is now consumed.
            self.bytes.extend_from_slice(&buffered[used..]);
            self.start = Some(time);
        }
        if let Parsed::Incomplete(required) = result {
            self.required = required;
        }
        self.result(result, context)
    }

    fn result(&self, parsed: Parsed, context: &Context) -> FeedResult {
        match parsed {
            Parsed::Incomplete(_) if self.bytes.len() > context.settings.max_message_len => {
                FeedResult::TooLong
            }
            Parsed::Incomplete(_) => FeedResult::Continue,
            Parsed::Unrecognized => FeedResult::Unrecognized,
            Parsed::Opaque => FeedResult::Opaque,
        }
    }
}

/// Result of [`parse_all`].
#[derive(Debug, Clone, Copy)]
enum Parsed {
    /// The rest of the bytes, if any, is an incomplete message of at least this length.
    Incomplete(usize),
    Unrecognized,
    Opaque,
}

/// Passes bytes to an analyzer until it consumes no more. Returns the number of consumed bytes.
fn parse_all(
    analyzer: &mut dyn Analyzer,
    side: Side,
    bytes: &[u8],
    context: &mut Context,
) -> (usize, Parsed) {
    let mut used = 0;
    while used < bytes.len() {
        let rest = &bytes[used..];
        match analyzer.parse(side, rest, context) {
            Step::Consumed(len) => {
                used += len.clamp(1, rest.len());
                context.start = context.time;
            }
            Step::Incomplete(required) => {
                return (used, Parsed::Incomplete(required.max(rest.len() + 1)));
            }
            Step::Unrecognized => return (used, Parsed::Unrecognized),
            Step::Opaque => return (used, Parsed::Opaque),
        }
    }
    (used, Parsed::Incomplete(0))
}
