//! TCP analysis of a segment's position in its stream: retransmissions, out-of-order and missing
//! segments, keep-alives, window probes; and the round-trip time of the handshake.

use super::StreamSegment;
use crate::flow::assembler::InsertSummary;
use crate::flow::sequence::SeqOffset;
use crate::flow::side::Side;
use crate::flow::tracked_flow::{HandshakeTiming, TrackedFlow};
use crate::flow::tracked_side::TrackedSide;

/// Measures the time from the first SYN to the ACK of its SYN-ACK, if neither SYN nor SYN-ACK was
/// retransmitted.
#[inline]
pub(super) fn measure_handshake(
    flow: &mut TrackedFlow,
    side: Side,
    segment: &StreamSegment,
    time: i64,
    is_repeat: bool,
) {
    let answers = side == flow.receiver(Side::Orig);
    flow.handshake = match (flow.handshake, side) {
        (HandshakeTiming::Measured(_), _) => return,
        _ if segment.syn && is_repeat => HandshakeTiming::Unknown,
        (HandshakeTiming::Unknown, Side::Orig) if segment.syn && !segment.ack => {
            HandshakeTiming::Syn(time)
        }
        (HandshakeTiming::Syn(syn_time), _) if answers && segment.syn && segment.ack => {
            HandshakeTiming::SynAck(syn_time)
        }
        (HandshakeTiming::SynAck(syn_time), Side::Orig) if segment.ack && segment.is_plain() => {
            HandshakeTiming::Measured(time.saturating_sub(syn_time))
        }
        _ => return,
    };
}

/// Updates the analysis counters for a segment, according to its position in the stream.
#[inline]
pub(super) fn count_segment(
    own: &mut TrackedSide,
    segment: &StreamSegment,
    is_repeat: bool,
    summary: InsertSummary,
) {
    let StreamSegment {
        start: at,
        expected,
        ..
    } = *segment;
    let closes_window = segment.window == 0 && segment.is_plain();
    let is_in_order = at == expected && summary.old_bytes == 0 && !is_repeat;
    if !is_in_order || closes_window || segment.is_window_probe {
        count_anomalies(own, segment, is_repeat, summary);
    }
}

#[cold]
fn count_anomalies(
    own: &mut TrackedSide,
    segment: &StreamSegment,
    is_repeat: bool,
    summary: InsertSummary,
) {
    let acked = own.acked;
    // Data that precedes the first captured number was sent before.
    let is_start_assumed = !own.syn_seen && !own.syn_ack_seen;
    let before_stream = match is_start_assumed && !segment.rst {
        true => segment.len_before_stream(),
        false => 0,
    };
    let cold = own.cold_mut();
    let analysis = &mut cold.analysis;
    let closes_window = segment.window == 0 && segment.is_plain();
    let is_after_gap = segment.start > segment.expected && !segment.rst;
    analysis.zero_windows += u32::from(closes_window);
    analysis.lost_pkts += u32::from(is_after_gap);
    if segment.is_keep_alive {
        analysis.keep_alives += 1;
        return;
    }
    // The byte of a window probe is always sent again, as part of the data that follows. This does
    // not count as a retransmission.
    let at = segment.start + SeqOffset::from(segment.syn);
    let was_probe = cold.probe_offset != 0 && cold.probe_offset == at && summary.old_bytes > 0;
    let old = summary.old_bytes - u64::from(was_probe) + before_stream;
    if segment.is_window_probe {
        cold.probe_offset = at;
    } else if was_probe {
        cold.probe_offset = 0;
    }
    analysis.window_probes += u32::from(segment.is_window_probe);
    analysis.retrans_pkts += u32::from(is_repeat || old > 0);
    analysis.retrans_bytes += old;
    let is_all_old = old > 0 && summary.new_bytes == 0;
    analysis.spurious_pkts += u32::from(is_all_old && segment.end <= acked);
    let is_late = summary.new_bytes > 0 && summary.old_bytes == 0 && at < segment.expected;
    analysis.ooo_pkts += u32::from(is_late);
}
