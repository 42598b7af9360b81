//! Every stream in a file of its own: `000001_127.0.0.1-59526_127.0.0.1-62893.orig` and `.resp`, captured bytes only.
//!
//! Files are not kept open, because flows may be more than files can be: a stream's bytes wait in memory until they are many or the
//! flow ends. Then [threads](super::writers) write them.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::writers::{Piece, Writers};
use crate::error::{Error, Result};
use crate::flow::{FlowEvent, FlowId, Side, What};
use crate::sink::save::give_to_invoking_user;
use crate::sink::{Needs, Sink};

/// Writes streams into a directory.
pub struct Directory {
    writers: Writers,
    /// Only this flow.
    only: Option<u64>,
    waiting: HashMap<(u64, Side), Stream, RandomState>,
    /// Bytes that wait in all streams.
    bytes: usize,
}

/// A stream that goes on.
struct Stream {
    name: Arc<str>,
    waiting: Vec<u8>,
    /// Whether something was written already.
    begun: bool,
}

/// A stream is written when so many of its bytes wait: few enough for all to stay in the cache, many enough to open a file for.
const ENOUGH: usize = 16 << 10;
/// All are written when so many bytes wait together.
const TOO_MUCH: usize = 64 << 20;

impl Directory {
    /// Creates the directory, unless it is there.
    ///
    /// # Errors
    /// It cannot be created, or the system has no more threads.
    pub fn create(path: &Path, only: Option<u64>) -> Result<Directory> {
        std::fs::create_dir_all(path).map_err(|source| Error::File {
            action: "cannot create",
            path: path.into(),
            source,
        })?;
        if let Ok(directory) = File::open(path) {
            give_to_invoking_user(&directory);
        }
        Ok(Directory {
            writers: Writers::start(path)?,
            only,
            waiting: HashMap::default(),
            bytes: 0,
        })
    }

    fn add(&mut self, id: &FlowId, side: Side, bytes: &[u8]) -> Result<()> {
        let stream = self
            .waiting
            .entry((id.number, side))
            .or_insert_with(|| Stream {
                name: name(id, side).into(),
                waiting: Vec::new(),
                begun: false,
            });
        stream.waiting.extend_from_slice(bytes);
        self.bytes += bytes.len();
        if stream.waiting.len() >= ENOUGH {
            self.bytes -= stream.waiting.len();
            return stream.write(id.number, &mut self.writers);
        }
        match self.bytes > TOO_MUCH {
            true => self.hand_on(),
            false => Ok(()),
        }
    }

    fn end(&mut self, id: &FlowId) -> Result<()> {
        for side in Side::BOTH {
            if let Some(mut stream) = self.waiting.remove(&(id.number, side)) {
                self.bytes -= stream.waiting.len();
                stream.write(id.number, &mut self.writers)?;
            }
        }
        Ok(())
    }

    /// Hands on all that waits.
    fn hand_on(&mut self) -> Result<()> {
        self.bytes = 0;
        let writers = &mut self.writers;
        let mut streams = self.waiting.iter_mut();
        streams.try_for_each(|((number, _), stream)| stream.write(*number, writers))
    }
}

impl Sink for Directory {
    fn flow(&mut self, event: &FlowEvent) -> Result<()> {
        if self.only.is_some_and(|only| only != event.id.number) {
            return Ok(());
        }
        match event.what {
            What::Data { side, bytes, .. } if !bytes.is_empty() => self.add(event.id, side, bytes),
            What::Closed(_) => self.end(event.id),
            _ => Ok(()),
        }
    }

    fn needs(&self) -> Needs {
        Needs::Streams
    }

    fn flush(&mut self) -> Result<()> {
        self.hand_on()?;
        self.writers.flush()
    }
}

impl Stream {
    fn write(&mut self, number: u64, writers: &mut Writers) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = Piece {
            name: Arc::clone(&self.name),
            is_first: !std::mem::replace(&mut self.begun, true),
            bytes: std::mem::take(&mut self.waiting),
        };
        writers.write(number, piece)
    }
}

/// Six digits of the flow's number, the originator, the responder, and whose stream it is.
fn name(id: &FlowId, side: Side) -> String {
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
