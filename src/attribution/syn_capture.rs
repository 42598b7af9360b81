//! Separate capture that receives only SYNs, so that the clients are looked up while they exist.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::connection_table::ConnectionTable;
use super::cpu_budget::CpuBudget;
use super::lookup_queue::{LookupRequest, LookupTarget};
use crate::decode::decode;
use crate::error::Result;
use crate::host::processes::priority::{TimeSlice, raise_priority};
use crate::packet::{Frame, TcpFlags};
use crate::source::live::{DeliveryMode, LiveOptions, LiveSource};
use crate::source::{Source, SourceEvent, Stop};

/// A SYN without an ACK, over IPv4 and IPv6. `tcp[…]` of pcap-filter(7) applies only to IPv4.
const SYN_EXPRESSION: &str = "(tcp[13] & 0x12 == 2 or (ip6[6] == 6 and ip6[53] & 0x12 == 2))";
/// Snapshot length in bytes: enough for all headers of a SYN.
const SNAP_LEN: u32 = 192;
/// Size of the kernel ring in bytes: a burst of SYNs must fit.
const RING_BYTES: u32 = 4 << 20;
/// Maximum number of SYNs that are looked up together when they arrive at the same time.
const LOOKUP_BATCH_LEN: usize = 32;
/// Duration of the pause after the CPU budget is exhausted.
const THROTTLE_PAUSE: Duration = Duration::from_millis(50);

/// Opens a capture of the SYNs that match the filter.
///
/// # Errors
/// The filter is invalid, or the device cannot be opened.
pub(super) fn open(capture: &LiveOptions, filter: &str, stop: Stop) -> Result<LiveSource> {
    let options = LiveOptions {
        snap_len: SNAP_LEN,
        ring_size: RING_BYTES,
        delivery: DeliveryMode::Immediate,
        duration: None,
        tick_interval: None,
        ..capture.clone()
    };
    let mut live = LiveSource::open(options, stop)?;
    live.set_filter(&match filter {
        "" => SYN_EXPRESSION.to_owned(),
        filter => format!("({filter}) and {SYN_EXPRESSION}"),
    })?;
    Ok(live)
}

/// Requests a lookup of each new connection whose SYN is captured, until a stop is requested.
pub(super) fn run(table: &ConnectionTable, mut live: LiveSource) {
    raise_priority(TimeSlice::Short);
    let mut budget = CpuBudget::new(Instant::now());
    // Connections that have started and are still to be looked up.
    let mut batch: Vec<LookupRequest> = Vec::new();
    // The main capture reports errors of the device.
    let _ = live.for_each(&mut |event: &SourceEvent<'_>| {
        if let SourceEvent::Frame(frame) = event
            && let Some(request) = new_connection(table, frame)
        {
            budget.record_task(Instant::now());
            batch.push(request);
        }
        let is_batch_end = !matches!(event, SourceEvent::Frame(_));
        if !batch.is_empty() && (is_batch_end || batch.len() == LOOKUP_BATCH_LEN) {
            let requests = std::mem::take(&mut batch);
            if budget.spend(|| table.look_up_syns(&requests)) != Some(true) {
                let each = |request| table.mark_not_looked_up(request);
                requests.iter().for_each(each);
                // A wake-up for each SYN would cost CPU time beyond the budget. SYNs that arrive
                // during the pause are late.
                std::thread::sleep(THROTTLE_PAUSE);
            }
        }
        ControlFlow::Continue(())
    });
}

/// Returns a lookup request for the connection that a SYN starts, unless the connection is already
/// recorded.
fn new_connection(table: &ConnectionTable, frame: &Frame) -> Option<LookupRequest> {
    let packet = decode(frame);
    let (endpoints, tcp) = (packet.endpoints()?, packet.tcp()?);
    let is_new =
        !tcp.flags.contains(TcpFlags::ACK) && table.record_syn(&endpoints, frame.time, tcp.seq);
    is_new.then(|| LookupRequest::new(&endpoints, frame.time, LookupTarget::Responder))
}
