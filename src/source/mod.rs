//! Sources of frames: libpcap on a live device, files, pipes.

pub mod file;
#[cfg(feature = "live")]
pub mod live;

mod appended;
mod decompress;
mod format_reader;
mod framing;
mod header;
mod input;
mod interface_clock;
mod metadata;
mod parse_step;
mod pcap_reader;
mod pcapng_reader;
mod pipe_clock;
mod read_ahead;
mod signature;
#[cfg(feature = "live")]
mod socket;
mod stop;

#[cfg(feature = "cli")]
pub use appended::AppendedCaptures;
pub use file::FileSource;
#[cfg(feature = "cli")]
pub use file::Progress;
pub use stop::Stop;

use std::ops::ControlFlow;
use std::time::Duration;

use crate::error::Result;
use crate::packet::{Drops, Frame, Timestamp};

/// A source of frames, in capture order.
///
/// It pushes frames to a handler instead of returning them one by one: libpcap exposes the kernel's
/// ring memory only during its callback, so a frame that outlives the call would have to be copied.
pub trait Source {
    /// Passes every frame from the current position to the handler, with the other events in
    /// between, until the handler breaks or [`SourceEvent::End`] was delivered. Events are passed
    /// by reference, because a frame is large and would be moved needlessly.
    ///
    /// # Errors
    /// The device failed or the file is damaged. Every good frame before that was delivered.
    fn for_each(&mut self, handler: &mut impl SourceHandler) -> Result<()>;

    /// Returns the packets lost and the blocks skipped so far.
    fn losses(&mut self) -> Losses;
}

/// A consumer of source events, which decides whether the source continues. Closures implement it.
///
/// The packet loop is a named type instead: a closure is called in several places, so the compiler
/// does not inline it in the hot one.
pub trait SourceHandler {
    /// Handles one event; `Break` stops the source.
    fn handle(&mut self, event: &SourceEvent<'_>) -> ControlFlow<()>;
}

impl<F: FnMut(&SourceEvent<'_>) -> ControlFlow<()>> SourceHandler for F {
    #[inline]
    fn handle(&mut self, event: &SourceEvent<'_>) -> ControlFlow<()> {
        self(event)
    }
}

/// An event from a [`Source`].
#[derive(Debug, Clone, Copy)]
pub enum SourceEvent<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// No frame is available now; the source waits for the next one. Sent again if a short wait
    /// returned no frame.
    Idle(IdleClock),
    /// Packets were dropped before they were captured. Sent before the next frame, and also after
    /// the handler has stopped the source.
    Dropped(Drops),
    /// No more frames will come.
    End,
}

/// Clock of a capture while no frame is available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleClock {
    /// That of a device, which shows this time.
    #[cfg_attr(
        not(feature = "live"),
        allow(dead_code, reason = "only a device has such a clock")
    )]
    Time(Timestamp),
    /// That of a pipe whose writer captures live. This time has passed since the last frame, or
    /// since the last event of this kind.
    Elapsed(Duration),
    /// That of any other input, which shows the time of the last frame.
    Stopped,
}

/// Packets and blocks that did not become frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Packets that the kernel accepted for this capture; 0 for files.
    pub received: u64,
    /// Packets that the kernel dropped because the ring was full; for files, packets that the
    /// interface statistics of a pcapng file count as dropped.
    pub dropped: u64,
    /// Packets that the interface dropped.
    pub dropped_by_interface: u64,
    /// Blocks of a pcapng file that carry no packet and were skipped.
    pub skipped_blocks: u64,
}
