//! The identity of a connection: its two endpoints and its protocol.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{TCP, UDP};

/// Source and destination of a packet, and its protocol.
///
/// Both directions of a connection have the same [`undirected`](Endpoints::undirected) endpoints,
/// which serve as the key of the connection. Addresses and ports are packed into words, because
/// they are compared and hashed for every packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "live", derive(serde::Serialize, serde::Deserialize))]
pub struct Endpoints {
    /// From the top: source port (16) | destination port (16) | unused (16) | IP version (8) |
    /// IANA protocol number (8).
    ports: u64,
    src: Address,
    dst: Address,
}

/// An IP address; an IPv4 address is in the low half of `low`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "live", derive(serde::Serialize, serde::Deserialize))]
struct Address {
    low: u64,
    high: u64,
}

impl Endpoints {
    /// Returns the endpoints of a packet from `src` to `dst`; `proto` is the IANA protocol number.
    /// If only one address is IPv4, it becomes an IPv4-mapped IPv6 address.
    #[inline]
    pub fn new(src: SocketAddr, dst: SocketAddr, proto: u8) -> Endpoints {
        let ports = [src.port(), dst.port()];
        Endpoints::from_ips(src.ip(), dst.ip(), ports, proto)
    }

    /// Returns the endpoints with these addresses, and the source and destination port.
    #[inline]
    pub fn from_ips(src: IpAddr, dst: IpAddr, ports: [u16; 2], proto: u8) -> Endpoints {
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                Endpoints::from_ipv4(src.octets(), dst.octets(), ports, proto)
            }
            (src, dst) => {
                let octets = |ip| match ip {
                    IpAddr::V4(ip) => Ipv4Addr::to_ipv6_mapped(&ip).octets(),
                    IpAddr::V6(ip) => ip.octets(),
                };
                Endpoints::from_ipv6(octets(src), octets(dst), ports, proto)
            }
        }
    }

    /// Returns the endpoints with these IPv4 addresses.
    #[inline]
    pub fn from_ipv4(src: [u8; 4], dst: [u8; 4], ports: [u16; 2], proto: u8) -> Endpoints {
        let [src, dst] = [src, dst].map(|octets| Address {
            low: u64::from(u32::from_be_bytes(octets)),
            high: 0,
        });
        let ports = pack_ports(ports, 4, proto);
        Endpoints { ports, src, dst }
    }

    /// Returns the endpoints with these IPv6 addresses.
    #[inline]
    pub fn from_ipv6(src: [u8; 16], dst: [u8; 16], ports: [u16; 2], proto: u8) -> Endpoints {
        let [src, dst] = [src, dst].map(|octets| {
            let bits = u128::from_be_bytes(octets);
            Address {
                low: bits as u64,
                high: (bits >> 64) as u64,
            }
        });
        let ports = pack_ports(ports, 6, proto);
        Endpoints { ports, src, dst }
    }

    /// Returns the source address and port.
    pub fn src(&self) -> SocketAddr {
        SocketAddr::new(self.ip(self.src), self.src_port())
    }

    /// Returns the destination address and port.
    pub fn dst(&self) -> SocketAddr {
        SocketAddr::new(self.ip(self.dst), self.dst_port())
    }

    /// Returns the source port.
    #[inline]
    pub fn src_port(&self) -> u16 {
        (self.ports >> 48) as u16
    }

    /// Returns the destination port.
    #[inline]
    pub fn dst_port(&self) -> u16 {
        (self.ports >> 32) as u16
    }

    /// Returns the IANA protocol number: 6 TCP, 17 UDP.
    #[inline]
    pub fn proto(&self) -> u8 {
        self.ports as u8
    }

    /// Returns true if the addresses are IPv4.
    #[inline]
    pub fn is_ipv4(&self) -> bool {
        self.ports >> 8 & 0xff == 4
    }

    /// Returns true if both ends are one TCP or UDP endpoint: a socket that sends to itself.
    #[inline]
    pub fn is_self_connection(&self) -> bool {
        self.src == self.dst
            && self.src_port() == self.dst_port()
            && [TCP, UDP].contains(&self.proto())
    }

    /// Returns the endpoints of the opposite direction.
    #[inline]
    pub fn reversed(&self) -> Endpoints {
        let low = self.ports & 0xffff_ffff;
        let ports = u64::from(self.src_port()) << 32 | u64::from(self.dst_port()) << 48 | low;
        Endpoints {
            ports,
            src: self.dst,
            dst: self.src,
        }
    }

    /// Returns the endpoints in the direction that starts at the lower port or, if both ports are
    /// equal, at the lower address: the same for both directions of a connection.
    #[inline]
    pub fn undirected(&self) -> Endpoints {
        let is_low_first = (self.src_port(), self.src.high, self.src.low)
            <= (self.dst_port(), self.dst.high, self.dst.low);
        if is_low_first { *self } else { self.reversed() }
    }

    fn ip(&self, Address { low, high }: Address) -> IpAddr {
        if self.is_ipv4() {
            Ipv4Addr::from_bits(low as u32).into()
        } else {
            Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).into()
        }
    }
}

/// Writes `127.0.0.1:40000 > 127.0.0.1:80 (protocol 6)`.
impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (src, dst) = (self.src(), self.dst());
        write!(f, "{src} > {dst} (protocol {})", self.proto())
    }
}

#[inline]
fn pack_ports([src, dst]: [u16; 2], version: u8, proto: u8) -> u64 {
    u64::from(src) << 48 | u64::from(dst) << 32 | u64::from(version) << 8 | u64::from(proto)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::ICMP;

    fn endpoints(src: &str, dst: &str, proto: u8) -> Endpoints {
        let [src, dst] = [src, dst].map(|text| text.parse().expect("an address"));
        Endpoints::new(src, dst, proto)
    }

    #[test]
    fn both_directions_have_the_same_undirected_endpoints() {
        for (a, b) in [
            ("127.0.0.1:80", "127.0.0.1:40000"),
            ("[::1]:80", "[::1]:40000"),
            ("10.0.0.1:5", "9.0.0.1:5"),
            ("[2001:db8::1]:1", "[2001:db7::2]:2"),
            ("127.0.0.1:7", "127.0.0.1:7"),
        ] {
            let forward = endpoints(a, b, TCP);
            let reverse = endpoints(b, a, TCP);
            assert_eq!(forward.reversed(), reverse);
            assert_eq!(forward.undirected(), reverse.undirected());
            assert_eq!(
                (forward.src().to_string(), forward.dst().to_string()),
                (a.into(), b.into())
            );
            assert_eq!(forward.proto(), TCP);
        }
    }

    #[test]
    fn a_socket_is_connected_to_itself_if_both_ends_are_equal() {
        for (a, b, proto, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", TCP, true),
            ("[::1]:80", "[::1]:80", UDP, true),
            ("127.0.0.1:80", "127.0.0.1:81", TCP, false),
            ("127.0.0.1:80", "127.0.0.2:80", UDP, false),
            // Type and code of an ICMP message.
            ("127.0.0.1:3", "127.0.0.1:3", ICMP, false),
        ] {
            let endpoints = endpoints(a, b, proto);
            assert_eq!(endpoints.is_self_connection(), expected, "{endpoints:?}");
        }
    }

    #[test]
    fn different_connections_have_different_endpoints() {
        let reference = endpoints("127.0.0.1:80", "127.0.0.1:81", TCP).undirected();
        for other in [
            endpoints("127.0.0.1:80", "127.0.0.1:81", UDP),
            endpoints("127.0.0.1:81", "127.0.0.2:80", TCP),
            endpoints("127.0.0.1:80", "127.0.0.1:82", TCP),
            endpoints("[::127.0.0.1]:80", "[::127.0.0.1]:81", TCP),
        ] {
            assert_ne!(reference, other.undirected());
        }
    }
}
