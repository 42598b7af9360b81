//! One file per stream, with captured bytes only: `000001_127.0.0.1-59526_127.0.0.1-62893.orig` and
//! `.resp`.
//!
//! Files are not kept open, because there can be more flows than file descriptors. The bytes of a
//! stream are buffered until the buffer is large enough or the flow ends; then
//! [threads](super::file_writers) append them to the file.

use std::collections::HashMap;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::file_writers::{FileChunk, FileWriters};
use crate::error::{Error, Result};
use crate::flow::{FlowEventKind, FlowId, Side};
use crate::sink::capture_file::chown_to_invoking_user;
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
    writers: FileWriters,
    /// Number of the selected flow; `None` selects all flows.
    only_flow: Option<u64>,
    streams: HashMap<(u64, Side), BufferedStream, RandomState>,
    /// Number of buffered bytes of all streams.
    pending_bytes: usize,
}

/// An open stream.
struct BufferedStream {
    name: Arc<str>,
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
    /// The directory cannot be created, or a thread cannot be started.
    pub fn create(path: &Path, only_flow: Option<u64>) -> Result<StreamDirectory> {
        std::fs::create_dir_all(path).map_err(|source| Error::File {
            action: "cannot create",
            path: path.into(),
            source,
        })?;
        if let Ok(directory) = File::open(path) {
            chown_to_invoking_user(&directory);
        }
        Ok(StreamDirectory {
            writers: FileWriters::start(path)?,
            only_flow,
            streams: HashMap::default(),
            pending_bytes: 0,
        })
    }

    fn add(&mut self, id: &FlowId, side: Side, bytes: &[u8]) -> Result<()> {
        let stream = self
            .streams
            .entry((id.number, side))
            .or_insert_with(|| BufferedStream {
                name: file_name(id, side).into(),
                pending: Vec::new(),
                file_created: false,
            });
        stream.pending.extend_from_slice(bytes);
        self.pending_bytes += bytes.len();
        if stream.pending.len() >= MAX_STREAM_BYTES {
            self.pending_bytes -= stream.pending.len();
            return stream.write(id.number, &mut self.writers);
        }
        match self.pending_bytes > MAX_PENDING_BYTES {
            true => self.write_all_pending(),
            false => Ok(()),
        }
    }

    fn finish_flow(&mut self, id: &FlowId) -> Result<()> {
        for side in Side::BOTH {
            if let Some(mut stream) = self.streams.remove(&(id.number, side)) {
                self.pending_bytes -= stream.pending.len();
                stream.write(id.number, &mut self.writers)?;
            }
        }
        Ok(())
    }

    /// Passes all buffered bytes on to the writer threads.
    fn write_all_pending(&mut self) -> Result<()> {
        self.pending_bytes = 0;
        let writers = &mut self.writers;
        let mut streams = self.streams.iter_mut();
        streams.try_for_each(|((number, _), stream)| stream.write(*number, writers))
    }
}

impl Sink for StreamDirectory {
    fn requires(&self) -> Requirement {
        Requirement::Streams
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
            Event::Packet(_) | Event::Flow(_) => {}
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.write_all_pending()?;
        self.writers.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.flush()
    }
}

impl BufferedStream {
    fn write(&mut self, number: u64, writers: &mut FileWriters) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let chunk = FileChunk {
            name: Arc::clone(&self.name),
            is_first: !std::mem::replace(&mut self.file_created, true),
            bytes: std::mem::take(&mut self.pending),
        };
        writers.write(number, chunk)
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
