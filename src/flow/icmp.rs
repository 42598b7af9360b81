//! ICMP messages as flows, as Zeek has them (RFC 792, RFC 4443, RFC 4861): the message's type is the originator's port, the type
//! that answers it the responder's; where none answers, the code. And errors that quote a packet: which flow they are about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::key::Kind;
use crate::packet::{ICMP, Payload, TCP, Tuple, UDP};

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

/// The packet that a "port unreachable" error quotes: who sent it to whom.
///
/// ```text
///  | type | code | checksum | unused (4) | IP header | source port | destination port | …
/// ```
pub(super) fn unreachable_port(proto: u8, payload: Payload) -> Option<Tuple> {
    const PORT_UNREACHABLE_4: [u8; 2] = [3, 3];
    const PORT_UNREACHABLE_6: [u8; 2] = [1, 4];
    let (what, rest) = payload.bytes.split_first_chunk::<2>()?;
    let quoted = rest.get(6..)?;
    if proto == ICMP {
        (*what == PORT_UNREACHABLE_4).then(|| quoted_4(quoted))?
    } else {
        (*what == PORT_UNREACHABLE_6).then(|| quoted_6(quoted))?
    }
}

fn quoted_4(bytes: &[u8]) -> Option<Tuple> {
    let header: &[u8; 20] = bytes.first_chunk()?;
    let [first, .., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    let proto = header[9];
    let ports = bytes.get(usize::from(first & 15) * 4..)?;
    let src = Ipv4Addr::new(s0, s1, s2, s3);
    let dst = Ipv4Addr::new(d0, d1, d2, d3);
    with_ports(src.into(), dst.into(), proto, ports)
}

fn quoted_6(bytes: &[u8]) -> Option<Tuple> {
    let (header, ports) = bytes.split_first_chunk::<40>()?;
    let proto = header[6];
    let (src, rest) = header[8..].split_first_chunk::<16>()?;
    let dst = rest.first_chunk::<16>()?;
    let (src, dst) = (Ipv6Addr::from(*src), Ipv6Addr::from(*dst));
    with_ports(src.into(), dst.into(), proto, ports)
}

fn with_ports(src: IpAddr, dst: IpAddr, proto: u8, ports: &[u8]) -> Option<Tuple> {
    let [a, b, c, d, ..] = *ports else {
        return None;
    };
    [TCP, UDP].contains(&proto).then(|| Tuple {
        src: SocketAddr::new(src, u16::from_be_bytes([a, b])),
        dst: SocketAddr::new(dst, u16::from_be_bytes([c, d])),
        proto,
    })
}
