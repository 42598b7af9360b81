//! End of flows: by timeout, by eviction if the table is full, and at the end of the capture.

use super::FlowTable;
use crate::flow::idle_lists::{IdleLists, TimeoutClass};
use crate::flow::record::FlowEndReason;
use crate::flow::{Emit, FlowEvent, FlowEventKind, apply};
use crate::packet::Timestamp;

/// Idle timeouts, in nanoseconds; the timeout of ended flows is the setting `linger_ns`.
///
/// A SYN is retransmitted after 1, 2, 4 … 64 s (tcp(7), `tcp_syn_retries`). Zeek's timeouts are
/// shorter: 5 s, and 5 minutes for established connections. Here an idle connection is kept for the
/// time after which keep-alives are sent on it by default (`tcp_keepalive_time`).
const OPENING_TIMEOUT_NS: i64 = 130_000_000_000;
const OPEN_TIMEOUT_NS: i64 = 7200 * 1_000_000_000;
const DATAGRAM_TIMEOUT_NS: i64 = 60_000_000_000;

impl FlowTable {
    /// Reports every remaining flow, in the order of flow numbers: the capture has ended.
    pub fn finish(&mut self, emit: Emit) {
        self.index.clear();
        self.last_flow = None;
        let mut remaining: Vec<(u64, usize)> = self
            .flows
            .iter()
            .enumerate()
            .map(|(at, flow)| (flow.number, at))
            .filter(|(number, _)| *number > 0)
            .collect();
        // Most flows are already in this order.
        remaining.sort();
        for (_, at) in remaining {
            self.report(at as u32, FlowEndReason::Capture, None, emit);
        }
        self.flows.clear();
        self.free_slots.clear();
        self.idle_lists = IdleLists::default();
        self.next_due = i64::MAX;
        self.quiet_until = i64::MIN;
        self.fragments.drop_all();
    }

    /// Returns the time at which a flow of this class expires if it was last active at `active`.
    pub(super) fn deadline(&self, class: TimeoutClass, active: i64) -> i64 {
        active.saturating_add(match class {
            TimeoutClass::Opening => OPENING_TIMEOUT_NS,
            TimeoutClass::Open => OPEN_TIMEOUT_NS,
            TimeoutClass::Ended => self.settings.linger_ns,
            TimeoutClass::Datagram => DATAGRAM_TIMEOUT_NS,
        })
    }

    /// Closes expired flows, ordered by expiry time and then by flow number.
    #[cold]
    pub(super) fn close_due(&mut self, emit: Emit) {
        let (mut due_flows, mut next) = (Vec::new(), i64::MAX);
        for class in TimeoutClass::ALL {
            while let Some(at) = self.idle_lists.oldest(class) {
                let flow = &self.flows[at as usize];
                let due = self.deadline(class, flow.last_active);
                if due > self.clock {
                    next = next.min(due);
                    break;
                }
                due_flows.push((due, flow.number, at));
                self.idle_lists.remove(class, at);
            }
        }
        due_flows.sort_unstable();
        for (due, _, at) in due_flows {
            let end = match self.flows[at as usize].timeout_class {
                TimeoutClass::Ended => FlowEndReason::Closed,
                _ => FlowEndReason::Idle,
            };
            self.remove(at, end, Some(Timestamp(due)), emit);
        }
        self.next_due = next;
    }

    /// Evicts the least recently active flow.
    #[cold]
    pub(super) fn evict(&mut self, emit: Emit) {
        let oldest = TimeoutClass::ALL
            .into_iter()
            .filter_map(|class| self.idle_lists.oldest(class));
        let quietest = oldest.min_by_key(|&at| {
            let flow = &self.flows[at as usize];
            (flow.last_active, flow.number)
        });
        if let Some(at) = quietest {
            // Ended flows do not count as evicted: they were only kept for late packets.
            self.counts.evicted +=
                u64::from(self.flows[at as usize].timeout_class != TimeoutClass::Ended);
            self.close(at, FlowEndReason::Evicted, emit);
        }
    }

    /// Reports a flow and removes it.
    fn close(&mut self, at: u32, end: FlowEndReason, emit: Emit) {
        self.idle_lists
            .remove(self.flows[at as usize].timeout_class, at);
        self.remove(at, end, None, emit);
    }

    /// Reports a flow and removes it. The caller has already removed it from its idle list.
    fn remove(&mut self, at: u32, end: FlowEndReason, due: Option<Timestamp>, emit: Emit) {
        let hash = self.index.hash(&self.flows[at as usize].key);
        self.index.remove(hash, at);
        if self.last_flow == Some(at) {
            self.last_flow = None;
        }
        self.free_slots.push(at);
        self.report(at, end, due, emit);
    }

    /// Reports a flow whose slot is reused for another flow with the same endpoints.
    pub(super) fn close_reused(&mut self, at: u32, emit: Emit) {
        self.idle_lists
            .remove(self.flows[at as usize].timeout_class, at);
        self.report(at, FlowEndReason::Reused, None, emit);
    }

    /// Reports a flow and frees its memory; the slot can then be used for another flow.
    fn report(&mut self, at: u32, end: FlowEndReason, due: Option<Timestamp>, emit: Emit) {
        let flow = &mut self.flows[at as usize];
        self.buffered_bytes -= flow.buffered_bytes();
        apply::finish_streams(flow, self.settings.stream_policy(0), emit);
        let end = match (end, flow.timeout_class) {
            // The flow had already ended, whatever causes this report.
            (
                FlowEndReason::Capture | FlowEndReason::Evicted | FlowEndReason::Reused,
                TimeoutClass::Ended,
            ) => FlowEndReason::Closed,
            (end, _) => end,
        };
        let record = flow.take_record(end);
        let time = flow.last_active;
        flow.release();
        emit(FlowEvent {
            id: &record.id,
            time: Timestamp(time),
            due,
            kind: FlowEventKind::Closed(&record),
        });
    }
}
