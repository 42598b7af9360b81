//! What a segment's place in its stream says: retransmissions, late and missing segments, keep-alives, probes; and the handshake's
//! round-trip time.

use super::Segment;
use crate::flow::assembler::Evidence;
use crate::flow::half::Half;
use crate::flow::key::Side;
use crate::flow::sequence::Offset;
use crate::flow::tracked::{Handshake, Tracked};

/// From the first SYN to the ACK of its SYN-ACK, if none of them came twice.
#[inline]
pub(super) fn measure_handshake(
    flow: &mut Tracked,
    side: Side,
    segment: &Segment,
    time: i64,
    again: bool,
) {
    flow.handshake = match (flow.handshake, side) {
        (Handshake::Took(_), _) => return,
        _ if segment.syn && again => Handshake::Unknown,
        (Handshake::Unknown, Side::Orig) if segment.syn && !segment.ack => Handshake::Syn(time),
        (Handshake::Syn(began), Side::Resp) if segment.syn && segment.ack => {
            Handshake::SynAck(began)
        }
        (Handshake::SynAck(began), Side::Orig) if segment.ack && segment.is_plain() => {
            Handshake::Took(time.saturating_sub(began))
        }
        _ => return,
    };
}

/// Counts what the segment was, by what is known of its place.
#[inline]
pub(super) fn count(own: &mut Half, segment: &Segment, again: bool, evidence: Evidence) {
    let Segment { at, expected, .. } = *segment;
    let closes_window = segment.window == 0 && segment.is_plain();
    let is_usual = at == expected && evidence.old == 0 && !again;
    if !is_usual || closes_window || segment.probes {
        count_unusual(own, segment, again, evidence);
    }
}

#[cold]
fn count_unusual(own: &mut Half, segment: &Segment, again: bool, evidence: Evidence) {
    let acked = own.acked;
    let rare = own.rare_mut();
    let analysis = &mut rare.analysis;
    let closes_window = segment.window == 0 && segment.is_plain();
    let something_is_missing = segment.at > segment.expected && !segment.rst;
    analysis.zero_windows += u32::from(closes_window);
    analysis.lost_pkts += u32::from(something_is_missing);
    if segment.keeps_alive {
        analysis.keep_alives += 1;
        return;
    }
    // What a closed window was probed with is sent again as a matter of course.
    let at = segment.at + Offset::from(segment.syn);
    let was_probe = rare.probe != 0 && rare.probe == at && evidence.old > 0;
    let old = evidence.old - u64::from(was_probe);
    if segment.probes {
        rare.probe = at;
    } else if was_probe {
        rare.probe = 0;
    }
    analysis.window_probes += u32::from(segment.probes);
    analysis.retrans_pkts += u32::from(again || old > 0);
    analysis.retrans_bytes += old;
    let is_known = old > 0 && evidence.new == 0;
    analysis.spurious_pkts += u32::from(is_known && segment.end <= acked);
    let is_late = evidence.new > 0 && evidence.old == 0 && at < segment.expected;
    analysis.ooo_pkts += u32::from(is_late);
}
