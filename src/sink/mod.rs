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
pub use save::{Encoder, Out, Save, Saving};

use std::io::Write;

use crate::error::Result;
use crate::packet::Packet;
use text::Style;

/// Every format, in the order in which help shows them: the first that is shown is the default, the first that is saved too.
pub const FORMATS: &[Format] = &[text::FORMAT, json::FORMAT, pcap::FORMAT, pcapng::FORMAT];

/// A format, as the command line knows it.
#[derive(Debug)]
pub struct Format {
    /// Its name, for `--format`.
    pub name: &'static str,
    /// What the names of its files end in, for `-w`.
    pub extension: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// How a sink of it is made.
    pub open: Open,
}

/// How a format's sink is made.
#[derive(Debug)]
pub enum Open {
    /// It is shown on a stream.
    Shown(fn(Box<dyn Write>, &Style) -> Box<dyn Sink>),
    /// It is saved in capture files.
    Saved(fn(&Saving) -> Result<Box<dyn Sink>>),
}

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

    /// Whether it may have enough before the packets end.
    fn may_have_enough(&self) -> bool {
        false
    }

    /// Whether more packets are of use; asked only of those that may have enough.
    fn wants_more(&self) -> bool {
        true
    }

    /// No packet is waiting just now. It is called again if none comes for a while, then not until one has come.
    ///
    /// # Errors
    /// The bytes could not be written.
    fn idle(&mut self) -> Result<()> {
        self.flush()
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
