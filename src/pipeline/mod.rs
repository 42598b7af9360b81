//! The one loop: frames in, packets through the filter, flows of them, bytes out; live and from files alike.

mod capture;
mod output;
mod shared;
mod totals;

pub use capture::{Capture, open};
pub use output::{Flush, Output};
pub use totals::{Counts, Totals};

use std::num::NonZero;
use std::ops::ControlFlow;

use crate::decode::decode;
use crate::error::Result;
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowTable, Settings};
use crate::packet::Packet;
use crate::sink::Needs;
use crate::source::{Next, Source};

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
    let mut flows = task.flows.map(FlowTable::new);
    let ran = pass_on(source, filter, output, task.limits, totals, flows.as_mut());
    let Some(mut flows) = flows else {
        return ran;
    };
    let ended = match output.wants_more() {
        true => tell(output, |emit| flows.finish(emit)),
        false => Ok(()),
    };
    totals.conclude(flows.counts());
    ran.and(ended)
}

fn pass_on<S: Source>(
    source: &mut S,
    filter: &mut Filter,
    output: &mut Output,
    limits: Limits,
    totals: &Totals,
    mut flows: Option<&mut FlowTable>,
) -> Result<()> {
    let reads = filter.reads_packets() || output.needs() > Needs::Frames;
    let goes_on = |output: &Output| match limits.reached(totals) || !output.wants_more() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    if goes_on(output).is_break() {
        return Ok(());
    }
    let mut take = |next: &Next| {
        match next {
            Next::Frame(frame) => {
                let packet = if reads {
                    decode(frame)
                } else {
                    Packet::not_read(frame)
                };
                totals.saw(&packet);
                if filter.matches(&packet) {
                    if limits.exceeded_by(frame.bytes.len(), totals) {
                        return Ok(ControlFlow::Break(()));
                    }
                    totals.matched(&packet);
                    output.packet(&packet)?;
                    if let Some(flows) = &mut flows {
                        tell(output, |emit| flows.push(&packet, emit))?;
                        totals.follow(flows);
                    }
                }
            }
            Next::Idle(now) => {
                if let Some(flows) = &mut flows {
                    tell(output, |emit| flows.expire(*now, emit))?;
                    totals.follow(flows);
                }
                output.idle()?;
            }
            Next::End => {}
        }
        Ok(goes_on(output))
    };
    let mut took = Ok(());
    let gave = source.each(|next| {
        take(next).unwrap_or_else(|error| {
            took = Err(error);
            ControlFlow::Break(())
        })
    });
    took.and(gave)
}

/// Has the output told what a table says, until it fails.
#[inline]
fn tell(output: &mut Output, act: impl FnOnce(&mut dyn FnMut(FlowEvent))) -> Result<()> {
    let mut told = Ok(());
    act(&mut |event| {
        if told.is_ok() {
            told = output.flow(&event);
        }
    });
    told
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
