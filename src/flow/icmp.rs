//! ICMP messages as flows, following Zeek (RFC 792, RFC 4443, RFC 4861), and the flow that an ICMP
//! error quotes. The originator's port is the message type. The responder's port is the type of the
//! reply, or the code if the message has no reply type.

use std::net::{IpAddr, SocketAddr};

use super::key::Directionality;
use crate::decode;
use crate::packet::{ICMP, Payload, Tuple};

/// Returns the tuple of a message and its directionality: a request and its reply belong to the
/// same flow. Returns `None` if the type and code were not captured.
pub(super) fn tuple(
    src: IpAddr,
    dst: IpAddr,
    proto: u8,
    payload: Payload,
) -> Option<(Tuple, Directionality)> {
    let [kind, code, ..] = *payload.bytes else {
        return None;
    };
    let reply = if proto == ICMP {
        match kind {
            // Echo, timestamp, information and address mask, each with its reply.
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
        dst: SocketAddr::new(dst, u16::from(reply.unwrap_or(code))),
        proto,
    };
    let directionality = if reply.is_some() {
        Directionality::TwoWay
    } else {
        Directionality::OneWay
    };
    Some((tuple, directionality))
}

/// Returns the data after a message's 8-byte header.
pub(super) fn data(payload: Payload) -> Payload {
    const HEADER: u32 = 8;
    Payload {
        bytes: payload.bytes.get(HEADER as usize..).unwrap_or_default(),
        len: payload.len.saturating_sub(HEADER),
    }
}

/// Returns the tuple of the quoted packet if the message is a "port unreachable" error.
pub(super) fn unreachable_port(proto: u8, payload: Payload) -> Option<Tuple> {
    const PORT_UNREACHABLE_4: [u8; 2] = [3, 3];
    const PORT_UNREACHABLE_6: [u8; 2] = [1, 4];
    let type_and_code = payload.bytes.first_chunk::<2>()?;
    let is_port_unreachable = match proto {
        ICMP => *type_and_code == PORT_UNREACHABLE_4,
        _ => *type_and_code == PORT_UNREACHABLE_6,
    };
    is_port_unreachable.then(|| decode::quoted_tuple(proto, payload))?
}
