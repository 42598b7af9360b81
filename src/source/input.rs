//! Bytes of a capture file, of a pipe or of any reader, decompressed if necessary: readers see a
//! slice and request more.
//!
//! Files are not mapped into memory: a file that is truncated while it is read would then end the
//! process with SIGBUS, or show zeros that are packets of a pcap file.

use super::Stop;
use super::decompress::GzipReader;
#[cfg(feature = "zstd")]
use super::decompress::ZstdReader;
use super::read_ahead::ReadAhead;
use super::signature::Compression;
use crate::error::Error;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Size of one read in bytes: at least the capacity of a pipe, and small enough for the cache.
const READ_SIZE: usize = 128 * 1024;

/// Time that the writer of a pipe has to send its remaining data after a stop request. The signal
/// that causes the request usually reaches the writer as well.
const WRITER_DRAIN_TIMEOUT: Duration = Duration::from_millis(250);

/// Bytes of a capture file: a reader and the bytes read from it that are not consumed.
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
    compression: Option<Compression>,
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

    /// Opens `file` at its current position; `done` tracks the number of bytes read.
    ///
    /// # Errors
    /// The metadata or the position of the file cannot be read, or the process has no file
    /// descriptors left.
    pub(super) fn open(mut file: File, done: Arc<AtomicU64>) -> io::Result<InputStream> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return InputStream::pipe(file, done);
        }
        // A shell may already have read part of its standard input.
        let position = file.stream_position()?;
        done.store(position, Ordering::Relaxed);
        let reader = RegularFile {
            file,
            position,
            size: metadata.len(),
        };
        let stream = InputStream::new(reader, Blocking::Never, done);
        Ok(InputStream {
            consumed: position,
            ..stream
        })
    }

    /// Creates a stream of a pipe, a terminal or another special file.
    ///
    /// # Errors
    /// The process has no file descriptors left.
    fn pipe(file: File, done: Arc<AtomicU64>) -> io::Result<InputStream> {
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
    #[inline(always)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Returns the number of bytes consumed, counted after decompression.
    pub(super) fn offset(&self) -> u64 {
        self.consumed
    }

    /// Consumes and returns the first `size` bytes of [`bytes`](Self::bytes), which must contain at
    /// least that many.
    #[inline(always)]
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

    /// Builds the error of a failed read. For compressed input, an error without an OS error number
    /// comes from the decoder; any other error comes from reading the file.
    pub(super) fn read_error(&self, path: &Path, packets: u64, source: io::Error) -> Error {
        let cut = source.get_ref().filter(|cause| cause.is::<FileCut>());
        let what = match (cut, self.compression) {
            (Some(cut), _) => cut.to_string(),
            (None, Some(compression)) if source.raw_os_error().is_none() => {
                decompression_damage(compression, &source)
            }
            _ => return Error::file("cannot read", path)(source),
        };
        Error::Damaged {
            file: path.display().to_string(),
            offset: self.offset() + self.bytes().len() as u64,
            packets,
            what,
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

    /// True if a failed [`fill`](Self::fill) means that a pipe is empty now.
    pub(super) fn is_empty_pipe(&self, error: &io::Error) -> bool {
        matches!(self.blocking, Blocking::Poll(_)) && error.kind() == io::ErrorKind::WouldBlock
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

/// A reader of a file that fails with [`FileCut`] where the file ends before the size that it had
/// when it was opened. A file that has grown is read to its new end.
struct RegularFile {
    file: File,
    position: u64,
    size: u64,
}

impl Read for RegularFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.position += count as u64;
        if count == 0 && self.position < self.size {
            let cut = FileCut(self.position);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cut));
        }
        Ok(count)
    }
}

/// A file was truncated to this size, or to a smaller one, while it was read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the file was cut while being read at byte {0}, e.g. as the next file of a ring; \
     read it when its writer has ended"
)]
struct FileCut(u64);

fn decompression_damage(compression: Compression, error: &io::Error) -> String {
    let name = compression.name();
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return format!(
            "the {name} data ends early: \
             the file was truncated, perhaps while being written or copied"
        );
    }
    format!(
        "the {name} data is corrupt ({error}): it was changed in transit, \
         and the last packets before the damage may be wrong as well; obtain a new copy of the file"
    )
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
