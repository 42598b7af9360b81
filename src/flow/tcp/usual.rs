//! The short way that nearly all segments take.

use crate::flow::half::{Half, State};
use crate::flow::history::Once;
use crate::flow::key::Side;
use crate::flow::sequence::{self, Offset};
use crate::flow::tracked::{Handshake, Tracked};
use crate::packet::{Flags, Tcp};

/// Takes a segment from `side` if it is what nearly all segments are, and tells where its data stand in the stream: the next ones of a
/// connection, or its FIN, or what acknowledges that; an acknowledgement that says something new, and nothing that would have to be counted.
/// [`segment`](super::segment) would do the same with it, in many more steps.
#[inline(always)]
pub(in crate::flow) fn usual_segment(
    flow: &mut Tracked,
    side: Side,
    tcp: &Tcp,
    len: u32,
    time: i64,
) -> Option<u64> {
    const OPENS_OR_BREAKS: u16 = Flags::SYN.0 | Flags::RST.0;
    if tcp.flags.0 & (OPENS_OR_BREAKS | Flags::ACK.0) != Flags::ACK.0 {
        return None;
    }
    let fin = tcp.flags.has(Flags::FIN);
    let (own, other) = Half::pair(&mut flow.halves, side);
    // Where it begins if it is the next one.
    let at = own.last;
    let ack = sequence::offset(tcp.ack, other.start, other.acked);
    let goes_on = |state| matches!(state, State::Established | State::Partial);
    // Behind its FIN a side only acknowledges.
    let may_speak = goes_on(own.state) || (own.state == State::Closed && len == 0 && !fin);
    let is_heard = goes_on(other.state) || other.state == State::Closed;
    // FINs are octets too, and no data.
    let data_at = data_offset(at - Offset::from(own.finned));
    let is_next = sequence::number(at, own.start) == tcp.seq && own.assembler.is_at(data_at);
    // More than was sent is a gap; the same again, with data outstanding, may be a duplicate.
    let acknowledges = ack > other.acked || (ack == other.acked && (len > 0 || ack == other.last));
    let acknowledged = ack - Offset::from(other.finned && ack >= other.fin);
    let has_it = other.assembler.has(data_offset(acknowledged));
    let is_open = tcp.window > 0 && (len != 1 || other.window > 0);
    if !(may_speak && is_heard && is_next && acknowledges && has_it && is_open) {
        return None;
    }
    if let (Handshake::SynAck(began), Side::Orig, false) = (flow.handshake, side, fin) {
        flow.handshake = Handshake::Took(time.saturating_sub(began));
    }
    let is_over = own.did_close && other.did_close;
    own.last = at + Offset::from(len) + Offset::from(fin);
    own.window = tcp.window;
    own.assembler.next += u64::from(len);
    other.acked = ack;
    if !is_over {
        flow.last = time;
    }
    if len > 0 {
        flow.turns.spoke(side, time);
    }
    match len {
        _ if fin => finish(flow, side, time),
        0 => _ = flow.history.once(side, Once::Ack, b'A'),
        _ => _ = flow.history.once(side, Once::Data, b'D'),
    }
    Some(data_at)
}

/// The side has sent its FIN, and everything before it was captured.
fn finish(flow: &mut Tracked, side: Side, time: i64) {
    let own = &mut flow.halves[side as usize];
    own.finned = true;
    own.fin = own.last;
    // It stands at the end of its segment's data.
    own.last_fin = (own.last - 1) as u32;
    own.enter(State::Closed);
    own.did_close = true;
    flow.ended = time;
    flow.history.once(side, Once::Fin, b'F');
}

/// Takes a SYN that begins a flow, or the SYN-ACK that answers it, if there is nothing else to them. Likewise in many fewer steps.
#[inline(always)]
pub(in crate::flow) fn usual_opening(
    flow: &mut Tracked,
    side: Side,
    tcp: &Tcp,
    len: u32,
    time: i64,
) -> bool {
    const CONTROLS: u16 = Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0;
    let answers = tcp.flags.has(Flags::ACK);
    let (own, other) = Half::pair(&mut flow.halves, side);
    let is_first = own.traffic.pkts == 1 && own.state == State::Inactive;
    let is_alone = tcp.flags.0 & CONTROLS == Flags::SYN.0 && len == 0 && tcp.window > 0;
    if !(is_first && is_alone) {
        return false;
    }
    match side {
        Side::Orig if !answers && other.traffic.pkts == 0 => {
            own.syn = true;
            own.enter(State::SynSent);
            flow.is_partial = false;
            flow.handshake = Handshake::Syn(time);
            flow.history.once(side, Once::Syn, b'S');
        }
        Side::Resp
            if answers
                && other.state == State::SynSent
                && (other.last, other.acked) == (1, 0)
                && tcp.ack == other.start.wrapping_add(1) =>
        {
            other.acked = 1;
            other.enter(State::Established);
            own.syn_ack = true;
            own.enter(State::Established);
            if let Handshake::Syn(began) = flow.handshake {
                flow.handshake = Handshake::SynAck(began);
            }
            flow.history.once(side, Once::Syn, b'H');
        }
        _ => return false,
    }
    own.begin(tcp.seq);
    own.last = 1;
    own.window = tcp.window;
    own.last_syn = 0;
    flow.last = time;
    true
}

/// Where a byte of data stands in its stream; what is no byte of data stands beyond all of them.
#[inline]
fn data_offset(at: Offset) -> u64 {
    (at as u64).wrapping_sub(1)
}
