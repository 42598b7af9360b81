//! Which lane a packet is in, told from a few bytes of it.

use crate::packet::{Frame, Lane, LinkType, TCP, UDP};

/// Length of an Ethernet header without tags, in bytes.
const ETHERNET: usize = 14;
/// Length of an IPv6 header, in bytes.
const IPV6: usize = 40;
/// Length of a UDP header, in bytes.
const UDP_HEADER: usize = 8;

/// The lane of a usual TCP segment or UDP datagram: whole in its headers, on Ethernet, as the loopback device of Linux gives it, without IP
/// options and extensions. [`decode`](super::decode) gives such a frame the body [`Tcp`](crate::packet::Body::Tcp) or
/// [`Udp`](crate::packet::Body::Udp).
///
/// None of any other, which has to be decoded to know.
#[inline(always)]
pub fn lane(frame: &Frame) -> Option<Lane> {
    if frame.link != LinkType::ETHERNET {
        return None;
    }
    let (ether_type, ip) = (frame.bytes.get(12..ETHERNET)?, &frame.bytes[ETHERNET..]);
    match *ether_type {
        [0x08, 0x00] => version_4(ip),
        [0x86, 0xdd] => version_6(ip),
        _ => None,
    }
}

/// RFC 791 section 3.1.
#[inline(always)]
fn version_4(ip: &[u8]) -> Option<Lane> {
    let (header, transport) = ip.split_first_chunk::<20>()?;
    let [
        0x45,
        _,
        t0,
        t1,
        _,
        _,
        f0,
        f1,
        _,
        proto,
        _,
        _,
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
    ] = *header
    else {
        return None;
    };
    // More fragments, or an offset.
    if (f0 & 0x3f) | f1 != 0 {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([t0, t1])).checked_sub(header.len())?;
    let [src, dst] = [[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes);
    ports(proto, transport, len).map(|ports| Lane::of_ends(u64::from(src ^ dst), ports))
}

/// RFC 8200 section 3.
#[inline(always)]
fn version_6(ip: &[u8]) -> Option<Lane> {
    let (header, transport) = ip.split_first_chunk::<IPV6>()?;
    let [first, _, _, _, l0, l1, next, _, addresses @ ..] = header;
    if first >> 4 != 6 {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([*l0, *l1]));
    let (words, _) = addresses.as_chunks::<8>();
    let folded = words
        .iter()
        .fold(0, |all, word| all ^ u64::from_be_bytes(*word));
    ports(*next, transport, len).map(|ports| Lane::of_ends(folded, ports))
}

/// The ports, if the transport header is whole and possible; `len` is the length that the IP header gives it.
#[inline(always)]
fn ports(proto: u8, transport: &[u8], len: usize) -> Option<[u16; 2]> {
    let header = match proto {
        TCP => usize::from(transport.get(12)? >> 4) * 4,
        UDP => UDP_HEADER,
        _ => return None,
    };
    let is_possible = match (proto, transport) {
        (TCP, _) => header >= 20,
        (_, [_, _, _, _, l0, l1, ..]) => !(1..8).contains(&u16::from_be_bytes([*l0, *l1])),
        _ => false,
    };
    if !is_possible || header > len || header > transport.len() {
        return None;
    }
    let [a, b, c, d] = *transport.first_chunk()?;
    Some([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])])
}
