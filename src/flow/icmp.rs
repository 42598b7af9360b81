//! ICMP messages as flows, following Zeek (RFC 792, RFC 4443, RFC 4861), and the flow that an ICMP
//! error quotes. The originator's port is the message type. The responder's port is the type of the
//! reply, or the code if the message has no reply type.

use crate::decode;
use crate::packet::{Endpoints, ICMP, ICMPV6, Packet, Payload};

/// Returns the endpoints of a message. Returns `None` if the type and code were not captured.
pub(super) fn endpoints(packet: &Packet, payload: Payload) -> Option<Endpoints> {
    let [kind, code, ..] = *payload.bytes else {
        return None;
    };
    let reply = reply_kind(packet.ip_proto()?, kind);
    packet.endpoints_with_ports([u16::from(kind), u16::from(reply.unwrap_or(code))])
}

/// Returns the key under which a flow is stored: the same for both directions, except for ICMP
/// messages without a reply type, whose directions are separate flows.
#[inline]
pub(super) fn flow_key(endpoints: &Endpoints) -> Endpoints {
    match is_two_way(endpoints) {
        true => endpoints.undirected(),
        false => *endpoints,
    }
}

/// Returns true if both directions of these endpoints belong to one flow, which is the case for
/// all protocols except ICMP messages without a reply type.
#[inline]
pub(super) fn is_two_way(endpoints: &Endpoints) -> bool {
    let proto = endpoints.proto();
    let is_icmp = proto == ICMP || proto == ICMPV6;
    !is_icmp || reply_kind(proto, endpoints.src_port() as u8).is_some()
}

/// Returns the type of the reply to a message, or of the message that a reply answers; `None` if
/// there is none.
fn reply_kind(proto: u8, kind: u8) -> Option<u8> {
    match (proto, kind) {
        // Echo, timestamp, information and address mask, each with its reply.
        (ICMP, 8) => Some(0),
        (ICMP, 0) => Some(8),
        (ICMP, 13 | 15 | 17) => Some(kind + 1),
        (ICMP, 14 | 16 | 18) => Some(kind - 1),
        // Router solicitation and advertisement.
        (ICMP, 10) => Some(9),
        (ICMP, 9) => Some(10),
        (ICMP, _) => None,
        // Echo, router and neighbour discovery, home agent discovery.
        (_, 128 | 133 | 135 | 144) => Some(kind + 1),
        (_, 129 | 134 | 136 | 145) => Some(kind - 1),
        // Multicast listener query and report, node information query and reply.
        (_, 130) => Some(131),
        (_, 131) => Some(130),
        (_, 139) => Some(140),
        (_, 140) => Some(139),
        _ => None,
    }
}

/// Returns the data after a message's 8-byte header.
pub(super) fn data(payload: Payload) -> Payload {
    const HEADER: u32 = 8;
    Payload {
        bytes: payload.bytes.get(HEADER as usize..).unwrap_or_default(),
        len: payload.len.saturating_sub(HEADER),
    }
}

/// Returns the endpoints of the quoted packet if the message is a "port unreachable" error.
pub(super) fn unreachable_port(proto: u8, payload: Payload) -> Option<Endpoints> {
    const PORT_UNREACHABLE_4: [u8; 2] = [3, 3];
    const PORT_UNREACHABLE_6: [u8; 2] = [1, 4];
    let type_and_code = payload.bytes.first_chunk::<2>()?;
    let is_port_unreachable = match proto {
        ICMP => *type_and_code == PORT_UNREACHABLE_4,
        _ => *type_and_code == PORT_UNREACHABLE_6,
    };
    is_port_unreachable.then(|| decode::quoted_endpoints(proto, payload))?
}
