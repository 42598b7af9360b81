//! One of several threads that work on the same file.

use super::board::{Board, Presence};
use super::flows::Flows;
use super::lines::Makers;
use crate::filter::Filter;
use crate::flow::FlowSettings;
use crate::packet::Lanes;
use crate::pipeline::parsing::ParseLevel;
use crate::sink::Lines;
use crate::sink::flows::RowFormatter;
use crate::source::FrameIndexReader;

/// A thread.
pub(super) struct Worker {
    pub(super) index: usize,
    pub(super) threads: usize,
    pub(super) reader: FrameIndexReader,
    pub(super) filter: Filter,
    pub(super) goal: Goal,
}

/// What is to be made of packets.
pub(super) enum Goal {
    /// Lines, and how far frames are to be understood for that.
    Lines(Box<dyn Lines>, ParseLevel),
    /// Rows of flows.
    Flows(FlowSettings, Box<dyn RowFormatter>),
}

/// What makes it.
enum Work {
    Lines(Box<Makers>),
    Flows(Box<Flows>),
}

impl Worker {
    /// Works until the file ends or nobody wants more of it.
    pub(super) fn run(self, board: &Board) {
        let _presence = Presence(board);
        let Worker {
            index,
            threads,
            mut reader,
            filter,
            goal,
        } = self;
        let mut work = begin(index, threads, filter, goal);
        for number in 0_u64.. {
            let Some((stretch, mut portion)) = board.begin(number) else {
                return;
            };
            let frames = reader.read(&stretch.survey);
            match &mut work {
                Work::Lines(makers) => makers.work(&stretch, frames, &mut portion),
                Work::Flows(flows) => flows.work(&stretch, frames, &mut portion),
            }
            let is_last = stretch.is_last;
            drop(stretch);
            board.hand_on(index, number, portion);
            if is_last {
                return;
            }
        }
    }
}

/// What a thread writes to is made by the thread: memory from its own heap shares no line of a cache with others'.
fn begin(index: usize, threads: usize, filter: Filter, goal: Goal) -> Work {
    match goal {
        Goal::Lines(maker, depth) => {
            let maker = maker.fresh();
            Work::Lines(Box::new(Makers::new(index, threads, filter, maker, depth)))
        }
        Goal::Flows(settings, rows) => {
            let lanes = Lanes::every(threads, index);
            Work::Flows(Box::new(Flows::new(
                index,
                lanes,
                filter,
                settings,
                rows.worker(),
            )))
        }
    }
}
