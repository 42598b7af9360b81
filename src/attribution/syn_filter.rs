//! Test of a capture filter against the initial SYN of a connection.

use std::net::IpAddr;

use crate::decode::decode;
use crate::filter::Filter;
use crate::packet::{Endpoints, Frame, FrameOptions, Interface, LinkType, Resolution, Timestamp};

/// A capture filter that is applied to connections.
#[derive(Debug)]
pub(super) struct SynFilter {
    filter: Filter,
    interface: Interface,
    frame: Vec<u8>,
}

const ETHERNET_HEADER_LEN: usize = 14;
const TCP_HEADER_LEN: usize = 20;
const SYN_FLAG: u8 = 2;

impl SynFilter {
    pub(super) fn new(filter: Filter) -> SynFilter {
        SynFilter {
            filter,
            interface: Interface {
                id: 0,
                name: None,
                description: None,
                link: LinkType::ETHERNET,
                snap_len: 0,
                resolution: Resolution::Nano,
            },
            frame: Vec::new(),
        }
    }

    /// True if the filter matches the first packet of a connection over Ethernet, the link type of
    /// a loopback device.
    pub(super) fn matches(&mut self, endpoints: &Endpoints) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        write_syn(endpoints, &mut self.frame);
        let frame = Frame {
            number: 1,
            time: Timestamp::ABSENT,
            interface: &self.interface,
            link: self.interface.link,
            wire_len: self.frame.len() as u32,
            bytes: &self.frame,
            options: FrameOptions::default(),
        };
        self.filter.matches(&decode(&frame))
    }
}

/// Writes an Ethernet frame with a SYN (RFC 791, RFC 8200, RFC 9293), without checksums or
/// options.
fn write_syn(endpoints: &Endpoints, frame: &mut Vec<u8>) {
    frame.clear();
    frame.resize(ETHERNET_HEADER_LEN - 2, 0);
    let proto = endpoints.proto();
    match (endpoints.src().ip(), endpoints.dst().ip()) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            const IPV4_HEADER_LEN: usize = 20;
            let [high, low] = ((IPV4_HEADER_LEN + TCP_HEADER_LEN) as u16).to_be_bytes();
            frame.extend([
                0x08, 0x00, 0x45, 0, high, low, 0, 0, 0x40, 0, 64, proto, 0, 0,
            ]);
            frame.extend(src.octets());
            frame.extend(dst.octets());
        }
        (src, dst) => {
            let to_ipv6 = |ip| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            let [high, low] = (TCP_HEADER_LEN as u16).to_be_bytes();
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, high, low, proto, 64]);
            frame.extend(to_ipv6(src).octets());
            frame.extend(to_ipv6(dst).octets());
        }
    }
    frame.extend(endpoints.src().port().to_be_bytes());
    frame.extend(endpoints.dst().port().to_be_bytes());
    frame.extend([
        0, 0, 0, 0, 0, 0, 0, 0, 0x50, SYN_FLAG, 0xff, 0xff, 0, 0, 0, 0,
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{TCP, TcpFlags};

    #[test]
    fn filter_is_applied_to_the_initial_syn() {
        for (src, dst) in [
            ("127.0.0.1:4242", "127.0.0.2:80"),
            ("[::1]:4242", "[::1]:80"),
        ] {
            let [src, dst] = [src, dst].map(|end| end.parse().expect("an address"));
            let endpoints = Endpoints::new(src, dst, TCP);
            let mut syn_filter = SynFilter::new(Filter::default());
            write_syn(&endpoints, &mut syn_filter.frame);
            let frame = Frame {
                number: 1,
                time: Timestamp(0),
                interface: &syn_filter.interface,
                link: LinkType::ETHERNET,
                wire_len: syn_filter.frame.len() as u32,
                bytes: &syn_filter.frame,
                options: FrameOptions::default(),
            };
            let packet = decode(&frame);
            assert_eq!(packet.endpoints(), Some(endpoints));
            assert!(packet.tcp().is_some_and(|tcp| tcp.flags == TcpFlags::SYN));
            for (expression, is_match) in [
                ("", true),
                ("port 80", true),
                ("dst port 4242", false),
                ("tcp[13] & 2 != 0 or ip6[53] & 2 != 0", true),
                ("udp", false),
            ] {
                let filter = Filter::new(None, expression).expect("a filter");
                assert_eq!(
                    SynFilter::new(filter).matches(&endpoints),
                    is_match,
                    "{expression}"
                );
            }
        }
    }
}
