//! Bytes of a capture file, memory-mapped or streamed: readers see a slice and request more.

use super::Stop;
use super::map::map_file;
use super::page_prefetcher::PagePrefetcher;
use super::signature::Compression;
use super::stream::{Blocking, InputStream};
use crate::prefetch::{LINE_PAIR_BYTES, prefetch_at};
use memmap2::Mmap;
use std::fs::File;
use std::io::{self, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Source of the bytes of a capture file.
pub(super) enum FileInput {
    /// A regular file, mapped as a whole.
    Mapped(MappedFile),
    /// A pipe, a terminal, a compressed file, or a file that cannot be mapped.
    Stream(InputStream),
}

/// Interval at which the position in a map is published to other threads, in bytes.
const PROGRESS_STEP_BYTES: usize = 64 << 10;
/// Distance ahead of the position at which memory is prefetched, in bytes. The next record's offset
/// is available only once this record's length has been loaded, and the hardware prefetcher does
/// not run far enough ahead.
const PREFETCH_DISTANCE: usize = 4 << 10;
/// Records of at least this many bytes defeat the hardware prefetcher, so the start of the next
/// record is prefetched explicitly.
const LARGE_RECORD_LEN: usize = 512;
/// Number of cache-line pairs that are prefetched from the start of the record after a large one.
const NEXT_RECORD_PREFETCHES: usize = 5;

/// A memory map and the position up to which it was consumed.
pub(super) struct MappedFile {
    map: Arc<Mmap>,
    position: usize,
    /// Position at which `done` is updated next.
    report_at: usize,
    /// Position that other threads read: the progress display and the page prefetcher.
    done: Arc<AtomicU64>,
    /// Present once packets are being read from a large file.
    prefetcher: Option<PagePrefetcher>,
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
            let blocking = file.try_clone().map_or(Blocking::Always, Blocking::Poll);
            return Ok(FileInput::Stream(InputStream::new(file, blocking, done)));
        }
        // A shell may already have read part of its standard input.
        let position = file.stream_position()?;
        if let Ok(map) = map_file(&file)
            && let Ok(position) = usize::try_from(position)
            && position <= map.len()
        {
            done.store(position as u64, Ordering::Relaxed);
            return Ok(FileInput::Mapped(MappedFile {
                map: Arc::new(map),
                position,
                report_at: position,
                done,
                prefetcher: None,
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

    /// Returns the memory map, if the input is mapped.
    pub(super) fn map(&self) -> Option<&Arc<Mmap>> {
        match self {
            FileInput::Mapped(mapped) => Some(&mapped.map),
            FileInput::Stream(_) => None,
        }
    }

    /// Moves back to `offset`; does nothing for a stream.
    pub(super) fn seek_back(&mut self, offset: u64) {
        if let FileInput::Mapped(mapped) = self {
            mapped.position = mapped.position.min(offset as usize);
            mapped.report_progress();
        }
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

    /// Starts the page prefetcher; called once the format is detected and the whole file will be
    /// read.
    pub(super) fn start_prefetching(&mut self) {
        if let FileInput::Mapped(mapped) = self {
            mapped.prefetcher = PagePrefetcher::start(&mapped.map, &mapped.done);
        }
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

    /// Waits until the input is readable; returns false if a stop was requested and no data arrived
    /// within the drain timeout.
    pub(super) fn wait_readable(&self, stop: &Stop) -> bool {
        match self {
            FileInput::Mapped(_) => true,
            FileInput::Stream(stream) => stream.wait_readable(stop),
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

    /// True if [`fill`](Self::fill) may have to wait for a writer.
    pub(super) fn can_block(&self) -> bool {
        match self {
            FileInput::Mapped(_) => false,
            FileInput::Stream(stream) => stream.can_block(),
        }
    }
}

impl MappedFile {
    /// Returns the number of bytes consumed.
    #[inline(always)]
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Returns the bytes that are not consumed.
    #[inline(always)]
    pub(super) fn remaining(&self) -> &[u8] {
        &self.map[self.position..]
    }

    /// Consumes bytes as [`FileInput::consume`] does, and prefetches the bytes after them.
    #[inline(always)]
    pub(super) fn consume(&mut self, size: usize) -> &[u8] {
        let start = self.position;
        self.position += size;
        prefetch_at(&self.map, start + PREFETCH_DISTANCE);
        if size >= LARGE_RECORD_LEN {
            for pair in 0..NEXT_RECORD_PREFETCHES {
                prefetch_at(&self.map, self.position + pair * LINE_PAIR_BYTES);
            }
        }
        if self.position >= self.report_at {
            self.report_progress();
        }
        &self.map[start..self.position]
    }

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
    }
}
