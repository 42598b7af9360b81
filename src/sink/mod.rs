//! Output formats: packets, flows and requests to bytes, one format per file.

mod address;
mod annotations;
mod background_writer;
mod buffered_output;
mod capture_file;
mod clock;
pub(crate) mod csv;
mod digits;
pub mod flows;
pub mod follow;
pub(crate) mod json;
mod line_sink;
mod offload;
mod output_file;
mod owner_cache;
mod pcap;
mod pcapng;
pub mod requests;
mod rotation;
pub mod rows;
pub mod text;

pub use capture_file::CaptureFileOptions;
pub(crate) use digits::ByteCount;
#[cfg(feature = "internals")]
pub use json::Json;
pub use line_sink::{LineFormatter, LineSink};
pub use output_file::create_output_file;
pub use rotation::Rotation;

use std::io::Write;
use std::path::Path;

use crate::error::Result;
pub(crate) use crate::event::CONTINUE;
pub use crate::event::{Event, Requirement, Sink};
use buffered_output::BufferedOutput;
use text::Style;

/// All formats, in the order in which `--help` lists them. The first format of each kind is the
/// default.
pub const FORMATS: &[Format] = &[
    text::FORMAT,
    json::FORMAT,
    pcap::FORMAT,
    pcapng::FORMAT,
    flows::table::FORMAT,
    flows::json::FORMAT,
    flows::csv::FORMAT,
    flows::zeek::FORMAT,
    requests::table::FORMAT,
    requests::json::FORMAT,
    requests::csv::FORMAT,
    follow::conversation::FORMAT,
    follow::json::FORMAT,
    follow::hex_dump::FORMAT,
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

/// Constructor of a sink for capture files; a stream replaces the first file.
type CaptureFileFactory = fn(&CaptureFileOptions, Option<Box<dyn Write>>) -> Result<Box<dyn Sink>>;

/// Constructor of a format's sink.
#[derive(Debug, Clone, Copy)]
pub enum SinkFactory {
    /// Prints packets to a stream.
    Packets(fn(Box<dyn Write>, &Style) -> Box<dyn Sink>),
    /// Prints flows to a stream.
    Flows(fn(Box<dyn Write>, &rows::TableLayout) -> Box<dyn Sink>),
    /// Prints requests to a stream.
    Requests(fn(Box<dyn Write>, &requests::RequestLayout) -> Box<dyn Sink>),
    /// Writes packets to capture files.
    CaptureFile(CaptureFileFactory),
    /// Writes the contents of streams to a stream.
    Streams(fn(Box<dyn Write>, &follow::StreamOptions) -> Box<dyn Sink>),
    /// Writes the contents of streams to files in a directory.
    Directory(fn(&Path, &follow::StreamOptions) -> Result<Box<dyn Sink>>),
}
