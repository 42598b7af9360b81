//! Builders of raw packets (RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443). Checksums are
//! 0: packets on loopback can have unset checksums.

use std::net::{IpAddr, SocketAddr};

pub(crate) const ACK: u8 = 16;
const TCP: u8 = 6;
const UDP: u8 = 17;
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMPV6: u8 = 58;

/// Fields of a TCP header, and the endpoints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
}

/// Returns the flags byte for tcpdump's flag letters.
pub(crate) fn flags(letters: &str) -> u8 {
    letters.chars().fold(0, |flags, letter| {
        let bit = "FSRP.UEW".find(letter);
        flags | 1 << bit.unwrap_or_else(|| panic!("unknown TCP flag {letter}"))
    })
}

/// Returns an IP packet with a TCP segment.
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

/// Returns an IP packet with a UDP datagram.
pub(crate) fn udp(from: SocketAddr, to: SocketAddr, data: &[u8]) -> Vec<u8> {
    ip(from.ip(), to.ip(), UDP, &datagram(from, to, data))
}

/// Returns a UDP datagram: header and data.
pub(crate) fn datagram(from: SocketAddr, to: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut bytes = ports(from, to);
    bytes.extend((data.len() as u16 + 8).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(data);
    bytes
}

/// Returns an IP packet with an ICMP message: type, code, checksum, an echo identifier (7) and
/// sequence number (1) in the four bytes that depend on the type, and data.
pub(crate) fn icmp(from: IpAddr, to: IpAddr, kind: u8, code: u8, data: &[u8]) -> Vec<u8> {
    let proto = if from.is_ipv4() { ICMP } else { ICMPV6 };
    let mut bytes = vec![kind, code, 0, 0, 0, 7, 0, 1];
    bytes.extend(data);
    ip(from, to, proto, &bytes)
}

/// Returns an IP packet with a fragment: the bytes `part` of the UDP datagram `contents`. An IPv6
/// packet has a fragment header.
pub(crate) fn fragment(
    from: IpAddr,
    to: IpAddr,
    id: u32,
    contents: &[u8],
    part: std::ops::Range<usize>,
) -> Vec<u8> {
    assert!(part.start.is_multiple_of(8));
    let more_fragments = part.end < contents.len();
    let bytes = &contents[part.clone()];
    if from.is_ipv4() {
        let mut packet = ip(from, to, UDP, bytes);
        let flags_and_offset = u16::from(more_fragments) << 13 | (part.start / 8) as u16;
        packet[4..6].copy_from_slice(&(id as u16).to_be_bytes());
        packet[6..8].copy_from_slice(&flags_and_offset.to_be_bytes());
        return packet;
    }
    let offset_and_flags = part.start as u16 | u16::from(more_fragments);
    let mut header = vec![UDP, 0];
    header.extend(offset_and_flags.to_be_bytes());
    header.extend(id.to_be_bytes());
    header.extend(bytes);
    const FRAGMENT: u8 = 44;
    ip(from, to, FRAGMENT, &header)
}

/// Returns an IP packet. If it is too long for its length field, the field is 0; an IPv6 packet
/// then has a jumbo payload option (RFC 2675).
pub(crate) fn ip(from: IpAddr, to: IpAddr, proto: u8, contents: &[u8]) -> Vec<u8> {
    let len_field = |extra| {
        u16::try_from(contents.len() + extra)
            .unwrap_or(0)
            .to_be_bytes()
    };
    let mut bytes = Vec::new();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            bytes.extend([0x45, 0]);
            bytes.extend(len_field(20));
            bytes.extend([0, 0, 0, 0, 64, proto, 0, 0]);
            bytes.extend(from.octets());
            bytes.extend(to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let is_jumbo = contents.len() > usize::from(u16::MAX);
            let next_header = if is_jumbo { 0 } else { proto };
            bytes.extend([0x60, 0, 0, 0]);
            bytes.extend(len_field(0));
            bytes.extend([next_header, 64]);
            bytes.extend(from.octets());
            bytes.extend(to.octets());
            if is_jumbo {
                bytes.extend([proto, 0, 0xc2, 4]);
                bytes.extend((contents.len() as u32 + 8).to_be_bytes());
            }
        }
        mixed => panic!("addresses of different IP versions: {mixed:?}"),
    }
    bytes.extend(contents);
    bytes
}

/// Returns an Ethernet frame with zero MAC addresses, as captured on the lo interface.
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
