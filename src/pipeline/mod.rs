//! The main loop, for live captures and files: frames in, attribution, filtering, flow tracking,
//! bytes out.

mod capture;
mod flow_owners;
mod live;
mod output;
mod streams;
mod totals;

pub use capture::{Capture, LIVE_LINGER_NS, live, open};
pub use live::{AttributionMode, LiveCapture, StartedCapture};
pub use output::{FlushPolicy, Output};
pub use streams::FlowStreams;
pub use totals::{Counts, Totals};

use std::ops::ControlFlow;

use crate::attribution::Attribution;
use crate::decode::decode;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowSettings, FlowTable};
use crate::packet::{Frame, Packet, Timestamp};
use crate::process::ProcessFilter;
use crate::sink::{Event, Tick};
use crate::source::{Source, SourceEvent, SourceHandler};
use flow_owners::FlowOwners;

/// Stop conditions of a run, in addition to the end of the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of packets that match the filter.
    pub packets: Option<u64>,
    /// Maximum number of captured bytes of packets that match the filter; the run ends before it is
    /// exceeded.
    pub bytes: Option<u64>,
}

/// Settings of a run.
#[derive(Debug, Default)]
pub struct RunOptions {
    /// Stop conditions.
    pub limits: Limits,
    /// Settings for flow tracking; `None` disables it.
    pub flows: Option<FlowSettings>,
    /// Owners of packets and flows.
    pub attribution: Attribution,
    /// Packets of other processes are skipped, and not counted; empty for all processes.
    pub process_filter: ProcessFilter,
    /// Interval of [ticks](Event::Tick) in nanoseconds, by the packets' timestamps; `None` emits
    /// ticks only when no packet is waiting.
    pub tick_interval: Option<i64>,
}

/// Passes every frame of a source through the filters to the output and, if requested, to the flow
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
    options: RunOptions,
    totals: &Totals,
) -> Result<()> {
    let mut main_loop = MainLoop {
        filter,
        output,
        limits: options.limits,
        totals,
        flow_owners: FlowOwners::new(&options.attribution),
        attribution: options.attribution,
        process_filter: options.process_filter,
        flows: options.flows.map(FlowTable::new),
        tick_interval: options.tick_interval,
        next_tick: i64::MIN,
        error: None,
    };
    let result = main_loop.run(source);
    result.and(main_loop.finish_flows())
}

/// The state of the main loop, which handles the events of a source.
struct MainLoop<'r, 's> {
    filter: &'r mut Filter,
    output: &'r mut Output<'s>,
    limits: Limits,
    totals: &'r Totals,
    attribution: Attribution,
    flow_owners: Option<FlowOwners>,
    process_filter: ProcessFilter,
    flows: Option<FlowTable>,
    tick_interval: Option<i64>,
    /// Time of the next tick, in nanoseconds.
    next_tick: i64,
    /// Error of the output. It is a field and not a return value, so that no `Result` is moved per
    /// frame.
    error: Option<Error>,
}

impl MainLoop<'_, '_> {
    fn run(&mut self, source: &mut impl Source) -> Result<()> {
        if !self.should_continue() {
            return Ok(());
        }
        let result = source.for_each(self);
        self.error.take().map_or(result, Err)
    }

    #[inline]
    fn should_continue(&self) -> bool {
        self.error.is_none() && !self.limits.is_reached(self.totals) && self.output.is_accepting()
    }

    /// Passes a frame to the output and the flow table. Returns false if the frame would exceed a
    /// limit.
    #[inline]
    fn handle_frame(&mut self, frame: &Frame) -> bool {
        let packet = decode(frame);
        let packet = Packet {
            owners: self.attribution.owners(&packet),
            ..packet
        };
        if !self.process_filter.is_empty() {
            match packet.owners {
                Some(owners) if self.process_filter.matches(owners) => {}
                Some(_) => return true,
                None => {
                    self.totals.count_unattributed();
                    return true;
                }
            }
        }
        self.totals.count_frame(&packet);
        if !self.filter.matches(&packet) {
            return true;
        }
        if self.limits.is_exceeded_by(frame.bytes.len(), self.totals) {
            return false;
        }
        self.totals.count_packet(frame);
        if let Err(error) = self.output.packet(&packet) {
            self.error = Some(error);
        }
        if let Some(flows) = &mut self.flows {
            let mut emitter = FlowEmitter {
                owners: self.flow_owners.as_mut(),
                output: self.output,
                error: &mut self.error,
            };
            flows.push(&packet, &mut |event| emitter.emit(&event));
            self.totals.update_flows(flows);
        }
        true
    }

    /// Emits the timeouts that are due, then a tick.
    #[cold]
    fn tick(&mut self, time: Timestamp, is_idle: bool) {
        if let Some(flows) = &mut self.flows {
            let mut emitter = FlowEmitter {
                owners: self.flow_owners.as_mut(),
                output: self.output,
                error: &mut self.error,
            };
            flows.expire(time, &mut |event| emitter.emit(&event));
            self.totals.update_flows(flows);
        }
        let flows = self.flows.as_ref();
        let tick = Tick {
            time,
            is_idle,
            flows,
        };
        if self.error.is_none() {
            self.error = self.output.handle(Event::Tick(tick)).err();
        }
    }

    /// Emits a tick if the interval has passed since the last one.
    #[inline]
    fn tick_if_due(&mut self, time: Timestamp) {
        if let Some(interval) = self.tick_interval
            && time.0 >= self.next_tick
        {
            self.next_tick = time.0.saturating_add(interval);
            self.tick(time, false);
        }
    }

    /// Closes the remaining flows, and reports them if the output still accepts events.
    fn finish_flows(&mut self) -> Result<()> {
        let Some(mut flows) = self.flows.take() else {
            return Ok(());
        };
        if self.output.is_accepting() {
            let mut emitter = FlowEmitter {
                owners: self.flow_owners.as_mut(),
                output: self.output,
                error: &mut self.error,
            };
            flows.finish(&mut |event| emitter.emit(&event));
        }
        self.totals.store_flows(flows.counts());
        self.error.take().map_or(Ok(()), Err)
    }
}

impl SourceHandler for MainLoop<'_, '_> {
    #[inline]
    fn handle(&mut self, event: &SourceEvent<'_>) -> ControlFlow<()> {
        let is_within_limits = match event {
            SourceEvent::Frame(frame) => {
                self.tick_if_due(frame.time);
                self.handle_frame(frame)
            }
            SourceEvent::Idle(now) => {
                self.tick(*now, true);
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
struct FlowEmitter<'t, 's> {
    owners: Option<&'t mut FlowOwners>,
    output: &'t mut Output<'s>,
    error: &'t mut Option<Error>,
}

impl FlowEmitter<'_, '_> {
    fn emit(&mut self, event: &FlowEvent) {
        if self.error.is_some() {
            return;
        }
        let output = &mut *self.output;
        let result = match &mut self.owners {
            Some(owners) => owners.complete(event, |event| output.handle(Event::Flow(event))),
            None => output.handle(Event::Flow(event)),
        };
        *self.error = result.err();
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
