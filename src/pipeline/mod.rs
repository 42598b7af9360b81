//! The main loop, for live captures and files: frames in, filtering, flow tracking, bytes out.

mod capture;
mod output;
mod parsing;
mod shared;
mod totals;

pub use capture::{Capture, open};
pub use output::{FlushPolicy, Output};
pub use totals::{Counts, Totals};

use std::num::NonZero;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowSettings, FlowTable};
use crate::packet::Timestamp;
use crate::source::{Source, SourceEvent, SourceHandler};
use parsing::{FrameHandler, ParseLevel, ParsedFrame};

/// Stop conditions of a run, in addition to the end of the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of packets that match the filter.
    pub packets: Option<u64>,
    /// Maximum number of captured bytes of packets that match the filter; the run ends before it is
    /// exceeded.
    pub bytes: Option<u64>,
}

/// Options of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOptions {
    /// Stop conditions.
    pub limits: Limits,
    /// Settings for flow tracking; `None` disables it.
    pub flows: Option<FlowSettings>,
    /// Maximum number of threads; the output does not depend on it.
    pub threads: NonZero<usize>,
}

impl Default for RunOptions {
    fn default() -> RunOptions {
        RunOptions {
            limits: Limits::default(),
            flows: None,
            threads: NonZero::<usize>::MIN,
        }
    }
}

/// Passes every frame of a source through the filter to the output and, if requested, to the flow
/// table, until the source ends, a limit is reached or the output accepts no more packets. Then the
/// remaining flows are closed.
///
/// # Errors
/// The source failed, after everything before the failure was output, or the output cannot be
/// written. The caller must finish the output in either case.
pub fn run<S: Source>(
    source: &mut S,
    filter: &mut Filter,
    output: &mut Output,
    options: &RunOptions,
    totals: &Totals,
) -> Result<()> {
    if let Some(result) = shared::run(source, filter, output, options, totals) {
        return result;
    }
    let mut frame_loop = FrameLoop {
        parse_level: ParseLevel::required(filter, output, options.flows.is_some()),
        filter,
        output,
        limits: options.limits,
        totals,
        flows: options.flows.map(FlowTable::new),
        error: None,
    };
    let result = frame_loop.run(source);
    result.and(frame_loop.finish_flows())
}

/// The state of the main loop, which handles the events of a source.
struct FrameLoop<'r, 's> {
    filter: &'r mut Filter,
    output: &'r mut Output<'s>,
    limits: Limits,
    totals: &'r Totals,
    flows: Option<FlowTable>,
    parse_level: ParseLevel,
    /// Error of the output. It is a field and not a return value, so that no `Result` is moved per
    /// frame.
    error: Option<Error>,
}

impl FrameLoop<'_, '_> {
    fn run(&mut self, source: &mut impl Source) -> Result<()> {
        if !self.should_continue() {
            return Ok(());
        }
        let result = source.for_each(self);
        self.error.take().map_or(result, Err)
    }

    #[inline(always)]
    fn should_continue(&self) -> bool {
        self.error.is_none() && !self.limits.is_reached(self.totals) && self.output.is_accepting()
    }

    #[cold]
    fn idle(&mut self, now: Timestamp) {
        if let Some(flows) = &mut self.flows {
            let mut emitter = FlowEmitter(self.output, &mut self.error);
            flows.expire(now, &mut |event| emitter.emit(&event));
            self.totals.update_flows(flows);
        }
        if self.error.is_none() {
            self.error = self.output.idle().err();
        }
    }

    /// Closes the remaining flows, and reports them if the output still accepts events.
    fn finish_flows(&mut self) -> Result<()> {
        let Some(mut flows) = self.flows.take() else {
            return Ok(());
        };
        if self.output.is_accepting() {
            let mut emitter = FlowEmitter(self.output, &mut self.error);
            flows.finish(&mut |event| emitter.emit(&event));
        }
        self.totals.store_flows(flows.counts());
        self.error.take().map_or(Ok(()), Err)
    }
}

impl FrameHandler for FrameLoop<'_, '_> {
    /// False if the frame would exceed a limit, or its packet could not be output.
    type Value = bool;

    /// Passes a frame through the filter to the output and the flow table.
    #[inline(always)]
    fn handle<'a>(&mut self, parsed: &impl ParsedFrame<'a>) -> bool {
        parsed.count(self.totals);
        if !parsed.is_accepted_by(self.filter) {
            return true;
        }
        let frame = parsed.frame();
        if self.limits.is_exceeded_by(frame.bytes.len(), self.totals) {
            return false;
        }
        self.totals.count_packet(frame);
        if self.output.should_handle_packet()
            && let Err(error) = parsed.with_packet(|packet| self.output.packet(packet))
        {
            self.error = Some(error);
            return false;
        }
        if let Some(flows) = &mut self.flows {
            let mut emitter = FlowEmitter(self.output, &mut self.error);
            parsed.push_to(flows, &mut |event| emitter.emit(&event));
            self.totals.update_flows(flows);
        }
        true
    }
}

impl SourceHandler for FrameLoop<'_, '_> {
    #[inline(always)]
    fn handle(&mut self, event: &SourceEvent<'_>) -> ControlFlow<()> {
        let is_within_limits = match event {
            SourceEvent::Frame(frame) => self.parse_level.parse(frame, self),
            SourceEvent::Idle(now) => {
                self.idle(*now);
                true
            }
            SourceEvent::End => true,
        };
        match is_within_limits && self.should_continue() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }
}

/// Passes flow events to an output until it fails, and keeps its error.
struct FlowEmitter<'t, 's>(&'t mut Output<'s>, &'t mut Option<Error>);

impl FlowEmitter<'_, '_> {
    fn emit(&mut self, event: &FlowEvent) {
        let FlowEmitter(output, error) = self;
        if error.is_none() {
            **error = output.flow(event).err();
        }
    }
}

impl Limits {
    fn is_reached(self, totals: &Totals) -> bool {
        self.packets.is_some_and(|limit| totals.packets() >= limit)
    }

    fn is_exceeded_by(self, len: usize, totals: &Totals) -> bool {
        self.bytes
            .is_some_and(|limit| totals.bytes() + len as u64 > limit)
    }
}
