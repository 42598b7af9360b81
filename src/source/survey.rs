//! Frames of a mapped file that were found and not looked at: who has found them is not who works on them.

use std::sync::Arc;

use memmap2::Mmap;

use super::FileSource;
use super::format::Format;
use super::found::Found;
use super::input::Input;
use crate::error::Result;
use crate::memory::{prefetch_at, prefetch_later};
use crate::packet::{Frame, Timestamp};

/// Where some frames of a file stand, one after the other. Made by [`FileSource::survey`](super::FileSource::survey).
///
/// Of each frame it holds a few bytes only: what one core writes and another reads goes from cache to cache, and that is slow.
#[derive(Debug, Default)]
pub struct Survey {
    /// Where it begins in the file.
    start: usize,
    /// How many bytes of it were looked through.
    bytes: usize,
    /// The number of the first frame.
    first: u64,
    /// Where the frames' records begin behind the start.
    frames: Vec<u32>,
    /// How many frames come before each description of others to come, and where it begins.
    descriptions: Vec<(u32, u32)>,
}

/// Reads the frames of surveys. Made by [`FileSource::reader`](super::FileSource::reader).
///
/// Whoever works on frames has its own. It has to see all surveys, one after the other: how frames are read is described on the way.
pub struct Reader {
    pub(super) map: Arc<Mmap>,
    pub(super) format: Format,
}

/// Reads the frames of a survey.
pub struct Frames<'a> {
    file: &'a [u8],
    format: &'a mut Format,
    survey: &'a Survey,
    /// What was not described yet.
    descriptions: &'a [(u32, u32)],
    /// How many bytes of the file there are for each frame.
    each: usize,
}

/// Frames of more bytes than that, in the mean, are not asked for unseen: most of them would be for nothing.
const WORTH_IT: usize = 1024;

impl Survey {
    /// Begins another one at a place in the file, with the memory of this one.
    pub(super) fn begin(&mut self, start: usize, first: u64) {
        self.start = start;
        self.bytes = 0;
        self.first = first;
        self.frames.clear();
        self.descriptions.clear();
    }

    /// Adds the frame whose record begins `at` a place in the file, less than 4 GiB behind the start.
    #[inline(always)]
    pub(super) fn add(&mut self, at: usize) {
        self.frames.push((at - self.start) as u32);
    }

    /// Adds what describes frames to come, likewise.
    pub(super) fn describe(&mut self, at: usize) {
        let before = self.frames.len() as u32;
        self.descriptions.push((before, (at - self.start) as u32));
    }

    /// Whether others to come are described among the frames.
    pub fn describes(&self) -> bool {
        !self.descriptions.is_empty()
    }

    /// How many frames there are.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The number that the first frame has in the file, from 1.
    pub fn first(&self) -> u64 {
        self.first
    }
}

/// Sees the frames that a survey finds. A closure would not do: called in two places, it is not inlined in the one that counts.
pub trait Visitor {
    /// Sees the next one.
    fn visit(&mut self, frame: &Frame);
}

impl FileSource {
    /// Finds the next frames, at most so many, or a few more than so many bytes of the file; only in a mapped file. The visitor sees them.
    /// Tells how the file ends, if it does: that is the end of what [`next`](FileSource::next) gives too.
    #[inline(always)]
    pub fn survey(
        &mut self,
        survey: &mut Survey,
        frames: usize,
        bytes: usize,
        visitor: &mut impl Visitor,
    ) -> Option<Result<()>> {
        let start = self.input.offset() as usize;
        survey.begin(start, self.packets + 1);
        if self.is_over() {
            return Some(Ok(()));
        }
        let is_full = |survey: &Survey, at| survey.len() >= frames || at - start >= bytes;
        loop {
            // Most files have plain records only, which a loop of their own finds in fewer instructions.
            if let (Input::Map(mapped), Format::Records(records)) = (&mut self.input, &self.format)
            {
                while !is_full(survey, mapped.position())
                    && let Some(found) = records.plain(mapped.rest())
                {
                    survey.add(mapped.position());
                    self.packets += 1;
                    let record = mapped.take(found.size);
                    visitor.visit(&records.frame(self.packets, found, record));
                }
            }
            let at = self.input.offset() as usize;
            survey.bytes = at - start;
            if is_full(survey, at) {
                return None;
            }
            match self.format.step(self.input.bytes()) {
                Found::Packet(found) => {
                    survey.add(at);
                    self.packets += 1;
                    let record = self.input.take(found.size);
                    visitor.visit(&self.format.frame(self.packets, found, record));
                }
                Found::Skip(size) => {
                    survey.describe(at);
                    self.input.take(size);
                }
                Found::More(needed) => return Some(self.more(needed).map(drop)),
                Found::Damage(what) => return Some(Err(self.damaged(what))),
            }
        }
    }
}

impl Reader {
    /// Begins to read a survey.
    pub fn read<'a>(&'a mut self, survey: &'a Survey) -> Frames<'a> {
        Frames {
            file: self.map.get(survey.start..).unwrap_or_default(),
            format: &mut self.format,
            survey,
            descriptions: &survey.descriptions,
            each: survey.bytes / survey.len().max(1),
        }
    }
}

impl Frames<'_> {
    /// A frame will be looked at soon: its memory is asked for, as who has found it may have been another processor.
    #[inline(always)]
    pub fn ask_for(&self, index: usize) {
        if let Some(&at) = self.survey.frames.get(index) {
            prefetch_at(self.file, at as usize);
        }
    }

    /// At this distance behind the survey's begin, in bytes, somebody will soon look for more frames, and where each is stands in the one
    /// before: nobody can look ahead then. Whoever works on a frame asks for as much of that memory as a frame takes in the mean, so that all
    /// of it is there when all frames are done with.
    #[inline(always)]
    pub fn ask_beyond(&self, index: usize, distance: usize) {
        if self.each <= WORTH_IT {
            prefetch_later(self.file, distance + index * self.each, self.each);
        }
    }

    /// A frame, counted from 0, if it is a plain record as most are: that is found in fewer instructions than any [`frame`](Self::frame).
    #[inline(always)]
    pub fn plain(&self, index: usize) -> Option<Frame<'_>> {
        let Format::Records(records) = &*self.format else {
            return None;
        };
        let at = *self.survey.frames.get(index)?;
        let record = self.file.get(at as usize..)?;
        let found = records.plain(record)?;
        Some(records.frame(self.survey.first + index as u64, found, record))
    }

    /// A frame, counted from 0; never one before another that was asked for.
    #[inline(always)]
    pub fn frame(&mut self, index: usize) -> Option<Frame<'_>> {
        if !self.descriptions.is_empty() {
            self.describe(index);
        }
        let frames = &self.survey.frames;
        let record = self.file.get(*frames.get(index)? as usize..)?;
        match self.format.step(record) {
            Found::Packet(found) => {
                let number = self.survey.first + index as u64;
                Some(self.format.frame(number, found, record))
            }
            // It was a frame when it was found: somebody changes the file.
            Found::Skip(_) | Found::More(_) | Found::Damage(_) => None,
        }
    }

    /// When a frame was captured; as [`frame`](Self::frame).
    #[inline]
    pub fn time(&mut self, index: usize) -> Timestamp {
        let frame = self.frame(index);
        frame.map_or(Timestamp::UNKNOWN, |frame| frame.time)
    }

    /// Takes in what stands before a frame.
    #[cold]
    fn describe(&mut self, index: usize) {
        while let Some(((before, at), rest)) = self.descriptions.split_first()
            && *before as usize <= index
        {
            self.format
                .step(self.file.get(*at as usize..).unwrap_or_default());
            self.descriptions = rest;
        }
    }
}

impl Drop for Frames<'_> {
    fn drop(&mut self) {
        self.describe(usize::MAX);
    }
}
