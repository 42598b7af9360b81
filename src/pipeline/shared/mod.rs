//! The loop, shared by several threads: the same bytes in less time.
//!
//! ```text
//!                         ┌─► decode, flows or lines of its lanes ─┐
//!  mapped file ─► stretch ┼─► decode, flows or lines of its lanes ─┼─► put in order ─► sinks
//!                         └─► …                                    ┘
//! ```
//!
//! Whichever thread is early finds where the frames of the next stretch are, and deals them out by their [lanes](crate::packet::Lane); then
//! every thread works on its own. What they make of a stretch is handed on to the thread that called, which puts it in order and gives it to the sinks.
//! So sinks do not know of threads, and no byte that they write depends on how many there are.
//!
//! Packets themselves never go from thread to thread: they stay in the map, and only places in it are handed on.
//!
//! What is bounded for all flows together cannot be bounded by each thread alone. If a bound comes into reach, the threads are given up and
//! everything is done again by one, which passes over what was told already.

mod board;
mod flows;
mod lines;
mod numbers;
mod stretch;
mod worker;

use std::thread::{Builder, ScopedJoinHandle};

use super::parsing::{ParseLevel, ParsedFrame};
use super::{Counts, Limits, Output, RunOptions, Totals};
use crate::error::Result;
use crate::filter::Filter;
use crate::flow::{FlowSettings, Peaks};
use crate::sink::{Depends, Requirement};
use crate::source::Source;
use board::Board;
use flows::{Ended, Merge, Told};
use lines::Run;
use stretch::{Finder, Wanted};
use worker::{Goal, Worker};

/// So many stretches may threads be ahead of who puts them in order. Rows of flows take little memory, lines may be dumps of all bytes.
const AHEAD: usize = 8;
const AHEAD_WITH_ROWS: usize = 16;

/// What a thread made of a stretch.
#[derive(Debug, Default)]
struct Portion {
    /// Lines of packets or rows of flows.
    lines: Vec<u8>,
    runs: Vec<Run>,
    told: Vec<Told>,
    ended: Vec<Ended>,
    peaks: Peaks,
    /// Of all that the thread has seen.
    counts: Counts,
    /// What the filter could not decide, likewise.
    undecided: u64,
}

impl Portion {
    /// Without its contents, with its memory.
    fn cleared(mut self) -> Portion {
        self.lines.clear();
        self.runs.clear();
        self.told.clear();
        self.ended.clear();
        Portion {
            lines: self.lines,
            runs: self.runs,
            told: self.told,
            ended: self.ended,
            ..Portion::default()
        }
    }
}

/// Whether a frame passes the filter, which several threads may ask about it; only where it `counts` it is counted.
#[inline(always)]
fn judge<'a>(
    counts: bool,
    reading: &impl ParsedFrame<'a>,
    filter: &mut Filter,
    totals: &Totals,
) -> bool {
    let undecided = filter.undecided();
    let passes = reading.is_accepted_by(filter);
    if counts {
        reading.count(totals);
        if passes {
            totals.count_packet(reading.frame());
        }
    } else {
        filter.set_undecided(undecided);
    }
    passes
}

/// Does with several threads what [`run`](super::run) does; none where one has to do it. Then nothing was done, or the output knows what to
/// pass over.
pub(super) fn run<S: Source>(
    source: &mut S,
    filter: &mut Filter,
    output: &mut Output,
    task: &RunOptions,
    totals: &Totals,
) -> Option<Result<()>> {
    let count = task.threads.get();
    if count == 1 || task.limits != Limits::default() || output.should_flush_every_packet() {
        return None;
    }
    let (goals, wanted) = goals(filter, output, task.flows, count)?;
    let worker = |(index, (goal, reader))| Worker {
        index,
        threads: count,
        reader,
        filter: filter.clone(),
        goal,
    };
    let file = source.as_mapped_file()?;
    let readers = std::iter::repeat_with(|| file.index_reader()).map_while(|reader| reader);
    let workers = goals.into_iter().zip(readers).enumerate().map(worker);
    let workers: Vec<Worker> = workers.collect();
    let mark = file.checkpoint();
    let ahead = if task.flows.is_some() {
        AHEAD_WITH_ROWS
    } else {
        AHEAD
    };
    let board = Board::new(count, Finder::new(file, wanted, count), ahead);
    let gathered = std::thread::scope(|scope| {
        let board = &board;
        let mut threads = Vec::new();
        for worker in workers {
            let thread = Builder::new().name(format!("share {}", worker.index));
            threads.extend(thread.spawn_scoped(scope, move || worker.run(board)));
        }
        let gathered = match threads.len() == count {
            true => gather(board, filter, output, task.flows, totals),
            // The system has no more threads.
            false => None,
        };
        board.close();
        threads.into_iter().for_each(ended);
        gathered
    });
    if gathered.is_none() {
        totals.store(&Counts::default());
        filter.set_undecided(0);
        source.as_mapped_file()?.restore(mark);
    }
    gathered
}

/// Waits for a thread; its panic is this one's.
fn ended(thread: ScopedJoinHandle<'_, ()>) {
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// What each of so many threads is to do, and what they have to know of packets for that; none where they cannot share it.
fn goals(
    filter: &Filter,
    output: &Output,
    flows: Option<FlowSettings>,
    count: usize,
) -> Option<(Vec<Goal>, Wanted)> {
    if let Some(settings) = flows {
        let sink = output
            .single_sink()
            .filter(|sink| sink.requires() == Requirement::Flows)?;
        let goal = || sink.row_worker().map(|rows| Goal::Flows(settings, rows));
        let goals: Option<_> = (0..count).map(|_| goal()).collect();
        let wanted = match filter.is_empty() {
            true => Wanted::Lanes,
            // What passes it has to be known to all.
            false => Wanted::AllLanes,
        };
        return Some((goals?, wanted));
    }
    let depth = ParseLevel::required(filter, output, false);
    // Who only counts is done before another has been woken.
    let sink = output.single_sink()?;
    let makers: Option<Vec<_>> = (0..count).map(|_| sink.line_worker()).collect();
    let makers = makers?;
    let depends = makers.iter().map(|maker| maker.depends()).next();
    let wanted = match depends {
        Some(Depends::Order) => return None,
        Some(Depends::Connection) => Wanted::Lanes,
        // The fragments of a datagram are to be wanted by all or by none.
        _ if filter.is_stateful() => Wanted::Lanes,
        Some(Depends::Nothing) | None => Wanted::Stretches,
    };
    let goal = |maker| Goal::Lines(maker, depth);
    Some((makers.into_iter().map(goal).collect(), wanted))
}

/// Takes what the threads made, stretch by stretch, until the file ends or nobody wants more; none if one has to do it alone.
fn gather(
    board: &Board,
    filter: &mut Filter,
    output: &mut Output,
    flows: Option<FlowSettings>,
    totals: &Totals,
) -> Option<Result<()>> {
    let mut merge = None;
    let mut lines = Vec::new();
    while let Some((portions, end)) = board.take() {
        let merge = merge.get_or_insert_with(|| Merge::new(portions.len()));
        if flows.is_some_and(|bounds| is_reached(bounds, &portions)) {
            output.skip_flows(merge.rows);
            return None;
        }
        totals.store(&portions.iter().map(|portion| portion.counts).sum());
        filter.set_undecided(portions.iter().map(|portion| portion.undecided).sum());
        let told = match flows {
            Some(_) => merge.tell(&portions, output),
            None => output.append_lines(lines::merge(&portions, &mut lines)),
        };
        if told.is_err() || !output.is_accepting() {
            return Some(told);
        }
        if end.is_some() {
            return end;
        }
        board.give_back(portions);
    }
    Some(Ok(()))
}

/// Whether a bound for all flows together may have been reached in a stretch.
fn is_reached(bounds: FlowSettings, portions: &[Portion]) -> bool {
    let all = |of: fn(&Peaks) -> u64| portions.iter().map(|portion| of(&portion.peaks)).sum();
    let (flows, held): (u64, u64) = (all(|peaks| peaks.flows), all(|peaks| peaks.buffered_bytes));
    flows >= u64::from(bounds.max_flows) || held > bounds.max_buffered_bytes
}
