//! The IP header that encloses an upper-layer header: addresses, and the pseudo-header of checksums
//! (RFC 9293 section 3.1, RFC 8200 section 8.1).

use std::net::IpAddr;

use super::address;
use super::printer::{Printer, array_at, u8_at};
use super::{checksum, digits};
use crate::packet::Endpoints;

/// An IP header without options, and the captured bytes of the whole IP packet, header included.
#[derive(Debug, Clone, Copy)]
pub(super) enum EnclosingIp<'a> {
    /// IPv4.
    Ip4(&'a [u8; 20], &'a [u8]),
    /// IPv6.
    Ip6(&'a [u8; 40], &'a [u8]),
}

/// Returns the length of an IPv6 extension header that can precede a routing header; `None` for
/// other headers.
fn extension_header_len(kind: u8, bytes: &[u8], at: usize) -> Option<usize> {
    match kind {
        0 | 60 | 62 | 135 => Some((usize::from(*bytes.get(at + 1)?) + 1) * 8),
        44 => Some(8),
        _ => None,
    }
}

impl EnclosingIp<'_> {
    /// Returns the protocol number (next header) from the IP header, not from an extension header.
    #[inline]
    pub(super) fn protocol(&self) -> u8 {
        match self {
            EnclosingIp::Ip4(header, _) => header[9],
            EnclosingIp::Ip6(header, _) => header[6],
        }
    }

    /// Returns the source and the destination.
    #[inline]
    fn addresses(&self) -> [IpAddr; 2] {
        match self {
            EnclosingIp::Ip4(header, _) => {
                [12, 16].map(|at| IpAddr::from(header_bytes::<20, 4>(header, at)))
            }
            EnclosingIp::Ip6(header, _) => {
                [8, 24].map(|at| IpAddr::from(header_bytes::<40, 16>(header, at)))
            }
        }
    }

    /// Prints `src.port > dst.port: `, without the addresses if extension headers precede
    /// `protocol`: the line then already contains the addresses.
    #[inline]
    pub(super) fn print_endpoints(&self, p: &mut Printer, protocol: u8, ports: [u16; 2]) {
        let is_next = self.protocol() == protocol;
        let [source, destination] = self.addresses();
        for (ip, port, after) in [(source, ports[0], " > "), (destination, ports[1], ": ")] {
            if is_next {
                address::write_ip(p.out, ip);
                p.out.push(b'.');
            }
            digits::decimal(p.out, port);
            p.push_str(after);
        }
    }

    /// Prints `src > dst`.
    pub(super) fn print_addresses(&self, p: &mut Printer) {
        let [source, destination] = self.addresses();
        address::write_ip(p.out, source);
        p.push_str(" > ");
        address::write_ip(p.out, destination);
    }

    /// Returns source, destination and protocol of the enclosed packet.
    #[inline]
    pub(super) fn endpoints(&self, proto: u8, ports: [u16; 2]) -> Endpoints {
        let [source, destination] = self.addresses();
        Endpoints::from_ips(source, destination, ports, proto)
    }

    /// Returns the checksum over the pseudo-header and a segment or datagram; 0 if it is correct.
    pub(super) fn checksum(&self, protocol: u8, bytes: &[u8]) -> u16 {
        let length = (bytes.len() as u32).to_be_bytes();
        match self {
            EnclosingIp::Ip4(header, whole) => {
                let destination = final_destination_ip4(header, whole);
                let tail = [0, protocol, length[2], length[3]];
                checksum::sum(&[
                    &header_bytes::<20, 4>(header, 12),
                    &destination,
                    &tail,
                    bytes,
                ])
            }
            EnclosingIp::Ip6(header, whole) => {
                let destination = final_destination_ip6(header, whole);
                let tail = [0, 0, 0, protocol];
                let source: [u8; 16] = header_bytes(header, 8);
                checksum::sum(&[&source, &destination, &length, &tail, bytes])
            }
        }
    }
}

/// Returns `M` octets of a header, starting at `at`; all callers pass constants within its length.
#[inline]
fn header_bytes<const N: usize, const M: usize>(header: &[u8; N], at: usize) -> [u8; M] {
    array_at(header, at).unwrap_or([0; M])
}

/// Returns the last address of a source route (RFC 791 section 3.1), which the pseudo-header
/// contains, or the destination.
fn final_destination_ip4(header: &[u8; 20], whole: &[u8]) -> [u8; 4] {
    let length = usize::from(header[0] & 0x0f) * 4;
    let destination = header_bytes(header, 16);
    let Some(mut options) = whole.get(20..length) else {
        return destination;
    };
    while let Some(&kind) = options.first() {
        let size = match (kind, options.get(1)) {
            (0, _) => break,
            (1, _) => 1,
            (_, Some(&size)) if size >= 2 => usize::from(size),
            _ => break,
        };
        let Some((option, rest)) = options.split_at_checked(size) else {
            break;
        };
        if matches!(kind, 131 | 137)
            && size >= 7
            && let Some(last) = option.last_chunk()
        {
            return *last;
        }
        options = rest;
    }
    destination
}

/// Returns the last address of a routing header (RFC 8200 section 4.4, RFC 8754 section 2), or the
/// destination.
fn final_destination_ip6(header: &[u8; 40], whole: &[u8]) -> [u8; 16] {
    let destination = header_bytes(header, 24);
    let (mut kind, mut at) = (header[6], 40);
    while let Some(length) = extension_header_len(kind, whole, at) {
        let Ok(next) = u8_at(whole, at) else {
            return destination;
        };
        kind = next;
        at += length;
    }
    if kind != 43 {
        return destination;
    }
    let (Ok(length), Ok(routing)) = (u8_at(whole, at + 1), u8_at(whole, at + 2)) else {
        return destination;
    };
    let segments = usize::from(length / 2);
    let last = match routing {
        _ if length % 2 == 1 => return destination,
        0 | 2 => (0..segments)
            .map_while(|segment| array_at(whole, at + 8 + segment * 16).ok())
            .last(),
        4 => array_at(whole, at + 8).ok(),
        _ => None,
    };
    last.unwrap_or(destination)
}
