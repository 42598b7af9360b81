//! Capture of the port for a limited time (`--watch`): its flows, with the processes at both ends.

use std::time::Duration;

use super::facts::{WatchResult, WatchedFlow, WatchedFlowEnd};
use crate::attribution::LookupProcess;
use crate::error::Result;
use crate::filter::Filter;
use crate::flow::{FlowRecord, FlowSettings, OutcomeKind};
use crate::pipeline::{
    AttributionMode, Capture, FLOW_REPORT_INTERVAL, LIVE_LINGER_NS, LiveCapture,
};
use crate::privileges::sandbox;
use crate::privileges::user::UserChange;
use crate::source::Stop;
use crate::source::live::LiveOptions;

/// Size of the kernel ring in bytes.
const RING_BYTES: u32 = 16 << 20;
/// Snapshot length in bytes: only headers are evaluated.
const SNAP_LEN: u32 = 256;
/// Maximum number of flows per kind of ending that are listed individually.
const MAX_KEPT_FLOWS: usize = 50;

/// A capture of one port that is open, but whose packets are not read so far.
pub struct Watch {
    capture: Result<LiveCapture>,
    seconds: u64,
}

impl Watch {
    /// Opens a capture of a port on the loopback, before any other thread is started. It ends after
    /// the given time, or when a stop is requested.
    pub fn open(port: u16, seconds: u64, stop: Stop) -> Watch {
        let options = LiveOptions {
            snap_len: SNAP_LEN,
            ring_size: RING_BYTES,
            duration: Some(Duration::from_secs(seconds)),
            tick_interval: Some(FLOW_REPORT_INTERVAL),
            ..LiveOptions::default()
        };
        let mut filter = Filter::default();
        filter.add_port(port);
        let mode = AttributionMode::PerFlow;
        let lookups = || LookupProcess::fork(None);
        Watch {
            capture: LiveCapture::open(&options, filter, mode, lookups, stop),
            seconds,
        }
    }

    /// Returns the duration of the capture in seconds.
    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    /// Gives up all privileges of this process. Threads that are still running, e.g. for a slow
    /// name server, keep their capabilities, but not their system calls.
    ///
    /// # Errors
    /// The capabilities cannot be given up.
    pub fn give_up_privileges(&self) -> Result<()> {
        sandbox::enter_decoder(&[], UserChange::IfPossible)?;
        Ok(())
    }

    /// Captures the port from now on.
    pub fn run(self) -> WatchResult {
        let mut result = WatchResult {
            seconds: self.seconds,
            ..WatchResult::default()
        };
        let captured = self.capture.and_then(|mut capture| {
            capture.restart()?;
            record_flows(capture, &mut result)
        });
        result.error = captured.err().map(|error| error.to_string());
        result
    }
}

fn record_flows(capture: LiveCapture, result: &mut WatchResult) -> Result<()> {
    let capture = Capture::of_device(capture).flow_settings(FlowSettings {
        max_flows: 10_000,
        linger_ns: LIVE_LINGER_NS,
        ..FlowSettings::FLOWS
    });
    let captured = capture.each_flow(|record| {
        let flow = watched_flow(record);
        // The limit applies per kind of ending, because many successful flows must not hide a
        // refused flow.
        let kept = result.flows.iter();
        match kept.filter(|kept| kept.ending == flow.ending).count() < MAX_KEPT_FLOWS {
            true => result.flows.push(flow),
            false => result.omitted_flows[flow.ending as usize] += 1,
        }
    });
    captured.map(drop)
}

fn watched_flow(record: &FlowRecord) -> WatchedFlow {
    let (orig, resp) = (record.id.orig(), record.id.resp());
    let processes = match record.owners.is_empty() {
        true => String::new(),
        false => format!("  {}", record.owners),
    };
    WatchedFlow {
        summary: format!(
            "{orig} → {resp}{processes}: {}",
            record.outcome.with_drops()
        ),
        ending: match record.outcome.kind {
            OutcomeKind::Refused => WatchedFlowEnd::Refused,
            OutcomeKind::Reset(_) | OutcomeKind::GivenUp => WatchedFlowEnd::Reset,
            OutcomeKind::NoAnswer | OutcomeKind::HalfOpen => WatchedFlowEnd::NoAnswer,
            _ => WatchedFlowEnd::Other,
        },
    }
}
