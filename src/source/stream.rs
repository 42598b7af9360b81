//! Streamed input: pipes, terminals and decompressed files.

use super::Stop;
use super::decompress::GzipReader;
#[cfg(feature = "zstd")]
use super::decompress::ZstdReader;
use super::read_ahead::ReadAhead;
use super::signature::Compression;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Size of one read in bytes: the capacity of a pipe.
const READ_SIZE: usize = 64 * 1024;

/// Time that the writer of a pipe has to send its remaining data after a stop request. The signal
/// that causes the request usually reaches the writer as well.
const WRITER_DRAIN_TIMEOUT: Duration = Duration::from_millis(250);

/// A reader and the bytes read from it that are not consumed.
pub(super) struct InputStream {
    reader: Box<dyn Read + Send>,
    blocking: Blocking,
    /// The unconsumed bytes are `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Total number of bytes consumed, up to `start`.
    consumed: u64,
    /// Compression of the input, if it is decompressed as it is read.
    pub(super) compression: Option<Compression>,
}

/// The condition under which a read blocks its caller.
pub(super) enum Blocking {
    /// Never: a regular file.
    Never,
    /// Never: reads fail with [`WouldBlock`](io::ErrorKind::WouldBlock) while this file, a second
    /// handle of the input, is not readable.
    Poll(File),
    /// Possibly on every read: an arbitrary reader.
    Always,
}

impl InputStream {
    /// Creates a stream from `reader`; `done` counts the bytes read from it.
    pub(super) fn new(
        reader: impl Read + Send + 'static,
        blocking: Blocking,
        done: Arc<AtomicU64>,
    ) -> InputStream {
        InputStream {
            reader: Box::new(CountingReader { reader, done }),
            blocking,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            consumed: 0,
            compression: None,
        }
    }

    /// Creates a stream of a pipe, a terminal or another special file.
    ///
    /// # Errors
    /// The process has no file descriptors left.
    pub(super) fn pipe(file: File, done: Arc<AtomicU64>) -> io::Result<InputStream> {
        let blocking = Blocking::Poll(file.try_clone()?);
        Ok(InputStream::new(PollingReader(file), blocking, done))
    }

    /// Returns the same stream, decompressed as it is read, including the bytes already buffered.
    ///
    /// A file is decompressed on another thread. A pipe is not, because its reader shows whether a
    /// read would block.
    ///
    /// # Errors
    /// The decoder or the thread could not be created.
    pub(super) fn decompress(self, compression: Compression) -> io::Result<InputStream> {
        let buffered = self.bytes().to_vec();
        let compressed = Cursor::new(buffered).chain(self.reader);
        let reader: Box<dyn Read + Send> = match compression {
            Compression::Gzip => Box::new(GzipReader::new(compressed)),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Box::new(ZstdReader::new(compressed)?),
        };
        let reader: Box<dyn Read + Send> = match self.blocking {
            Blocking::Never => Box::new(ReadAhead::start(reader)?),
            Blocking::Poll(_) | Blocking::Always => reader,
        };
        Ok(InputStream {
            reader,
            blocking: self.blocking,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            consumed: 0,
            compression: Some(compression),
        })
    }

    /// Returns the bytes read and not consumed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Returns the number of bytes consumed.
    pub(super) fn offset(&self) -> u64 {
        self.consumed
    }

    /// Consumes and returns the first `size` bytes of [`bytes`](Self::bytes), which must contain at
    /// least that many.
    pub(super) fn consume(&mut self, size: usize) -> &[u8] {
        let start = self.start;
        self.start += size;
        self.consumed += size as u64;
        &self.buffer[start..self.start]
    }

    /// Reads once; `needed` is the number of unconsumed bytes that the caller needs. Returns
    /// the number of bytes read, 0 at the end.
    ///
    /// The buffer grows to at most twice the data that was ever in it, so a header with a false
    /// length does not cause a large allocation.
    ///
    /// # Errors
    /// The read failed.
    pub(super) fn fill(&mut self, needed: usize) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            let doubled = self.end * 2;
            self.buffer
                .resize(doubled.min(needed).max(self.end + READ_SIZE), 0);
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

    /// True for a regular file, whose contents are all available.
    pub(super) fn is_regular_file(&self) -> bool {
        matches!(self.blocking, Blocking::Never)
    }

    /// True if [`fill`](Self::fill) can block: an arbitrary reader.
    pub(super) fn can_block(&self) -> bool {
        matches!(self.blocking, Blocking::Always)
    }

    /// True if [`fill`](Self::fill) fails with [`WouldBlock`](io::ErrorKind::WouldBlock) while no
    /// data is available.
    pub(super) fn is_pipe(&self) -> bool {
        matches!(self.blocking, Blocking::Poll(_))
    }

    /// Waits until a pipe is readable, up to a timeout or a stop request.
    pub(super) fn wait_readable(
        &self,
        stop: Option<&Stop>,
        timeout: Option<Duration>,
    ) -> WaitResult {
        let Blocking::Poll(file) = &self.blocking else {
            return WaitResult::Readable;
        };
        loop {
            let is_stopped = stop.is_some_and(Stop::is_requested);
            let timeout = if is_stopped {
                Some(WRITER_DRAIN_TIMEOUT)
            } else {
                timeout
            };
            let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
            // The stop descriptor stays readable after a request, so it is not polled again.
            let wake = stop.filter(|_| !is_stopped).map(Stop::fd);
            let mut files = vec![PollFd::new(file, PollFlags::IN)];
            files.extend(wake.as_ref().map(|wake| PollFd::new(wake, PollFlags::IN)));
            let ready = poll(&mut files, timeout.as_ref());
            if !files[0].revents().is_empty() {
                return WaitResult::Readable;
            }
            match ready {
                Ok(0) if is_stopped => return WaitResult::Stopped,
                Ok(0) => return WaitResult::TimedOut,
                // A stop request, or a signal.
                _ => {}
            }
        }
    }
}

/// Result of waiting for a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitResult {
    /// The pipe has data, or has ended.
    Readable,
    /// The pipe is empty, and the timeout has passed.
    TimedOut,
    /// A stop was requested, and no data arrived within [`WRITER_DRAIN_TIMEOUT`].
    Stopped,
}

/// A reader of a pipe that fails with [`WouldBlock`](io::ErrorKind::WouldBlock) instead of waiting
/// for data. A decoder that reads from it first returns all output of the data that has arrived.
struct PollingReader(File);

impl Read for PollingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut files = [PollFd::new(&self.0, PollFlags::IN)];
        // The end and errors (POLLHUP, POLLERR) do not block either.
        match poll(&mut files, Some(&Timespec::default())) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            Ok(_) => self.0.read(buffer),
            Err(error) => Err(error.into()),
        }
    }
}

/// A reader that counts the bytes read from it.
struct CountingReader<R> {
    reader: R,
    done: Arc<AtomicU64>,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.done.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
