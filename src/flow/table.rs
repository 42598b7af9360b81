//! Flow table: assigns packets to flows, and reports flows that ended or timed out.

mod clock;
mod closing;
mod opening;
mod prefetch;

use std::hint::black_box;

pub use clock::MAX_CLOCK_JUMP_NS;

use super::fragments::FragmentReassembler;
use super::icmp;
use super::idle_lists::IdleLists;
use super::input::{UnreadableHeader, flow_input};
use super::key::{Directionality, FlowKey, KeyEnd, Side};
use super::peaks::Peaks;
use super::places::Places;
use super::recent::Recent;
use super::tracked_flow::TrackedFlow;
use super::{Emit, FlowEvent, FlowEventKind, FlowSettings, apply, tcp};
use crate::packet::{Body, Brief, Lanes, Packet, Timestamp, Tuple};
use crate::process::comment;

/// Table of all tracked flows.
#[derive(Debug)]
pub struct FlowTable {
    settings: FlowSettings,
    /// Slots in `flows`, by key.
    index: Places,
    flows: Vec<TrackedFlow>,
    /// Unused slots in `flows`.
    free_slots: Vec<u32>,
    idle_lists: IdleLists,
    /// Latest accepted timestamp; it never goes backwards, although timestamps may.
    clock: i64,
    /// Timestamp of a large jump forward that is not confirmed so far.
    pending_jump: Option<i64>,
    /// No timeout is due before this time.
    next_due: i64,
    /// Packets before this time only advance the clock: no timeout is due, and their timestamps are
    /// not a large jump.
    quiet_until: i64,
    cache: Recent,
    /// Slot of the flow of the last packet in this table.
    last_flow: Option<u32>,
    /// True if the most recent packet, in any table, belonged to `last_flow`.
    is_last_flow_current: bool,
    /// Lanes of the flows that this table tracks.
    lanes: Lanes,
    /// True once any flow has started, here or in another table.
    has_seen_flow: bool,
    /// Highest values since the last [`take_peaks`](Self::take_peaks).
    peaks: Peaks,
    fragments: FragmentReassembler,
    /// Key hashes of the flows of [announced](Self::expect) packets.
    expected: Vec<u32>,
    /// Bytes that all flows buffer: out-of-order data, data kept for comparison, and data kept for
    /// service detection.
    buffered_bytes: u64,
    counts: FlowCounts,
}

/// Counters of a flow table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlowCounts {
    /// Flows that started.
    pub opened: u64,
    /// Flows that are in the table now.
    pub open: u64,
    /// Flows that were evicted before their end because the table was full.
    pub evicted: u64,
    /// Fragmented datagrams that were dropped incomplete: a fragment was missing or was cut by the
    /// snapshot length.
    pub incomplete: u64,
    /// Packets with a truncated or invalid transport header; they belong to no flow.
    pub unreadable: u64,
}

impl FlowTable {
    /// Creates an empty table.
    pub fn new(settings: FlowSettings) -> FlowTable {
        FlowTable::with_lanes(settings, Lanes::ALL)
    }

    /// Creates an empty table for a subset of the flows. The table numbers its flows separately,
    /// and otherwise emits the same events for them as a table for all flows, provided that all
    /// subsets together stay below the settings' `max_flows` and `max_buffered_bytes`.
    pub fn with_lanes(settings: FlowSettings, lanes: Lanes) -> FlowTable {
        FlowTable {
            settings,
            lanes,
            has_seen_flow: false,
            is_last_flow_current: false,
            peaks: Peaks::default(),
            index: Places::default(),
            flows: Vec::new(),
            free_slots: Vec::new(),
            idle_lists: IdleLists::default(),
            clock: i64::MIN,
            pending_jump: None,
            next_due: i64::MAX,
            quiet_until: i64::MIN,
            cache: Recent::default(),
            last_flow: None,
            fragments: FragmentReassembler::default(),
            expected: Vec::new(),
            buffered_bytes: 0,
            counts: FlowCounts::default(),
        }
    }

    /// Applies a packet and emits the resulting events, including timeouts due by the packet's
    /// time.
    #[inline]
    pub fn push(&mut self, packet: &Packet, emit: Emit) {
        let now = self.advance_to_packet(packet.frame.time, emit);
        if packet.fragment.is_some() {
            return self.push_fragment(packet, now, emit);
        }
        if let Body::Icmp { proto, payload, .. } = packet.body
            && let Some(quoted) = icmp::unreachable_port(proto, payload)
        {
            self.mark_unreachable(&quoted);
        }
        match flow_input(packet, &packet.body) {
            Ok(Some((brief, kind))) => self.apply_if_own(&brief, kind, now, emit),
            Ok(None) => {}
            Err(UnreadableHeader) => self.count_unreadable(),
        }
    }

    /// Applies a common packet of a flow in this table's subset, with the same effect as
    /// [`push`](Self::push).
    #[inline(always)]
    pub fn push_brief(&mut self, brief: &Brief, emit: Emit) {
        let now = self.advance_to_packet(brief.frame.time, emit);
        self.apply_inline(brief, Directionality::TwoWay, now, emit);
    }

    /// Skips a packet of a flow that is not in this table's subset: only the clock is advanced.
    #[inline]
    pub fn skip_packet_at(&mut self, time: Timestamp, emit: Emit) {
        self.expire(time, emit);
        self.skip_packet();
    }

    /// Skips a packet of a flow that is not in this table's subset, without advancing the clock.
    /// Use only if the next packet is not earlier, and nothing [is due](Self::is_due) by its time.
    #[inline]
    pub fn skip_packet(&mut self) {
        self.is_last_flow_current = false;
        self.has_seen_flow = true;
    }

    /// Returns true if a timeout may be due at this time.
    #[inline]
    pub fn is_due(&self, time: Timestamp) -> bool {
        time.0 >= self.quiet_until
    }

    /// Returns the highest values since the last call, and starts a new measurement.
    pub fn take_peaks(&mut self) -> Peaks {
        let now = Peaks {
            flows: self.index.len() as u64,
            buffered_bytes: self.buffered_bytes,
        };
        std::mem::replace(&mut self.peaks, now)
    }

    /// Emits the timeouts due by this capture time, without a packet.
    pub fn expire(&mut self, now: Timestamp, emit: Emit) {
        if now.is_present() {
            self.advance(now.0, emit);
        }
    }

    /// Returns the current counters.
    #[inline]
    pub fn counts(&self) -> FlowCounts {
        // Every table processes all fragments, so only the table with the first lane counts them.
        let is_first = self.lanes.has_first();
        FlowCounts {
            open: self.index.len() as u64,
            incomplete: if is_first {
                self.fragments.incomplete
            } else {
                0
            },
            ..self.counts
        }
    }

    #[cold]
    fn push_fragment(&mut self, packet: &Packet, time: i64, emit: Emit) {
        let Some(whole) = self.fragments.add(packet, time) else {
            return;
        };
        match flow_input(packet, &whole.body()) {
            Ok(Some((brief, kind))) => {
                self.apply_if_own(&whole.with_sizes(brief), kind, whole.start_time(), emit);
            }
            Ok(None) => {}
            Err(UnreadableHeader) => self.count_unreadable(),
        }
    }

    /// Counts a packet with an unreadable transport header.
    #[cold]
    fn count_unreadable(&mut self) {
        self.counts.unreadable += u64::from(self.lanes.has_first());
    }

    /// Applies a packet, if its flow is in this table's subset.
    fn apply_if_own(&mut self, brief: &Brief, kind: Directionality, time: i64, emit: Emit) {
        match self.lanes == Lanes::ALL || self.lanes.has(brief.lane()) {
            true => self.apply_packet(brief, kind, time, emit),
            false => self.skip_packet(),
        }
    }

    /// Applies a packet of a flow in this table's subset.
    #[inline(never)]
    fn apply_packet(&mut self, brief: &Brief, kind: Directionality, time: i64, emit: Emit) {
        self.apply_inline(brief, kind, time, emit);
    }

    /// Inlined variant of `apply_packet`. A value passed by reference must be in memory; rarely
    /// called functions receive a copy from [`apart`](Brief::apart), which keeps the original in
    /// registers.
    #[inline(always)]
    fn apply_inline(&mut self, brief: &Brief, kind: Directionality, time: i64, emit: Emit) {
        let (key, end) = FlowKey::from_brief(brief, kind);
        self.has_seen_flow = true;
        self.is_last_flow_current = true;
        let at = self.find_or_open(key, end, brief, time, emit);
        if let Some(tcp) = &brief.tcp
            && tcp.flags.is_initial_syn()
        {
            let flow = &self.flows[at as usize];
            if tcp::is_port_reuse(flow, flow.side(end), tcp) {
                self.close_reused(at, emit);
                self.start_flow(at, black_box((key, end)), &brief.apart(), time, emit);
            }
        }
        self.last_flow = Some(at);
        if !brief.frame.options.bytes.is_empty() {
            self.record_owners(at, end, &brief.apart(), time, emit);
        }
        self.update_flow(at, end, brief, time, emit);
    }

    /// Adopts the processes that a packet's comment records for its two ends.
    #[cold]
    fn record_owners(&mut self, at: u32, end: KeyEnd, brief: &Brief, time: i64, emit: Emit) {
        let Some(owners) = comment::parse_owners(&brief.frame.options) else {
            return;
        };
        let flow = &mut self.flows[at as usize];
        let side = flow.side(end);
        let (sender, receiver) = flow.own_and_other(side);
        sender.cold_mut().owner.clone_from(&owners.orig);
        receiver.cold_mut().owner.clone_from(&owners.resp);
        let owners = match side {
            Side::Orig => owners,
            Side::Resp => owners.swapped(),
        };
        emit(FlowEvent {
            id: &flow.id(),
            time: Timestamp(time),
            due: None,
            kind: FlowEventKind::Owners(&owners),
        });
    }

    /// Returns the slot of a packet's flow; starts a flow if the packet belongs to none.
    #[inline(always)]
    fn find_or_open(
        &mut self,
        key: FlowKey,
        end: KeyEnd,
        brief: &Brief,
        time: i64,
        emit: Emit,
    ) -> u32 {
        let spread = brief.spread();
        if let Some(at) = self.cache.place(spread)
            && let Some(flow) = self.flows.get(at as usize)
            && flow.key == key
        {
            return at;
        }
        let hash = self.index.hash(&key);
        let at = match self.index.find(hash, &key, &self.flows) {
            Some(at) => at,
            None => self.open(hash, black_box((key, end)), &brief.apart(), time, emit),
        };
        self.cache.note(spread, at);
        at
    }

    #[inline(always)]
    fn update_flow(&mut self, at: u32, end: KeyEnd, brief: &Brief, time: i64, emit: Emit) {
        let flow = &mut self.flows[at as usize];
        let side = flow.side(end);
        flow.count_packet(side, brief);
        let (settings, buffered_bytes) = (&self.settings, self.buffered_bytes);
        let common = apply::apply_common(flow, side, brief, time, (settings, buffered_bytes), emit);
        let added_bytes = common.unwrap_or_else(|| {
            let policy = settings.stream_policy(buffered_bytes);
            apply::apply_packet(flow, side, &brief.apart(), time, policy, emit)
        });
        if added_bytes != 0 {
            self.buffered_bytes = self.buffered_bytes.wrapping_add_signed(added_bytes);
            self.peaks.buffered_bytes = self.peaks.buffered_bytes.max(self.buffered_bytes);
        }
        flow.last_active = self.clock;
        if common.is_some() && !brief.opens_or_closes() {
            // Such a segment does not change the timeout class.
            return self.idle_lists.touch(flow.timeout_class, at);
        }
        let (before, class) = (flow.timeout_class, flow.current_timeout_class());
        if before == class {
            return self.idle_lists.touch(class, at);
        }
        flow.timeout_class = class;
        self.idle_lists.remove(before, at);
        self.idle_lists.push(class, at);
        self.schedule_timeout(class);
    }

    /// Marks the flow that an ICMP error quotes, if it is tracked.
    #[cold]
    fn mark_unreachable(&mut self, tuple: &Tuple) {
        let (key, end) = FlowKey::from_tuple(tuple, Directionality::TwoWay);
        let hash = self.index.hash(&key);
        if let Some(at) = self.index.find(hash, &key, &self.flows) {
            let flow = &mut self.flows[at as usize];
            // The responder's port is unreachable if the originator sent the quoted packet.
            flow.is_port_unreachable |= flow.side(end) == Side::Orig;
        }
    }
}
