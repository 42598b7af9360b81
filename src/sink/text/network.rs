//! The IP header that a TCP or UDP header came in: who sends to whom, and the pseudo-header of their checksums
//! (RFC 9293 section 3.1, RFC 8200 section 8.1).

use super::address;
use super::printer::{Printer, array_at, u8_at};
use super::sequence::End;
use super::{checksum, number};

/// An IP header, whole but for its options, and everything after it up to the end of the IP packet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Network<'a> {
    /// IPv4.
    Ip4(&'a [u8; 20], &'a [u8]),
    /// IPv6.
    Ip6(&'a [u8; 40], &'a [u8]),
}

/// How an extension header of IPv6 gives its length, as far as one is passed over on the way to a routing header.
fn extension_length(kind: u8, bytes: &[u8], at: usize) -> Option<usize> {
    match kind {
        0 | 60 | 62 | 135 => Some((usize::from(*bytes.get(at + 1)?) + 1) * 8),
        44 => Some(8),
        _ => None,
    }
}

impl Network<'_> {
    /// The protocol number in the header itself.
    #[inline]
    pub(super) fn protocol(&self) -> u8 {
        match self {
            Network::Ip4(header, _) => header[9],
            Network::Ip6(header, _) => header[6],
        }
    }

    /// `src.port > dst.port: `; without the addresses where the header of `protocol` is not next to the IP header,
    /// because the line has them already then.
    #[inline]
    pub(super) fn ends(&self, p: &mut Printer, protocol: u8, ports: [u16; 2]) {
        let next = self.protocol() == protocol;
        if next {
            self.source(p.out);
            p.out.push(b'.');
        }
        number::decimal(p.out, u32::from(ports[0]));
        p.text(" > ");
        if next {
            self.destination(p.out);
            p.out.push(b'.');
        }
        number::decimal(p.out, u32::from(ports[1]));
        p.text(": ");
    }

    /// `src > dst`.
    pub(super) fn addresses(&self, p: &mut Printer) {
        self.source(p.out);
        p.text(" > ");
        self.destination(p.out);
    }

    #[inline]
    fn source(&self, out: &mut Vec<u8>) {
        match self {
            Network::Ip4(header, _) => address::ip4(out, part(header, 12)),
            Network::Ip6(header, _) => address::ip6(out, part(header, 8)),
        }
    }

    #[inline]
    fn destination(&self, out: &mut Vec<u8>) {
        match self {
            Network::Ip4(header, _) => address::ip4(out, part(header, 16)),
            Network::Ip6(header, _) => address::ip6(out, part(header, 24)),
        }
    }

    /// Sender and receiver as the table of sequence numbers keeps them.
    #[inline]
    pub(super) fn connection(&self, ports: [u16; 2]) -> (End, End) {
        match self {
            Network::Ip4(header, _) => (
                End::version_4(part(header, 12), ports[0]),
                End::version_4(part(header, 16), ports[1]),
            ),
            Network::Ip6(header, _) => (
                End::version_6(part(header, 8), ports[0]),
                End::version_6(part(header, 24), ports[1]),
            ),
        }
    }

    /// The checksum of a segment or datagram with its pseudo-header; 0 is correct.
    pub(super) fn checksum(&self, protocol: u8, bytes: &[u8]) -> u16 {
        let length = (bytes.len() as u32).to_be_bytes();
        match self {
            Network::Ip4(header, whole) => {
                let destination = final_ip4(header, whole);
                let tail = [0, protocol, length[2], length[3]];
                checksum::sum(&[&part::<20, 4>(header, 12), &destination, &tail, bytes])
            }
            Network::Ip6(header, whole) => {
                let destination = final_ip6(header, whole);
                let tail = [0, 0, 0, protocol];
                let source: [u8; 16] = part(header, 8);
                checksum::sum(&[&source, &destination, &length, &tail, bytes])
            }
        }
    }
}

/// `M` octets of a header, from `at` on; both are constants wherever this is called.
#[inline]
fn part<const N: usize, const M: usize>(header: &[u8; N], at: usize) -> [u8; M] {
    array_at(header, at).unwrap_or([0; M])
}

/// Where a source route ends (RFC 791 section 3.1): that address is in the pseudo-header.
fn final_ip4(header: &[u8; 20], whole: &[u8]) -> [u8; 4] {
    let length = usize::from(header[0] & 0x0f) * 4;
    let destination = part(header, 16);
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

/// Where a routing header leads to (RFC 8200 section 4.4, RFC 8754 section 2).
fn final_ip6(header: &[u8; 40], whole: &[u8]) -> [u8; 16] {
    let destination = part(header, 24);
    let (mut kind, mut at) = (header[6], 40);
    while let Some(length) = extension_length(kind, whole, at) {
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
