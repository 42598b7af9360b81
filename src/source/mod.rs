//! Where frames come from: libpcap on a live device, mapped files, pipes.

pub mod file;
pub mod live;

mod ahead;
mod blocks;
mod clock;
mod format;
mod found;
mod framing;
mod header;
mod input;
mod map;
mod readahead;
mod records;
mod signature;
mod socket;
mod stop;
mod stream;
mod survey;
mod unpack;

pub use file::{FileSource, Progress};
pub use stop::Stop;
pub use survey::{Frames, Reader, Survey, Visitor};

use std::ops::ControlFlow;

use crate::error::Result;
use crate::packet::{Frame, Timestamp};

/// Something that gives frames, one after the other.
///
/// It gives them rather than being asked for the next: libpcap shows the kernel's memory only while it calls, and a packet that could
/// be kept until the next question would have to be copied.
pub trait Source {
    /// Gives frames from where it stands, with what there is to say between them, until it is told to break off or has said
    /// [`Next::End`]. By reference, because a frame is too large to be moved for nothing.
    ///
    /// # Errors
    /// The device failed or the file is damaged. Every good frame was given before.
    fn each(&mut self, take: &mut impl Take) -> Result<()>;

    /// The file that it reads, if all of it is mapped: several threads can work on its frames at the same time.
    fn mapped(&mut self) -> Option<&mut FileSource> {
        None
    }

    /// What was lost or passed over so far.
    fn losses(&mut self) -> Losses;
}

/// Takes what a source gives, and says whether it is to go on. Closures do. Whoever takes all frames of a file is a type of its own: a closure
/// is called in several places, and so not inlined in the one that counts.
pub trait Take {
    /// Takes what the source has to say.
    fn take(&mut self, next: &Next<'_>) -> ControlFlow<()>;
}

impl<F: FnMut(&Next<'_>) -> ControlFlow<()>> Take for F {
    #[inline]
    fn take(&mut self, next: &Next<'_>) -> ControlFlow<()> {
        self(next)
    }
}

/// What a [`Source`] has to say.
#[derive(Debug, Clone, Copy)]
pub enum Next<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// Nothing now; what follows was waited for. The time is the capture's clock. It is said once more when a short wait gave nothing.
    Idle(Timestamp),
    /// Nothing any more.
    End,
}

/// What did not become a frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Packets that the kernel accepted for this capture; 0 for files.
    pub received: u64,
    /// Packets that the kernel dropped because the ring was full.
    pub dropped: u64,
    /// Packets that the interface dropped.
    pub dropped_by_interface: u64,
    /// Blocks of a pcapng file that carry no packet and were passed over.
    pub skipped_blocks: u64,
}
