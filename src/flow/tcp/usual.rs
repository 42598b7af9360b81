//! The short way that nearly all segments take.

use crate::flow::history::HistoryEvent;
use crate::flow::key::Side;
use crate::flow::sequence::{self, SeqOffset};
use crate::flow::side::{EndpointState, TrackedSide};
use crate::flow::tracked_flow::{HandshakeTiming, TrackedFlow};
use crate::packet::{Tcp, TcpFlags};

/// Takes a segment from `side` if it is what nearly all segments are, and tells where its data stand in the stream: the next ones of a
/// connection, or its FIN, or what acknowledges that; an acknowledgement that says something new, and nothing that would have to be counted.
/// [`apply_segment`](super::apply_segment) would do the same with it, in many more steps.
#[inline(always)]
pub(in crate::flow) fn usual_segment(
    flow: &mut TrackedFlow,
    side: Side,
    tcp: &Tcp,
    len: u32,
    time: i64,
) -> Option<u64> {
    const OPENS_OR_BREAKS: u16 = TcpFlags::SYN.0 | TcpFlags::RST.0;
    if tcp.flags.0 & (OPENS_OR_BREAKS | TcpFlags::ACK.0) != TcpFlags::ACK.0 {
        return None;
    }
    let fin = tcp.flags.contains(TcpFlags::FIN);
    let (own, other) = TrackedSide::own_and_other(&mut flow.sides, side);
    // Where it begins if it is the next one.
    let at = own.snd_nxt;
    let ack = sequence::offset(tcp.ack, other.isn, other.acked);
    let goes_on = |state| matches!(state, EndpointState::Established | EndpointState::Partial);
    // Behind its FIN a side only acknowledges.
    let may_speak = goes_on(own.state) || (own.state == EndpointState::Closed && len == 0 && !fin);
    let is_heard = goes_on(other.state) || other.state == EndpointState::Closed;
    // FINs are octets too, and no data.
    let data_at = data_offset(at - SeqOffset::from(own.fin_seen));
    let is_next = sequence::seq_at(at, own.isn) == tcp.seq && own.assembler.is_next(data_at);
    // More than was sent is a gap; the same again, with data outstanding, may be a duplicate.
    let acknowledges =
        ack > other.acked || (ack == other.acked && (len > 0 || ack == other.snd_nxt));
    let acknowledged = ack - SeqOffset::from(other.fin_seen && ack >= other.fin_end);
    let has_it = other.assembler.has_delivered(data_offset(acknowledged));
    let is_open = tcp.window > 0 && (len != 1 || other.window > 0);
    if !(may_speak && is_heard && is_next && acknowledges && has_it && is_open) {
        return None;
    }
    if let (HandshakeTiming::SynAck(began), Side::Orig, false) = (flow.handshake, side, fin) {
        flow.handshake = HandshakeTiming::Measured(time.saturating_sub(began));
    }
    let is_over = own.is_drained && other.is_drained;
    own.snd_nxt = at + SeqOffset::from(len) + SeqOffset::from(fin);
    own.window = tcp.window;
    own.assembler.next += u64::from(len);
    other.acked = ack;
    if !is_over {
        flow.last_time = time;
    }
    if len > 0 {
        flow.response_timer.on_data(side, time);
    }
    match len {
        _ if fin => finish(flow, side, time),
        0 => _ = flow.history.add_once(side, HistoryEvent::Ack, b'A'),
        _ => _ = flow.history.add_once(side, HistoryEvent::Data, b'D'),
    }
    Some(data_at)
}

/// The side has sent its FIN, and everything before it was captured.
fn finish(flow: &mut TrackedFlow, side: Side, time: i64) {
    let own = &mut flow.sides[side as usize];
    own.fin_seen = true;
    own.fin_end = own.snd_nxt;
    // It stands at the end of its segment's data.
    own.last_fin_offset = (own.snd_nxt - 1) as u32;
    own.enter(EndpointState::Closed);
    own.is_drained = true;
    flow.end_time = time;
    flow.history.add_once(side, HistoryEvent::Fin, b'F');
}

/// Takes a SYN that begins a flow, or the SYN-ACK that answers it, if there is nothing else to them. Likewise in many fewer steps.
#[inline(always)]
pub(in crate::flow) fn usual_opening(
    flow: &mut TrackedFlow,
    side: Side,
    tcp: &Tcp,
    len: u32,
    time: i64,
) -> bool {
    const CONTROLS: u16 = TcpFlags::SYN.0 | TcpFlags::FIN.0 | TcpFlags::RST.0;
    let answers = tcp.flags.contains(TcpFlags::ACK);
    let (own, other) = TrackedSide::own_and_other(&mut flow.sides, side);
    let is_first = own.traffic.pkts == 1 && own.state == EndpointState::Inactive;
    let is_alone = tcp.flags.0 & CONTROLS == TcpFlags::SYN.0 && len == 0 && tcp.window > 0;
    if !(is_first && is_alone) {
        return false;
    }
    match side {
        Side::Orig if !answers && other.traffic.pkts == 0 => {
            own.syn_seen = true;
            own.enter(EndpointState::SynSent);
            flow.is_partial = false;
            flow.handshake = HandshakeTiming::Syn(time);
            flow.history.add_once(side, HistoryEvent::Syn, b'S');
        }
        Side::Resp
            if answers
                && other.state == EndpointState::SynSent
                && (other.snd_nxt, other.acked) == (1, 0)
                && tcp.ack == other.isn.wrapping_add(1) =>
        {
            other.acked = 1;
            other.enter(EndpointState::Established);
            own.syn_ack_seen = true;
            own.enter(EndpointState::Established);
            if let HandshakeTiming::Syn(began) = flow.handshake {
                flow.handshake = HandshakeTiming::SynAck(began);
            }
            flow.history.add_once(side, HistoryEvent::Syn, b'H');
        }
        _ => return false,
    }
    own.start_stream(tcp.seq);
    own.snd_nxt = 1;
    own.window = tcp.window;
    own.last_syn_offset = 0;
    flow.last_time = time;
    true
}

/// Where a byte of data stands in its stream; what is no byte of data stands beyond all of them.
#[inline]
fn data_offset(at: SeqOffset) -> u64 {
    (at as u64).wrapping_sub(1)
}
