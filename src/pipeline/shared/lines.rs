//! Lines of packets, made by several threads and put in order again.

use super::stretch::{AHEAD, BEYOND, Stretch, Whose};
use super::{Portion, judge};
use crate::filter::Filter;
use crate::packet::{Frame, Lanes};
use crate::pipeline::Totals;
use crate::pipeline::parsing::{FrameHandler, ParseLevel, ParsedFrame};
use crate::sink::Lines;
use crate::source::IndexedFrames;

/// Makes a thread's lines.
pub(super) struct Makers {
    /// Which of so many threads it works for.
    index: usize,
    threads: usize,
    lanes: Lanes,
    filter: Filter,
    totals: Totals,
    maker: Box<dyn Lines>,
    /// How far frames are to be understood.
    depth: ParseLevel,
}

/// Lines that stand one behind the other in the whole too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Where in the stretch the first of its frames is, from 0.
    first: u32,
    /// How many bytes its lines have.
    len: u32,
}

impl Makers {
    pub(super) fn new(
        index: usize,
        threads: usize,
        filter: Filter,
        maker: Box<dyn Lines>,
        depth: ParseLevel,
    ) -> Makers {
        Makers {
            index,
            threads,
            lanes: Lanes::every(threads, index),
            filter,
            totals: Totals::default(),
            maker,
            depth,
        }
    }

    /// Makes the lines of a stretch.
    pub(super) fn work(&mut self, stretch: &Stretch, frames: IndexedFrames, portion: &mut Portion) {
        match stretch.whole {
            Some(turn) if turn % self.threads == self.index => self.whole(stretch, frames, portion),
            Some(_) => {}
            None => self.share(stretch, frames, portion),
        }
        portion.counts = self.totals.snapshot();
        portion.undecided = self.filter.undecided();
    }

    /// Makes the lines of all its frames.
    fn whole(&mut self, stretch: &Stretch, mut frames: IndexedFrames, portion: &mut Portion) {
        for at in 0..stretch.survey.len() {
            frames.prefetch(at + AHEAD);
            frames.prefetch_beyond(at, BEYOND);
            if let Some(frame) = frames.frame(at) {
                self.line(&frame, true, &mut portion.lines);
            }
        }
        let len = portion.lines.len() as u32;
        portion.runs.push(Run { first: 0, len });
    }

    /// Makes the lines of those of its frames that are in this thread's lanes.
    fn share(&mut self, stretch: &Stretch, mut frames: IndexedFrames, portion: &mut Portion) {
        // Where the next line, if it is this thread's, stands directly behind the last.
        let mut goes_on_at = usize::MAX;
        let share = stretch.share(self.index);
        for (index, place) in share.places.iter().enumerate() {
            share.ask_ahead(index, &frames);
            let at = place.at();
            let Some(frame) = frames.frame(at) else {
                continue;
            };
            let start = portion.lines.len();
            let is_sure = place.whose == Whose::Own;
            if !self.line(&frame, is_sure, &mut portion.lines) {
                portion.lines.truncate(start);
            }
            let len = (portion.lines.len() - start) as u32;
            match portion.runs.last_mut() {
                _ if len == 0 => {}
                Some(run) if goes_on_at == at && is_sure => run.len += len,
                _ => portion.runs.push(Run {
                    first: at as u32,
                    len,
                }),
            }
            if is_sure && (goes_on_at == at || len > 0) {
                goes_on_at = at + 1;
            }
        }
    }

    /// Makes a line; whether it is this thread's to tell.
    #[inline]
    fn line(&mut self, frame: &Frame, is_sure: bool, out: &mut Vec<u8>) -> bool {
        let depth = self.depth;
        let makers = self;
        let mut line = Line {
            makers,
            is_sure,
            out,
        };
        depth.parse(frame, &mut line)
    }
}

/// Makes a line of a frame.
struct Line<'l> {
    makers: &'l mut Makers,
    is_sure: bool,
    out: &'l mut Vec<u8>,
}

impl FrameHandler for Line<'_> {
    /// Whether it is this thread's to tell.
    type Value = bool;

    #[inline(always)]
    fn handle<'a>(&mut self, reading: &impl ParsedFrame<'a>) -> bool {
        let (makers, is_sure) = (&mut *self.makers, self.is_sure);
        let counts = is_sure || makers.lanes.has_first();
        let passes = judge(counts, reading, &mut makers.filter, &makers.totals);
        if !passes {
            return false;
        }
        reading.with_packet(|packet| makers.maker.line(packet, self.out));
        match makers.maker.lane() {
            Some(lane) if !is_sure => makers.lanes.has(lane),
            _ => counts,
        }
    }
}

/// Puts the lines of all threads in order: what stands together is handed on together.
pub(super) fn merge<'a>(portions: &'a [Portion], out: &'a mut Vec<u8>) -> &'a [u8] {
    // Of each thread: the runs that are left, and where their lines begin.
    let mut left: Vec<(&[Run], &[u8])> = portions
        .iter()
        .filter(|portion| !portion.runs.is_empty())
        .map(|portion| (&*portion.runs, &*portion.lines))
        .collect();
    if let [(_, lines)] = *left {
        return lines;
    }
    out.clear();
    while let Some((runs, lines)) = left
        .iter_mut()
        .filter(|(runs, _)| !runs.is_empty())
        .min_by_key(|(runs, _)| runs.first().map(|run| run.first))
    {
        let Some((run, rest)) = runs.split_first() else {
            break;
        };
        let (own, others) = lines.split_at(run.len as usize);
        out.extend_from_slice(own);
        (*runs, *lines) = (rest, others);
    }
    out
}
