//! Events become bytes: one format per file.

mod address;
mod json;
mod names;
mod number;
mod pcap;
mod pcapng;
mod save;
pub mod text;

pub use json::Json;
pub use names::Rotation;
pub use pcap::Pcap;
pub use pcapng::Pcapng;
pub use save::{Encoder, Out, Save};

use crate::error::Result;
use crate::packet::Packet;

/// How far packets must be understood, each more than the one before; what nobody needs is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Not at all: bytes are stored as they came.
    Frames,
    /// Headers are read.
    Packets,
}

/// Something that takes packets and makes bytes of them.
pub trait Sink {
    /// A packet that passed the filter.
    ///
    /// # Errors
    /// The bytes could not be written, or the format cannot hold the packet.
    fn packet(&mut self, _packet: &Packet) -> Result<()> {
        Ok(())
    }

    /// How far packets must be understood for it.
    fn needs(&self) -> Needs {
        Needs::Packets
    }

    /// Whether more packets are of use.
    fn wants_more(&self) -> bool {
        true
    }

    /// Hands everything on that is still buffered.
    ///
    /// # Errors
    /// The bytes could not be written.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// No more packets will come.
    ///
    /// # Errors
    /// The bytes could not be written.
    fn finish(&mut self) -> Result<()> {
        self.flush()
    }
}
