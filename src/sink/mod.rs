//! Output formats: packets and flows to bytes, one format per file.

mod address;
mod annotations;
mod background_writer;
mod capture_file;
pub mod flows;
pub mod follow;
mod json;
mod line_sink;
mod local_time;
mod number;
mod offload;
mod owner_cache;
mod packet_options;
mod pcap;
mod pcapng;
mod room;
mod rotation;
pub mod text;
mod word;

pub use capture_file::{
    CaptureFile, CaptureFileOptions, CaptureFileSink, Encoder, create_output_file,
};
pub use json::Json;
pub use line_sink::{LineFormatter, LineSink};
pub use pcap::PcapEncoder;
pub use pcapng::PcapngEncoder;
pub use rotation::Rotation;

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use crate::error::Result;
use crate::flow::{FlowEvent, FlowTable};
use crate::packet::{Packet, Timestamp};
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
    follow::conversation::FORMAT,
    follow::raw_stream::FORMAT,
    follow::stream_directory::FORMAT,
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
#[derive(Debug, Clone, Copy)]
pub enum SinkFactory {
    /// Prints packets to a stream.
    Packets(fn(Box<dyn Write>, &Style) -> Box<dyn Sink>),
    /// Prints flows to a stream.
    Flows(fn(Box<dyn Write>, &flows::TableLayout) -> Box<dyn Sink>),
    /// Writes packets to capture files.
    CaptureFile(fn(&CaptureFileOptions) -> Result<Box<dyn Sink>>),
    /// Writes the contents of streams to a stream.
    Streams(fn(Box<dyn Write>, &follow::StreamOptions) -> Box<dyn Sink>),
    /// Writes the contents of streams to files in a directory.
    Directory(fn(&Path, &follow::StreamOptions) -> Result<Box<dyn Sink>>),
}

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
    /// No packet is waiting, or the tick interval has passed.
    Tick(Tick<'a>),
}

/// State of the capture at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Tick<'a> {
    /// Current time of the capture's clock.
    pub time: Timestamp,
    /// True if no packet is waiting. During a long pause there are two such ticks, then only those
    /// of the tick interval of a live source that has one.
    pub is_idle: bool,
    /// Table of the open flows, if flows are tracked.
    pub flows: Option<&'a FlowTable>,
}

/// Consumer of events that writes them in one format.
pub trait Sink {
    /// Returns the events that this sink requires.
    fn requires(&self) -> Requirement;

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

/// Writes the buffered bytes and flushes the writer.
fn write_and_flush(writer: &mut impl Write, out: &mut Vec<u8>) -> Result<()> {
    let written = writer.write_all(out).and_then(|()| writer.flush());
    // A failed write is not retried: the error is final.
    out.clear();
    Ok(written?)
}
