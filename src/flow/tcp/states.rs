//! The states that the two sides of a connection go through, as Zeek tells them (RFC 9293 section 3.3.2 has more of them).

use super::Segment;
use crate::flow::half::{Half, State};
use crate::flow::key::Side;
use crate::flow::tracked::Tracked;

/// Moves the sides' states; returns who sent the segment, which is the originator if it turns out to have opened the flow.
#[inline]
pub(super) fn change(flow: &mut Tracked, side: Side, segment: &Segment, time: i64) -> Side {
    let side = set_upright(flow, side, segment);
    let (own, other) = flow.halves(side);
    let before = own.state;
    let mut began = false;
    match before {
        State::Inactive => began = from_inactive(own, other, side, segment),
        State::SynSent | State::SynAckSent => close(own, segment),
        State::Established | State::Partial => from_established(own, other, segment),
        // After FINs from both sides a RST changes nothing any more.
        State::Closed if segment.rst && other.state != State::Closed => own.enter(State::Reset),
        State::Closed | State::Reset => {}
    }
    let ends = own.state != before && matches!(own.state, State::Closed | State::Reset);
    if began {
        flow.is_partial = false;
    }
    if ends {
        flow.ended = time;
    }
    side
}

/// A SYN-ACK that was captured before its SYN made its sender the originator: it is the responder.
fn set_upright(flow: &mut Tracked, side: Side, segment: &Segment) -> Side {
    let (own, other) = flow.halves(side);
    let is_syn = segment.syn && !segment.ack && side == Side::Resp;
    // Once something was told of the streams their sides stay as they are.
    let is_told = [&*own, &*other].iter().any(|half| half.assembler.next > 0);
    if !is_syn || is_told || own.state != State::Inactive || other.state != State::SynAckSent {
        return side;
    }
    other.enter(State::Established);
    own.enter(State::Established);
    flow.flip();
    flow.is_partial = false;
    Side::Orig
}

/// The first segment of a side; true where it shows that only the SYN was not captured.
fn from_inactive(own: &mut Half, other: &mut Half, side: Side, segment: &Segment) -> bool {
    match side {
        _ if !segment.syn => {}
        Side::Orig if segment.ack => own.enter(State::SynAckSent),
        Side::Orig => own.enter(State::SynSent),
        Side::Resp => {
            if other.state == State::SynSent {
                other.enter(State::Established);
            }
            own.enter(State::Established);
        }
    }
    close(own, segment);
    if own.state != State::Inactive {
        return false;
    }
    if side == Side::Resp && segment.len == 0 && other.state == State::SynSent {
        // Some acknowledge a SYN before they answer it.
        return false;
    }
    let began = segment.ack && other.state == State::Established;
    own.enter(match began {
        true => State::Established,
        false => State::Partial,
    });
    began
}

fn from_established(own: &mut Half, other: &mut Half, segment: &Segment) {
    let begins = segment.syn && !segment.ack && own.state == State::Partial;
    if begins && other.state == State::Inactive {
        own.enter(State::SynSent);
    }
    if segment.fin && !segment.rst && other.state == State::Reset && other.before == State::Closed {
        // The other side sent a FIN and then a RST: that was a normal end.
        other.enter(State::Closed);
    }
    close(own, segment);
}

fn close(own: &mut Half, segment: &Segment) {
    if segment.fin && !segment.rst {
        own.enter(State::Closed);
    }
    if segment.rst {
        own.enter(State::Reset);
    }
}
