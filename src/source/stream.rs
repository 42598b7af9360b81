//! Bytes that come when they come: pipes, terminals and whatever is being decompressed.

use super::Stop;
use super::ahead::Ahead;
use super::signature::Compression;
use super::unpack::{Gzip, Zstd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How much is asked for at once: what a pipe holds.
const READ: usize = 64 * 1024;

/// How long the writer of a pipe, who was told to stop too, may take for what it still holds.
const FAREWELL: Duration = Duration::from_millis(250);

/// A reader and what was read from it and not yet consumed.
pub(super) struct Stream {
    reader: Box<dyn Read + Send>,
    patience: Patience,
    /// The unconsumed bytes are `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// How many bytes were consumed before `start`.
    consumed: u64,
    /// Set once the bytes are unpacked on their way.
    pub(super) compression: Option<Compression>,
}

/// Whether a read can make its caller wait.
pub(super) enum Patience {
    /// Never: a regular file.
    NotNeeded,
    /// Whenever this file, another handle of what is read, has nothing to read.
    Ask(File),
    /// Nobody knows.
    Assume,
}

impl Stream {
    /// Reads `reader`; `done` follows how many bytes came out of it.
    pub(super) fn new(
        reader: impl Read + Send + 'static,
        patience: Patience,
        done: Arc<AtomicU64>,
    ) -> Stream {
        Stream {
            reader: Box::new(Counted { reader, done }),
            patience,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            consumed: 0,
            compression: None,
        }
    }

    /// The same, unpacked on the way; what is buffered already is unpacked too.
    ///
    /// A file is unpacked by a thread. A pipe is not: whether there is more to read, only the pipe itself can say.
    ///
    /// # Errors
    /// The decoder could not be made, or the thread.
    pub(super) fn unpack(self, compression: Compression) -> io::Result<Stream> {
        let buffered = self.bytes().to_vec();
        let packed = Cursor::new(buffered).chain(self.reader);
        let reader: Box<dyn Read + Send> = match compression {
            Compression::Gzip => Box::new(Gzip::new(packed)),
            Compression::Zstd => Box::new(Zstd::new(packed)?),
        };
        let reader: Box<dyn Read + Send> = match self.patience {
            Patience::NotNeeded => Box::new(Ahead::start(reader)?),
            Patience::Ask(_) | Patience::Assume => reader,
        };
        Ok(Stream {
            reader,
            patience: self.patience,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            consumed: 0,
            compression: Some(compression),
        })
    }

    /// What was read and not consumed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// How many bytes were consumed.
    pub(super) fn offset(&self) -> u64 {
        self.consumed
    }

    /// Consumes the first `size` of [`bytes`](Self::bytes), which has as many, and shows them.
    pub(super) fn take(&mut self, size: usize) -> &[u8] {
        let start = self.start;
        self.start += size;
        self.consumed += size as u64;
        &self.buffer[start..self.start]
    }

    /// Reads once, whatever is there; `needed` is how many unconsumed bytes would be of use. Returns how many came, 0 at the end.
    ///
    /// The buffer is at most twice what was ever in it: a header that lies about lengths allocates nothing.
    ///
    /// # Errors
    /// Those of the reader.
    pub(super) fn fill(&mut self, needed: usize) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            let doubled = self.end * 2;
            self.buffer
                .resize(doubled.min(needed).max(self.end + READ), 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Whether it is a regular file, of which everything is there.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.patience, Patience::NotNeeded)
    }

    /// Waits until there is something to read; false if somebody asked to stop and nothing came for a while.
    pub(super) fn wait(&self, stop: &Stop) -> bool {
        let Patience::Ask(file) = &self.patience else {
            return true;
        };
        let wake = stop.fd();
        loop {
            let mut files = [
                PollFd::new(file, PollFlags::IN),
                PollFd::new(&wake, PollFlags::IN),
            ];
            let stopped = stop.is_requested();
            let farewell = Timespec::try_from(FAREWELL).ok().filter(|_| stopped);
            // Once it has been heard, the wish stays readable.
            let waiting = if stopped {
                &mut files[..1]
            } else {
                &mut files[..]
            };
            let ready = poll(waiting, farewell.as_ref());
            if !files[0].revents().is_empty() {
                return true;
            }
            if stopped && ready == Ok(0) {
                return false;
            }
        }
    }

    /// Whether [`fill`](Self::fill) may have to wait.
    pub(super) fn would_wait(&self) -> bool {
        match &self.patience {
            Patience::NotNeeded => false,
            Patience::Ask(file) => {
                let mut files = [PollFd::new(file, PollFlags::IN)];
                let now = Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                };
                // Its end and its errors are there to be read too.
                !matches!(poll(&mut files, Some(&now)), Ok(1..))
            }
            Patience::Assume => true,
        }
    }
}

/// Counts what comes out of a reader.
struct Counted<R> {
    reader: R,
    done: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.done.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
