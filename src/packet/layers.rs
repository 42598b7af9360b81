//! Decoded packets: a frame and the offsets of its headers, which are read on demand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{DecodeProblem, Endpoints, Frame, Tcp, TcpFlags};
use crate::process::Owners;

/// A frame, decoded up to the transport layer. Tunnels are not decoded, and neither is the packet
/// quoted by an ICMP error.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Frame that carried the packet.
    pub frame: &'a Frame<'a>,
    /// Offsets and lengths of the headers.
    pub(crate) layers: Layers,
    /// Owners of the two ends, as far as they are identified: `orig` is the owner of the sender.
    pub owners: Option<&'a Owners>,
}

/// Offsets and lengths of a frame's headers, in bytes; all offsets count from the start of the
/// frame. Addresses, ports and fields are read from the frame when they are needed.
///
/// ```text
///  0             network             transport            payload        payload + payload_len
///  | link header | IP header, ext. … | TCP or UDP header  | data         | padding
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layers {
    /// Kind of packet.
    pub(crate) kind: PacketKind,
    /// Problem found while decoding; always set for [`PacketKind::Broken`] and
    /// [`PacketKind::Opaque`], and never for others.
    pub(crate) problem: Option<DecodeProblem>,
    /// IANA protocol number of the data after the IP header and its extensions.
    pub(crate) proto: u8,
    /// IP version, 4 or 6; 0 if no IP header could be read.
    pub(crate) ip_version: u8,
    /// True if the packet is a fragment of an IP datagram.
    pub(crate) is_fragment: bool,
    /// Offset of the IP header.
    pub(crate) network: u32,
    /// Offset of the header that contains the fragment fields, if the packet is a fragment.
    pub(crate) fragment: u32,
    /// Offset of the data after the IP header and its extensions.
    pub(crate) transport: u32,
    /// Offset of the data after the transport header; it may exceed the captured bytes. For ICMP,
    /// other protocols and broken headers it is `transport`.
    pub(crate) payload: u32,
    /// Length of the payload on the wire.
    pub(crate) payload_len: u32,
}

/// Kind of a packet, by the transport header that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketKind {
    /// A TCP segment whose header was captured at least up to the window (RFC 9293 section 3.1).
    Tcp,
    /// A UDP datagram with a complete header (RFC 768).
    Udp,
    /// A truncated or malformed TCP or UDP header of which at least the ports were captured.
    Broken,
    /// An ICMP (RFC 792) or ICMPv6 (RFC 4443) message.
    Icmp,
    /// Any other IP packet, and every fragment except the first.
    Ip,
    /// A frame from which no addresses could be read.
    Opaque,
}

/// Position of a fragment in its datagram (RFC 791 section 2.3, RFC 8200 section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Identification field of the datagram.
    pub id: u32,
    /// Offset of the fragment's data in the datagram, in bytes.
    pub offset: u32,
    /// True if more fragments follow.
    pub more_fragments: bool,
}

/// Data that a header announces, and its captured part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Payload<'a> {
    /// Captured bytes; fewer than `len` if the snapshot length cut the frame.
    pub bytes: &'a [u8],
    /// Length on the wire, in bytes.
    pub len: u32,
}

/// Length of an IPv6 header in bytes; the payload length field does not include it.
const IPV6_HEADER_LEN: u32 = 40;
/// Length of a TCP header without options, in bytes.
pub(crate) const MIN_TCP_HEADER_LEN: usize = 20;

impl Layers {
    /// Layers of a frame without readable addresses.
    pub(crate) const fn opaque(problem: DecodeProblem) -> Layers {
        Layers {
            kind: PacketKind::Opaque,
            problem: Some(problem),
            proto: 0,
            ip_version: 0,
            is_fragment: false,
            network: 0,
            fragment: 0,
            transport: 0,
            payload: 0,
            payload_len: 0,
        }
    }
}

impl<'a> Packet<'a> {
    /// Returns the kind of packet.
    #[inline]
    pub fn kind(&self) -> PacketKind {
        self.layers.kind
    }

    /// Returns the problem that ended the decoding, for a packet of the kinds
    /// [`Broken`](PacketKind::Broken) and [`Opaque`](PacketKind::Opaque).
    #[inline]
    pub fn problem(&self) -> Option<DecodeProblem> {
        self.layers.problem
    }

    /// Returns the IANA protocol number of the data after the IP header and its extensions, if the
    /// packet is IP.
    #[inline]
    pub fn ip_proto(&self) -> Option<u8> {
        (self.layers.kind != PacketKind::Opaque).then_some(self.layers.proto)
    }

    /// Returns the source and destination addresses, if the packet is IP.
    pub fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        let header = self.bytes_from(self.layers.network);
        match self.layers.ip_version {
            4 => {
                let [src, dst] = ipv4_addresses(header)?.map(Ipv4Addr::from);
                Some((src.into(), dst.into()))
            }
            6 => {
                let [src, dst] = ipv6_addresses(header)?.map(Ipv6Addr::from);
                Some((src.into(), dst.into()))
            }
            _ => None,
        }
    }

    /// Returns true if the packet has ports.
    #[inline]
    pub fn has_ports(&self) -> bool {
        use PacketKind::{Broken, Tcp, Udp};
        matches!(self.layers.kind, Tcp | Udp | Broken)
    }

    /// Returns the source and destination ports, if the packet has ports.
    #[inline]
    pub fn ports(&self) -> Option<(u16, u16)> {
        let transport = self.bytes_from(self.layers.transport);
        match *transport {
            [a, b, c, d, ..] if self.has_ports() => {
                Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
            }
            _ => None,
        }
    }

    /// Returns the source, destination and protocol, if the packet has ports.
    #[inline]
    pub fn endpoints(&self) -> Option<Endpoints> {
        let (src, dst) = self.ports()?;
        self.endpoints_with_ports([src, dst])
    }

    /// Returns the source, destination and protocol of an IP packet, with these ports.
    #[inline]
    pub(crate) fn endpoints_with_ports(&self, ports: [u16; 2]) -> Option<Endpoints> {
        let header = self.bytes_from(self.layers.network);
        let proto = self.layers.proto;
        match self.layers.ip_version {
            4 => {
                let [src, dst] = ipv4_addresses(header)?;
                Some(Endpoints::from_ipv4(src, dst, ports, proto))
            }
            6 => {
                let [src, dst] = ipv6_addresses(header)?;
                Some(Endpoints::from_ipv6(src, dst, ports, proto))
            }
            _ => None,
        }
    }

    /// Returns the TCP header of a segment.
    #[inline]
    pub fn tcp(&self) -> Option<Tcp<'a>> {
        match self.layers.kind {
            PacketKind::Tcp => self.tcp_header(),
            _ => None,
        }
    }

    /// Returns the readable part of a TCP header with an impossible data offset.
    pub fn broken_tcp(&self) -> Option<Tcp<'a>> {
        let is_broken = self.layers.kind == PacketKind::Broken
            && self.layers.proto == super::TCP
            && self.layers.problem == Some(DecodeProblem::BadTransportLength);
        is_broken.then(|| self.tcp_header())?
    }

    /// Returns the data after the transport header, or after the IP header and its extensions if
    /// lcap decodes no header there. For ICMP the data starts at the type octet.
    #[inline]
    pub fn payload(&self) -> Payload<'a> {
        let Layers {
            payload,
            payload_len,
            ..
        } = self.layers;
        let captured = self.bytes_from(payload);
        Payload {
            bytes: captured.get(..payload_len as usize).unwrap_or(captured),
            len: payload_len,
        }
    }

    /// Returns the data after the IP header and its extensions.
    pub(crate) fn ip_payload(&self) -> Payload<'a> {
        let header_len = self.layers.transport - self.layers.network;
        let len = self.ip_len().min(self.wire_len_from_network());
        let len = len.saturating_sub(header_len);
        let captured = self.bytes_from(self.layers.transport);
        Payload {
            bytes: captured.get(..len as usize).unwrap_or(captured),
            len,
        }
    }

    /// Returns true if extension headers follow the IPv6 header, captured or not.
    pub(crate) fn has_ipv6_extensions(&self) -> bool {
        let Layers {
            network,
            transport,
            proto,
            ..
        } = self.layers;
        // Hop-by-hop options, routing, fragment and destination options.
        let is_extension = matches!(proto, 0 | 43 | 44 | 60);
        self.layers.ip_version == 6 && (is_extension || transport - network > IPV6_HEADER_LEN)
    }

    /// Returns the position of the fragment, if the packet is a fragment of an IP datagram.
    #[inline]
    pub fn fragment(&self) -> Option<Fragment> {
        if !self.layers.is_fragment {
            return None;
        }
        let header = self.bytes_from(self.layers.fragment);
        match (self.layers.ip_version, header) {
            (4, &[_, _, _, _, i0, i1, high, low, ..]) => Some(Fragment {
                id: u32::from(u16::from_be_bytes([i0, i1])),
                offset: u32::from(u16::from_be_bytes([high & 0x1f, low])) * 8,
                more_fragments: high & 0x20 != 0,
            }),
            (6, &[_, _, high, low, i0, i1, i2, i3, ..]) => Some(Fragment {
                id: u32::from_be_bytes([i0, i1, i2, i3]),
                offset: u32::from(u16::from_be_bytes([high, low & 0xf8])),
                more_fragments: low & 1 != 0,
            }),
            _ => None,
        }
    }

    /// Returns the length from the IP header in bytes, header included.
    ///
    /// If the header contains 0 (segmentation offload, BIG TCP), returns the length up to the end
    /// of the frame. Returns 0 if the packet has no IP header.
    #[inline]
    pub fn ip_len(&self) -> u32 {
        let len = match (self.layers.ip_version, self.bytes_from(self.layers.network)) {
            (4, &[_, _, a, b, ..]) => u32::from(u16::from_be_bytes([a, b])),
            (6, &[_, _, _, _, a, b, ..]) => match u32::from(u16::from_be_bytes([a, b])) {
                0 => 0,
                len => len + IPV6_HEADER_LEN,
            },
            _ => return 0,
        };
        match len {
            0 => self.frame.wire_len.saturating_sub(self.layers.network),
            len => len,
        }
    }

    /// Returns the identification field of an IPv4 header.
    pub(crate) fn ip_id(&self) -> Option<u16> {
        match (self.layers.ip_version, self.bytes_from(self.layers.network)) {
            (4, &[_, _, _, _, a, b, ..]) => Some(u16::from_be_bytes([a, b])),
            _ => None,
        }
    }

    /// Returns the number of bytes on the wire from the IP header to the end of the frame. A
    /// capture record may give a wire length below its number of captured bytes; the greater of
    /// the two is used.
    fn wire_len_from_network(&self) -> u32 {
        let len = (self.frame.plausible_len() as usize).max(self.frame.bytes.len()) as u32;
        len.saturating_sub(self.layers.network)
    }

    /// Returns the TCP header at the transport offset.
    #[inline]
    fn tcp_header(&self) -> Option<Tcp<'a>> {
        let bytes = self.bytes_from(self.layers.transport);
        let (words, _) = bytes.first_chunk::<16>()?.as_chunks::<4>();
        let [_, seq, ack, [high, low, window @ ..]] = *words else {
            return None;
        };
        let header_len = usize::from(high >> 4) * 4;
        // The header is announced by the IP header, or it is broken.
        let end = (self.layers.payload + self.layers.payload_len - self.layers.transport) as usize;
        Some(Tcp {
            seq: u32::from_be_bytes(seq),
            ack: u32::from_be_bytes(ack),
            flags: TcpFlags(u16::from_be_bytes([high & 1, low])),
            window: u16::from_be_bytes(window),
            urgent: match bytes.get(18..MIN_TCP_HEADER_LEN) {
                Some(&[u0, u1]) => u16::from_be_bytes([u0, u1]),
                _ => 0,
            },
            options: bytes
                .get(MIN_TCP_HEADER_LEN..header_len.min(end).min(bytes.len()))
                .unwrap_or_default(),
        })
    }

    #[inline]
    fn bytes_from(&self, at: u32) -> &'a [u8] {
        self.frame.bytes.get(at as usize..).unwrap_or_default()
    }
}

#[inline]
fn ipv4_addresses(header: &[u8]) -> Option<[[u8; 4]; 2]> {
    let (pair, _) = header.get(12..20)?.as_chunks::<4>();
    Some([*pair.first()?, *pair.get(1)?])
}

#[inline]
fn ipv6_addresses(header: &[u8]) -> Option<[[u8; 16]; 2]> {
    let (pair, _) = header.get(8..40)?.as_chunks::<16>();
    Some([*pair.first()?, *pair.get(1)?])
}

#[cfg(test)]
mod tests {
    use super::Layers;

    #[test]
    fn layers_are_at_most_32_bytes() {
        assert!(size_of::<Layers>() <= 32, "{}", size_of::<Layers>());
    }
}
