//! The short way that nearly all segments take.

use crate::flow::half::{Half, State};
use crate::flow::history::Once;
use crate::flow::key::Side;
use crate::flow::sequence::{self, Offset};
use crate::flow::tracked::{Handshake, Tracked};
use crate::packet::{Flags, Tcp};

/// Takes a segment from `side` if it is what nearly all segments are, and tells where its data stand in the stream: the next ones of a
/// connection, an acknowledgement that says something new, and nothing that would have to be counted. [`segment`](super::segment) would do the
/// same with it, in many more steps.
#[inline(always)]
pub(in crate::flow) fn usual_segment(
    flow: &mut Tracked,
    side: Side,
    tcp: &Tcp,
    len: u32,
    time: i64,
) -> Option<u64> {
    const ENDS: u16 = Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0;
    if tcp.flags.0 & (ENDS | Flags::ACK.0) != Flags::ACK.0 {
        return None;
    }
    let (own, other) = Half::pair(&mut flow.halves, side);
    let at = sequence::offset(tcp.seq, own.start, own.last);
    let ack = sequence::offset(tcp.ack, other.start, other.acked);
    let goes_on = |state| matches!(state, State::Established | State::Partial);
    let is_connected = goes_on(own.state) && goes_on(other.state);
    let is_next = at == own.last && own.assembler.is_at(data_offset(at));
    // More than was sent is a gap; the same again, with data outstanding, may be a duplicate.
    let acknowledges = ack > other.acked || (ack == other.acked && (len > 0 || ack == other.last));
    let has_it = other.assembler.has(data_offset(ack));
    let is_open = tcp.window > 0 && (len != 1 || other.window > 0);
    if !(is_connected && is_next && acknowledges && has_it && is_open) {
        return None;
    }
    if let (Handshake::SynAck(began), Side::Orig) = (flow.handshake, side) {
        flow.handshake = Handshake::Took(time.saturating_sub(began));
    }
    match len {
        0 => flow.history.once(side, Once::Ack, b'A'),
        _ => flow.history.once(side, Once::Data, b'D'),
    };
    own.last = at + Offset::from(len);
    own.window = tcp.window;
    own.assembler.next += u64::from(len);
    other.acked = ack;
    flow.last = time;
    if len > 0 {
        flow.turns.spoke(side, time);
    }
    Some(data_offset(at))
}

/// Where a byte of data stands in its stream; what is no byte of data stands beyond all of them.
#[inline]
fn data_offset(at: Offset) -> u64 {
    (at as u64).wrapping_sub(1)
}
