//! A file's bytes, mapped or streamed: readers see a slice and ask for more.

use super::Stop;
use super::map::map;
use super::readahead::Readahead;
use super::signature::Compression;
use super::stream::{Patience, Stream};
use crate::memory::{PAIR, prefetch_at};
use memmap2::Mmap;
use std::fs::File;
use std::io::{self, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where a capture's bytes come from.
pub(super) enum Input {
    /// A regular file, all of it there.
    Map(Mapped),
    /// Anything else.
    Stream(Stream),
}

/// Who follows how far a map is read is told in steps of this many bytes.
const STEP: usize = 64 << 10;
/// How far ahead of the position the processor is asked for memory, in bytes. Where the next record begins is known only once this one's
/// length is there, and a processor does not guess as far ahead as it takes.
const AHEAD: usize = 4 << 10;
/// Behind a record of this many bytes it does not guess at all,
const FAR: usize = 512;
/// and is asked for what is likely to be looked at next, in pairs of lines.
const LANDING: usize = 5;

/// A map and how far it was consumed.
pub(super) struct Mapped {
    map: Arc<Mmap>,
    position: usize,
    /// Where who follows is told the position again.
    tell_at: usize,
    done: Arc<AtomicU64>,
    /// Set once packets are read.
    readahead: Option<Readahead>,
    /// Reads on from the first position, should the bytes turn out to be compressed.
    file: File,
}

impl Input {
    /// Maps `file` from its present position on where that is possible, streams it where not. `done` follows how far the file is read.
    ///
    /// # Errors
    /// The file cannot be examined.
    pub(super) fn open(mut file: File, done: Arc<AtomicU64>) -> io::Result<Input> {
        if !file.metadata()?.is_file() {
            let patience = file.try_clone().map_or(Patience::Assume, Patience::Ask);
            return Ok(Input::Stream(Stream::new(file, patience, done)));
        }
        // A shell may have read from its standard input before.
        let position = file.stream_position()?;
        if let Ok(map) = map(&file)
            && let Ok(position) = usize::try_from(position)
            && position <= map.len()
        {
            done.store(position as u64, Ordering::Relaxed);
            return Ok(Input::Map(Mapped {
                map: Arc::new(map),
                position,
                tell_at: position,
                done,
                readahead: None,
                file,
            }));
        }
        // Empty, or of a file system without maps.
        Ok(Input::Stream(Stream::new(file, Patience::NotNeeded, done)))
    }

    /// The map, where there is one.
    pub(super) fn map(&self) -> Option<&Arc<Mmap>> {
        match self {
            Input::Map(mapped) => Some(&mapped.map),
            Input::Stream(_) => None,
        }
    }

    /// Goes back to an offset, in a map.
    pub(super) fn go_back(&mut self, offset: u64) {
        if let Input::Map(mapped) = self {
            mapped.position = mapped.position.min(offset as usize);
            mapped.tell();
        }
    }

    /// The same, unpacked on the way. Only before anything is consumed.
    ///
    /// # Errors
    /// The decoder could not be made.
    pub(super) fn unpack(self, compression: Compression) -> io::Result<Input> {
        let stream = match self {
            Input::Map(mapped) => Stream::new(mapped.file, Patience::NotNeeded, mapped.done),
            Input::Stream(stream) => stream,
        };
        stream.unpack(compression).map(Input::Stream)
    }

    /// What it is is known, and all of it will be read.
    pub(super) fn read_ahead(&mut self) {
        if let Input::Map(mapped) = self {
            mapped.readahead = Readahead::start(&mapped.map, &mapped.done);
        }
    }

    /// How the bytes were compressed.
    pub(super) fn compression(&self) -> Option<Compression> {
        match self {
            Input::Map(_) => None,
            Input::Stream(stream) => stream.compression,
        }
    }

    /// Whether it is a regular file, of which everything is there.
    #[inline]
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Input::Map(_) => true,
            Input::Stream(stream) => stream.is_whole(),
        }
    }

    /// Waits until there is something to read; false if somebody asked to stop and nothing came for a while.
    pub(super) fn wait(&self, stop: &Stop) -> bool {
        match self {
            Input::Map(_) => true,
            Input::Stream(stream) => stream.wait(stop),
        }
    }

    /// What is there and not consumed.
    #[inline(always)]
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Input::Map(mapped) => mapped.rest(),
            Input::Stream(stream) => stream.bytes(),
        }
    }

    /// How many bytes were consumed, after unpacking.
    pub(super) fn offset(&self) -> u64 {
        match self {
            Input::Map(mapped) => mapped.position as u64,
            Input::Stream(stream) => stream.offset(),
        }
    }

    /// Consumes the first `size` of [`bytes`](Self::bytes), which has as many, and shows them.
    #[inline(always)]
    pub(super) fn take(&mut self, size: usize) -> &[u8] {
        match self {
            Input::Map(mapped) => mapped.take(size),
            Input::Stream(stream) => stream.take(size),
        }
    }

    /// Reads once, so that [`bytes`](Self::bytes) grows, at best to `needed`. Returns how many bytes came, 0 at the end.
    ///
    /// # Errors
    /// Those of the reader.
    pub(super) fn fill(&mut self, needed: usize) -> io::Result<usize> {
        match self {
            Input::Map(_) => Ok(0),
            Input::Stream(stream) => stream.fill(needed),
        }
    }

    /// Whether [`fill`](Self::fill) may have to wait for somebody.
    pub(super) fn would_wait(&self) -> bool {
        match self {
            Input::Map(_) => false,
            Input::Stream(stream) => stream.would_wait(),
        }
    }
}

impl Mapped {
    /// How much was consumed.
    #[inline(always)]
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// What was not.
    #[inline(always)]
    pub(super) fn rest(&self) -> &[u8] {
        &self.map[self.position..]
    }

    /// As [`Input::take`].
    #[inline(always)]
    pub(super) fn take(&mut self, size: usize) -> &[u8] {
        let start = self.position;
        self.position += size;
        prefetch_at(&self.map, start + AHEAD);
        if size >= FAR {
            for pair in 0..LANDING {
                prefetch_at(&self.map, self.position + pair * PAIR);
            }
        }
        if self.position >= self.tell_at {
            self.tell();
        }
        &self.map[start..self.position]
    }

    #[cold]
    fn tell(&mut self) {
        self.done.store(self.position as u64, Ordering::Relaxed);
        // At the very end too.
        let last = if self.position < self.map.len() {
            self.map.len()
        } else {
            usize::MAX
        };
        self.tell_at = last.min(self.position.saturating_add(STEP));
    }
}
