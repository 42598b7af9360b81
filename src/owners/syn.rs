//! Whether a capture would take a connection that begins: its filter is asked about the SYN that the connection has.

use std::net::IpAddr;

use crate::decode::decode;
use crate::filter::Filter;
use crate::packet::{Frame, Interface, LinkType, Options, Resolution, Timestamp, Tuple};

/// Asks a filter about connections.
#[derive(Debug)]
pub(super) struct Syn {
    filter: Filter,
    interface: Interface,
    frame: Vec<u8>,
}

const ETHERNET: usize = 14;
const SEGMENT: usize = 20;
const SYN: u8 = 2;

impl Syn {
    pub(super) fn new(filter: Filter) -> Syn {
        Syn {
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

    /// Whether it takes the first packet of a connection over Ethernet, as a loopback has it.
    pub(super) fn is_taken(&mut self, tuple: &Tuple) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        write(tuple, &mut self.frame);
        let frame = Frame {
            number: 1,
            time: Timestamp::UNKNOWN,
            interface: &self.interface,
            link: self.interface.link,
            wire_len: self.frame.len() as u32,
            bytes: &self.frame,
            options: Options::default(),
        };
        self.filter.matches(&decode(&frame))
    }
}

/// RFC 791, RFC 8200 and RFC 9293, without checksums and options.
fn write(tuple: &Tuple, frame: &mut Vec<u8>) {
    frame.clear();
    frame.resize(ETHERNET - 2, 0);
    match (tuple.src.ip(), tuple.dst.ip()) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            const HEADER: usize = 20;
            let len = ((HEADER + SEGMENT) as u16).to_be_bytes();
            frame.extend([
                0x08,
                0x00,
                0x45,
                0,
                len[0],
                len[1],
                0,
                0,
                0x40,
                0,
                64,
                tuple.proto,
                0,
                0,
            ]);
            frame.extend(src.octets());
            frame.extend(dst.octets());
        }
        (src, dst) => {
            let wide = |ip| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            let len = (SEGMENT as u16).to_be_bytes();
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, len[0], len[1], tuple.proto, 64]);
            frame.extend(wide(src).octets());
            frame.extend(wide(dst).octets());
        }
    }
    frame.extend(tuple.src.port().to_be_bytes());
    frame.extend(tuple.dst.port().to_be_bytes());
    frame.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, SYN, 0xff, 0xff, 0, 0, 0, 0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Body, Flags, TCP};

    #[test]
    fn it_is_the_first_packet_of_the_connection() {
        for (src, dst) in [
            ("127.0.0.1:4242", "127.0.0.2:80"),
            ("[::1]:4242", "[::1]:80"),
        ] {
            let tuple = Tuple {
                src: src.parse().expect("an end"),
                dst: dst.parse().expect("an end"),
                proto: TCP,
            };
            let mut syn = Syn::new(Filter::default());
            write(&tuple, &mut syn.frame);
            let frame = Frame {
                number: 1,
                time: Timestamp(0),
                interface: &syn.interface,
                link: LinkType::ETHERNET,
                wire_len: syn.frame.len() as u32,
                bytes: &syn.frame,
                options: Options::default(),
            };
            let packet = decode(&frame);
            assert_eq!(packet.tuple(), Some(tuple));
            assert!(matches!(packet.body, Body::Tcp { tcp, .. } if tcp.flags == Flags::SYN));
            for (expression, is_taken) in [
                ("", true),
                ("port 80", true),
                ("dst port 4242", false),
                ("tcp[13] & 2 != 0 or ip6[53] & 2 != 0", true),
                ("udp", false),
            ] {
                let filter = Filter::new(None, expression).expect("a filter");
                assert_eq!(Syn::new(filter).is_taken(&tuple), is_taken, "{expression}");
            }
        }
    }
}
