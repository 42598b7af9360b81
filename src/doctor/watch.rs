//! Capture of the port for a limited time (`--watch`): its flows, with the processes at both ends.

use std::time::Duration;

use super::facts::{WatchResult, WatchedFlow, WatchedFlowEnd};
use crate::flow::{FlowRecord, FlowSettings, OutcomeKind};
use crate::pipeline::{LIVE_LINGER_NS, live};
use crate::source::Stop;
use crate::source::live::LiveOptions;

/// Size of the kernel ring in bytes.
const RING_BYTES: u32 = 16 << 20;
/// Snapshot length in bytes: only headers are evaluated.
const SNAP_LEN: u32 = 256;
/// Maximum number of flows per kind of ending that are listed individually.
const MAX_KEPT_FLOWS: usize = 50;

/// Captures a port on the loopback for the given time, or until a stop is requested.
pub fn watch(port: u16, seconds: u64, stop: Stop) -> WatchResult {
    let mut result = WatchResult {
        seconds,
        ..WatchResult::default()
    };
    let options = LiveOptions {
        snap_len: SNAP_LEN,
        ring_size: RING_BYTES,
        duration: Some(Duration::from_secs(seconds)),
        ..LiveOptions::default()
    };
    let capture = live(options, stop).port(port).flow_settings(FlowSettings {
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
    result.error = captured.err().map(|error| error.to_string());
    result
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
