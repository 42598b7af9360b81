//! Events become bytes: one format per file.

mod address;
mod behind;
mod clock;
pub mod flows;
pub mod follow;
mod json;
mod lines;
mod named;
mod names;
mod number;
mod pcap;
mod pcapng;
mod room;
mod save;
pub mod text;
mod word;

pub use json::Json;
pub use lines::{Depends, Lines, Shown};
pub use named::Named;
pub use names::Rotation;
pub use pcap::Pcap;
pub use pcapng::Pcapng;
pub use save::{Encoder, Out, Save, Saving, create};

use std::io::Write;

use crate::error::Result;
use crate::flow::FlowEvent;
use crate::packet::Packet;
use clock::Clock;
use text::Style;

/// Every format, in the order in which help shows them: of those for packets, for
/// capture files and for flows the first is the default.
pub const FORMATS: &[Format] = &[
    text::FORMAT,
    json::FORMAT,
    pcap::FORMAT,
    pcapng::FORMAT,
    flows::TEXT,
    flows::JSON,
    flows::CSV,
    flows::ZEEK,
];

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

impl Format {
    /// Whether packets keep their comments in it.
    pub fn has_comments(&self) -> bool {
        self.name == pcapng::FORMAT.name
    }
}

/// How a format's sink is made.
#[derive(Debug)]
pub enum Open {
    /// It shows packets on a stream.
    Shown(fn(Box<dyn Write>, &Style) -> Box<dyn Sink>),
    /// It shows flows on a stream.
    Flows(fn(Box<dyn Write>, &flows::Layout) -> Box<dyn Sink>),
    /// It is saved in capture files.
    Saved(fn(&Saving) -> Result<Box<dyn Sink>>),
}

/// How far packets must be understood, each more than the one before; what nobody needs is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Not at all: bytes are stored as they came.
    Frames,
    /// Only to count what is wrong with them: what is shown, the sink reads itself.
    Counts,
    /// Headers are read.
    Packets,
    /// Packets are told apart into flows.
    Flows,
    /// The streams of flows are put together.
    Streams,
    /// What is sent again is compared with what was sent first.
    Repeats,
}

/// Hands on what waits to be written.
fn write_out(writer: &mut impl Write, out: &mut Vec<u8>) -> Result<()> {
    let written = writer.write_all(out).and_then(|()| writer.flush());
    // What could not be written is not tried again: the error is final.
    out.clear();
    Ok(written?)
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

    /// Another maker of the lines that it writes, which has seen no packet yet; none where packets do not become lines.
    fn maker(&self) -> Option<Box<dyn Lines>> {
        None
    }

    /// Writes lines that such makers made.
    ///
    /// # Errors
    /// The bytes could not be written.
    fn bytes(&mut self, _lines: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Another maker of the rows that it writes for flows; none where flows do not become rows one by one.
    fn rows(&self) -> Option<Box<dyn flows::Rows>> {
        None
    }

    /// Writes a row that such a maker made.
    ///
    /// # Errors
    /// The bytes could not be written.
    fn row(&mut self, _row: &flows::Row) -> Result<()> {
        Ok(())
    }

    /// Something happened to a flow; told only if flows are needed.
    ///
    /// # Errors
    /// As [`packet`](Self::packet).
    fn flow(&mut self, _event: &FlowEvent) -> Result<()> {
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

    /// Whether it goes on although the reader of another went away: who checks wants to see everything.
    fn goes_on(&self) -> bool {
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
