//! One file per stream, with captured bytes only: `000001_127.0.0.1-59526_127.0.0.1-62893.orig` and
//! `.resp`.
//!
//! Files are not kept open, because there can be more flows than file descriptors. The bytes of a
//! stream are buffered until the buffer is large enough or the flow ends; then they are appended to
//! the file.

use std::collections::HashMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use foldhash::fast::RandomState;

use crate::error::{Error, Result};
use crate::flow::{FlowEventKind, FlowId, Side};
use crate::sink::output_file::OutputDirectory;
use crate::sink::{CONTINUE, Event, Format, Requirement, Sink, SinkFactory};

/// The entry of stream directories in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "directory",
    extension: "",
    about: "one file per stream, with captured bytes only",
    factory: SinkFactory::Directory(|path, options| {
        Ok(Box::new(StreamDirectory::create(path, options.flow)?))
    }),
};

/// Sink that writes each stream to a file in one directory.
pub struct StreamDirectory {
    directory: OutputDirectory,
    /// Number of the selected flow; `None` selects all flows.
    only_flow: Option<u64>,
    streams: HashMap<(u64, Side), BufferedStream, RandomState>,
    /// Number of buffered bytes of all streams.
    pending_bytes: usize,
}

/// An open stream.
struct BufferedStream {
    name: String,
    pending: Vec<u8>,
    /// True if the first chunk was written.
    file_created: bool,
}

/// Number of buffered bytes at which a stream is written: small enough for the buffers to stay in
/// the CPU cache, large enough to be worth opening a file.
const MAX_STREAM_BYTES: usize = 16 << 10;
/// Number of buffered bytes of all streams above which all are written.
const MAX_PENDING_BYTES: usize = 64 << 20;

impl StreamDirectory {
    /// Creates the directory if it does not exist. `only_flow` selects one flow by number.
    ///
    /// # Errors
    /// The directory cannot be created, or belongs to another user.
    pub fn create(path: &Path, only_flow: Option<u64>) -> Result<StreamDirectory> {
        Ok(StreamDirectory {
            directory: OutputDirectory::create(path)?,
            only_flow,
            streams: HashMap::default(),
            pending_bytes: 0,
        })
    }

    fn add(&mut self, id: &FlowId, side: Side, bytes: &[u8]) -> Result<()> {
        let stream = self.streams.entry((id.number, side));
        let stream = stream.or_insert_with(|| BufferedStream {
            name: file_name(id, side),
            pending: Vec::new(),
            file_created: false,
        });
        stream.pending.extend_from_slice(bytes);
        self.pending_bytes += bytes.len();
        if stream.pending.len() >= MAX_STREAM_BYTES {
            self.pending_bytes -= stream.pending.len();
            return stream.write(&self.directory);
        }
        match self.pending_bytes > MAX_PENDING_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn finish_flow(&mut self, id: &FlowId) -> Result<()> {
        for side in Side::BOTH {
            if let Some(mut stream) = self.streams.remove(&(id.number, side)) {
                self.pending_bytes -= stream.pending.len();
                stream.write(&self.directory)?;
            }
        }
        Ok(())
    }
}

impl Sink for StreamDirectory {
    fn requires(&self) -> Requirement {
        Requirement::Streams
    }

    fn output_directory(&self) -> Option<BorrowedFd<'_>> {
        Some(self.directory.as_fd())
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        match event {
            Event::Flow(event) if self.only_flow.is_none_or(|flow| flow == event.id.number) => {
                match event.kind {
                    FlowEventKind::Data { side, bytes, .. } if !bytes.is_empty() => {
                        self.add(event.id, side, bytes)?;
                    }
                    FlowEventKind::Closed(_) => self.finish_flow(event.id)?,
                    _ => {}
                }
            }
            Event::Tick(_) => self.flush()?,
            Event::Packet(_) | Event::Flow(_) | Event::Request(_) | Event::Dropped(_) => {}
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.pending_bytes = 0;
        self.streams
            .values_mut()
            .try_for_each(|stream| stream.write(&self.directory))
    }

    fn finish(&mut self) -> Result<()> {
        self.flush()
    }
}

impl BufferedStream {
    /// Appends the buffered bytes to the file.
    fn write(&mut self, directory: &OutputDirectory) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let mut file = match self.file_created {
            true => directory.append_to_file(&self.name)?,
            false => directory.replace_file(&self.name)?,
        };
        self.file_created = true;
        let path = directory.path().join(&self.name);
        file.write_all(&pending)
            .map_err(Error::file("cannot write", path))
    }
}

/// Returns the file name of a stream: flow number with at least six digits, originator, responder,
/// and side.
fn file_name(id: &FlowId, side: Side) -> String {
    let (number, orig, resp) = (id.number, id.orig(), id.resp());
    format!(
        "{number:06}_{}-{}_{}-{}.{}",
        orig.ip(),
        orig.port(),
        resp.ip(),
        resp.port(),
        side.name()
    )
}
