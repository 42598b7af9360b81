//! Usual packets, read straight from their bytes.

use super::transport::{MIN_TCP_HEADER_LEN, parse_tcp_front};
use super::wire_len;
use crate::packet::{Brief, Frame, LinkType, Payload, TCP, Tcp, UDP};

/// Length of an Ethernet header without tags, in bytes.
const ETHERNET: usize = 14;
/// Length of an IPv4 header without options, in bytes.
const IPV4: usize = 20;
/// Length of an IPv6 header, in bytes.
const IPV6: usize = 40;
/// Length of a UDP header, in bytes.
const UDP_HEADER: usize = 8;

/// Does something with a usual packet. A closure would not do: called in several places, it is not inlined in the one that counts.
pub trait Usual<'a> {
    /// What comes of it.
    type Made;

    /// Does it.
    fn take(self, brief: Brief<'a>) -> Self::Made;
}

/// Shows a usual TCP segment or UDP datagram to whoever wants it: one that is whole in its headers, on Ethernet, as the loopback device of
/// Linux gives it, without IP options and extensions. It says of such a frame what [`decode`](super::decode) says of it, in a quarter of the
/// instructions.
///
/// None of any other, which has to be decoded to know.
#[inline(always)]
pub fn usual<'a, U: Usual<'a>>(frame: &Frame<'a>, user: U) -> Option<U::Made> {
    if frame.link != LinkType::ETHERNET {
        return None;
    }
    let (link, bytes) = frame.bytes.split_first_chunk::<ETHERNET>()?;
    if is_over_ip4::<{ ETHERNET + IPV4 + MIN_TCP_HEADER_LEN }>(frame.bytes, TCP) {
        return with_tcp(frame, bytes, ip4(bytes)?, user);
    }
    if is_over_ip4::<{ ETHERNET + IPV4 + UDP_HEADER }>(frame.bytes, UDP) {
        return with_udp(frame, bytes, ip4(bytes)?, user);
    }
    let [.., high, low] = *link;
    if u16::from_be_bytes([high, low]) != 0x86dd {
        return None;
    }
    let ip = ip6(bytes)?;
    match ip.proto {
        TCP => with_tcp(frame, bytes, ip, user),
        UDP => with_udp(frame, bytes, ip, user),
        _ => None,
    }
}

/// Whether a frame carries this protocol over IPv4, without options and no fragment, with so many bytes of headers. Two looks tell that.
#[inline(always)]
fn is_over_ip4<const HEADERS: usize>(frame: &[u8], proto: u8) -> bool {
    let Some(headers) = frame.first_chunk::<HEADERS>() else {
        return false;
    };
    let word = |at: usize| {
        u32::from_be_bytes([
            headers[at],
            headers[at + 1],
            headers[at + 2],
            headers[at + 3],
        ])
    };
    // Type, version and header length; flags, offset and protocol.
    word(12) & 0xffff_ff00 == 0x0800_4500 && word(20) & 0x3fff_00ff == u32::from(proto)
}

/// What [`usual`] shows.
#[inline(always)]
pub fn brief<'a>(frame: &Frame<'a>) -> Option<Brief<'a>> {
    struct Itself;
    impl<'a> Usual<'a> for Itself {
        type Made = Brief<'a>;

        #[inline(always)]
        fn take(self, brief: Brief<'a>) -> Brief<'a> {
            brief
        }
    }
    usual(frame, Itself)
}

/// Shows an IP packet with a TCP segment. There is code for each version and each protocol, in which the header's length and much else is a
/// constant.
#[inline(always)]
fn with_tcp<'a, U: Usual<'a>>(
    frame: &Frame<'a>,
    bytes: &'a [u8],
    ip: Ip,
    user: U,
) -> Option<U::Made> {
    let (ports, tcp, payload) = segment(bytes.get(ip.header..)?, ip.len, ip.there(frame))?;
    Some(user.take(ip.brief(frame, TCP, ports, Some(tcp), payload)))
}

/// The same with a UDP datagram.
#[inline(always)]
fn with_udp<'a, U: Usual<'a>>(
    frame: &Frame<'a>,
    bytes: &'a [u8],
    ip: Ip,
    user: U,
) -> Option<U::Made> {
    let (ports, payload) = datagram(bytes.get(ip.header..)?, ip.len, ip.there(frame))?;
    Some(user.take(ip.brief(frame, UDP, ports, None, payload)))
}

/// What an IP header says.
#[derive(Clone, Copy)]
struct Ip {
    version: u8,
    src: [u64; 2],
    dst: [u64; 2],
    proto: u8,
    /// Its own length, and that of what it carries, in bytes.
    header: usize,
    len: usize,
}

impl Ip {
    /// How many bytes of what it carries stood on the wire.
    #[inline(always)]
    fn there(&self, frame: &Frame) -> usize {
        self.len.min(wire_len(frame, ETHERNET) - self.header)
    }

    /// With what it carries.
    #[inline(always)]
    fn brief<'a>(
        self,
        frame: &Frame<'a>,
        proto: u8,
        ports: [u16; 2],
        tcp: Option<Tcp<'a>>,
        payload: Payload<'a>,
    ) -> Brief<'a> {
        Brief {
            frame: *frame,
            version: self.version,
            src: self.src,
            dst: self.dst,
            ports,
            proto,
            wire_len: frame.plausible_len(),
            ip_len: (self.header + self.len) as u32,
            tcp,
            payload,
        }
    }
}

/// An IPv4 header without options (RFC 791 section 3.1).
#[inline(always)]
fn ip4(bytes: &[u8]) -> Option<Ip> {
    let [
        _,
        _,
        t0,
        t1,
        _,
        _,
        _,
        _,
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
    ] = *bytes.first_chunk::<IPV4>()?;
    let [src, dst] = [[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes);
    Some(Ip {
        version: 4,
        src: [0, u64::from(src)],
        dst: [0, u64::from(dst)],
        proto,
        header: IPV4,
        len: usize::from(u16::from_be_bytes([t0, t1])).checked_sub(IPV4)?,
    })
}

/// RFC 8200 section 3.
#[inline(always)]
fn ip6(bytes: &[u8]) -> Option<Ip> {
    let [first, _, _, _, l0, l1, next, _, addresses @ ..] = bytes.first_chunk::<IPV6>()?;
    if first >> 4 != 6 {
        return None;
    }
    let (words, _) = addresses.as_chunks::<8>();
    let words: &[[u8; 8]; 4] = words.first_chunk()?;
    let [a, b, c, d] = words.map(u64::from_be_bytes);
    Some(Ip {
        version: 6,
        src: [a, b],
        dst: [c, d],
        proto: *next,
        header: IPV6,
        len: usize::from(u16::from_be_bytes([*l0, *l1])),
    })
}

/// A TCP segment whose header is whole and possible (RFC 9293 section 3.1). The IP header gives it `len` bytes, so many of which are `there`.
#[inline(always)]
fn segment(bytes: &[u8], len: usize, there: usize) -> Option<([u16; 2], Tcp<'_>, Payload<'_>)> {
    let fixed = bytes.first_chunk::<MIN_TCP_HEADER_LEN>()?;
    let (tcp, header) = parse_tcp_front(fixed.first_chunk()?);
    if header < MIN_TCP_HEADER_LEN || header > len {
        return None;
    }
    let [p0, p1, p2, p3, .., u0, u1] = *fixed;
    let tcp = Tcp {
        urgent: u16::from_be_bytes([u0, u1]),
        options: bytes.get(MIN_TCP_HEADER_LEN..header)?,
        ..tcp
    };
    let ports = [[p0, p1], [p2, p3]].map(u16::from_be_bytes);
    Some((ports, tcp, part(bytes, header, there)))
}

/// A UDP datagram likewise (RFC 768).
#[inline(always)]
fn datagram(bytes: &[u8], len: usize, there: usize) -> Option<([u16; 2], Payload<'_>)> {
    let [p0, p1, p2, p3, l0, l1, _, _] = *bytes.first_chunk::<UDP_HEADER>()?;
    let own = usize::from(u16::from_be_bytes([l0, l1]));
    if (1..UDP_HEADER).contains(&own) || UDP_HEADER > len {
        return None;
    }
    // A jumbogram (RFC 2675 section 4), or an offloaded segment, says 0.
    let there = if own == 0 { there } else { there.min(own) };
    let ports = [[p0, p1], [p2, p3]].map(u16::from_be_bytes);
    Some((ports, part(bytes, UDP_HEADER, there)))
}

/// What stands between these offsets, the first of which is within the bytes.
#[inline(always)]
fn part(bytes: &[u8], from: usize, to: usize) -> Payload<'_> {
    Payload {
        bytes: bytes.get(from..to.min(bytes.len())).unwrap_or_default(),
        len: to.saturating_sub(from) as u32,
    }
}
