//! Effect of one TCP segment on a flow: endpoint states, history, counters and streams.
//!
//! States, history and sizes follow Zeek (src/packet_analysis/protocol/tcp). Retransmissions and
//! similar events are classified by sequence numbers, as in tcptrace, under Wireshark's names.
//! Offsets count from the SYN, which is 0; the first byte of data is 1.

mod analysis;
mod in_order;
mod segment;
mod states;

use super::assembler::{Delivery, InsertSummary, ReassemblyOptions};
use super::history::HistoryEvent;
use super::idle_lists::TimeoutClass;
use super::sequence::{self, SeqOffset};
use super::side::Side;
use super::stream_events::emit_delivery;
use super::tracked_flow::TrackedFlow;
use super::tracked_side::{EndpointState, TrackedSide};
use super::{Emit, FlowEventKind};
use crate::packet::{Payload, Tcp, TcpFlags};
use segment::{StreamSegment, locate_segment};

/// Maximum distance from the expected sequence number for a SYN or RST of the same connection.
const MAX_SEQ_JUMP: SeqOffset = 1 << 20;

/// Returns true if a segment starts another connection with the same addresses and ports: a SYN
/// whose sequence number differs from the sender's initial one. If no packet from the sender was
/// captured so far, the SYN must be far from the number that the other side acknowledged or, if it
/// acknowledged none, the flow must have ended.
#[inline(always)]
pub(super) fn is_port_reuse(flow: &TrackedFlow, side: Side, tcp: &Tcp) -> bool {
    let own = &flow.sides[side as usize];
    if !tcp.flags.is_initial_syn() {
        return false;
    }
    match own.state {
        // The SYN of the same connection, captured late, is just below the acknowledged number.
        EndpointState::Inactive if own.isn != 0 => {
            SeqOffset::from(own.isn.wrapping_sub(tcp.seq)) >= MAX_SEQ_JUMP
        }
        EndpointState::Inactive => flow.timeout_class == TimeoutClass::Ended,
        _ => own.isn != tcp.seq,
    }
}

/// Applies a segment from `side`. Its packet has already been counted.
pub(super) fn apply_segment(
    flow: &mut TrackedFlow,
    side: Side,
    tcp: &Tcp,
    payload: Payload,
    time: i64,
    options: ReassemblyOptions,
    emit: Emit,
) {
    let is_in_order = in_order::is_in_order(flow, side, tcp, payload.len);
    #[cfg(test)]
    let is_in_order = tests::count_segment(is_in_order);
    if is_in_order {
        return in_order::apply(flow, side, tcp, payload, time, options, emit);
    }
    mark_partial(flow, side, tcp.flags);
    let (own, other) = flow.own_and_other(side);
    let segment = locate_segment(own, other, tcp, payload.len);
    let was_closed = own.is_drained && other.is_drained;
    let is_repeat = record_syn_fin(own, &segment);
    record_history(flow, side, &segment);
    record_zero_window(flow, side, &segment);
    if !was_closed {
        flow.last_time = time;
    }
    let acknowledged = match segment.ack {
        true => apply_ack(flow, side, &segment, tcp.ack),
        false => 0,
    };
    advance(flow, side, &segment);
    let side = states::update_states(flow, side, &segment, time);
    analysis::measure_handshake(flow, side, &segment, time, is_repeat);
    if segment.ack {
        count_acked_unseen(flow, flow.receiver(side), acknowledged, time);
    }
    let summary = match segment.data_offset() {
        Some(at) => insert_payload(flow, side, at, payload, time, options, emit),
        None => InsertSummary::default(),
    };
    analysis::count_segment(&mut flow.sides[side as usize], &segment, is_repeat, summary);
    for side in Side::BOTH {
        let tracked = &mut flow.sides[side as usize];
        let is_over = matches!(tracked.state, EndpointState::Closed | EndpointState::Reset);
        if is_over
            && !tracked.has_undelivered()
            && !std::mem::replace(&mut tracked.is_drained, true)
        {
            emit_end(flow, side, time, options, emit);
        }
    }
}

/// Emits the end of a side's stream.
fn emit_end(flow: &TrackedFlow, side: Side, time: i64, options: ReassemblyOptions, emit: Emit) {
    if options.emits_streams() {
        emit(flow.event(time, None, FlowEventKind::End { side }));
    }
}

/// Marks a flow as partial if it started before the capture.
#[inline]
fn mark_partial(flow: &mut TrackedFlow, side: Side, flags: TcpFlags) {
    if flow.sides[side as usize].traffic.pkts == 1 {
        let (syn, ack) = (flags.contains(TcpFlags::SYN), flags.contains(TcpFlags::ACK));
        match side {
            Side::Orig => flow.is_partial = !syn || ack,
            Side::Resp => flow.is_partial |= !syn,
        }
    }
}

/// Records SYN and FIN; returns true if the same SYN or FIN was captured or acknowledged before.
#[inline]
fn record_syn_fin(own: &mut TrackedSide, segment: &StreamSegment) -> bool {
    let mut is_repeat = false;
    if segment.syn {
        let seen = match segment.ack {
            true => &mut own.syn_ack_seen,
            false => &mut own.syn_seen,
        };
        is_repeat = std::mem::replace(seen, true) && segment.start == 0;
    }
    if segment.fin {
        is_repeat |= own.fin_seen && own.fin_end == segment.end || segment.is_acked_fin;
        own.fin_seen = true;
        own.fin_end = segment.end;
    }
    is_repeat
}

/// Adds the history letter of the segment's control bits or data, if it is new.
#[inline]
fn record_history(flow: &mut TrackedFlow, side: Side, segment: &StreamSegment) {
    let (history, own) = (&mut flow.history, &mut flow.sides[side as usize]);
    let (kind, letter) = match (segment.syn, segment.fin, segment.rst) {
        (false, false, false) if segment.len > 0 => (HistoryEvent::Data, b'D'),
        (false, false, false) if segment.ack => (HistoryEvent::Ack, b'A'),
        (false, false, false) => return,
        (true, false, false) if segment.ack => (HistoryEvent::Syn, b'H'),
        (true, false, false) => (HistoryEvent::Syn, b'S'),
        (false, true, false) => (HistoryEvent::Fin, b'F'),
        (false, false, true) => (HistoryEvent::Rst, b'R'),
        (_, true, true) => (HistoryEvent::FinRst, b'I'),
        (true, ..) => (HistoryEvent::MultiFlag, b'Q'),
    };
    let was_seen = history.add_once(side, kind, letter);
    // A FIN follows the data of its segment.
    let (last, offset) = match kind {
        HistoryEvent::Syn => (&mut own.last_syn_offset, segment.start),
        HistoryEvent::Fin => (&mut own.last_fin_offset, segment.start + segment.len),
        HistoryEvent::Rst => (&mut own.last_rst_offset, segment.start),
        _ => return,
    };
    let before = std::mem::replace(last, offset as u32);
    if was_seen && before != offset as u32 {
        history.add(side, letter);
    }
}

/// Adds the history letter of a zero window. A zero window is ignored in a RST, after a RST, and
/// after a FIN from the other side, which then has no more data to send.
#[inline]
fn record_zero_window(flow: &mut TrackedFlow, side: Side, segment: &StreamSegment) {
    let (own, other) = flow.own_and_other(side);
    let closes_window = segment.window == 0 && !segment.rst;
    if closes_window && other.state != EndpointState::Closed && own.state != EndpointState::Reset {
        let cold = flow.sides[side as usize].cold_mut();
        flow.history
            .add_scaled(side, &mut cold.history_zero_windows, b'W');
    }
}

/// Applies the acknowledgement of a segment; returns its offset in the stream that it acknowledges.
#[inline]
fn apply_ack(
    flow: &mut TrackedFlow,
    side: Side,
    segment: &StreamSegment,
    number: u32,
) -> SeqOffset {
    let window = flow.sides[side as usize].window;
    let receiver = flow.receiver(side);
    let other = &mut flow.sides[receiver as usize];
    if other.state == EndpointState::Inactive && receiver != side {
        // No packet from the other side was captured: its stream starts at this acknowledgement.
        other.start_stream(number.wrapping_sub(1));
        return 1;
    }
    let ack = sequence::offset(number, other.isn, other.acked);
    if ack < 0 {
        return 0;
    }
    // Duplicate acknowledgement (RFC 5681 section 2), with the window of the previous segment.
    let is_repeated = ack == other.acked && other.snd_nxt > ack && other.acked > 0;
    let is_pure_ack = segment.len == 0 && segment.is_plain() && !segment.is_keep_alive;
    let is_duplicate = is_repeated && is_pure_ack && segment.window == window;
    // A number of 0 far from the last acknowledgement is a field that was not filled in.
    let is_unset = number == 0 && ack - other.acked > MAX_SEQ_JUMP;
    if !segment.rst && !is_unset {
        other.acked = other.acked.max(ack);
    }
    if is_duplicate {
        flow.sides[side as usize].cold_mut().analysis.dup_acks += 1;
    }
    ack
}

/// Advances the end of the sent data, or records a retransmission if a data segment does not do so.
#[inline]
fn advance(flow: &mut TrackedFlow, side: Side, segment: &StreamSegment) {
    let own = &mut flow.sides[side as usize];
    own.window = segment.window;
    let advance = segment.end - own.snd_nxt;
    if (segment.syn || segment.rst) && advance.abs() > MAX_SEQ_JUMP {
        return;
    }
    if segment.fin && own.snd_nxt == 1 {
        // Only the SYN was captured before this FIN: more than 2 GB may be missing between them.
        own.snd_nxt = segment.end;
    } else if own.state == EndpointState::Reset {
        // Sequence numbers after a RST are not reliable.
    } else if advance > 0 {
        own.snd_nxt = segment.end;
    } else if segment.len > 0 {
        let cold = own.cold_mut();
        flow.history
            .add_scaled(side, &mut cold.history_retransmissions, b'T');
    }
}

/// Counts bytes from `sender` that were acknowledged but not captured.
#[inline]
fn count_acked_unseen(flow: &mut TrackedFlow, sender: Side, acknowledged: SeqOffset, time: i64) {
    let tracked = &mut flow.sides[sender as usize];
    // The FIN occupies an octet and is not data.
    let until = match tracked.fin_seen && acknowledged >= tracked.fin_end {
        true => tracked.fin_end - 1,
        false => acknowledged,
    };
    // If the start of the flow was not captured, the first octet is an assumption.
    if until <= 1 || (flow.is_partial && until <= 2) {
        return;
    }
    let (missed, pieces) = tracked.assembler.acknowledge((until - 1) as u64, time);
    if missed > 0 {
        count_missed(flow, sender, missed, pieces);
    }
}

/// Counts missing bytes of established connections; others have unreliable sequence numbers.
#[cold]
fn count_missed(flow: &mut TrackedFlow, sender: Side, missed: u64, pieces: u32) {
    if flow.sides.iter().all(TrackedSide::is_established_or_closed) {
        let cold = flow.sides[sender as usize].cold_mut();
        cold.missed_bytes += missed;
        for _ in 0..pieces {
            flow.history
                .add_scaled(sender, &mut cold.history_gaps, b'G');
        }
    }
}

/// Inserts a segment's data, which starts at `at`, into the stream.
#[inline]
fn insert_payload(
    flow: &mut TrackedFlow,
    side: Side,
    at: SeqOffset,
    payload: Payload,
    time: i64,
    options: ReassemblyOptions,
    emit: Emit,
) -> InsertSummary {
    // Octets before the first data byte: of a keep-alive, or sent before the capture.
    let before = (1 - at).max(0) as u32;
    let payload = Payload {
        bytes: payload.bytes.get(before as usize..).unwrap_or_default(),
        len: payload.len - before,
    };
    let offset = (at.max(1) - 1) as u64;
    let TrackedFlow {
        id,
        sides,
        detection,
        ..
    } = flow;
    let (own, mut mismatched) = (&mut sides[side as usize], 0);
    let mut deliver = |delivery: Delivery| {
        match delivery {
            Delivery::Data { offset, bytes, .. } => {
                detection.feed(id.proto(), side, offset, bytes);
            }
            Delivery::Mismatch { len, .. } => mismatched += len,
            Delivery::Gap { .. } => {}
        }
        if options.emits_streams() {
            emit_delivery(id, side, time, delivery, emit);
        }
    };
    let summary = own
        .assembler
        .insert(offset, payload, time, options, &mut deliver);
    if mismatched > 0 {
        own.cold_mut().analysis.mismatched_bytes += mismatched;
    }
    if summary.skipped.0 > 0 {
        let (bytes, pieces) = summary.skipped;
        count_missed(flow, side, bytes, pieces);
    }
    if summary.new_bytes > 0 {
        flow.response_timer.on_data(side, time);
    }
    summary
}

#[cfg(test)]
pub(crate) mod tests;
