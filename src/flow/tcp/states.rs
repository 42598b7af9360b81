//! Endpoint states of a TCP connection, following Zeek (RFC 9293 section 3.3.2 defines more).

use super::StreamSegment;
use crate::flow::side::Side;
use crate::flow::tracked_flow::TrackedFlow;
use crate::flow::tracked_side::{EndpointState, TrackedSide};

/// Updates both sides' states. Returns the sender's side, which changes to the originator if the
/// segment shows that its sender opened the flow.
#[inline]
pub(super) fn update_states(
    flow: &mut TrackedFlow,
    side: Side,
    segment: &StreamSegment,
    time: i64,
) -> Side {
    let side = correct_direction(flow, side, segment);
    let (own, other) = flow.own_and_other(side);
    let before = own.state;
    let mut only_syn_missing = false;
    match before {
        EndpointState::Inactive => only_syn_missing = leave_inactive(own, other, side, segment),
        EndpointState::SynSent | EndpointState::SynAckSent => apply_fin_or_rst(own, segment),
        EndpointState::Established | EndpointState::Partial => {
            leave_established(own, other, segment);
        }
        // After FINs from both sides a RST changes nothing.
        EndpointState::Closed if segment.rst && other.state != EndpointState::Closed => {
            own.enter(EndpointState::Reset);
        }
        EndpointState::Closed | EndpointState::Reset => {}
    }
    let has_ended =
        own.state != before && matches!(own.state, EndpointState::Closed | EndpointState::Reset);
    if only_syn_missing {
        flow.is_partial = false;
    }
    if has_ended {
        flow.end_time = time;
    }
    if flow.is_self_connection {
        update_self_connection(flow, side, segment);
    }
    side
}

/// Updates the states of a socket that is connected to itself, which is a simultaneous open (RFC
/// 9293 section 3.5): its SYN-ACK answers its own SYN, and its FIN ends both directions.
fn update_self_connection(flow: &mut TrackedFlow, side: Side, segment: &StreamSegment) {
    use EndpointState::{Closed, Established, Partial, SynAckSent, SynSent};
    let (own, other) = flow.own_and_other(side);
    let before = own.state;
    let answers = segment.syn && segment.ack && matches!(before, SynSent | SynAckSent);
    if answers {
        own.enter(Established);
    }
    if matches!(own.state, Established | Partial | Closed) {
        other.enter(own.state);
    }
    flow.is_partial &= !answers;
    if answers && before == SynSent {
        flow.history.add(side, b'H');
    }
}

/// Corrects the direction of a flow whose SYN-ACK was captured before its SYN: the sender of the
/// SYN-ACK was assumed to be the originator, but is the responder.
fn correct_direction(flow: &mut TrackedFlow, side: Side, segment: &StreamSegment) -> Side {
    let (own, other) = flow.own_and_other(side);
    let is_syn = segment.syn && !segment.ack && side == Side::Resp;
    // Once stream data has been delivered, the sides must not be swapped.
    let has_delivered = [&*own, &*other]
        .iter()
        .any(|tracked| tracked.assembler.next > 0);
    if !is_syn
        || has_delivered
        || own.state != EndpointState::Inactive
        || other.state != EndpointState::SynAckSent
    {
        return side;
    }
    other.enter(EndpointState::Established);
    own.enter(EndpointState::Established);
    flow.flip();
    flow.is_partial = false;
    Side::Orig
}

/// Applies the first segment of a side. Returns true if the connection is established and only its
/// SYN was not captured.
fn leave_inactive(
    own: &mut TrackedSide,
    other: &mut TrackedSide,
    side: Side,
    segment: &StreamSegment,
) -> bool {
    match side {
        _ if !segment.syn => {}
        Side::Orig if segment.ack => own.enter(EndpointState::SynAckSent),
        Side::Orig => own.enter(EndpointState::SynSent),
        Side::Resp => {
            if other.state == EndpointState::SynSent {
                other.enter(EndpointState::Established);
            }
            own.enter(EndpointState::Established);
        }
    }
    apply_fin_or_rst(own, segment);
    if own.state != EndpointState::Inactive {
        return false;
    }
    if side == Side::Resp && segment.len == 0 && other.state == EndpointState::SynSent {
        // Some TCP implementations acknowledge a SYN before they answer it.
        return false;
    }
    let only_syn_missing = segment.ack && other.state == EndpointState::Established;
    own.enter(match only_syn_missing {
        true => EndpointState::Established,
        false => EndpointState::Partial,
    });
    only_syn_missing
}

fn leave_established(own: &mut TrackedSide, other: &mut TrackedSide, segment: &StreamSegment) {
    let is_initial_syn = segment.syn && !segment.ack && own.state == EndpointState::Partial;
    if is_initial_syn && other.state == EndpointState::Inactive {
        own.enter(EndpointState::SynSent);
    }
    if segment.fin
        && !segment.rst
        && other.state == EndpointState::Reset
        && other.previous_state == EndpointState::Closed
    {
        // The other side sent a FIN and then a RST: a normal end.
        other.enter(EndpointState::Closed);
    }
    apply_fin_or_rst(own, segment);
}

fn apply_fin_or_rst(own: &mut TrackedSide, segment: &StreamSegment) {
    if segment.fin && !segment.rst {
        own.enter(EndpointState::Closed);
    }
    if segment.rst {
        own.enter(EndpointState::Reset);
    }
}
