//! Short path for segments in order, which are nearly all segments.

use super::segment::StreamSegment;
use super::{
    analysis, count_acked_unseen, emit_end, insert_payload, record_history, record_syn_fin, states,
};
use crate::flow::Emit;
use crate::flow::assembler::ReassemblyOptions;
use crate::flow::sequence::{self, SeqOffset};
use crate::flow::side::Side;
use crate::flow::tracked_flow::TrackedFlow;
use crate::flow::tracked_side::EndpointState;
use crate::packet::{Payload, Tcp, TcpFlags};

/// Returns true for what nearly all segments are: the SYN or SYN-ACK of a new connection, the next
/// data of an established one, a FIN, or an acknowledgement, all of it in order and with no anomaly
/// to count. Such a segment takes the short path, [`apply`].
#[inline]
pub(super) fn is_in_order(flow: &TrackedFlow, side: Side, tcp: &Tcp, len: u32) -> bool {
    use EndpointState::{Closed, Established, Inactive, Partial, SynSent};
    let [syn, fin, rst, ack] = [TcpFlags::SYN, TcpFlags::FIN, TcpFlags::RST, TcpFlags::ACK]
        .map(|flag| tcp.flags.contains(flag));
    let (own, other) = (
        &flow.sides[side as usize],
        &flow.sides[side.other() as usize],
    );
    let is_empty = len == 0 && !fin;
    let fits_states = match (own.state, other.state) {
        (Inactive, Inactive) => syn && !ack && is_empty,
        (Inactive, SynSent) => syn && ack && is_empty && side == Side::Resp,
        (Established | Partial | Closed, Established | Partial | Closed) => !syn && ack,
        _ => false,
    };
    // The segment continues the stream, and nothing before it is missing. FINs occupy an octet and
    // are not data.
    let at = own.snd_nxt;
    let data_at = data_offset(at - SeqOffset::from(own.fin_seen));
    let is_next = sequence::seq_at(at, own.isn) == tcp.seq && own.assembler.is_next(data_at);
    // The acknowledgement is new, or the segment is not a duplicate acknowledgement (RFC 5681
    // section 2): it has data, or everything is acknowledged.
    let acked = sequence::offset(tcp.ack, other.isn, other.acked);
    let is_new_ack =
        acked > other.acked || (acked == other.acked && (len > 0 || acked == other.snd_nxt));
    // Everything that is acknowledged was captured. A number of 0 may be a field that was not
    // filled in.
    let acked_data = acked - SeqOffset::from(other.fin_seen && acked >= other.fin_end);
    let was_captured = tcp.ack != 0 && data_offset(acked_data) <= other.assembler.next;
    // Neither a zero window nor a probe of one.
    let has_window = tcp.window > 0 && (len != 1 || other.window > 0);
    // The acknowledgements of a socket that is connected to itself are for its own data.
    let has_two_ends = !flow.is_self_connection;
    has_two_ends
        && fits_states
        && !rst
        && (syn || is_next)
        && (!ack || (is_new_ack && was_captured))
        && has_window
}

/// Applies a segment that [`is_in_order`]: the steps of [`apply_segment`](super::apply_segment)
/// that have an effect on such a segment.
#[inline]
pub(super) fn apply(
    flow: &mut TrackedFlow,
    side: Side,
    tcp: &Tcp,
    payload: Payload,
    time: i64,
    options: ReassemblyOptions,
    emit: Emit,
) {
    let [syn, fin, ack] =
        [TcpFlags::SYN, TcpFlags::FIN, TcpFlags::ACK].map(|flag| tcp.flags.contains(flag));
    let (own, other) = flow.own_and_other(side);
    let was_closed = own.is_drained && other.is_drained;
    if syn {
        own.start_stream(tcp.seq);
    }
    let (start, len) = (own.snd_nxt, SeqOffset::from(payload.len));
    let segment = StreamSegment {
        syn,
        fin,
        rst: false,
        ack,
        len,
        start,
        end: start + len + SeqOffset::from(syn || fin),
        expected: start,
        window: tcp.window,
        is_keep_alive: false,
        is_window_probe: false,
        is_acked_fin: false,
    };
    own.snd_nxt = segment.end;
    own.window = segment.window;
    if ack {
        other.acked = sequence::offset(tcp.ack, other.isn, other.acked);
    }
    let acked = other.acked;
    if !was_closed {
        flow.last_time = time;
    }
    record_history(flow, side, &segment);
    if syn || fin {
        record_syn_fin(&mut flow.sides[side as usize], &segment);
        states::update_states(flow, side, &segment, time);
    }
    analysis::measure_handshake(flow, side, &segment, time, false);
    if ack {
        count_acked_unseen(flow, side.other(), acked, time);
    }
    if len > 0 {
        insert_payload(flow, side, start, payload, time, options, emit);
    }
    // All data before the FIN was captured.
    if fin && !std::mem::replace(&mut flow.sides[side as usize].is_drained, true) {
        emit_end(flow, side, time, options, emit);
    }
}

/// Returns the offset of a byte of data in its stream; an offset beyond all data if it is not a
/// byte of data.
fn data_offset(at: SeqOffset) -> u64 {
    (at as u64).wrapping_sub(1)
}
