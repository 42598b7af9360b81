//! Flow table: assigns packets to flows, and reports flows that ended or timed out.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::clock::{Clock, ClockStep};
use super::counts::FlowCounts;
use super::drops::DropLog;
use super::fallbacks::Fallbacks;
use super::fragments::FragmentReassembler;
use super::idle_lists::{IdleLists, TimeoutClass};
use super::input::{FlowPacket, UnreadableHeader};
use super::outcome::OutcomeKind;
use super::record::FlowRecord;
use super::side::Side;
use super::sightings::Sightings;
use super::tracked_flow::TrackedFlow;
use super::{Emit, FlowEndReason, FlowEventKind, FlowSettings, apply, icmp, tcp};
use crate::packet::{Drops, Endpoints, Packet, PacketKind, Timestamp};

/// Table of all tracked flows.
#[derive(Debug)]
pub struct FlowTable {
    settings: FlowSettings,
    /// Slots in `flows`, by the [key](icmp::flow_key) of the flow.
    index: HashMap<Endpoints, u32, RandomState>,
    flows: Vec<TrackedFlow>,
    /// Unused slots in `flows`.
    free_slots: Vec<u32>,
    idle_lists: IdleLists,
    clock: Clock,
    /// Slot of the flow of the last packet.
    last_flow: Option<u32>,
    fragments: FragmentReassembler,
    sightings: Sightings,
    drops: DropLog,
    fallbacks: Fallbacks,
    /// Bytes that all flows buffer: out-of-order data, data kept for comparison, and data kept for
    /// service detection.
    buffered_bytes: u64,
    counts: FlowCounts,
}

impl FlowTable {
    /// Creates an empty table.
    pub fn new(settings: FlowSettings) -> FlowTable {
        FlowTable {
            settings,
            index: HashMap::default(),
            flows: Vec::new(),
            free_slots: Vec::new(),
            idle_lists: IdleLists::default(),
            clock: Clock::default(),
            last_flow: None,
            fragments: FragmentReassembler::default(),
            sightings: Sightings::default(),
            drops: DropLog::default(),
            fallbacks: Fallbacks::default(),
            buffered_bytes: 0,
            counts: FlowCounts::default(),
        }
    }

    /// Applies a packet and emits the resulting events, including timeouts due by the packet's
    /// time.
    #[inline]
    pub fn push(&mut self, packet: &Packet, emit: Emit) {
        let time = packet.frame.time;
        let now = match time.is_present() {
            true => time.0,
            false => self.clock.now_or_epoch(),
        };
        self.expire(time, emit);
        if packet.fragment().is_some() {
            return self.push_fragment(packet, now, emit);
        }
        if packet.kind() == PacketKind::Icmp {
            self.mark_unreachable(packet, now, emit);
        }
        match FlowPacket::new(packet) {
            Ok(Some(values))
                if self.sightings.record_packet(packet, &values, now)
                    && self.count_duplicate(&values) => {}
            Ok(Some(values)) => self.apply(&values, now, emit),
            Ok(None) => {}
            Err(UnreadableHeader) => self.counts.unreadable += 1,
        }
    }

    /// Records packets, of any flow, that were dropped before they were captured.
    pub fn record_drops(&mut self, drops: Drops) {
        self.drops.record(drops);
    }

    /// Emits the timeouts due by this capture time, without a packet.
    #[inline]
    pub fn expire(&mut self, time: Timestamp, emit: Emit) {
        if !time.is_present() {
            return;
        }
        match self.clock.advance(time.0, self.counts.opened > 0) {
            ClockStep::Accepted => {}
            ClockStep::Pending => return,
            ClockStep::Confirmed(active) => {
                if let Some(last) = self.last_flow {
                    let flow = &mut self.flows[last as usize];
                    flow.last_active = active;
                    self.idle_lists.touch(flow.timeout_class, last);
                }
            }
        }
        if self.clock.is_due() {
            self.close_due(emit);
        }
    }

    /// Emits the timeouts due after this number of nanoseconds without a packet.
    pub fn advance(&mut self, elapsed_ns: i64, emit: Emit) {
        if self.now().is_present() {
            self.expire(Timestamp(self.clock.now().saturating_add(elapsed_ns)), emit);
        }
    }

    /// Limits the time for which ended flows wait for late packets, in nanoseconds.
    pub fn limit_linger(&mut self, max_linger_ns: i64) {
        if self.settings.linger_ns > max_linger_ns {
            self.settings.linger_ns = max_linger_ns;
            // Flows that have already ended may be due now.
            self.clock.schedule(self.clock.now());
        }
    }

    /// Returns the time of the table's clock; absent before the first packet with a time.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.clock.now())
    }

    /// Reports every remaining flow, in the order of flow numbers: the capture has ended.
    pub fn finish(&mut self, emit: Emit) {
        self.index.clear();
        self.last_flow = None;
        let numbers =
            (0..self.flows.len() as u32).map(|at| (self.flows[at as usize].id.number, at));
        let mut remaining: Vec<(u64, u32)> = numbers.filter(|(number, _)| *number > 0).collect();
        remaining.sort_unstable();
        for (_, at) in remaining {
            self.report(at, FlowEndReason::Capture, None, emit);
        }
        self.flows.clear();
        self.free_slots.clear();
        self.idle_lists = IdleLists::default();
        self.clock.reschedule(i64::MAX);
        self.fragments.drop_all();
    }

    /// Returns the current counters.
    #[inline]
    pub fn counts(&self) -> FlowCounts {
        FlowCounts {
            open: self.index.len() as u64,
            incomplete: self.fragments.incomplete,
            ..self.counts
        }
    }

    /// Returns the records of the flows that are open now, in no particular order.
    #[allow(dead_code, reason = "for sinks that report open flows")]
    pub fn open_flows(&self) -> impl Iterator<Item = FlowRecord> {
        let open = self.flows.iter().filter(|flow| flow.id.number > 0);
        open.map(|flow| flow.record(FlowEndReason::Capture, &self.drops))
    }

    #[cold]
    fn push_fragment(&mut self, packet: &Packet, time: i64, emit: Emit) {
        let Some(whole) = self.fragments.add(packet, time) else {
            return;
        };
        let frame = whole.frame(packet.frame);
        match FlowPacket::new(&crate::decode::decode(&frame)) {
            Ok(Some(datagram)) => {
                let datagram = datagram.with_sizes_of(&whole);
                self.apply(&datagram, whole.start_time, emit);
            }
            Ok(None) => {}
            Err(UnreadableHeader) => self.counts.unreadable += 1,
        }
    }

    /// Marks the flow that an ICMP error quotes, if it is tracked.
    #[cold]
    fn mark_unreachable(&mut self, packet: &Packet, time: i64, emit: Emit) {
        let quoted = packet
            .ip_proto()
            .and_then(|proto| icmp::unreachable_port(proto, packet.payload()));
        if let Some(quoted) = quoted
            && let Some(&at) = self.index.get(&icmp::flow_key(&quoted))
        {
            let flow = &mut self.flows[at as usize];
            // The responder's port is unreachable if the originator sent the quoted packet.
            if flow.side(&quoted) == Side::Orig && flow.mark_port_unreachable(time) {
                emit(flow.event(time, None, FlowEventKind::Owners(&flow.owners())));
            }
        }
    }

    /// Counts a packet that was captured before, on another interface. Returns false if its flow is
    /// no longer tracked.
    #[cold]
    fn count_duplicate(&mut self, packet: &FlowPacket) -> bool {
        let Some(&at) = self.index.get(&icmp::flow_key(&packet.endpoints)) else {
            return false;
        };
        let flow = &mut self.flows[at as usize];
        let side = flow.side(&packet.endpoints);
        flow.sides[side as usize].cold_mut().analysis.duplicate_pkts += 1;
        true
    }

    /// Applies a packet to its flow, which it may start.
    #[inline]
    fn apply(&mut self, packet: &FlowPacket, time: i64, emit: Emit) {
        let at = self.find_or_open(packet, time, emit);
        self.last_flow = Some(at);
        let flow = &mut self.flows[at as usize];
        let side = flow.side(&packet.endpoints);
        if let Some(owners) = packet.owners
            && flow.adopt_owners(side, owners)
        {
            emit(flow.event(time, None, FlowEventKind::Owners(&flow.owners())));
        }
        flow.count_packet(side, packet);
        let was_detected = flow.detection.is_done();
        let options = self.settings.reassembly_options(self.buffered_bytes);
        let added_bytes = apply::apply_packet(flow, side, packet, time, options, emit);
        self.buffered_bytes = self.buffered_bytes.wrapping_add_signed(added_bytes);
        flow.last_active = self.clock.now();
        if !was_detected {
            emit_detected(flow, time, emit);
        }
        let (before, class) = (flow.timeout_class, flow.current_timeout_class());
        if before == class {
            return self.idle_lists.touch(class, at);
        }
        flow.timeout_class = class;
        self.fallbacks.record(flow, class);
        self.idle_lists.remove(before, at);
        self.add_to_idle_list(at);
    }

    /// Returns the slot of a packet's flow; starts a flow if the packet belongs to none.
    #[inline]
    fn find_or_open(&mut self, packet: &FlowPacket, time: i64, emit: Emit) -> u32 {
        let key = icmp::flow_key(&packet.endpoints);
        let Some(&at) = self.index.get(&key) else {
            return self.open(key, packet, time, emit);
        };
        let flow = &self.flows[at as usize];
        if let Some(tcp) = &packet.tcp
            && tcp::is_port_reuse(flow, flow.side(&packet.endpoints), tcp)
        {
            // The slot is used for the new flow.
            self.idle_lists.remove(flow.timeout_class, at);
            self.report(at, FlowEndReason::Reused, None, emit);
            self.start_flow(at, packet, time, emit);
        }
        at
    }

    /// Starts a flow in a new slot; returns the slot.
    fn open(&mut self, key: Endpoints, packet: &FlowPacket, time: i64, emit: Emit) -> u32 {
        if self.index.len() >= self.settings.max_flows as usize {
            self.evict(emit);
        }
        let at = self.free_slots.pop().unwrap_or_else(|| {
            self.flows.push(TrackedFlow::new(packet.endpoints, 0, 0, 0));
            self.flows.len() as u32 - 1
        });
        self.start_flow(at, packet, time, emit);
        self.index.insert(key, at);
        at
    }

    /// Starts a flow with this packet in an unused slot.
    fn start_flow(&mut self, at: u32, packet: &FlowPacket, time: i64, emit: Emit) {
        self.counts.opened += 1;
        let mut flow = TrackedFlow::new(packet.endpoints, self.counts.opened, packet.number, time);
        if packet.is_response() {
            flow.flip();
        }
        flow.last_active = self.clock.now();
        flow.timeout_class = flow.current_timeout_class();
        let is_late = packet.is_late();
        emit(flow.event(time, None, FlowEventKind::Opened { is_late }));
        self.flows[at as usize] = flow;
        self.add_to_idle_list(at);
    }

    /// Appends a flow to the idle list of its class, and schedules its timeout.
    #[inline]
    fn add_to_idle_list(&mut self, at: u32) {
        let flow = &self.flows[at as usize];
        self.idle_lists.push(flow.timeout_class, at);
        self.clock.schedule(flow.deadline(self.settings.linger_ns));
    }

    /// Closes expired flows, ordered by expiry time and then by flow number.
    #[cold]
    fn close_due(&mut self, emit: Emit) {
        let (mut due_flows, mut next) = (Vec::new(), i64::MAX);
        for class in TimeoutClass::ALL {
            while let Some(at) = self.idle_lists.oldest(class) {
                let flow = &self.flows[at as usize];
                let due = flow.deadline(self.settings.linger_ns);
                if due > self.clock.now() {
                    next = next.min(due);
                    break;
                }
                due_flows.push((due, flow.id.number, at));
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
        self.clock.reschedule(next);
    }

    /// Evicts the least recently active flow.
    #[cold]
    fn evict(&mut self, emit: Emit) {
        let oldest = TimeoutClass::ALL
            .into_iter()
            .filter_map(|class| self.idle_lists.oldest(class));
        let quietest = oldest.min_by_key(|&at| {
            let flow = &self.flows[at as usize];
            (flow.last_active, flow.id.number)
        });
        if let Some(at) = quietest {
            let class = self.flows[at as usize].timeout_class;
            // Ended flows do not count as evicted: they were only kept for late packets.
            self.counts.evicted += u64::from(class != TimeoutClass::Ended);
            self.idle_lists.remove(class, at);
            self.remove(at, FlowEndReason::Evicted, None, emit);
        }
    }

    /// Reports a flow and removes it. The caller has already removed it from its idle list.
    fn remove(&mut self, at: u32, end: FlowEndReason, due: Option<Timestamp>, emit: Emit) {
        self.index
            .remove(&icmp::flow_key(&self.flows[at as usize].id.endpoints));
        if self.last_flow == Some(at) {
            self.last_flow = None;
        }
        self.free_slots.push(at);
        self.report(at, end, due, emit);
    }

    /// Reports a flow and frees its memory; the slot can then be used for another flow.
    fn report(&mut self, at: u32, end: FlowEndReason, due: Option<Timestamp>, emit: Emit) {
        let flow = &mut self.flows[at as usize];
        self.buffered_bytes -= flow.buffered_bytes();
        apply::finish_streams(flow, self.settings.reassembly_options(0), emit);
        if !flow.detection.is_done() {
            flow.detection.finish(flow.id.endpoints.proto());
            emit_detected(flow, flow.last_active, emit);
        }
        let end = match (end, flow.timeout_class) {
            // The flow had already ended, whatever causes this report.
            (
                FlowEndReason::Capture | FlowEndReason::Evicted | FlowEndReason::Reused,
                TimeoutClass::Ended,
            ) => FlowEndReason::Closed,
            (end, _) => end,
        };
        let mut record = flow.record(end, &self.drops);
        if record.outcome.kind == OutcomeKind::Refused {
            record.outcome.fallback = self.fallbacks.take(flow);
        }
        emit(flow.event(flow.last_active, due, FlowEventKind::Closed(&record)));
        flow.release();
    }
}

/// Emits the service of a flow, if its detection has just finished with one.
#[inline]
fn emit_detected(flow: &TrackedFlow, time: i64, emit: Emit) {
    if flow.detection.is_done()
        && let Some(service) = flow.detection.service()
    {
        emit(flow.event(time, None, FlowEventKind::Detected(service)));
    }
}
