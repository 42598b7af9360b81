//! The one loop: frames in, packets through the filter, flows of them, bytes out; live and from files alike.

mod capture;
mod output;
mod reading;
mod shared;
mod totals;

pub use capture::{Capture, open};
pub use output::{Flush, Output};
pub use totals::{Counts, Totals};

use std::num::NonZero;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowTable, Settings};
use crate::packet::Timestamp;
use crate::source::{Next, Source, Take};
use reading::{Depth, Reading, Reads};

/// When to end although there is more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// After this many packets that passed the filter.
    pub packets: Option<u64>,
    /// Before the captured bytes of packets that passed the filter exceed this.
    pub bytes: Option<u64>,
}

/// What a run is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// When to end although there is more.
    pub limits: Limits,
    /// How flows are followed, where they are to be.
    pub flows: Option<Settings>,
    /// How many threads may share the work; the bytes that come out do not depend on it.
    pub threads: NonZero<usize>,
}

impl Default for Task {
    fn default() -> Task {
        Task {
            limits: Limits::default(),
            flows: None,
            threads: NonZero::<usize>::MIN,
        }
    }
}

/// Takes every frame of a source through the filter to the output and, where they are to be followed, to flows, until the source ends, a
/// limit is reached or nobody takes the output any more. Then the flows that are left end too.
///
/// # Errors
/// The source failed, after everything good before it was put out, or the output cannot be written. The caller finishes the
/// output either way.
pub fn run<S: Source>(
    source: &mut S,
    filter: &mut Filter,
    output: &mut Output,
    task: &Task,
    totals: &Totals,
) -> Result<()> {
    if let Some(ran) = shared::run(source, filter, output, task, totals) {
        return ran;
    }
    let mut pass = Pass {
        depth: Depth::of(filter, output, task.flows.is_some()),
        filter,
        output,
        limits: task.limits,
        totals,
        flows: task.flows.map(FlowTable::new),
        failed: None,
    };
    let ran = pass.run(source);
    ran.and(pass.conclude())
}

/// What takes frames of a source until it ends, or nobody wants more.
struct Pass<'r, 's> {
    filter: &'r mut Filter,
    output: &'r mut Output<'s>,
    limits: Limits,
    totals: &'r Totals,
    flows: Option<FlowTable>,
    depth: Depth,
    /// Why the output took no more. It stands here so that nothing is moved about for each frame.
    failed: Option<Error>,
}

impl Pass<'_, '_> {
    fn run(&mut self, source: &mut impl Source) -> Result<()> {
        if !self.goes_on() {
            return Ok(());
        }
        let gave = source.each(self);
        self.failed.take().map_or(gave, Err)
    }

    #[inline(always)]
    fn goes_on(&self) -> bool {
        self.failed.is_none() && !self.limits.reached(self.totals) && self.output.wants_more()
    }

    #[cold]
    fn idle(&mut self, now: Timestamp) {
        if let Some(flows) = &mut self.flows {
            let mut tell = Tell(self.output, &mut self.failed);
            flows.expire(now, &mut |event| tell.flow(&event));
            self.totals.follow(flows);
        }
        if self.failed.is_none() {
            self.failed = self.output.idle().err();
        }
    }

    /// The flows that are left end, if anybody wants to know.
    fn conclude(&mut self) -> Result<()> {
        let Some(mut flows) = self.flows.take() else {
            return Ok(());
        };
        if self.output.wants_more() {
            let mut tell = Tell(self.output, &mut self.failed);
            flows.finish(&mut |event| tell.flow(&event));
        }
        self.totals.conclude(flows.counts());
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl Reads for Pass<'_, '_> {
    /// False if that would exceed a limit, or failed.
    type Made = bool;

    /// Takes a frame through the filter to the output and to flows.
    #[inline(always)]
    fn read<'a>(&mut self, reading: &impl Reading<'a>) -> bool {
        reading.count(self.totals);
        if !reading.passes(self.filter) {
            return true;
        }
        let frame = reading.frame();
        if self.limits.exceeded_by(frame.bytes.len(), self.totals) {
            return false;
        }
        self.totals.matched(frame);
        if self.output.is_to_act()
            && let Err(error) = reading.as_packet(|packet| self.output.packet(packet))
        {
            self.failed = Some(error);
            return false;
        }
        if let Some(flows) = &mut self.flows {
            let mut tell = Tell(self.output, &mut self.failed);
            reading.follow(flows, &mut |event| tell.flow(&event));
            self.totals.follow(flows);
        }
        true
    }
}

impl Take for Pass<'_, '_> {
    #[inline(always)]
    fn take(&mut self, next: &Next<'_>) -> ControlFlow<()> {
        let is_taken = match next {
            Next::Frame(frame) => self.depth.read(frame, self),
            Next::Idle(now) => {
                self.idle(*now);
                true
            }
            Next::End => true,
        };
        match is_taken && self.goes_on() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }
}

/// Tells an output what a table says, until it fails.
struct Tell<'t, 's>(&'t mut Output<'s>, &'t mut Option<Error>);

impl Tell<'_, '_> {
    fn flow(&mut self, event: &FlowEvent) {
        let Tell(output, failed) = self;
        if failed.is_none() {
            **failed = output.flow(event).err();
        }
    }
}

impl Limits {
    fn reached(self, totals: &Totals) -> bool {
        self.packets.is_some_and(|limit| totals.packets() >= limit)
    }

    fn exceeded_by(self, len: usize, totals: &Totals) -> bool {
        self.bytes
            .is_some_and(|limit| totals.bytes() + len as u64 > limit)
    }
}
