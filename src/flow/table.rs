//! The table of flows that go on: finds a packet's flow, lets those go that have ended or were quiet for too long.

use super::ages::{Ages, Class};
use super::fragments::Fragments;
use super::icmp;
use super::key::{End as KeyEnd, FlowKey, Kind, Side};
use super::places::Places;
use super::record::End;
use super::seen::{Content, Seen, Unreadable};
use super::tracked::Tracked;
use super::{Emit, FlowEvent, Settings, What, speech, tcp};
use crate::packet::{Body, Flags, Packet, Timestamp, Tuple};

/// Follows flows.
#[derive(Debug)]
pub struct FlowTable {
    settings: Settings,
    /// Places in `flows` by key.
    places: Places,
    flows: Vec<Tracked>,
    /// Places in `flows` that are not used.
    free: Vec<u32>,
    ages: Ages,
    /// The latest packet's time; it does not go back where packets' times do.
    clock: i64,
    /// A time that was too far ahead to be believed alone.
    leap: Option<i64>,
    /// Nothing is due before this time.
    due: i64,
    /// The place of the last packet's flow: the next packet is often of the same one.
    last: Option<u32>,
    fragments: Fragments,
    /// Bytes that all flows together hold: what waits, what is compared, what is looked at.
    held: u64,
    counts: FlowCounts,
}

/// What a table has seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlowCounts {
    /// Flows that began.
    pub opened: u64,
    /// Flows that are followed now.
    pub open: u64,
    /// Flows that were let go because there were too many, and had not ended.
    pub evicted: u64,
    /// Datagrams that never became whole, or a fragment of which was cut by the snap length.
    pub incomplete: u64,
    /// Packets with ports whose header is cut or impossible: they belong to no flow.
    pub unreadable: u64,
}

/// How long flows are waited for, in nanoseconds; what has ended is waited for as long as the settings say.
///
/// A SYN is sent again after 1, 2, 4 … 64 s (tcp(7), `tcp_syn_retries`). Zeek gives up earlier, at 5 s, and gives connected ones 5
/// minutes; here an idle connection is kept for as long as one may be before keep-alives (`tcp_keepalive_time`) are sent on it.
const OPENING_PATIENCE: i64 = 130_000_000_000;
const OPEN_PATIENCE: i64 = 7200 * 1_000_000_000;
const DATAGRAM_PATIENCE: i64 = 60_000_000_000;

/// A time that is this far ahead of the clock is believed once the next one is as well, in nanoseconds: an hour.
const LEAP: i64 = 3600 * 1_000_000_000;

impl FlowTable {
    /// An empty table.
    pub fn new(settings: Settings) -> FlowTable {
        FlowTable {
            settings,
            places: Places::default(),
            flows: Vec::new(),
            free: Vec::new(),
            ages: Ages::default(),
            clock: i64::MIN,
            leap: None,
            due: i64::MAX,
            last: None,
            fragments: Fragments::default(),
            held: 0,
            counts: FlowCounts::default(),
        }
    }

    /// Takes a packet, and tells what happens through it: also what became due by its time.
    #[inline]
    pub fn push(&mut self, packet: &Packet, emit: Emit) {
        let time = packet.frame.time;
        if time.is_known() {
            self.pass(time.0, emit);
        }
        let now = if time.is_known() {
            time.0
        } else {
            self.clock.max(0)
        };
        if packet.fragment.is_some() {
            return self.push_fragment(packet, now, emit);
        }
        self.push_body(packet, &packet.body, now, emit);
    }

    /// Tells what has become due when the capture's clock says this, although no packet came.
    pub fn expire(&mut self, now: Timestamp, emit: Emit) {
        if now.is_known() {
            self.pass(now.0, emit);
        }
    }

    /// Tells the end of every flow that is left, in the order of their numbers: the capture is over.
    pub fn finish(&mut self, emit: Emit) {
        self.places.clear();
        self.last = None;
        let mut left: Vec<(u64, usize)> = self
            .flows
            .iter()
            .enumerate()
            .map(|(at, flow)| (flow.number, at))
            .filter(|(number, _)| *number > 0)
            .collect();
        // Most stand in that order already.
        left.sort();
        for (_, at) in left {
            self.report(at as u32, End::Capture, emit);
        }
        self.flows.clear();
        self.free.clear();
        self.ages = Ages::default();
        self.due = i64::MAX;
        self.fragments.give_up_all();
    }

    /// Counters, at this moment.
    #[inline]
    pub fn counts(&self) -> FlowCounts {
        FlowCounts {
            open: self.places.len() as u64,
            incomplete: self.fragments.incomplete,
            ..self.counts
        }
    }

    #[inline]
    fn push_body(&mut self, packet: &Packet, body: &Body, time: i64, emit: Emit) {
        if let Body::Icmp { proto, payload, .. } = *body
            && let Some(quoted) = icmp::unreachable_port(proto, payload)
        {
            self.note_unreachable(&quoted);
        }
        match Seen::of(packet, body, time) {
            Ok(Some(seen)) => self.take(&seen, emit),
            Ok(None) => {}
            Err(Unreadable) => self.counts.unreadable += 1,
        }
    }

    #[cold]
    fn push_fragment(&mut self, packet: &Packet, time: i64, emit: Emit) {
        let Some(whole) = self.fragments.add(packet, time) else {
            return;
        };
        let body = whole.body();
        if let Ok(Some(seen)) = Seen::of(packet, &body, time) {
            self.take(&whole.sizes(seen), emit);
        }
    }

    /// The clock goes on.
    #[inline]
    fn pass(&mut self, time: i64, emit: Emit) {
        let is_far_ahead = time > self.clock.saturating_add(LEAP);
        let Some(time) = (if is_far_ahead {
            self.confirmed(time)
        } else {
            Some(time)
        }) else {
            return;
        };
        self.leap = None;
        self.clock = self.clock.max(time);
        if self.clock >= self.due {
            self.close_due(emit);
        }
    }

    /// A time far ahead, if it is the second such in a row: one alone is more likely wrong, and would let all flows go.
    #[cold]
    fn confirmed(&mut self, time: i64) -> Option<i64> {
        if self.counts.opened == 0 {
            return Some(time);
        }
        let time = self.leap.replace(time)?.min(time);
        // The packet before was right too: its flow was heard of then.
        if let Some(last) = self.last {
            let flow = &mut self.flows[last as usize];
            flow.active = time;
            self.ages.touch(flow.class, last);
        }
        Some(time)
    }

    #[inline]
    fn take(&mut self, seen: &Seen, emit: Emit) {
        let (key, end) = (seen.key, seen.from);
        let mut at = match self.last {
            Some(last) if self.flows[last as usize].key == key => last,
            _ => self.find_or_open(key, end, seen, emit),
        };
        if let Content::Segment(tcp, _) = &seen.content
            && tcp.flags.has(Flags::SYN)
        {
            let flow = &self.flows[at as usize];
            if tcp::is_reuse(flow, flow.side(end), tcp) {
                self.close(at, End::Reused, emit);
                at = self.find_or_open(key, end, seen, emit);
            }
        }
        self.last = Some(at);
        self.update(at, end, seen, emit);
    }

    fn find_or_open(&mut self, key: FlowKey, end: KeyEnd, seen: &Seen, emit: Emit) -> u32 {
        let hash = self.places.hash(&key);
        if let Some(at) = self.places.find(hash, &key, &self.flows) {
            return at;
        }
        if self.places.len() >= self.settings.max_flows as usize {
            self.evict(emit);
        }
        self.open(hash, key, end, seen, emit)
    }

    #[cold]
    fn open(&mut self, hash: u32, key: FlowKey, end: KeyEnd, seen: &Seen, emit: Emit) -> u32 {
        self.counts.opened += 1;
        let mut flow = Tracked::new(key, end, self.counts.opened, seen.time);
        if seen.is_answer() {
            flow.flip();
        }
        flow.active = self.clock;
        flow.class = flow.class_now();
        let class = flow.class;
        emit(FlowEvent {
            id: flow.id(),
            time: Timestamp(seen.time),
            what: What::Opened,
        });
        let at = match self.free.pop() {
            Some(at) => {
                self.flows[at as usize] = flow;
                at
            }
            None => {
                self.flows.push(flow);
                self.flows.len() as u32 - 1
            }
        };
        self.places.insert(hash, at);
        self.ages.add(class, at);
        self.due = self.due.min(self.deadline(class, self.clock));
        at
    }

    #[inline]
    fn update(&mut self, at: u32, end: KeyEnd, seen: &Seen, emit: Emit) {
        let flow = &mut self.flows[at as usize];
        let side = flow.side(end);
        flow.count(side, seen);
        let bounds = self.settings.bounds(self.held);
        self.held = self
            .held
            .wrapping_add_signed(speech::hear(flow, side, seen, bounds, emit));
        flow.active = self.clock;
        let (before, class) = (flow.class, flow.class_now());
        if before == class {
            return self.ages.touch(class, at);
        }
        flow.class = class;
        self.ages.remove(before, at);
        self.ages.add(class, at);
        self.due = self.due.min(self.deadline(class, self.clock));
    }

    /// When a flow of a class that was last heard of at this time is waited for no longer.
    fn deadline(&self, class: Class, active: i64) -> i64 {
        active.saturating_add(match class {
            Class::Opening => OPENING_PATIENCE,
            Class::Open => OPEN_PATIENCE,
            Class::Ended => self.settings.linger,
            Class::Datagrams => DATAGRAM_PATIENCE,
        })
    }

    /// The flow that becomes due first, and when; among equals the older one.
    fn next_due(&self) -> Option<(i64, u32)> {
        let oldest = Class::ALL.into_iter().filter_map(|class| {
            let at = self.ages.oldest(class)?;
            let flow = &self.flows[at as usize];
            Some((self.deadline(class, flow.active), flow.number, at))
        });
        oldest.min().map(|(due, _, at)| (due, at))
    }

    #[cold]
    fn close_due(&mut self, emit: Emit) {
        while let Some((due, at)) = self.next_due() {
            if due > self.clock {
                self.due = due;
                return;
            }
            let end = match self.flows[at as usize].class {
                Class::Ended => End::Closed,
                _ => End::Idle,
            };
            self.close(at, end, emit);
        }
        self.due = i64::MAX;
    }

    /// Lets the flow go that was quiet for the longest time.
    #[cold]
    fn evict(&mut self, emit: Emit) {
        let oldest = Class::ALL
            .into_iter()
            .filter_map(|class| self.ages.oldest(class));
        let quietest = oldest.min_by_key(|&at| {
            let flow = &self.flows[at as usize];
            (flow.active, flow.number)
        });
        if let Some(at) = quietest {
            // What had ended is only no longer waited for.
            self.counts.evicted += u64::from(self.flows[at as usize].class != Class::Ended);
            self.close(at, End::Evicted, emit);
        }
    }

    /// Reports a flow and forgets it.
    fn close(&mut self, at: u32, end: End, emit: Emit) {
        let flow = &self.flows[at as usize];
        let (hash, class) = (self.places.hash(&flow.key), flow.class);
        self.places.remove(hash, at);
        self.ages.remove(class, at);
        if self.last == Some(at) {
            self.last = None;
        }
        self.free.push(at);
        self.report(at, end, emit);
    }

    /// Reports a flow and gives back what it holds; its place waits for the next flow.
    fn report(&mut self, at: u32, end: End, emit: Emit) {
        let flow = &mut self.flows[at as usize];
        self.held -= flow.held();
        speech::finish(flow, self.settings.bounds(0), emit);
        let end = match (end, flow.class) {
            // Whatever makes it be reported now: it had ended.
            (End::Capture | End::Evicted | End::Reused, Class::Ended) => End::Closed,
            (end, _) => end,
        };
        let record = flow.record(end);
        let time = flow.active;
        *flow = Tracked::new(flow.key, KeyEnd::Low, 0, 0);
        emit(FlowEvent {
            id: record.id,
            time: Timestamp(time),
            what: What::Closed(&record),
        });
    }

    /// Marks the flow that an error message is about, if it is followed.
    #[cold]
    fn note_unreachable(&mut self, tuple: &Tuple) {
        let (key, end) = FlowKey::of(tuple, Kind::TwoWay);
        let hash = self.places.hash(&key);
        if let Some(at) = self.places.find(hash, &key, &self.flows) {
            let flow = &mut self.flows[at as usize];
            // Who sent to nobody is the client.
            flow.unreachable |= flow.side(end) == Side::Orig;
        }
    }
}
