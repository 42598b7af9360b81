//! Bytes of a capture file, memory-mapped or streamed: readers see a slice and request more.

use super::Stop;
use super::map::{map_file, populate_pages, prefetch, release_pages};
use super::signature::Compression;
use super::stream::{Blocking, InputStream, WaitResult};
use crate::error::Error;
use memmap2::Mmap;
use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Source of the bytes of a capture file.
pub(super) enum FileInput {
    /// A regular file, mapped as a whole.
    Mapped(MappedFile),
    /// A pipe, a terminal, a compressed file, or a file that cannot be mapped.
    Stream(InputStream),
}

/// Interval at which the position in a map is published to other threads, in bytes.
const PROGRESS_STEP_BYTES: usize = 64 << 10;
/// Bytes of a map that are populated at once, ahead of the position; a page that is not populated
/// costs a page fault.
const POPULATE_STEP_BYTES: usize = 2 << 20;
/// Bytes of a map that are released at once, after the position has passed them, so that a file of
/// any size occupies only a few megabytes of memory.
const RELEASE_STEP_BYTES: usize = 8 << 20;

/// A memory map and the position up to which it was consumed.
pub(super) struct MappedFile {
    map: Mmap,
    position: usize,
    /// Position at which `done` is updated next.
    report_at: usize,
    /// Position that the progress display reads.
    done: Arc<AtomicU64>,
    /// Ends of the bytes that were populated, and of those that were released.
    populated: usize,
    released: usize,
    /// The mapped file, which is read as a stream if the bytes turn out to be compressed.
    file: File,
}

impl FileInput {
    /// Opens `file` at its current position: mapped where possible, streamed otherwise. `done`
    /// tracks the number of bytes read.
    ///
    /// # Errors
    /// The metadata or the position of the file cannot be read.
    pub(super) fn open(mut file: File, done: Arc<AtomicU64>) -> io::Result<FileInput> {
        if !file.metadata()?.is_file() {
            return InputStream::pipe(file, done).map(FileInput::Stream);
        }
        // A shell may already have read part of its standard input.
        let position = file.stream_position()?;
        if let Ok(map) = map_file(&file)
            && let Ok(position) = usize::try_from(position)
            && position <= map.len()
        {
            done.store(position as u64, Ordering::Relaxed);
            return Ok(FileInput::Mapped(MappedFile {
                map,
                position,
                report_at: position,
                done,
                populated: position,
                released: 0,
                file,
            }));
        }
        // The file is empty, or its file system does not support mmap(2).
        Ok(FileInput::Stream(InputStream::new(
            file,
            Blocking::Never,
            done,
        )))
    }

    /// Returns the same input, decompressed as it is read. Only valid before anything is consumed.
    ///
    /// # Errors
    /// The decoder could not be created.
    pub(super) fn decompress(self, compression: Compression) -> io::Result<FileInput> {
        let stream = match self {
            FileInput::Mapped(mapped) => {
                InputStream::new(mapped.file, Blocking::Never, mapped.done)
            }
            FileInput::Stream(stream) => stream,
        };
        stream.decompress(compression).map(FileInput::Stream)
    }

    /// Returns the compression of the input, if any.
    pub(super) fn compression(&self) -> Option<Compression> {
        match self {
            FileInput::Mapped(_) => None,
            FileInput::Stream(stream) => stream.compression,
        }
    }

    /// True for a regular file, whose contents are all available.
    #[inline]
    pub(super) fn is_regular_file(&self) -> bool {
        match self {
            FileInput::Mapped(_) => true,
            FileInput::Stream(stream) => stream.is_regular_file(),
        }
    }

    /// Waits until a pipe is readable, up to a timeout or a stop request.
    pub(super) fn wait_readable(
        &self,
        stop: Option<&Stop>,
        timeout: Option<Duration>,
    ) -> WaitResult {
        match self {
            FileInput::Mapped(_) => WaitResult::Readable,
            FileInput::Stream(stream) => stream.wait_readable(stop, timeout),
        }
    }

    /// True if a failed [`fill`](Self::fill) means that a pipe is empty now.
    pub(super) fn is_empty_pipe(&self, error: &io::Error) -> bool {
        match self {
            FileInput::Mapped(_) => false,
            FileInput::Stream(stream) => {
                stream.is_pipe() && error.kind() == io::ErrorKind::WouldBlock
            }
        }
    }

    /// Returns the bytes that are available and not consumed.
    #[inline(always)]
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            FileInput::Mapped(mapped) => mapped.remaining(),
            FileInput::Stream(stream) => stream.bytes(),
        }
    }

    /// Returns the number of bytes consumed, counted after decompression.
    pub(super) fn offset(&self) -> u64 {
        match self {
            FileInput::Mapped(mapped) => mapped.position as u64,
            FileInput::Stream(stream) => stream.offset(),
        }
    }

    /// Consumes and returns the first `size` bytes of [`bytes`](Self::bytes), which must contain at
    /// least that many.
    #[inline(always)]
    pub(super) fn consume(&mut self, size: usize) -> &[u8] {
        match self {
            FileInput::Mapped(mapped) => mapped.consume(size),
            FileInput::Stream(stream) => stream.consume(size),
        }
    }

    /// Reads once and appends to [`bytes`](Self::bytes), of which the caller needs `needed`.
    /// Returns the number of bytes read, 0 at the end.
    ///
    /// # Errors
    /// The read failed.
    pub(super) fn fill(&mut self, needed: usize) -> io::Result<usize> {
        match self {
            FileInput::Mapped(_) => Ok(0),
            FileInput::Stream(stream) => stream.fill(needed),
        }
    }

    /// True if [`fill`](Self::fill) can block: an arbitrary reader.
    pub(super) fn can_block(&self) -> bool {
        match self {
            FileInput::Mapped(_) => false,
            FileInput::Stream(stream) => stream.can_block(),
        }
    }

    /// Builds the error of a failed read. For compressed input, an error without an OS error number
    /// comes from the decoder; any other error comes from reading the file.
    pub(super) fn read_error(&self, path: &Path, packets: u64, source: io::Error) -> Error {
        let decoder = self
            .compression()
            .filter(|_| source.raw_os_error().is_none());
        match decoder {
            Some(compression) => Error::Damaged {
                file: path.display().to_string(),
                offset: self.offset() + self.bytes().len() as u64,
                packets,
                what: decompression_damage(compression, &source),
            },
            None => Error::file("cannot read", path)(source),
        }
    }
}

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

impl MappedFile {
    /// Returns the bytes that are not consumed.
    #[inline(always)]
    fn remaining(&self) -> &[u8] {
        &self.map[self.position..]
    }

    /// Consumes bytes as [`FileInput::consume`] does.
    #[inline(always)]
    fn consume(&mut self, size: usize) -> &[u8] {
        let start = self.position;
        self.position += size;
        // The next record is read after this one has been processed.
        prefetch(&self.map, self.position);
        if self.position >= self.report_at {
            self.report_progress();
        }
        &self.map[start..self.position]
    }

    /// Publishes the position, populates the next pages and releases pages that were passed.
    #[cold]
    fn report_progress(&mut self) {
        self.done.store(self.position as u64, Ordering::Relaxed);
        // The end of the file is reported as well.
        let last = if self.position < self.map.len() {
            self.map.len()
        } else {
            usize::MAX
        };
        self.report_at = last.min(self.position.saturating_add(PROGRESS_STEP_BYTES));
        if self.position + PROGRESS_STEP_BYTES > self.populated {
            let start =
                self.populated.max(self.position) / POPULATE_STEP_BYTES * POPULATE_STEP_BYTES;
            populate_pages(&self.map, start, POPULATE_STEP_BYTES);
            self.populated = start + POPULATE_STEP_BYTES;
        }
        // The record that was just consumed is still in use.
        let passed = self.position.saturating_sub(RELEASE_STEP_BYTES);
        if passed >= self.released + RELEASE_STEP_BYTES {
            release_pages(&self.map, self.released, RELEASE_STEP_BYTES);
            self.released += RELEASE_STEP_BYTES;
        }
    }
}
