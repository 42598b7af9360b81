//! The table of flows that go on: finds a packet's flow, lets those go that have ended or were quiet for too long.

mod beginning;
mod clock;
mod ending;
mod expected;

use std::hint::black_box;

pub use clock::LEAP;

use super::ages::Ages;
use super::fragments::Fragments;
use super::icmp;
use super::key::{End as KeyEnd, FlowKey, Kind, Side};
use super::peaks::Peaks;
use super::places::Places;
use super::recent::Recent;
use super::seen::{Unreadable, in_brief};
use super::tracked::Tracked;
use super::{Emit, FlowEvent, Settings, What, speech, tcp};
use crate::owners::comment;
use crate::packet::{Body, Brief, Lanes, Packet, Timestamp, Tuple};

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
    /// Before this time nothing is due either, and none is so far ahead that it is not believed: only the clock goes on.
    calm: i64,
    recent: Recent,
    /// The place of the last flow that a packet was of.
    last: Option<u32>,
    /// Whether the last packet of any flow was of that one.
    is_latest: bool,
    /// The lanes of the flows that are followed here.
    lanes: Lanes,
    /// Whether any flow began, here or elsewhere.
    begun: bool,
    /// Since [`peaks`](Self::peaks) was last asked.
    peaks: Peaks,
    fragments: Fragments,
    /// Hashes of the keys of flows that packets will soon be of.
    expected: Vec<u32>,
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

impl FlowTable {
    /// An empty table.
    pub fn new(settings: Settings) -> FlowTable {
        FlowTable::of_lanes(settings, Lanes::ALL)
    }

    /// An empty table for a share of the flows. It tells what a table for all of them would tell, with numbers of its own, as long as all
    /// shares together stay below the settings' `max_flows` and `max_held`.
    pub fn of_lanes(settings: Settings, lanes: Lanes) -> FlowTable {
        FlowTable {
            settings,
            lanes,
            begun: false,
            is_latest: false,
            peaks: Peaks::default(),
            places: Places::default(),
            flows: Vec::new(),
            free: Vec::new(),
            ages: Ages::default(),
            clock: i64::MIN,
            leap: None,
            due: i64::MAX,
            calm: i64::MIN,
            recent: Recent::default(),
            last: None,
            fragments: Fragments::default(),
            expected: Vec::new(),
            held: 0,
            counts: FlowCounts::default(),
        }
    }

    /// Takes a packet, and tells what happens through it: also what became due by its time.
    #[inline]
    pub fn push(&mut self, packet: &Packet, emit: Emit) {
        let now = self.now(packet.frame.time, emit);
        if packet.fragment.is_some() {
            return self.push_fragment(packet, now, emit);
        }
        if let Body::Icmp { proto, payload, .. } = packet.body
            && let Some(quoted) = icmp::unreachable_port(proto, payload)
        {
            self.note_unreachable(&quoted);
        }
        match in_brief(packet, &packet.body) {
            Ok(Some((brief, kind))) => self.take_own(&brief, kind, now, emit),
            Ok(None) => {}
            Err(Unreadable) => self.note_unreadable(),
        }
    }

    /// Takes a usual packet of a flow in this share, as [`push`](Self::push) does.
    #[inline(always)]
    pub fn push_brief(&mut self, brief: &Brief, emit: Emit) {
        let now = self.now(brief.frame.time, emit);
        self.take_here(brief, Kind::TwoWay, now, emit);
    }

    /// A packet of a flow that is not in this share: only the clock goes on.
    #[inline]
    pub fn pass_by(&mut self, time: Timestamp, emit: Emit) {
        self.expire(time, emit);
        self.skip();
    }

    /// The same where the next packet's time is not earlier, and nothing [is due](Self::is_due) by then.
    #[inline]
    pub fn skip(&mut self) {
        self.is_latest = false;
        self.begun = true;
    }

    /// Whether something may happen when the clock says this.
    #[inline]
    pub fn is_due(&self, time: Timestamp) -> bool {
        time.0 >= self.calm
    }

    /// The most flows and bytes since this was last asked.
    pub fn peaks(&mut self) -> Peaks {
        let now = Peaks {
            flows: self.places.len() as u64,
            held: self.held,
        };
        std::mem::replace(&mut self.peaks, now)
    }

    /// Tells what has become due when the capture's clock says this, although no packet came.
    pub fn expire(&mut self, now: Timestamp, emit: Emit) {
        if now.is_known() {
            self.pass(now.0, emit);
        }
    }

    /// Counters, at this moment.
    #[inline]
    pub fn counts(&self) -> FlowCounts {
        // Every share sees all fragments.
        let is_first = self.lanes.has_first();
        FlowCounts {
            open: self.places.len() as u64,
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
        match in_brief(packet, &whole.body()) {
            Ok(Some((brief, kind))) => {
                self.take_own(&whole.sizes(brief), kind, whole.began(), emit);
            }
            Ok(None) => {}
            Err(Unreadable) => self.note_unreadable(),
        }
    }

    /// A packet of a flow that cannot be read.
    #[cold]
    fn note_unreadable(&mut self) {
        self.counts.unreadable += u64::from(self.lanes.has_first());
    }

    /// Takes a packet, if its flow is in this share.
    fn take_own(&mut self, brief: &Brief, kind: Kind, time: i64, emit: Emit) {
        match self.lanes == Lanes::ALL || self.lanes.has(brief.lane()) {
            true => self.take(brief, kind, time, emit),
            false => self.skip(),
        }
    }

    /// Takes a packet of a flow in this share.
    #[inline(never)]
    fn take(&mut self, brief: &Brief, kind: Kind, time: i64, emit: Emit) {
        self.take_here(brief, kind, time, emit);
    }

    /// The same where it is called. What is given away by reference has to stand in memory: who needs it rarely gets a copy
    /// [apart](Brief::apart).
    #[inline(always)]
    fn take_here(&mut self, brief: &Brief, kind: Kind, time: i64, emit: Emit) {
        let (key, end) = FlowKey::of_brief(brief, kind);
        self.begun = true;
        self.is_latest = true;
        let at = self.find_or_open(key, end, brief, time, emit);
        if let Some(tcp) = &brief.tcp
            && tcp.flags.open()
        {
            let flow = &self.flows[at as usize];
            if tcp::is_reuse(flow, flow.side(end), tcp) {
                self.give_way(at, emit);
                self.begin(at, black_box((key, end)), &brief.apart(), time, emit);
            }
        }
        self.last = Some(at);
        if !brief.frame.options.bytes.is_empty() {
            self.note_owners(at, end, &brief.apart(), time, emit);
        }
        self.update(at, end, brief, time, emit);
    }

    /// Takes over what a packet's comment says of whose the ends are.
    #[cold]
    fn note_owners(&mut self, at: u32, end: KeyEnd, brief: &Brief, time: i64, emit: Emit) {
        let Some(owners) = comment::owners(&brief.frame.options) else {
            return;
        };
        let flow = &mut self.flows[at as usize];
        let side = flow.side(end);
        let (sender, receiver) = flow.halves(side);
        sender.rare_mut().owner.clone_from(&owners.orig);
        receiver.rare_mut().owner.clone_from(&owners.resp);
        let owners = match side {
            Side::Orig => owners,
            Side::Resp => owners.swapped(),
        };
        emit(FlowEvent {
            id: &flow.id(),
            time: Timestamp(time),
            due: None,
            what: What::Named(&owners),
        });
    }

    /// Where a flow stands; it begins with this packet if there is none.
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
        if let Some(at) = self.recent.place(spread)
            && let Some(flow) = self.flows.get(at as usize)
            && flow.key == key
        {
            return at;
        }
        let hash = self.places.hash(&key);
        let at = match self.places.find(hash, &key, &self.flows) {
            Some(at) => at,
            None => self.open(hash, black_box((key, end)), &brief.apart(), time, emit),
        };
        self.recent.note(spread, at);
        at
    }

    #[inline(always)]
    fn update(&mut self, at: u32, end: KeyEnd, brief: &Brief, time: i64, emit: Emit) {
        let flow = &mut self.flows[at as usize];
        let side = flow.side(end);
        flow.count(side, brief);
        let (settings, held) = (&self.settings, self.held);
        let usual = speech::take_usual(flow, side, brief, time, (settings, held), emit);
        let more = usual.unwrap_or_else(|| {
            let bounds = settings.bounds(held);
            speech::hear(flow, side, &brief.apart(), time, bounds, emit)
        });
        if more != 0 {
            self.held = self.held.wrapping_add_signed(more);
            self.peaks.held = self.peaks.held.max(self.held);
        }
        flow.active = self.clock;
        if usual.is_some() && !brief.opens_or_closes() {
            // It changes no state.
            return self.ages.touch(flow.class, at);
        }
        let (before, class) = (flow.class, flow.class_now());
        if before == class {
            return self.ages.touch(class, at);
        }
        flow.class = class;
        self.ages.remove(before, at);
        self.ages.add(class, at);
        self.expect_end(class);
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
