//! Packets byte by byte (RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443); checksums are 0, as loopback may leave them.

use std::net::{IpAddr, SocketAddr};

pub(crate) const ACK: u8 = 16;
const TCP: u8 = 6;
const UDP: u8 = 17;
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMPV6: u8 = 58;

/// A TCP header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
}

/// Flags out of tcpdump's letters.
pub(crate) fn flags(letters: &str) -> u8 {
    letters.chars().fold(0, |flags, letter| {
        let bit = "FSRP.UEW".find(letter);
        flags | 1 << bit.unwrap_or_else(|| panic!("{letter}"))
    })
}

/// An IP packet with a TCP segment.
pub(crate) fn tcp(segment: &Segment, data: &[u8]) -> Vec<u8> {
    let mut bytes = ports(segment.from, segment.to);
    bytes.extend(segment.seq.to_be_bytes());
    bytes.extend(segment.ack.to_be_bytes());
    bytes.extend([0x50, segment.flags]);
    bytes.extend(segment.window.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(data);
    ip(segment.from.ip(), segment.to.ip(), TCP, &bytes)
}

/// An IP packet with a UDP datagram.
pub(crate) fn udp(from: SocketAddr, to: SocketAddr, data: &[u8]) -> Vec<u8> {
    ip(from.ip(), to.ip(), UDP, &datagram(from, to, data))
}

/// A UDP datagram.
pub(crate) fn datagram(from: SocketAddr, to: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut bytes = ports(from, to);
    bytes.extend((data.len() as u16 + 8).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(data);
    bytes
}

/// An IP packet with an ICMP message: type, code, four bytes that depend on them, and the rest.
pub(crate) fn icmp(from: IpAddr, to: IpAddr, kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let proto = if from.is_ipv4() { ICMP } else { ICMPV6 };
    let mut bytes = vec![kind, code, 0, 0, 0, 7, 0, 1];
    bytes.extend(rest);
    ip(from, to, proto, &bytes)
}

/// A fragment of a datagram's contents.
pub(crate) fn fragment(
    from: IpAddr,
    to: IpAddr,
    id: u32,
    contents: &[u8],
    part: std::ops::Range<usize>,
) -> Vec<u8> {
    assert!(part.start.is_multiple_of(8));
    let more = part.end < contents.len();
    let bytes = &contents[part.clone()];
    if from.is_ipv4() {
        let mut packet = ip(from, to, UDP, bytes);
        let place = u16::from(more) << 13 | (part.start / 8) as u16;
        packet[4..6].copy_from_slice(&(id as u16).to_be_bytes());
        packet[6..8].copy_from_slice(&place.to_be_bytes());
        return packet;
    }
    let place = part.start as u16 | u16::from(more);
    let mut header = vec![UDP, 0];
    header.extend(place.to_be_bytes());
    header.extend(id.to_be_bytes());
    header.extend(bytes);
    const FRAGMENT: u8 = 44;
    ip(from, to, FRAGMENT, &header)
}

/// An IP packet; one that is too long for its length field says 0 there, with a jumbo option in IPv6 (RFC 2675).
pub(crate) fn ip(from: IpAddr, to: IpAddr, proto: u8, contents: &[u8]) -> Vec<u8> {
    let len = |extra| {
        u16::try_from(contents.len() + extra)
            .unwrap_or(0)
            .to_be_bytes()
    };
    let mut bytes = Vec::new();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            bytes.extend([0x45, 0]);
            bytes.extend(len(20));
            bytes.extend([0, 0, 0, 0, 64, proto, 0, 0]);
            bytes.extend(from.octets());
            bytes.extend(to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let is_jumbo = contents.len() > usize::from(u16::MAX);
            let next = if is_jumbo { 0 } else { proto };
            bytes.extend([0x60, 0, 0, 0]);
            bytes.extend(len(0));
            bytes.extend([next, 64]);
            bytes.extend(from.octets());
            bytes.extend(to.octets());
            if is_jumbo {
                bytes.extend([proto, 0, 0xc2, 4]);
                bytes.extend((contents.len() as u32 + 8).to_be_bytes());
            }
        }
        mixed => panic!("{mixed:?}"),
    }
    bytes.extend(contents);
    bytes
}

/// An Ethernet frame as lo has it: no addresses.
pub(crate) fn ethernet(packet: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    bytes.extend(match packet[0] >> 4 {
        4 => [0x08, 0x00],
        _ => [0x86, 0xdd],
    });
    bytes.extend(packet);
    bytes
}

fn ports(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let [from, to] = [from, to].map(|end| end.port().to_be_bytes());
    [from, to].concat()
}
