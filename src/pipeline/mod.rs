//! The main loop, for live captures and files: frames in, attribution, filtering, flow tracking,
//! bytes out.

mod attribution;
mod callback;
mod capture;
mod event_output;
#[cfg(feature = "live")]
mod flow_owners;
mod intervals;
#[cfg(feature = "live")]
mod live;
mod output;
mod recorded_owners;
#[cfg(feature = "cli")]
mod run_requests;
#[cfg(feature = "cli")]
mod run_selection;
mod streams;
mod totals;

#[cfg(test)]
mod tests;

pub use attribution::Attribution;
#[cfg(feature = "live")]
pub use capture::live;
pub use capture::{Capture, open, read};
pub use intervals::LIVE_LINGER_NS;
#[cfg(feature = "cli")]
pub use intervals::{FLOW_REPORT_INTERVAL, REQUEST_REPORT_INTERVAL};
#[cfg(feature = "cli")]
pub use live::{AttributionMode, LiveCapture};
pub use output::{FlushPolicy, Output};
#[cfg(feature = "cli")]
pub use run_selection::RunCommand;
pub use streams::FlowStreams;
#[cfg(feature = "cli")]
pub use totals::UnknownTraffic;
pub use totals::{Counts, Totals};

use std::ops::ControlFlow;

use crate::decode::decode;
use crate::error::Result;
use crate::event::{Event, Tick};
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowSettings, FlowTable};
use crate::packet::{Frame, Timestamp};
use crate::process::ProcessFilter;
#[cfg(feature = "cli")]
use crate::request::RequestCounts;
use crate::request::{RequestSettings, RequestTable};
use crate::source::{IdleClock, Source, SourceEvent, SourceHandler};
use event_output::EventOutput;
#[cfg(feature = "live")]
use flow_owners::FlowOwners;
#[cfg(feature = "cli")]
use run_requests::RunRequests;
#[cfg(feature = "cli")]
use run_selection::RunSelection;

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
    /// Settings for request tracking, which requires flows with streams; `None` disables it.
    pub requests: Option<RequestSettings>,
    /// Owners of packets and flows.
    pub attribution: Attribution,
    /// Packets of other processes are skipped, and not counted; empty for all processes.
    pub process_filter: ProcessFilter,
    /// Packets that do not belong to this command are skipped, and not counted; `None` selects all
    /// packets.
    #[cfg(feature = "cli")]
    pub command: Option<RunCommand>,
    /// Interval of [ticks](Event::Tick) in nanoseconds, by the packets' timestamps; `None` emits
    /// ticks only when no packet is waiting.
    pub tick_interval: Option<u64>,
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
        limits: options.limits,
        totals,
        events: EventOutput {
            #[cfg(feature = "live")]
            flow_owners: FlowOwners::new(&options.attribution),
            #[cfg(feature = "cli")]
            run: options
                .command
                .map(|command| RunSelection::new(command, &options.attribution)),
            requests: options.requests.map(RequestTable::new).map(Box::new),
            #[cfg(feature = "cli")]
            run_requests: RunRequests::default(),
            output,
            error: None,
        },
        attribution: options.attribution,
        process_filter: options.process_filter,
        flows: options.flows.map(FlowTable::new),
        tick_interval: options.tick_interval,
        last_tick: i64::MIN,
    };
    let result = main_loop.run(source);
    let result = result.and(main_loop.finish_flows());
    if let Some(requests) = &main_loop.events.requests {
        let counts = requests.counts();
        #[cfg(feature = "cli")]
        let counts = match &main_loop.events.run {
            Some(_) => RequestCounts {
                requests: main_loop.events.run_requests.reported(),
                ..counts
            },
            None => counts,
        };
        totals.store_requests(counts);
    }
    #[cfg(feature = "cli")]
    if let Some(run) = main_loop.events.run {
        totals.store_unknown(run.finish());
    }
    result
}

/// The state of the main loop, which handles the events of a source.
struct MainLoop<'r, 's> {
    filter: &'r mut Filter,
    limits: Limits,
    totals: &'r Totals,
    attribution: Attribution,
    process_filter: ProcessFilter,
    flows: Option<FlowTable>,
    events: EventOutput<'r, 's>,
    tick_interval: Option<u64>,
    /// Time of the last tick, in nanoseconds. Timestamps may also go backwards.
    last_tick: i64,
}

impl MainLoop<'_, '_> {
    fn run(&mut self, source: &mut impl Source) -> Result<()> {
        if !self.should_continue() {
            return Ok(());
        }
        let result = source.for_each(self);
        self.events.error.take().map_or(result, Err)
    }

    #[inline]
    fn should_continue(&self) -> bool {
        self.events.is_accepting() && !self.limits.is_reached(self.totals)
    }

    /// Passes a frame to the output and the flow table. Returns false if the frame would exceed a
    /// limit.
    #[inline]
    fn handle_frame(&mut self, frame: &Frame) -> bool {
        let mut packet = decode(frame);
        #[cfg(feature = "cli")]
        if let Some(run) = &mut self.events.run
            && run.reject_early(&packet)
        {
            return true;
        }
        packet.owners = self.attribution.owners(&packet);
        #[cfg(feature = "cli")]
        if let Some(run) = &mut self.events.run
            && !run.select(&packet)
        {
            return true;
        }
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
        self.events.packet(&packet);
        if let Some(flows) = &mut self.flows {
            flows.push(&packet, &mut |event| self.events.flow(&event));
            self.totals.update_flows(flows);
        }
        true
    }

    /// Emits the timeouts that are due while no packet is waiting, then a tick.
    #[cold]
    fn handle_idle(&mut self, clock: IdleClock) {
        let mut time = Timestamp::ABSENT;
        if let Some(flows) = &mut self.flows {
            let emit = &mut |event: FlowEvent| self.events.flow(&event);
            match clock {
                IdleClock::Time(now) => flows.expire(now, emit),
                IdleClock::Elapsed(elapsed) => {
                    // The source is live from now on: its flows are awaited.
                    flows.limit_linger(LIVE_LINGER_NS);
                    let elapsed_ns = i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX);
                    flows.advance(elapsed_ns, emit);
                }
                IdleClock::Stopped => {}
            }
            time = flows.now();
            self.totals.update_flows(flows);
        }
        if let IdleClock::Time(now) = clock {
            time = now;
        }
        self.emit_tick(time, true);
    }

    /// Emits the timeouts that are due at the time of a packet, then a tick.
    #[cold]
    fn tick(&mut self, time: Timestamp) {
        if let Some(flows) = &mut self.flows {
            flows.expire(time, &mut |event| self.events.flow(&event));
            self.totals.update_flows(flows);
        }
        self.emit_tick(time, false);
    }

    fn emit_tick(&mut self, time: Timestamp, is_idle: bool) {
        self.events.advance_requests(time, self.totals);
        self.events.handle(Event::Tick(Tick {
            time,
            is_idle,
            flows: self.flows.as_ref(),
        }));
    }

    /// Emits a tick if the interval has passed since the last one.
    #[inline]
    fn tick_if_due(&mut self, time: Timestamp) {
        if let Some(interval) = self.tick_interval
            && time.0.abs_diff(self.last_tick) >= interval
        {
            self.last_tick = time.0;
            self.tick(time);
        }
    }

    /// Closes the remaining flows, and reports them if the output still accepts events.
    fn finish_flows(&mut self) -> Result<()> {
        let Some(mut flows) = self.flows.take() else {
            return Ok(());
        };
        if self.events.is_accepting() {
            flows.finish(&mut |event| self.events.flow(&event));
        }
        self.totals.store_flows(flows.counts());
        self.events.error.take().map_or(Ok(()), Err)
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
            SourceEvent::Idle(clock) => {
                self.handle_idle(*clock);
                true
            }
            SourceEvent::Dropped(drops) => {
                if let Some(flows) = &mut self.flows {
                    flows.record_drops(*drops);
                }
                self.events.handle(Event::Dropped(*drops));
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

impl Limits {
    fn is_reached(self, totals: &Totals) -> bool {
        self.packets.is_some_and(|limit| totals.packets() >= limit)
    }

    fn is_exceeded_by(self, len: usize, totals: &Totals) -> bool {
        self.bytes
            .is_some_and(|limit| totals.bytes() + len as u64 > limit)
    }
}
