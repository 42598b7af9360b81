//! Output formats: packets and flows to bytes, one format per file.

mod address;
mod background_writer;
mod capture_file;
pub mod flows;
pub mod follow;
mod json;
mod lines;
mod local_time;
mod number;
mod pcap;
mod pcapng;
mod room;
mod rotation;
pub mod text;
mod with_owners;
mod word;

pub use capture_file::{
    CaptureFile, CaptureFileOptions, CaptureFileSink, Encoder, create_output_file,
};
pub use json::Json;
pub use lines::{Depends, Lines, Shown};
pub use pcap::PcapEncoder;
pub use pcapng::PcapngEncoder;
pub use rotation::Rotation;
pub use with_owners::WithOwners;

use std::io::Write;

use crate::error::Result;
use crate::flow::FlowEvent;
use crate::packet::Packet;
use local_time::LocalTimeFormatter;
use text::Style;

/// All formats, in the order in which `--help` lists them. The first format for packets, the first
/// for capture files and the first for flows are the defaults.
pub const FORMATS: &[Format] = &[
    text::FORMAT,
    json::FORMAT,
    pcap::FORMAT,
    pcapng::FORMAT,
    flows::table::FORMAT,
    flows::json::FORMAT,
    flows::csv::FORMAT,
    flows::zeek::FORMAT,
];

/// An output format that the command line offers.
#[derive(Debug)]
pub struct Format {
    /// Name for `--format`.
    pub name: &'static str,
    /// File name extension that selects the format for `-w`, without the dot.
    pub extension: &'static str,
    /// Short description for `--help`.
    pub about: &'static str,
    /// Constructor of a sink for this format.
    pub factory: SinkFactory,
}

impl Format {
    /// Returns true if the format stores the comments of packets.
    pub fn has_comments(&self) -> bool {
        self.name == pcapng::FORMAT.name
    }
}

/// Constructor of a format's sink.
#[derive(Debug)]
pub enum SinkFactory {
    /// Prints packets to a stream.
    Packets(fn(Box<dyn Write>, &Style) -> Box<dyn Sink>),
    /// Prints flows to a stream.
    Flows(fn(Box<dyn Write>, &flows::TableLayout) -> Box<dyn Sink>),
    /// Writes packets to capture files.
    CaptureFile(fn(&CaptureFileOptions) -> Result<Box<dyn Sink>>),
}

/// Level of parsing that a sink requires. Each level includes the levels before it; the pipeline
/// parses only up to the highest level that any of its sinks requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// No parsing: the captured bytes are stored unchanged.
    Bytes,
    /// Only a check for undecodable frames, which are counted; the sink itself parses the headers.
    Validity,
    /// Parsed headers.
    Packets,
    /// Packets grouped into flows.
    Flows,
    /// Reassembled streams of the flows.
    Streams,
    /// Reassembled streams, with retransmitted bytes compared with the originals.
    StreamsWithOverlaps,
}

/// Writes the buffered bytes and flushes the writer.
fn write_and_flush(writer: &mut impl Write, out: &mut Vec<u8>) -> Result<()> {
    let written = writer.write_all(out).and_then(|()| writer.flush());
    // A failed write is not retried: the error is final.
    out.clear();
    Ok(written?)
}

/// Consumer of packets and flow events that writes them in one format.
pub trait Sink {
    /// Handles a packet that passed the filter.
    ///
    /// # Errors
    /// The output cannot be written, or the format cannot encode the packet.
    fn handle_packet(&mut self, _packet: &Packet) -> Result<()> {
        Ok(())
    }

    /// Returns a new formatter, in its initial state, of the lines that this sink writes, or `None`
    /// if the sink does not write packets as lines.
    fn line_worker(&self) -> Option<Box<dyn Lines>> {
        None
    }

    /// Writes lines from formatters that [`line_worker`](Self::line_worker) returned.
    ///
    /// # Errors
    /// The output cannot be written.
    fn append_lines(&mut self, _lines: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Returns a new formatter of the rows that this sink writes, or `None` if the sink does not
    /// write flows as independent rows.
    fn row_worker(&self) -> Option<Box<dyn flows::RowFormatter>> {
        None
    }

    /// Writes a row from a formatter that [`row_worker`](Self::row_worker) returned.
    ///
    /// # Errors
    /// The output cannot be written.
    fn append_row(&mut self, _row: &flows::FormattedRow) -> Result<()> {
        Ok(())
    }

    /// Handles an event of a flow; called only if [`requires`](Self::requires) returns at least
    /// [`Requirement::Flows`].
    ///
    /// # Errors
    /// The output cannot be written, or the format cannot encode the flow.
    fn handle_flow(&mut self, _event: &FlowEvent) -> Result<()> {
        Ok(())
    }

    /// Returns the level of parsing that this sink requires.
    fn requires(&self) -> Requirement {
        Requirement::Packets
    }

    /// Returns true if the sink can be complete before the last packet, in which case
    /// [`should_continue`](Self::should_continue) is called.
    fn can_finish_early(&self) -> bool {
        false
    }

    /// Returns true if the sink must receive all packets even after the reader of another sink's
    /// output closed the pipe, e.g. to check `--fail-on` conditions.
    fn is_independent(&self) -> bool {
        false
    }

    /// Returns true until the sink is complete; called only if
    /// [`can_finish_early`](Self::can_finish_early) returns true.
    fn should_continue(&self) -> bool {
        true
    }

    /// Handles a pause in which no packet is waiting. During a long pause, this method is called a
    /// second time, then only at the tick interval of a live source that has one.
    ///
    /// # Errors
    /// The output cannot be written.
    fn handle_idle(&mut self) -> Result<()> {
        self.flush()
    }

    /// Writes all buffered output.
    ///
    /// # Errors
    /// The output cannot be written.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// Completes the output after the last packet.
    ///
    /// # Errors
    /// The output cannot be written.
    fn finish(&mut self) -> Result<()> {
        self.flush()
    }
}
