//! Events of a run, and the trait of their consumers.

use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;

use crate::error::Result;
use crate::flow::{FlowEvent, FlowTable};
use crate::packet::{Drops, Packet, Timestamp};
use crate::request::RequestEvent;

/// Events that a sink requires. Each level includes the levels before it, and tracking costs time,
/// so the pipeline does only what the highest level of its sinks requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// Packets.
    Packets,
    /// Packets grouped into flows.
    Flows,
    /// Reassembled streams of the flows.
    Streams,
    /// Reassembled streams, with retransmitted bytes compared with the originals.
    StreamsWithOverlaps,
}

/// An event that sinks handle.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A packet that passed the filter.
    Packet(&'a Packet<'a>),
    /// An event of a flow.
    Flow(&'a FlowEvent<'a>),
    /// A request, or a part of a message, if the pipeline tracks requests.
    Request(RequestEvent<'a>),
    /// Packets were dropped before they were captured.
    #[cfg_attr(
        not(feature = "cli"),
        allow(dead_code, reason = "only output formats read it")
    )]
    Dropped(Drops),
    /// No packet is waiting, or the tick interval has passed.
    #[cfg_attr(
        not(feature = "cli"),
        allow(dead_code, reason = "only output formats read it")
    )]
    Tick(Tick<'a>),
}

/// State of the capture at one moment.
#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "for sinks that report open flows")]
pub struct Tick<'a> {
    /// Current time of the capture's clock; absent if it is unknown.
    pub time: Timestamp,
    /// True if no packet is waiting. During a long pause there are two such ticks, then only those
    /// of the tick interval of a source that has one.
    pub is_idle: bool,
    /// Table of the open flows, if flows are tracked.
    pub flows: Option<&'a FlowTable>,
}

/// Consumer of events that writes them in one format.
pub trait Sink {
    /// Returns the events that this sink requires.
    fn requires(&self) -> Requirement;

    /// Returns the directory in which the sink creates more files during the run, if any: it
    /// opens nothing elsewhere, unless a link leads there.
    #[cfg_attr(
        not(feature = "cli"),
        allow(dead_code, reason = "for the sandbox of the command")
    )]
    fn output_directory(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Handles an event; events that the sink does not require may also arrive. `Break` means that
    /// the output is complete and needs no more events.
    ///
    /// # Errors
    /// The output cannot be written, or the format cannot encode the event.
    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>>;

    /// Writes all buffered output.
    ///
    /// # Errors
    /// The output cannot be written.
    fn flush(&mut self) -> Result<()>;

    /// Completes the output after the last event.
    ///
    /// # Errors
    /// The output cannot be written.
    fn finish(&mut self) -> Result<()>;
}

/// Result of a handled event after which the sink accepts more.
pub(crate) const CONTINUE: Result<ControlFlow<()>> = Ok(ControlFlow::Continue(()));
