//! One TCP segment: what it does to the two sides' states, to the history, to the counters and to the streams.
//!
//! States, history and sizes follow Zeek (src/packet_analysis/protocol/tcp); retransmissions and their like are told by
//! sequence numbers, as tcptrace does, with Wireshark's names. Offsets count from the SYN, which is 0; the first byte of data is 1.

mod analysis;
mod states;
mod usual;

pub(super) use usual::{usual_opening, usual_segment};

use std::cell::Cell;

use super::ages::Class;
use super::assembler::{Delivery, Evidence, Rules};
use super::half::{Half, State};
use super::history::Once;
use super::key::Side;
use super::record::FlowId;
use super::sequence::{self, Offset};
use super::tracked::Tracked;
use crate::packet::{Flags, Payload, Tcp};

/// A number that is further off than this does not belong to the connection, if it comes with SYN or RST.
const TOO_FAR: Offset = 1 << 20;

/// Where the streams go, and what is kept of them.
pub(super) struct Streams<'a> {
    pub(super) rules: Rules,
    /// Takes what comes out of a side's stream.
    pub(super) deliver: &'a mut dyn FnMut(Side, Delivery),
    /// Which flow it is, if its streams are told; the ends may turn out to be the other way round.
    pub(super) id: &'a Cell<Option<FlowId>>,
}

/// A segment, and where it stands in its stream.
#[derive(Debug, Clone, Copy)]
struct Segment {
    syn: bool,
    fin: bool,
    rst: bool,
    ack: bool,
    /// Length of its data, in bytes.
    len: Offset,
    /// Its first octet, and the one behind its last; SYN and FIN are octets too, and a RST's data, which only explains it, is none.
    at: Offset,
    end: Offset,
    /// Where its stream went on before it.
    expected: Offset,
    window: u16,
    /// Whether it is there to be answered and carries nothing.
    keeps_alive: bool,
    /// Whether it is one byte for a receiver whose window is closed.
    probes: bool,
}

impl Segment {
    /// Whether it is about data and acknowledgements only.
    fn is_plain(&self) -> bool {
        !(self.syn || self.fin || self.rst)
    }

    /// Where its data stand in the stream. A RST's, which say why, are shown there too, although they are no part of it.
    fn data(&self) -> Option<Offset> {
        let in_stream = self.len > 0 && self.at >= 0;
        in_stream.then_some(self.at + Offset::from(self.syn))
    }
}

/// Whether a segment begins another connection with the same addresses and ports: a SYN with another number than that of
/// its sender's. Of a sender of whom nothing was captured: one far from what the other side acknowledges, or, where it acknowledges nothing,
/// one after the end.
#[inline(always)]
pub(super) fn is_reuse(flow: &Tracked, side: Side, tcp: &Tcp) -> bool {
    let own = &flow.halves[side as usize];
    if !tcp.flags.open() {
        return false;
    }
    match own.state {
        // Acknowledged: its SYN was captured late, and it will not have said much before.
        State::Inactive if own.start != 0 => {
            Offset::from(own.start.wrapping_sub(tcp.seq)) >= TOO_FAR
        }
        State::Inactive => flow.class == Class::Ended,
        _ => own.start != tcp.seq,
    }
}

/// Takes a segment from `side`, whose packet was counted already.
pub(super) fn segment(
    flow: &mut Tracked,
    side: Side,
    tcp: &Tcp,
    payload: Payload,
    time: i64,
    streams: &mut Streams,
) {
    note_first(flow, side, tcp.flags);
    let (own, other) = flow.halves(side);
    let segment = place(own, other, tcp, payload.len);
    let was_closed = own.did_close && other.did_close;
    let again = note_control(own, &segment);
    write_history(flow, side, &segment);
    note_window(flow, side, &segment);
    if !was_closed {
        flow.last = time;
    }
    let acknowledges = match segment.ack {
        true => acknowledge(flow, side, &segment, tcp.ack),
        false => 0,
    };
    advance(flow, side, &segment);
    let before = flow.orig;
    let side = states::change(flow, side, &segment, time);
    if flow.orig != before {
        streams.id.update(|id| id.map(|_| flow.id()));
    }
    analysis::measure_handshake(flow, side, &segment, time, again);
    if segment.ack {
        note_acknowledged(flow, side.other(), acknowledges, time);
    }
    let evidence = match segment.data() {
        Some(at) => insert(flow, side, at, payload, time, streams),
        None => Evidence::default(),
    };
    analysis::count(&mut flow.halves[side as usize], &segment, again, evidence);
    for half in &mut flow.halves {
        let is_over = matches!(half.state, State::Closed | State::Reset);
        half.did_close |= is_over && !half.is_pending();
    }
}

/// Whether the flow began before the capture did.
#[inline]
fn note_first(flow: &mut Tracked, side: Side, flags: Flags) {
    if flow.halves[side as usize].traffic.pkts == 1 {
        let (syn, ack) = (flags.has(Flags::SYN), flags.has(Flags::ACK));
        match side {
            Side::Orig => flow.is_partial = !syn || ack,
            Side::Resp => flow.is_partial |= !syn,
        }
    }
}

/// Finds a segment's place in its stream, which begins with it if it is the first.
#[inline]
fn place(own: &mut Half, other: &Half, tcp: &Tcp, len: u32) -> Segment {
    let flags = tcp.flags;
    let [syn, fin, rst, ack] =
        [Flags::SYN, Flags::FIN, Flags::RST, Flags::ACK].map(|flag| flags.has(flag));
    let len = Offset::from(len);
    let data_len = if rst { 0 } else { len };
    let octets = data_len + Offset::from(syn) + Offset::from(fin);
    let begins = begin_stream(own, syn, tcp.seq, octets);
    let expected = if begins { 0 } else { own.last };
    let at = sequence::offset(tcp.seq, own.start, own.last);
    let mut segment = Segment {
        syn,
        fin,
        rst,
        ack,
        len,
        at,
        end: at + octets,
        expected,
        window: tcp.window,
        keeps_alive: false,
        probes: false,
    };
    if len <= 1 && segment.is_plain() {
        segment.keeps_alive = at == expected - 1 && expected > 0;
        let is_closed = other.window == 0 && other.traffic.pkts > 0;
        segment.probes = len == 1 && at == expected && is_closed;
    }
    segment
}

/// Where a stream begins is known from its SYN, or else assumed from what is seen first; true where this SYN is its begin.
#[inline]
fn begin_stream(own: &mut Half, syn: bool, seq: u32, octets: Offset) -> bool {
    let begins = match own.state {
        State::Inactive if !syn => {
            own.begin(seq.wrapping_sub(1));
            // So that the first segment is not taken for a repetition.
            own.last = 1;
            false
        }
        State::Inactive => true,
        // The one before did not come through, or was not its own.
        State::Reset => syn && own.before == State::Inactive,
        State::Closed => false,
        _ => syn && seq != own.start,
    };
    if begins {
        own.begin(seq);
        own.last = octets;
    }
    begins
}

/// Remembers SYN and FIN; whether the same one was sent before.
#[inline]
fn note_control(own: &mut Half, segment: &Segment) -> bool {
    let mut again = false;
    if segment.syn {
        let seen = match segment.ack {
            true => &mut own.syn_ack,
            false => &mut own.syn,
        };
        again = std::mem::replace(seen, true) && segment.at == 0;
    }
    if segment.fin {
        again |= own.finned && own.fin == segment.end;
        own.finned = true;
        own.fin = segment.end;
    }
    again
}

/// The letters that control bits and data make, each where it is new.
#[inline]
fn write_history(flow: &mut Tracked, side: Side, segment: &Segment) {
    let (history, own) = (&mut flow.history, &mut flow.halves[side as usize]);
    let (kind, letter) = match (segment.syn, segment.fin, segment.rst) {
        (false, false, false) if segment.len > 0 => (Once::Data, b'D'),
        (false, false, false) if segment.ack => (Once::Ack, b'A'),
        (false, false, false) => return,
        (true, false, false) if segment.ack => (Once::Syn, b'H'),
        (true, false, false) => (Once::Syn, b'S'),
        (false, true, false) => (Once::Fin, b'F'),
        (false, false, true) => (Once::Rst, b'R'),
        (_, true, true) => (Once::FinRst, b'I'),
        (true, ..) => (Once::MultiFlag, b'Q'),
    };
    let was_there = history.once(side, kind, letter);
    // A FIN stands at the end of its segment's data.
    let (last, place) = match kind {
        Once::Syn => (&mut own.last_syn, segment.at),
        Once::Fin => (&mut own.last_fin, segment.at + segment.len),
        Once::Rst => (&mut own.last_rst, segment.at),
        _ => return,
    };
    let before = std::mem::replace(last, place as u32);
    if was_there && before != place as u32 {
        history.add(side, letter);
    }
}

/// The letter that closed windows make. They mean nothing with a RST or behind one, and nothing to who has sent a FIN.
#[inline]
fn note_window(flow: &mut Tracked, side: Side, segment: &Segment) {
    let (own, other) = flow.halves(side);
    let counts = segment.window == 0 && !segment.rst;
    if counts && other.state != State::Closed && own.state != State::Reset {
        let rare = flow.halves[side as usize].rare_mut();
        flow.history.scaled(side, &mut rare.closed_windows, b'W');
    }
}

/// What a segment acknowledges of the other side's stream.
#[inline]
fn acknowledge(flow: &mut Tracked, side: Side, segment: &Segment, number: u32) -> Offset {
    let (own, other) = flow.halves(side);
    if other.state == State::Inactive {
        // Nothing was seen of it: its stream begins here.
        other.begin(number.wrapping_sub(1));
        return 1;
    }
    let ack = sequence::offset(number, other.start, other.acked);
    if ack < 0 {
        return 0;
    }
    // RFC 5681 section 2; the window is compared with that of the segment before.
    let is_repeated = ack == other.acked && other.last > ack && other.acked > 0;
    let says_nothing_else = segment.len == 0 && segment.is_plain() && !segment.keeps_alive;
    if is_repeated && says_nothing_else && segment.window == own.window {
        own.rare_mut().analysis.dup_acks += 1;
    }
    // A 0 that is far off is a field that was not filled in.
    let is_unset = number == 0 && ack - other.acked > TOO_FAR;
    if !segment.rst && !is_unset {
        other.acked = other.acked.max(ack);
    }
    ack
}

/// Moves the end of what was sent, or notes that a segment with data did not move it.
#[inline]
fn advance(flow: &mut Tracked, side: Side, segment: &Segment) {
    let own = &mut flow.halves[side as usize];
    own.window = segment.window;
    let moves = segment.end - own.last;
    if (segment.syn || segment.rst) && moves.abs() > TOO_FAR {
        return;
    }
    if segment.fin && own.last == 1 {
        // Only the SYN was seen before: there may have been more than 2 GB between them.
        own.last = segment.end;
    } else if own.state == State::Reset {
        // Its numbers are not to be trusted any more.
    } else if moves > 0 {
        own.last = segment.end;
    } else if segment.len > 0 {
        let rare = own.rare_mut();
        flow.history.scaled(side, &mut rare.repeats, b'T');
    }
}

/// What a side sent and the other acknowledged was there, even if the capture has not got it.
#[inline]
fn note_acknowledged(flow: &mut Tracked, sender: Side, acknowledged: Offset, time: i64) {
    let half = &mut flow.halves[sender as usize];
    // The FIN is an octet too, and no data.
    let until = match half.finned && acknowledged >= half.fin {
        true => half.fin - 1,
        false => acknowledged,
    };
    // Of a flow whose begin was not seen the first octet is assumed, and may never have been there.
    if until <= 1 || (flow.is_partial && until <= 2) {
        return;
    }
    let (missed, pieces) = half.assembler.acknowledged((until - 1) as u64, time);
    if missed > 0 {
        note_missed(flow, sender, missed, pieces);
    }
}

/// Only of connections that were established bytes are known to be missing: others' numbers may be anything.
#[cold]
fn note_missed(flow: &mut Tracked, sender: Side, missed: u64, pieces: u32) {
    if flow.halves.iter().all(Half::is_clean) {
        let rare = flow.halves[sender as usize].rare_mut();
        rare.missed_bytes += missed;
        for _ in 0..pieces {
            flow.history.scaled(sender, &mut rare.gaps, b'G');
        }
    }
}

/// Puts a segment's data, which begin at `at`, into the stream.
#[inline]
fn insert(
    flow: &mut Tracked,
    side: Side,
    at: Offset,
    payload: Payload,
    time: i64,
    streams: &mut Streams,
) -> Evidence {
    // One octet before the first is what a keep-alive sends.
    let before = usize::from(at < 1);
    let payload = Payload {
        bytes: payload.bytes.get(before..).unwrap_or_default(),
        len: payload.len - before as u32,
    };
    let offset = (at.max(1) - 1) as u64;
    let mut mismatched = 0;
    let mut deliver = |delivery: Delivery| {
        if let Delivery::Mismatch { len, .. } = delivery {
            mismatched += len;
        }
        (streams.deliver)(side, delivery);
    };
    let own = &mut flow.halves[side as usize];
    let evidence = own
        .assembler
        .insert(offset, payload, time, streams.rules, &mut deliver);
    if mismatched > 0 {
        own.rare_mut().analysis.mismatched_bytes += mismatched;
    }
    if evidence.given_up.0 > 0 {
        let (bytes, pieces) = evidence.given_up;
        note_missed(flow, side, bytes, pieces);
    }
    if evidence.new > 0 {
        flow.turns.spoke(side, time);
    }
    evidence
}
