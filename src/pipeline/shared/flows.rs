//! Flows, each followed by one of several threads, and what they tell put in order again.

use std::cmp::Ordering;
use std::ops::Range;

use super::numbers::Numbers;
use super::stretch::{Stretch, Whose};
use super::{Portion, judge};
use crate::decode::{Usual, brief, decode, usual};
use crate::error::Result;
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowTable, Settings, Verdict, What};
use crate::packet::{Brief, Lanes, Timestamp};
use crate::pipeline::reading::Reading;
use crate::pipeline::{Output, Totals};
use crate::sink::flows::{Row, Rows};
use crate::source::Frames;

/// Follows a thread's share of the flows.
pub(super) struct Flows {
    /// Which of the threads it works for.
    index: usize,
    lanes: Lanes,
    filter: Filter,
    totals: Totals,
    table: FlowTable,
    rows: Box<dyn Rows>,
}

/// That a flow began or ended, kept for who puts things in order. One core writes it and another reads it: it is small.
#[derive(Debug)]
pub(super) struct Told {
    /// The frame that made it happen, by its place in the stretch; what happens at the end comes behind them all.
    at: u32,
    /// How many bytes the row of a flow that ended has; [`BEGAN`] where one began.
    row: u32,
    /// When it was due, in nanoseconds; what the packet does itself comes behind that.
    due: i64,
    /// The number that the thread gave the flow.
    number: u64,
}

const BEGAN: u32 = u32::MAX;

/// What is known of a flow is asked for so many frames before it is needed.
const SOON: usize = 3;

/// What else is told of a flow that ended.
#[derive(Debug)]
pub(super) struct Ended {
    first: Timestamp,
    verdict: Verdict,
}

impl Told {
    /// The order in which one table tells what several told, but for the numbers of flows.
    fn order(&self) -> (u32, i64) {
        (self.at, self.due)
    }
}

impl Flows {
    pub(super) fn new(
        index: usize,
        lanes: Lanes,
        filter: Filter,
        settings: Settings,
        rows: Box<dyn Rows>,
    ) -> Flows {
        Flows {
            index,
            lanes,
            filter,
            totals: Totals::default(),
            table: FlowTable::of_lanes(settings, lanes),
            rows,
        }
    }

    /// Follows the flows of a stretch; behind the last one, all flows end.
    pub(super) fn work(&mut self, stretch: &Stretch, mut frames: Frames, portion: &mut Portion) {
        // Whether others' frames need not be looked at where nothing is due behind them: time goes on, and nothing has to be read in order.
        let is_quick = stretch.is_steady && !stretch.survey.describes();
        // The first frame that was not looked at, as others are of others' flows.
        let mut passed = 0;
        let share = stretch.share(self.index);
        if !stretch.survey.describes() {
            self.expect(&share.openings, &mut frames);
        }
        for (index, place) in share.places.iter().enumerate() {
            share.ask_ahead(index, &frames);
            if let Some(soon) = share.places.get(index + SOON) {
                self.table.ask_for(soon.hint);
            }
            let at = place.at();
            let others = std::mem::replace(&mut passed, at + 1)..at;
            if !is_quick {
                self.pass_by(others.clone(), &mut frames, portion);
            }
            let counts = match place.whose {
                Whose::Own => true,
                Whose::Others => false,
                Whose::Unsure => self.lanes.has_first(),
            };
            let Some(frame) = frames.frame(at) else {
                continue;
            };
            if is_quick && !others.is_empty() {
                if self.table.is_due(frame.time) {
                    self.pass_by(others, &mut frames, portion);
                    self.follow_late(at, counts, &mut frames, portion);
                    continue;
                }
                // Nor was anything due at a frame before.
                self.table.skip();
            }
            let step = Step {
                flows: self,
                at,
                whose: place.whose,
                portion,
            };
            if usual(&frame, step) != Some(true) {
                self.follow(at, counts, &decode(&frame), portion);
            }
        }
        self.pass_by(passed..stretch.survey.len(), &mut frames, portion);
        if stretch.is_last {
            let mut emit = note(u32::MAX, self.rows.as_mut(), portion);
            self.table.finish(&mut emit);
        }
        portion.counts = self.totals.now();
        portion.counts.flows = self.table.counts();
        portion.undecided = self.filter.undecided();
        portion.peaks = self.table.peaks();
    }

    /// Connections that are opened in a stretch may have ends of which earlier ones are kept: that is asked for.
    fn expect(&mut self, openings: &[u16], frames: &mut Frames) {
        for &at in openings {
            frames.ask_for(usize::from(at));
        }
        for &at in openings {
            if let Some(frame) = frames.frame(usize::from(at))
                && let Some(brief) = brief(&frame)
            {
                self.table.expect(&brief);
            }
        }
        self.table.ask_for_expected();
    }

    /// Follows the flow of a frame that passes the filter.
    #[inline(always)]
    fn follow<'a>(
        &mut self,
        at: usize,
        counts: bool,
        reading: &impl Reading<'a>,
        portion: &mut Portion,
    ) {
        if judge(counts, reading, &mut self.filter, &self.totals) {
            let mut emit = note(at as u32, self.rows.as_mut(), portion);
            reading.follow(&mut self.table, &mut emit);
        }
    }

    /// Follows the flow of a frame before which something was due.
    #[cold]
    #[inline(never)]
    fn follow_late(&mut self, at: usize, counts: bool, frames: &mut Frames, portion: &mut Portion) {
        if let Some(frame) = frames.frame(at) {
            self.follow(at, counts, &decode(&frame), portion);
        }
    }

    /// A packet of another's flow: where it passes the filter, the clock goes on.
    #[inline(never)]
    fn pass_one_by(&mut self, at: usize, brief: &Brief, portion: &mut Portion) {
        if judge(false, brief, &mut self.filter, &self.totals) {
            let mut emit = note(at as u32, self.rows.as_mut(), portion);
            self.table.pass_by(brief.frame.time, &mut emit);
        }
    }

    /// Frames of others' flows: only the clock goes on, and flows that are due by then end.
    fn pass_by(&mut self, places: Range<usize>, frames: &mut Frames, portion: &mut Portion) {
        for at in places {
            let mut emit = note(at as u32, self.rows.as_mut(), portion);
            self.table.pass_by(frames.time(at), &mut emit);
        }
    }
}

/// Follows the flow of a usual frame.
struct Step<'s> {
    flows: &'s mut Flows,
    at: usize,
    whose: Whose,
    portion: &'s mut Portion,
}

impl Usual<'_> for Step<'_> {
    /// Whether it was taken.
    type Made = bool;

    #[inline(always)]
    fn take(self, brief: Brief) -> bool {
        match self.whose {
            Whose::Own => self.flows.follow(self.at, true, &brief, self.portion),
            Whose::Others => self.flows.pass_one_by(self.at, &{ brief }, self.portion),
            Whose::Unsure => return false,
        }
        true
    }
}

/// Notes what happens to flows through a frame.
fn note<'a>(
    at: u32,
    rows: &'a mut dyn Rows,
    portion: &'a mut Portion,
) -> impl FnMut(FlowEvent) + 'a {
    move |event| {
        let row = match event.what {
            What::Opened => BEGAN,
            What::Closed(record) => {
                let start = portion.lines.len();
                rows.row(record, &mut portion.lines);
                portion.ended.push(Ended {
                    first: record.first,
                    verdict: record.outcome.verdict,
                });
                (portion.lines.len() - start) as u32
            }
            // Nobody wants streams.
            What::Named(_) | What::Data { .. } | What::Gap { .. } | What::Mismatch { .. } => return,
        };
        portion.told.push(Told {
            at,
            row,
            due: event.due.map_or(i64::MAX, |due| due.0),
            number: event.id.number,
        });
    }
}

/// Puts what all threads told in order, and gives flows their numbers among all.
pub(super) struct Merge {
    opened: u64,
    /// For each thread.
    numbers: Vec<Numbers>,
    /// How many rows were put out.
    pub(super) rows: u64,
}

/// What is left of what a thread told, and of its rows.
struct Left<'a> {
    told: &'a [Told],
    ended: &'a [Ended],
    rows: &'a [u8],
}

impl Merge {
    pub(super) fn new(threads: usize) -> Merge {
        Merge {
            opened: 0,
            numbers: (0..threads).map(|_| Numbers::default()).collect(),
            rows: 0,
        }
    }

    /// Tells the output what happened in a stretch.
    pub(super) fn tell(&mut self, portions: &[Portion], output: &mut Output) -> Result<()> {
        for (portion, numbers) in portions.iter().zip(&self.numbers) {
            let ends = portion.told.iter().filter(|told| told.row != BEGAN);
            ends.for_each(|told| numbers.ask_for(told.number));
        }
        let left = portions.iter().map(|portion| Left {
            told: &portion.told,
            ended: &portion.ended,
            rows: &portion.lines,
        });
        let mut left: Vec<Left> = left.collect();
        while let Some(thread) = self.next(&left) {
            self.tell_one(thread, &mut left[thread], output)?;
        }
        Ok(())
    }

    /// The thread that told what comes next.
    fn next(&self, left: &[Left]) -> Option<usize> {
        let mut first: Option<(usize, &Told)> = None;
        for (thread, left) in left.iter().enumerate() {
            let Some(told) = left.told.first() else {
                continue;
            };
            let is_first =
                first.is_none_or(|(other, first)| match told.order().cmp(&first.order()) {
                    Ordering::Equal => self.number(thread, told) < self.number(other, first),
                    order => order.is_lt(),
                });
            if is_first {
                first = Some((thread, told));
            }
        }
        first.map(|(thread, _)| thread)
    }

    /// The number that a flow has among all; one that only begins comes behind those that end.
    fn number(&self, thread: usize, told: &Told) -> u64 {
        self.numbers[thread].of(told.number).unwrap_or(u64::MAX)
    }

    fn tell_one(&mut self, thread: usize, left: &mut Left, output: &mut Output) -> Result<()> {
        let Some((told, rest)) = left.told.split_first() else {
            return Ok(());
        };
        left.told = rest;
        let numbers = &mut self.numbers[thread];
        if told.row == BEGAN {
            self.opened += 1;
            numbers.begin(self.opened);
            return Ok(());
        }
        let Some((ended, rest)) = left.ended.split_first() else {
            return Ok(());
        };
        left.ended = rest;
        let (bytes, rest) = left.rows.split_at(told.row as usize);
        left.rows = rest;
        self.rows += 1;
        output.row(&Row {
            bytes,
            made_for: told.number,
            // What ends has begun.
            number: numbers.end(told.number).unwrap_or_default(),
            first: ended.first,
            verdict: ended.verdict,
        })
    }
}
