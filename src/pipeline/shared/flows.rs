//! Flows, each followed by one of several threads, and what they tell put in order again.

use std::cmp::Ordering;
use std::hint::{black_box, cold_path};
use std::ops::Range;

use super::numbers::Numbers;
use super::stretch::{Stretch, Whose};
use super::{Portion, judge};
use crate::decode::{Usual, brief, decode, usual};
use crate::error::Result;
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowEventKind, FlowSettings, FlowTable, OutcomeKind};
use crate::packet::{Brief, Frame, Lanes, Timestamp};
use crate::pipeline::parsing::ParsedFrame;
use crate::pipeline::{Output, Totals};
use crate::sink::flows::{FormattedRow, RowFormatter};
use crate::source::IndexedFrames;

/// Follows a thread's share of the flows.
pub(super) struct Flows {
    /// Which of the threads it works for.
    index: usize,
    lanes: Lanes,
    filter: Filter,
    totals: Totals,
    table: FlowTable,
    notes: Notes,
}

/// What happens to flows is noted here.
struct Notes {
    rows: Box<dyn RowFormatter>,
    /// The frame that is worked on, by its place in the stretch.
    at: u32,
    /// What is made of the stretch.
    portion: Portion,
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

/// What is kept of a flow that had the ends of a SYN is asked for so many SYNs before.
const EXPECTED: usize = 3;

/// What else is told of a flow that ended.
#[derive(Debug)]
pub(super) struct Ended {
    first: Timestamp,
    verdict: OutcomeKind,
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
        settings: FlowSettings,
        rows: Box<dyn RowFormatter>,
    ) -> Flows {
        Flows {
            index,
            lanes,
            filter,
            totals: Totals::default(),
            table: FlowTable::with_lanes(settings, lanes),
            notes: Notes {
                rows,
                at: 0,
                portion: Portion::default(),
            },
        }
    }

    /// Follows the flows of a stretch; behind the last one, all flows end.
    pub(super) fn work(
        &mut self,
        stretch: &Stretch,
        mut frames: IndexedFrames,
        portion: &mut Portion,
    ) {
        std::mem::swap(&mut self.notes.portion, portion);
        // Whether others' frames need not be looked at where nothing is due behind them: time goes on, and nothing has to be read in order.
        let is_quick = stretch.is_steady && !stretch.survey.has_non_packet_blocks();
        // The first frame that was not looked at, as others are of others' flows.
        let mut passed = 0;
        let share = stretch.share(self.index);
        self.table.clear_expected();
        if !stretch.survey.has_non_packet_blocks() {
            self.expect(&share.openings, &mut frames);
        }
        let mut openings = share.openings.iter().enumerate();
        let mut opening = openings.next();
        for (index, place) in share.places.iter().enumerate() {
            share.ask_ahead(index, &frames);
            if let Some((nth, at)) = opening
                && usize::from(*at) == place.at()
            {
                self.table.prefetch_expected(nth + EXPECTED);
                opening = openings.next();
            }
            if let Some(soon) = share.places.get(index + SOON) {
                self.table.prefetch(soon.hint);
            }
            let at = place.at();
            let others = std::mem::replace(&mut passed, at + 1)..at;
            let (whose, skips) = (place.whose, !others.is_empty());
            let is_taken = is_quick
                && match frames.plain_frame(at) {
                    Some(frame) => self.take(at, frame, whose, skips),
                    None => self.take_any(at, &mut frames, whose, skips),
                };
            if !is_taken {
                cold_path();
                self.pass_by(others, &mut frames);
                self.take_any(at, &mut frames, whose, false);
            }
        }
        self.pass_by(passed..stretch.survey.len(), &mut frames);
        if stretch.is_last {
            self.notes.at = u32::MAX;
            self.table.finish(&mut |event| self.notes.take(event));
        }
        std::mem::swap(&mut self.notes.portion, portion);
        portion.counts = self.totals.snapshot();
        portion.counts.flows = self.table.counts();
        portion.undecided = self.filter.undecided();
        portion.peaks = self.table.take_peaks();
    }

    /// Connections that are opened in a stretch may have ends of which earlier ones are kept: that is asked for.
    fn expect(&mut self, openings: &[u16], frames: &mut IndexedFrames) {
        for &at in openings {
            frames.prefetch(usize::from(at));
        }
        for &at in openings {
            if let Some(frame) = frames.frame(usize::from(at))
                && let Some(brief) = brief(&frame)
            {
                self.table.expect(&brief);
            }
        }
        (0..EXPECTED).for_each(|index| self.table.prefetch_expected(index));
    }

    /// Follows the flow of a frame. If it `skips` others' before it, and something may be due there, nothing is done, and false said.
    #[inline(always)]
    fn take(&mut self, at: usize, frame: Frame, whose: Whose, skips: bool) -> bool {
        if skips {
            if self.table.is_due(frame.time) {
                return false;
            }
            // Nor was anything due at a frame before.
            self.table.skip_packet();
        }
        self.notes.at = at as u32;
        if usual(&frame, Step { flows: self, whose }) != Some(true) {
            cold_path();
            let counts = match whose {
                Whose::Own => true,
                Whose::Others => false,
                Whose::Unsure => self.lanes.has_first(),
            };
            self.follow(counts, &decode(&black_box(frame)));
        }
        true
    }

    /// The same for frames of all kinds.
    #[inline(never)]
    fn take_any(
        &mut self,
        at: usize,
        frames: &mut IndexedFrames,
        whose: Whose,
        skips: bool,
    ) -> bool {
        match frames.frame(at) {
            Some(frame) => self.take(at, frame, whose, skips),
            None => true,
        }
    }

    /// Follows the flow of a frame that passes the filter.
    #[inline(always)]
    fn follow<'a>(&mut self, counts: bool, reading: &impl ParsedFrame<'a>) {
        if judge(counts, reading, &mut self.filter, &self.totals) {
            reading.push_to(&mut self.table, &mut |event| self.notes.take(event));
        }
    }

    /// A packet of another's flow: where it passes the filter, the clock goes on.
    #[inline(never)]
    fn pass_one_by(&mut self, brief: &Brief) {
        if judge(false, brief, &mut self.filter, &self.totals) {
            let time = brief.frame.time;
            self.table
                .skip_packet_at(time, &mut |event| self.notes.take(event));
        }
    }

    /// Frames of others' flows: only the clock goes on, and flows that are due by then end.
    fn pass_by(&mut self, places: Range<usize>, frames: &mut IndexedFrames) {
        for at in places {
            self.notes.at = at as u32;
            let time = frames.time(at);
            self.table
                .skip_packet_at(time, &mut |event| self.notes.take(event));
        }
    }
}

/// Follows the flow of a usual frame.
struct Step<'f> {
    flows: &'f mut Flows,
    whose: Whose,
}

impl Usual<'_> for Step<'_> {
    /// Whether it was taken.
    type Made = bool;

    #[inline(always)]
    fn take(self, brief: Brief) -> bool {
        match self.whose {
            Whose::Own => self.flows.follow(true, &brief),
            Whose::Others => self.flows.pass_one_by(&brief.apart()),
            Whose::Unsure => return false,
        }
        true
    }
}

impl Notes {
    /// Notes what happens to flows through a frame.
    fn take(&mut self, event: FlowEvent) {
        let portion = &mut self.portion;
        let row = match event.kind {
            FlowEventKind::Opened => BEGAN,
            FlowEventKind::Closed(record) => {
                let start = portion.lines.len();
                self.rows.write_row(record, &mut portion.lines);
                portion.ended.push(Ended {
                    first: record.first_time,
                    verdict: record.outcome.kind,
                });
                (portion.lines.len() - start) as u32
            }
            // Nobody wants streams.
            FlowEventKind::Owners(_)
            | FlowEventKind::Data { .. }
            | FlowEventKind::Gap { .. }
            | FlowEventKind::Mismatch { .. } => return,
        };
        portion.told.push(Told {
            at: self.at,
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
        output.append_row(&FormattedRow {
            bytes,
            formatted_number: told.number,
            // What ends has begun.
            number: numbers.end(told.number).unwrap_or_default(),
            first_time: ended.first,
            verdict: ended.verdict,
        })
    }
}
