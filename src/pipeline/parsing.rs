//! Parse levels: each frame is parsed only as far as the run requires.

use super::{Output, Totals};
use crate::decode::{brief, decode};
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowTable};
use crate::packet::{Brief, Frame, Packet};
use crate::sink::Requirement;

/// The extent to which frames are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParseLevel {
    /// Not at all: frames are stored unchanged.
    Bytes,
    /// Enough to detect malformed frames.
    Validity,
    /// Enough for filters and flows: for most frames only the header summary ([`Brief`]).
    Headers,
    /// Completely.
    Full,
}

impl ParseLevel {
    /// Returns the level that a filter, the sinks and flow tracking require.
    pub(super) fn required(filter: &Filter, output: &Output, has_flows: bool) -> ParseLevel {
        if output.has_sink_requiring(Requirement::Packets) {
            ParseLevel::Full
        } else if has_flows || filter.needs_decoding() || output.requires() > Requirement::Validity
        {
            ParseLevel::Headers
        } else if output.requires() == Requirement::Validity {
            ParseLevel::Validity
        } else {
            ParseLevel::Bytes
        }
    }

    /// Parses a frame to this level and passes the result to the handler.
    #[inline(always)]
    pub(super) fn parse<H: FrameHandler>(self, frame: &Frame, handler: &mut H) -> H::Value {
        match self {
            level if level.is_enough(frame) => handler.handle(&Packet::undecoded(frame)),
            ParseLevel::Headers => match brief(frame) {
                Some(ref brief) => handler.handle(brief),
                None => handler.handle(&decode(frame)),
            },
            _ => handler.handle(&decode(frame)),
        }
    }

    /// True if a frame need not be decoded: this level requires no headers, or it only requires the
    /// validity of a frame that the fast path accepts.
    #[inline(always)]
    fn is_enough(self, frame: &Frame) -> bool {
        match self {
            ParseLevel::Bytes => true,
            ParseLevel::Validity => brief(frame).is_some(),
            ParseLevel::Headers | ParseLevel::Full => false,
        }
    }
}

/// A handler of parsed frames. It is generic over the parse result, so that each kind has its own
/// code and results are not moved into a common type.
pub(super) trait FrameHandler {
    /// Result of handling one frame.
    type Value;

    /// Handles one frame.
    fn handle<'a>(&mut self, parsed: &impl ParsedFrame<'a>) -> Self::Value;
}

/// A frame that was parsed to some level.
pub(super) trait ParsedFrame<'a> {
    /// True if the filter accepts the frame.
    fn is_accepted_by(&self, filter: &mut Filter) -> bool;

    /// Counts the frame in the totals, even if the filter rejects it.
    fn count(&self, totals: &Totals);

    /// Adds the frame to its flow in a flow table.
    fn push_to(&self, flows: &mut FlowTable, emit: &mut dyn FnMut(FlowEvent));

    /// Returns the frame.
    fn frame(&self) -> &Frame<'a>;

    /// Calls `action` with the packet that sinks receive.
    fn with_packet<T>(&self, action: impl FnOnce(&Packet) -> T) -> T;
}

impl<'a> ParsedFrame<'a> for Brief<'a> {
    #[inline(always)]
    fn is_accepted_by(&self, filter: &mut Filter) -> bool {
        filter.matches_brief(self)
    }

    #[inline(always)]
    fn count(&self, totals: &Totals) {
        totals.count_valid_frame();
    }

    #[inline(always)]
    fn push_to(&self, flows: &mut FlowTable, emit: &mut dyn FnMut(FlowEvent)) {
        flows.push_brief(self, emit);
    }

    #[inline(always)]
    fn frame(&self) -> &Frame<'a> {
        &self.frame
    }

    #[inline(always)]
    fn with_packet<T>(&self, action: impl FnOnce(&Packet) -> T) -> T {
        action(&Packet::undecoded(&self.apart().frame))
    }
}

impl<'a> ParsedFrame<'a> for Packet<'a> {
    #[inline]
    fn is_accepted_by(&self, filter: &mut Filter) -> bool {
        filter.is_empty() || filter.matches(self)
    }

    #[inline]
    fn count(&self, totals: &Totals) {
        totals.count_frame(self);
    }

    #[inline]
    fn push_to(&self, flows: &mut FlowTable, emit: &mut dyn FnMut(FlowEvent)) {
        flows.push(self, emit);
    }

    #[inline]
    fn frame(&self) -> &Frame<'a> {
        self.frame
    }

    #[inline]
    fn with_packet<T>(&self, action: impl FnOnce(&Packet) -> T) -> T {
        action(self)
    }
}
