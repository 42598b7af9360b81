//! ICMP messages as flows, as Zeek has them (RFC 792, RFC 4443, RFC 4861): the message's type is the originator's port, the type
//! that answers it the responder's; where none answers, the code. And errors that quote a packet: which flow they are about.

use std::net::{IpAddr, SocketAddr};

use super::key::Kind;
use crate::decode;
use crate::packet::{ICMP, Payload, Tuple};

/// The tuple of a message, and whether the other side's answers belong to the same flow; nothing if its type is not there.
pub(super) fn tuple(
    src: IpAddr,
    dst: IpAddr,
    proto: u8,
    payload: Payload,
) -> Option<(Tuple, Kind)> {
    let [kind, code, ..] = *payload.bytes else {
        return None;
    };
    let answer = if proto == ICMP {
        match kind {
            // Echo, time stamp, information and mask; each with its reply.
            8 => Some(0),
            0 => Some(8),
            13 | 15 | 17 => Some(kind + 1),
            14 | 16 | 18 => Some(kind - 1),
            // Router solicitation and advertisement.
            10 => Some(9),
            9 => Some(10),
            _ => None,
        }
    } else {
        match kind {
            // Echo, router and neighbour discovery, home agent discovery.
            128 | 133 | 135 | 144 => Some(kind + 1),
            129 | 134 | 136 | 145 => Some(kind - 1),
            // Multicast listener query and report, node information query and reply.
            130 => Some(131),
            131 => Some(130),
            139 => Some(140),
            140 => Some(139),
            _ => None,
        }
    };
    let tuple = Tuple {
        src: SocketAddr::new(src, u16::from(kind)),
        dst: SocketAddr::new(dst, u16::from(answer.unwrap_or(code))),
        proto,
    };
    let kind = if answer.is_some() {
        Kind::TwoWay
    } else {
        Kind::OneWay
    };
    Some((tuple, kind))
}

/// What a message carries behind its eight octets of header.
pub(super) fn data(payload: Payload) -> Payload {
    const HEADER: u32 = 8;
    Payload {
        bytes: payload.bytes.get(HEADER as usize..).unwrap_or_default(),
        len: payload.len.saturating_sub(HEADER),
    }
}

/// Who sent a packet to a port where nobody listens, and to whom, if that is what an error says.
pub(super) fn unreachable_port(proto: u8, payload: Payload) -> Option<Tuple> {
    const PORT_UNREACHABLE_4: [u8; 2] = [3, 3];
    const PORT_UNREACHABLE_6: [u8; 2] = [1, 4];
    let what = payload.bytes.first_chunk::<2>()?;
    let is_it = match proto {
        ICMP => *what == PORT_UNREACHABLE_4,
        _ => *what == PORT_UNREACHABLE_6,
    };
    is_it.then(|| decode::quoted(proto, payload))?
}
