//! Index of the frames in a mapped file: one thread locates them, others parse them.

use std::sync::Arc;

use memmap2::Mmap;

use super::FileSource;
use super::format_reader::FormatReader;
use super::input::FileInput;
use super::parse_step::ParseStep;
use crate::error::Result;
use crate::packet::{Frame, Timestamp};
use crate::prefetch::{prefetch_at, prefetch_later};

/// Locations of consecutive frames in a file. Filled by
/// [`FileSource::index_frames`](super::FileSource::index_frames).
///
/// It holds only a few bytes per frame: bytes that one core writes and another reads move from
/// cache to cache, which is slow.
#[derive(Debug, Default)]
pub struct FrameIndex {
    /// Offset in the file at which the index starts.
    start: usize,
    /// Number of bytes scanned from `start` on.
    scanned_bytes: usize,
    /// Number, in the file, of the first indexed frame; frames are numbered from 1.
    first_number: u64,
    /// Offsets of the frames' records from `start`.
    frame_offsets: Vec<u32>,
    /// Blocks without a packet, which can describe later frames: the number of frames before each
    /// block, and the block's offset.
    non_packet_blocks: Vec<(u32, u32)>,
}

/// A reader of indexed frames. Created by
/// [`FileSource::index_reader`](super::FileSource::index_reader).
///
/// Each worker thread uses a separate reader, which must read every index in order, because blocks
/// between the frames describe how later frames are read.
pub struct FrameIndexReader {
    pub(super) map: Arc<Mmap>,
    pub(super) format: FormatReader,
}

/// The frames of one index.
pub struct IndexedFrames<'a> {
    file: &'a [u8],
    format: &'a mut FormatReader,
    index: &'a FrameIndex,
    /// Blocks that are still to be applied.
    non_packet_blocks: &'a [(u32, u32)],
    /// Mean number of file bytes per frame.
    mean_frame_len: usize,
}

/// Maximum mean frame length for prefetching beyond the index, in bytes: of longer frames, most of
/// the prefetched memory would not be used.
const MAX_PREFETCH_FRAME_LEN: usize = 1024;

impl FrameIndex {
    /// Clears the index for frames from `start` on, and keeps its memory.
    pub(super) fn reset(&mut self, start: usize, first: u64) {
        self.start = start;
        self.scanned_bytes = 0;
        self.first_number = first;
        self.frame_offsets.clear();
        self.non_packet_blocks.clear();
    }

    /// Adds the frame whose record starts at file offset `at`, less than 4 GiB after the start.
    #[inline(always)]
    pub(super) fn push(&mut self, at: usize) {
        self.frame_offsets.push((at - self.start) as u32);
    }

    /// Adds a block without a packet, at file offset `at`.
    pub(super) fn push_non_packet_block(&mut self, at: usize) {
        let before = self.frame_offsets.len() as u32;
        self.non_packet_blocks
            .push((before, (at - self.start) as u32));
    }

    /// True if blocks without a packet are among the frames; they can describe later frames.
    pub fn has_non_packet_blocks(&self) -> bool {
        !self.non_packet_blocks.is_empty()
    }

    /// Returns the number of frames.
    pub fn len(&self) -> usize {
        self.frame_offsets.len()
    }

    /// True if there are no frames.
    pub fn is_empty(&self) -> bool {
        self.frame_offsets.is_empty()
    }

    /// Returns the number, in the file, of the first indexed frame; frames are numbered from 1.
    pub fn first_number(&self) -> u64 {
        self.first_number
    }
}

/// A visitor of the frames that indexing finds. It is a trait and not a closure, because a closure
/// that is called in two places is not inlined in the hot one.
pub trait FrameVisitor {
    /// Visits the next frame.
    fn visit(&mut self, frame: &Frame);
}

impl FileSource {
    /// Indexes the next frames of a mapped file and passes them to `visitor`. Stops after
    /// `max_frames` frames, or after the first frame that ends `max_bytes` bytes or more from here.
    ///
    /// Returns `None` until the end of the file is reached, then the result of the whole file: an
    /// error if [`next`](FileSource::next) would end with an error.
    #[inline(always)]
    pub fn index_frames(
        &mut self,
        index: &mut FrameIndex,
        max_frames: usize,
        max_bytes: usize,
        visitor: &mut impl FrameVisitor,
    ) -> Option<Result<()>> {
        let start = self.input.offset() as usize;
        index.reset(start, self.packets + 1);
        if self.has_ended() {
            return Some(Ok(()));
        }
        let is_full = |index: &FrameIndex, at| index.len() >= max_frames || at - start >= max_bytes;
        loop {
            // Most files have plain records only, which a dedicated loop finds in fewer
            // instructions.
            if let (FileInput::Mapped(mapped), FormatReader::Pcap(records)) =
                (&mut self.input, &self.format)
            {
                while !is_full(index, mapped.position())
                    && let Some(found) = records.parse_plain(mapped.remaining())
                {
                    index.push(mapped.position());
                    self.packets += 1;
                    let record = mapped.consume(found.size);
                    visitor.visit(&records.frame(self.packets, found, record));
                }
            }
            let at = self.input.offset() as usize;
            index.scanned_bytes = at - start;
            if is_full(index, at) {
                return None;
            }
            match self.format.parse_next(self.input.bytes()) {
                ParseStep::Packet(found) => {
                    index.push(at);
                    self.packets += 1;
                    let record = self.input.consume(found.size);
                    visitor.visit(&self.format.frame(self.packets, found, record));
                }
                ParseStep::Skip(size) => {
                    index.push_non_packet_block(at);
                    self.input.consume(size);
                }
                ParseStep::NeedMore(needed) => return Some(self.read_more(needed).map(drop)),
                ParseStep::Damage(what) => return Some(Err(self.damage_error(what))),
            }
        }
    }
}

impl FrameIndexReader {
    /// Returns the frames of an index.
    pub fn read<'a>(&'a mut self, index: &'a FrameIndex) -> IndexedFrames<'a> {
        IndexedFrames {
            file: self.map.get(index.start..).unwrap_or_default(),
            format: &mut self.format,
            index,
            non_packet_blocks: &index.non_packet_blocks,
            mean_frame_len: index.scanned_bytes / index.len().max(1),
        }
    }
}

impl IndexedFrames<'_> {
    /// Prefetches a frame that will be read soon: it may have been located by another processor.
    #[inline(always)]
    pub fn prefetch(&self, index: usize) {
        if let Some(&at) = self.index.frame_offsets.get(index) {
            prefetch_at(self.file, at as usize);
        }
    }

    /// Prefetches memory for the next indexing run, which starts `distance` bytes after the start
    /// of this index. Indexing cannot look ahead, because each record's offset depends on the
    /// record before it. For each frame `index` that is processed, this prefetches as many bytes as
    /// a frame has on average, so that all of that memory is loaded when all frames are done.
    #[inline(always)]
    pub fn prefetch_beyond(&self, index: usize, distance: usize) {
        if self.mean_frame_len <= MAX_PREFETCH_FRAME_LEN {
            prefetch_later(
                self.file,
                distance + index * self.mean_frame_len,
                self.mean_frame_len,
            );
        }
    }

    /// Returns the frame at a zero-based index, if it is a plain record, as most frames are: this
    /// takes fewer instructions than [`frame`](Self::frame).
    #[inline(always)]
    pub fn plain_frame(&self, index: usize) -> Option<Frame<'_>> {
        let FormatReader::Pcap(records) = &*self.format else {
            return None;
        };
        let at = *self.index.frame_offsets.get(index)?;
        let record = self.file.get(at as usize..)?;
        let found = records.parse_plain(record)?;
        Some(records.frame(self.index.first_number + index as u64, found, record))
    }

    /// Returns the frame at a zero-based index, which must not decrease from call to call.
    #[inline(always)]
    pub fn frame(&mut self, index: usize) -> Option<Frame<'_>> {
        if !self.non_packet_blocks.is_empty() {
            self.apply_blocks_before(index);
        }
        let frames = &self.index.frame_offsets;
        let record = self.file.get(*frames.get(index)? as usize..)?;
        match self.format.parse_next(record) {
            ParseStep::Packet(found) => {
                let number = self.index.first_number + index as u64;
                Some(self.format.frame(number, found, record))
            }
            // It was a frame when it was indexed: another process is changing the file.
            ParseStep::Skip(_) | ParseStep::NeedMore(_) | ParseStep::Damage(_) => None,
        }
    }

    /// Returns the capture time of a frame, under the same condition as [`frame`](Self::frame).
    #[inline]
    pub fn time(&mut self, index: usize) -> Timestamp {
        let frame = self.frame(index);
        frame.map_or(Timestamp::ABSENT, |frame| frame.time)
    }

    /// Applies the blocks before a frame.
    #[cold]
    fn apply_blocks_before(&mut self, index: usize) {
        while let Some(((before, at), rest)) = self.non_packet_blocks.split_first()
            && *before as usize <= index
        {
            self.format
                .parse_next(self.file.get(*at as usize..).unwrap_or_default());
            self.non_packet_blocks = rest;
        }
    }
}

impl Drop for IndexedFrames<'_> {
    fn drop(&mut self) {
        self.apply_blocks_before(usize::MAX);
    }
}
