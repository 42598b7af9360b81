//! Flow keys: two endpoints and a protocol, independent of the packet's direction.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::packet::{Brief, Tuple};

/// One of a flow's two endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Side {
    /// The originator: the side that opened the flow, the client.
    Orig = 0,
    /// The responder: the server.
    Resp = 1,
}

impl Side {
    /// Both sides, the originator first.
    pub const BOTH: [Side; 2] = [Side::Orig, Side::Resp];

    /// Returns the opposite side.
    #[inline]
    pub fn other(self) -> Side {
        match self {
            Side::Orig => Side::Resp,
            Side::Resp => Side::Orig,
        }
    }

    /// Returns Zeek's name of the side: `orig` or `resp`.
    pub fn name(self) -> &'static str {
        match self {
            Side::Orig => "orig",
            Side::Resp => "resp",
        }
    }

    /// Returns the name of the side in reports: `client` or `server`.
    pub fn role(self) -> &'static str {
        match self {
            Side::Orig => "client",
            Side::Resp => "server",
        }
    }
}

/// One of the two ends of a [`FlowKey`]: the low end has the lower port or, if both ports are
/// equal, the lower address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum KeyEnd {
    #[default]
    Low,
    High,
}

/// Undirected key of a flow: its two endpoints and its protocol.
///
/// ```text
///  words 0, 1   address of the low end
///  words 2, 3   address of the high end
///               (IPv4: both addresses are in word 0, the low end's in the upper half)
///  word 4       from the top: lower port (16) | higher port (16) | directionality (8)
///               | IP version (8) | IANA protocol (8)
/// ```
#[derive(Debug, Clone, Copy, Eq, Default)]
pub struct FlowKey {
    words: [u64; 5],
}

/// Compares word by word, because the derived array comparison compiles to a function call. Word 4
/// is compared first: most keys that differ have different ports.
impl PartialEq for FlowKey {
    #[inline]
    fn eq(&self, other: &FlowKey) -> bool {
        let [a, b, c, d, ports] = self.words;
        let [e, f, g, h, other_ports] = other.words;
        // For IPv4, the first word contains both addresses.
        ports == other_ports && a == e && (self.is_ipv4() || (b ^ f) | (c ^ g) | (d ^ h) == 0)
    }
}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, ports] = self.words;
        state.write_u64(a);
        if !self.is_ipv4() {
            [b, c, d].iter().for_each(|&word| state.write_u64(word));
        }
        state.write_u64(ports);
    }
}

/// Packet directions that one flow covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directionality {
    /// Both directions.
    TwoWay = 0,
    /// One direction; the opposite direction is a separate flow (ICMP messages without a reply
    /// type).
    OneWay = 1,
}

impl FlowKey {
    /// Returns the key of a directed tuple, and the end of the key that is the source.
    #[inline]
    pub(super) fn from_tuple(tuple: &Tuple, kind: Directionality) -> (FlowKey, KeyEnd) {
        let ends = [tuple.src, tuple.dst];
        let version = if tuple.src.is_ipv4() { 4 } else { 6 };
        FlowKey::from_parts(
            ends.map(|end| address_words(end.ip())),
            ends.map(|end| end.port()),
            version,
            kind,
            tuple.proto,
        )
    }

    /// Returns the key of a packet, and the end of the key that is the source.
    #[inline(always)]
    pub(super) fn from_brief(brief: &Brief, kind: Directionality) -> (FlowKey, KeyEnd) {
        let addresses = [brief.src, brief.dst];
        FlowKey::from_parts(addresses, brief.ports, brief.version, kind, brief.proto)
    }

    #[inline(always)]
    fn from_parts(
        [src, dst]: [[u64; 2]; 2],
        [src_port, dst_port]: [u16; 2],
        version: u8,
        kind: Directionality,
        proto: u8,
    ) -> (FlowKey, KeyEnd) {
        // Both ports in one number, in packet order and swapped: the smaller number starts with the
        // lower port.
        let forward = u32::from(src_port) << 16 | u32::from(dst_port);
        let reverse = forward.rotate_left(16);
        // Equal ports: the addresses decide. If they are equal, too, the source is the low end.
        let is_low = match forward == reverse {
            true => src <= dst,
            false => forward < reverse,
        };
        let ports = u64::from(forward.min(reverse)) << 32;
        let word4 = ports | (kind as u64) << 16 | u64::from(version) << 8 | u64::from(proto);
        let [a, b, c, d] = match version {
            4 => {
                let forward = src[1] << 32 | dst[1];
                let low = if is_low {
                    forward
                } else {
                    forward.rotate_left(32)
                };
                [low, 0, 0, 0]
            }
            _ if is_low => [src[0], src[1], dst[0], dst[1]],
            _ => [dst[0], dst[1], src[0], src[1]],
        };
        let end = if is_low { KeyEnd::Low } else { KeyEnd::High };
        let words = [a, b, c, d, word4];
        (FlowKey { words }, end)
    }

    /// Returns the address and port of an end.
    pub(super) fn endpoint(&self, end: KeyEnd) -> SocketAddr {
        let [low0, low1, high0, high1, word4] = self.words;
        let (ip4, ip6, port) = match end {
            KeyEnd::Low => (low0 >> 32, [low0, low1], word4 >> 48),
            KeyEnd::High => (low0, [high0, high1], word4 >> 32),
        };
        let ip: IpAddr = match self.is_ipv4() {
            true => Ipv4Addr::from_bits(ip4 as u32).into(),
            false => Ipv6Addr::from_bits(u128::from(ip6[0]) << 64 | u128::from(ip6[1])).into(),
        };
        SocketAddr::new(ip, port as u16)
    }

    /// Returns this key with the bits of `mask` cleared in `higher port >> 1`, and the value of the
    /// cleared bits. Flows with nearby higher ports share the cleared key.
    #[inline]
    pub(super) fn neighbours(&self, mask: u32) -> (FlowKey, u32) {
        const HALF_PORT_SHIFT: u32 = 33;
        let cleared = (self.words[4] >> HALF_PORT_SHIFT) as u32 & mask;
        let mut key = *self;
        key.words[4] ^= u64::from(cleared) << HALF_PORT_SHIFT;
        (key, cleared)
    }

    #[inline]
    fn is_ipv4(&self) -> bool {
        self.words[4] >> 8 & 0xff == 4
    }

    /// Returns the IANA protocol number.
    #[inline]
    pub fn proto(&self) -> u8 {
        self.words[4] as u8
    }
}

impl KeyEnd {
    pub(super) fn other(self) -> KeyEnd {
        match self {
            KeyEnd::Low => KeyEnd::High,
            KeyEnd::High => KeyEnd::Low,
        }
    }
}

/// Returns an address as two 64-bit words; an IPv4 address is in the low half of the second word.
#[inline]
pub(super) fn address_words(ip: IpAddr) -> [u64; 2] {
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
    fn both_directions_have_the_same_key() {
        for (a, b) in [
            ("127.0.0.1:80", "127.0.0.1:40000"),
            ("[::1]:80", "[::1]:40000"),
            ("10.0.0.1:5", "9.0.0.1:5"),
            ("[2001:db8::1]:1", "[2001:db7::2]:2"),
        ] {
            let (forward, from) = FlowKey::from_tuple(&tuple(a, b, TCP), Directionality::TwoWay);
            let (reverse, to) = FlowKey::from_tuple(&tuple(b, a, TCP), Directionality::TwoWay);
            assert_eq!((forward, from), (reverse, to.other()));
            assert_eq!(forward.endpoint(from), a.parse().expect("an address"));
            assert_eq!(forward.endpoint(to), b.parse().expect("an address"));
            assert_eq!(forward.proto(), TCP);
        }
    }

    #[test]
    fn different_tuples_have_different_keys() {
        let key = |src, dst, proto, kind| FlowKey::from_tuple(&tuple(src, dst, proto), kind).0;
        let reference = key("127.0.0.1:80", "127.0.0.1:81", TCP, Directionality::TwoWay);
        for other in [
            key("127.0.0.1:80", "127.0.0.1:81", UDP, Directionality::TwoWay),
            key("127.0.0.1:81", "127.0.0.2:80", TCP, Directionality::TwoWay),
            key("127.0.0.1:80", "127.0.0.1:82", TCP, Directionality::TwoWay),
            key("127.0.0.1:80", "127.0.0.1:81", TCP, Directionality::OneWay),
            key(
                "[::127.0.0.1]:80",
                "[::127.0.0.1]:81",
                TCP,
                Directionality::TwoWay,
            ),
        ] {
            assert_ne!(reference, other);
        }
    }

    #[test]
    fn a_self_connected_socket_has_two_equal_ends() {
        let (key, end) = FlowKey::from_tuple(
            &tuple("127.0.0.1:7", "127.0.0.1:7", TCP),
            Directionality::TwoWay,
        );
        assert_eq!(
            (end, key.endpoint(KeyEnd::Low)),
            (KeyEnd::Low, key.endpoint(KeyEnd::High))
        );
    }
}
