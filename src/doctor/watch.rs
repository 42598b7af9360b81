//! Capture of the port for a limited time (`--watch`): its flows, with the processes at both ends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::facts::{WatchResult, WatchedFlow, WatchedFlowEnd};
use crate::attribution::{Attributor, PendingBpf};
use crate::error::Result;
use crate::filter::{Filter, Ports};
use crate::flow::{FlowEvent, FlowEventKind, FlowRecord, FlowSettings, OutcomeKind};
use crate::host::devices;
use crate::pipeline::{FlushPolicy, Output, RunOptions, Totals, run};
use crate::sink::{Requirement, Sink, WithOwners};
use crate::source::Stop;
use crate::source::live::{DeliveryMode, LiveOptions, LiveSource};

/// Size of the kernel ring in bytes.
const RING_BYTES: u32 = 16 << 20;
/// Snapshot length in bytes: only headers are evaluated.
const SNAP_LEN: u32 = 256;
/// Interval at which ended flows are collected.
const TICK_INTERVAL: Duration = Duration::from_millis(250);
/// Delay before an ended flow is reported, in nanoseconds.
const LINGER_NS: i64 = 1_000_000_000;
/// Maximum number of flows per kind of ending that are listed individually.
const MAX_KEPT_FLOWS: usize = 50;

/// Captures a port on the loopback for the given time, or until a stop is requested.
pub fn watch(port: u16, seconds: u64, stop: Stop) -> WatchResult {
    let shared = Arc::new(Mutex::new(WatchResult {
        seconds,
        ..WatchResult::default()
    }));
    let captured = capture(port, seconds, stop, &shared);
    let mut result = std::mem::take(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner));
    result.error = captured.err().map(|error| error.to_string());
    result
}

fn capture(port: u16, seconds: u64, stop: Stop, shared: &Arc<Mutex<WatchResult>>) -> Result<()> {
    let bpf = PendingBpf::start();
    let device = devices::find(None)?;
    let options = LiveOptions {
        device: device.name,
        is_loopback: device.is_loopback,
        snap_len: SNAP_LEN,
        ring_size: RING_BYTES,
        link: None,
        duration: Some(Duration::from_secs(seconds)),
        delivery: DeliveryMode::Interactive,
        tick_interval: Some(TICK_INTERVAL),
    };
    let ports: Option<Ports> = port.to_string().parse().ok();
    let mut source = LiveSource::open(options.clone(), stop)?;
    let (kernel, mut filter) = Filter::new(ports, "")?.split_for_kernel(source.interface().link)?;
    source.set_filter(&kernel)?;
    // The flows are useful even without their processes, so this is not an error.
    let attributor = bpf
        .ok()
        .and_then(|bpf| Attributor::start(&options, &kernel, bpf).ok());
    let mut sink: Box<dyn Sink> = Box::new(WatchCollector(Arc::clone(shared)));
    if let Some(attributor) = &attributor {
        sink = Box::new(WithOwners::new(
            sink,
            Arc::clone(attributor.connection_table()),
        ));
    }
    let mut output = Output::new(vec![sink], FlushPolicy::WhenFull, None);
    let options = RunOptions {
        flows: Some(FlowSettings {
            linger_ns: LINGER_NS,
            max_flows: 10_000,
            ..FlowSettings::FLOWS
        }),
        ..RunOptions::default()
    };
    run(
        &mut source,
        &mut filter,
        &mut output,
        &options,
        &Totals::default(),
    )?;
    output.finish()
}

/// Sink that collects flows when they end.
struct WatchCollector(Arc<Mutex<WatchResult>>);

impl Sink for WatchCollector {
    fn handle_flow(&mut self, event: &FlowEvent) -> Result<()> {
        if let FlowEventKind::Closed(record) = event.kind {
            let mut result = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let flow = watched_flow(record);
            // The limit applies per kind of ending, because many successful flows must not hide a
            // refused flow.
            let similar = result
                .flows
                .iter()
                .filter(|kept| kept.ending == flow.ending);
            match similar.count() < MAX_KEPT_FLOWS {
                true => result.flows.push(flow),
                false => result.omitted_flows[flow.ending as usize] += 1,
            }
        }
        Ok(())
    }

    fn requires(&self) -> Requirement {
        Requirement::Flows
    }
}

fn watched_flow(record: &FlowRecord) -> WatchedFlow {
    let (orig, resp) = (record.id.orig(), record.id.resp());
    let processes = match record.owners.is_empty() {
        true => String::new(),
        false => format!("  {}", record.owners),
    };
    WatchedFlow {
        summary: format!("{orig} → {resp}{processes}: {}", record.outcome),
        ending: match record.outcome.kind {
            OutcomeKind::Refused => WatchedFlowEnd::Refused,
            OutcomeKind::Reset(_) | OutcomeKind::GivenUp => WatchedFlowEnd::Reset,
            OutcomeKind::NoAnswer | OutcomeKind::HalfOpen => WatchedFlowEnd::NoAnswer,
            _ => WatchedFlowEnd::Other,
        },
    }
}
