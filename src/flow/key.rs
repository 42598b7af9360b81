//! What makes packets one flow: the two ends and the protocol, whichever way the packet goes.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::packet::{Brief, Tuple};

/// Who of a flow's two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Side {
    /// The originator: who opened it; the client.
    Orig = 0,
    /// The responder: the server.
    Resp = 1,
}

impl Side {
    /// Both, the originator first.
    pub const BOTH: [Side; 2] = [Side::Orig, Side::Resp];

    /// The other one.
    #[inline]
    pub fn other(self) -> Side {
        match self {
            Side::Orig => Side::Resp,
            Side::Resp => Side::Orig,
        }
    }

    /// `orig` or `resp`, as Zeek writes them.
    pub fn name(self) -> &'static str {
        match self {
            Side::Orig => "orig",
            Side::Resp => "resp",
        }
    }

    /// What people call it.
    pub fn role(self) -> &'static str {
        match self {
            Side::Orig => "client",
            Side::Resp => "server",
        }
    }
}

/// The lower or the higher end of a [`FlowKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum End {
    #[default]
    Low,
    High,
}

/// A flow's two ends and its protocol, undirected: the same for both directions.
///
/// ```text
///  words 0, 1   address of the end with the lower port, or the lower address
///  words 2, 3   address of the other end; of IPv4 all addresses are in word 0, the lower end's in its upper half
///  word 4       lower port (16) | higher port (16) | kind (8) | IP version (8) | IANA protocol (8), from the top
/// ```
#[derive(Debug, Clone, Copy, Eq, Default)]
pub struct FlowKey {
    words: [u64; 5],
}

/// Word by word: as an array it would be a call. Ports differ where anything does.
impl PartialEq for FlowKey {
    #[inline]
    fn eq(&self, other: &FlowKey) -> bool {
        let [a, b, c, d, ports] = self.words;
        let [e, f, g, h, other] = other.words;
        // Of IPv4 the first word says it all.
        ports == other && a == e && (self.is_ip4() || (b ^ f) | (c ^ g) | (d ^ h) == 0)
    }
}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, ports] = self.words;
        state.write_u64(a);
        if !self.is_ip4() {
            [b, c, d].iter().for_each(|&word| state.write_u64(word));
        }
        state.write_u64(ports);
    }
}

/// What a message without ports is told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Both ends speak.
    TwoWay = 0,
    /// Only one end speaks: what the other says is another flow (ICMP messages that are not answered by their like).
    OneWay = 1,
}

impl FlowKey {
    /// The key of a directed tuple, and which of its ends the source is.
    #[inline]
    pub(super) fn of(tuple: &Tuple, kind: Kind) -> (FlowKey, End) {
        let ends = [tuple.src, tuple.dst];
        let version = if tuple.src.is_ipv4() { 4 } else { 6 };
        FlowKey::between(
            ends.map(|end| address(end.ip())),
            ends.map(|end| end.port()),
            version,
            kind,
            tuple.proto,
        )
    }

    /// The key of a packet, and which of its ends the source is.
    #[inline(always)]
    pub(super) fn of_brief(brief: &Brief, kind: Kind) -> (FlowKey, End) {
        let addresses = [brief.src, brief.dst];
        FlowKey::between(addresses, brief.ports, brief.version, kind, brief.proto)
    }

    #[inline(always)]
    fn between(
        [src, dst]: [[u64; 2]; 2],
        [src_port, dst_port]: [u16; 2],
        version: u8,
        kind: Kind,
        proto: u8,
    ) -> (FlowKey, End) {
        // Both ports in one number, as they are and the other way round: the lower one of these begins with the lower port.
        let there = u32::from(src_port) << 16 | u32::from(dst_port);
        let back = there.rotate_left(16);
        // Two ends that are the same are the lower one.
        let is_low = match there == back {
            true => src <= dst,
            false => there < back,
        };
        let ports = u64::from(there.min(back)) << 32;
        let rest = ports | (kind as u64) << 16 | u64::from(version) << 8 | u64::from(proto);
        let [a, b, c, d] = match version {
            4 => {
                let there = src[1] << 32 | dst[1];
                let low = if is_low { there } else { there.rotate_left(32) };
                [low, 0, 0, 0]
            }
            _ if is_low => [src[0], src[1], dst[0], dst[1]],
            _ => [dst[0], dst[1], src[0], src[1]],
        };
        let end = if is_low { End::Low } else { End::High };
        let words = [a, b, c, d, rest];
        (FlowKey { words }, end)
    }

    /// The address and port of an end.
    pub(super) fn end(&self, end: End) -> SocketAddr {
        let [low0, low1, high0, high1, rest] = self.words;
        let (ip4, ip6, port) = match end {
            End::Low => (low0 >> 32, [low0, low1], rest >> 48),
            End::High => (low0, [high0, high1], rest >> 32),
        };
        let ip: IpAddr = match self.is_ip4() {
            true => Ipv4Addr::from_bits(ip4 as u32).into(),
            false => Ipv6Addr::from_bits(u128::from(ip6[0]) << 64 | u128::from(ip6[1])).into(),
        };
        SocketAddr::new(ip, port as u16)
    }

    /// This key without these bits of half of the higher port, and the bits.
    #[inline]
    pub(super) fn neighbours(&self, bits: u32) -> (FlowKey, u32) {
        const HALF: u32 = 33;
        let own = (self.words[4] >> HALF) as u32 & bits;
        let mut key = *self;
        key.words[4] ^= u64::from(own) << HALF;
        (key, own)
    }

    #[inline]
    fn is_ip4(&self) -> bool {
        self.words[4] >> 8 & 0xff == 4
    }

    /// IANA's protocol number.
    #[inline]
    pub fn proto(&self) -> u8 {
        self.words[4] as u8
    }
}

impl End {
    pub(super) fn other(self) -> End {
        match self {
            End::Low => End::High,
            End::High => End::Low,
        }
    }
}

/// An address in two words; IPv4 in the low half of the second.
#[inline]
pub(super) fn address(ip: IpAddr) -> [u64; 2] {
    match ip {
        IpAddr::V4(ip) => [0, u64::from(ip.to_bits())],
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            [(bits >> 64) as u64, bits as u64]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{TCP, UDP};

    fn tuple(src: &str, dst: &str, proto: u8) -> Tuple {
        let (src, dst) = (
            src.parse().expect("an address"),
            dst.parse().expect("an address"),
        );
        Tuple { src, dst, proto }
    }

    #[test]
    fn both_directions_are_one_flow() {
        for (a, b) in [
            ("127.0.0.1:80", "127.0.0.1:40000"),
            ("[::1]:80", "[::1]:40000"),
            ("10.0.0.1:5", "9.0.0.1:5"),
            ("[2001:db8::1]:1", "[2001:db7::2]:2"),
        ] {
            let (there, from) = FlowKey::of(&tuple(a, b, TCP), Kind::TwoWay);
            let (back, to) = FlowKey::of(&tuple(b, a, TCP), Kind::TwoWay);
            assert_eq!((there, from), (back, to.other()));
            assert_eq!(there.end(from), a.parse().expect("an address"));
            assert_eq!(there.end(to), b.parse().expect("an address"));
            assert_eq!(there.proto(), TCP);
        }
    }

    #[test]
    fn what_differs_is_another_flow() {
        let key = |src, dst, proto, kind| FlowKey::of(&tuple(src, dst, proto), kind).0;
        let own = key("127.0.0.1:80", "127.0.0.1:81", TCP, Kind::TwoWay);
        for other in [
            key("127.0.0.1:80", "127.0.0.1:81", UDP, Kind::TwoWay),
            key("127.0.0.1:81", "127.0.0.2:80", TCP, Kind::TwoWay),
            key("127.0.0.1:80", "127.0.0.1:82", TCP, Kind::TwoWay),
            key("127.0.0.1:80", "127.0.0.1:81", TCP, Kind::OneWay),
            key("[::127.0.0.1]:80", "[::127.0.0.1]:81", TCP, Kind::TwoWay),
        ] {
            assert_ne!(own, other);
        }
    }

    #[test]
    fn a_socket_that_speaks_to_itself() {
        let (key, end) = FlowKey::of(&tuple("127.0.0.1:7", "127.0.0.1:7", TCP), Kind::TwoWay);
        assert_eq!((end, key.end(End::Low)), (End::Low, key.end(End::High)));
    }
}
