//! Frames understood as far as a run needs it: nobody pays for what nobody asks.

use super::{Output, Totals};
use crate::decode::{brief, decode};
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowTable};
use crate::packet::{Brief, Frame, Packet};
use crate::sink::Needs;

/// How far frames are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Not at all: they are stored as they came.
    Frames,
    /// As far as to tell whether anything is wrong with them.
    Counts,
    /// As far as filters and flows need it: the usual ones in brief.
    Flows,
    /// As far as lcap reads.
    Packets,
}

impl Depth {
    /// What a filter and sinks need, and whoever follows flows.
    pub(super) fn of(filter: &Filter, output: &Output, flows: bool) -> Depth {
        if output.needs_any(Needs::Packets) {
            Depth::Packets
        } else if flows || filter.reads_packets() || output.needs() > Needs::Counts {
            Depth::Flows
        } else if output.needs() == Needs::Counts {
            Depth::Counts
        } else {
            Depth::Frames
        }
    }

    /// Has a frame read so far, and no further.
    #[inline(always)]
    pub(super) fn read<R: Reads>(self, frame: &Frame, reads: &mut R) -> R::Made {
        match self {
            depth if depth.is_enough(frame) => reads.read(&Packet::not_read(frame)),
            Depth::Flows => match brief(frame) {
                Some(ref brief) => reads.read(brief),
                None => reads.read(&decode(frame)),
            },
            _ => reads.read(&decode(frame)),
        }
    }

    /// Whether a frame need not be read any further: nobody wants that, or it is a usual one, with which nothing is wrong.
    #[inline(always)]
    fn is_enough(self, frame: &Frame) -> bool {
        match self {
            Depth::Frames => true,
            Depth::Counts => brief(frame).is_some(),
            Depth::Flows | Depth::Packets => false,
        }
    }
}

/// Who does something with frames that were understood, however far. There is code for each, so that nothing is moved about.
pub(super) trait Reads {
    /// What comes of it.
    type Made;

    /// Does it.
    fn read<'a>(&mut self, reading: &impl Reading<'a>) -> Self::Made;
}

/// A frame that was understood so far.
pub(super) trait Reading<'a> {
    /// Whether the filter lets it pass.
    fn passes(&self, filter: &mut Filter) -> bool;

    /// Counts it, whatever the filter says.
    fn count(&self, totals: &Totals);

    /// Has a table follow its flow.
    fn follow(&self, flows: &mut FlowTable, emit: &mut dyn FnMut(FlowEvent));

    /// The frame it came in.
    fn frame(&self) -> &Frame<'a>;

    /// Does something with the packet that sinks get.
    fn as_packet<T>(&self, act: impl FnOnce(&Packet) -> T) -> T;
}

impl<'a> Reading<'a> for Brief<'a> {
    #[inline(always)]
    fn passes(&self, filter: &mut Filter) -> bool {
        filter.matches_brief(self)
    }

    #[inline(always)]
    fn count(&self, totals: &Totals) {
        totals.saw_usual();
    }

    #[inline(always)]
    fn follow(&self, flows: &mut FlowTable, emit: &mut dyn FnMut(FlowEvent)) {
        flows.push_brief(self, emit);
    }

    #[inline(always)]
    fn frame(&self) -> &Frame<'a> {
        &self.frame
    }

    #[inline(always)]
    fn as_packet<T>(&self, act: impl FnOnce(&Packet) -> T) -> T {
        act(&Packet::not_read(&self.apart().frame))
    }
}

impl<'a> Reading<'a> for Packet<'a> {
    #[inline]
    fn passes(&self, filter: &mut Filter) -> bool {
        filter.is_empty() || filter.matches(self)
    }

    #[inline]
    fn count(&self, totals: &Totals) {
        totals.saw(self);
    }

    #[inline]
    fn follow(&self, flows: &mut FlowTable, emit: &mut dyn FnMut(FlowEvent)) {
        flows.push(self, emit);
    }

    #[inline]
    fn frame(&self) -> &Frame<'a> {
        self.frame
    }

    #[inline]
    fn as_packet<T>(&self, act: impl FnOnce(&Packet) -> T) -> T {
        act(self)
    }
}
