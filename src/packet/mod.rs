//! Core data types: captured frames and decoded packets.

mod brief;
mod lane;
mod link;
mod tcp;
mod time;

pub use brief::Brief;
pub use lane::{Lane, Lanes};
pub use link::LinkType;
pub use tcp::{Tcp, TcpFlags, TcpOption, TcpOptions};
pub use time::{TimeDelta, Timestamp};

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Interface on which frames were captured: a live device, or one described by a capture file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Index among the interfaces of the source, from 0; numbering continues across the sections of
    /// a pcapng file.
    pub id: u32,
    /// Device name (`lo`), if available.
    pub name: Option<String>,
    /// Device description, if available.
    pub description: Option<String>,
    /// Link type of its frames.
    pub link: LinkType,
    /// Snapshot length: maximum number of bytes captured per frame; 0 if unlimited.
    pub snap_len: u32,
    /// Resolution of its timestamps.
    pub resolution: Resolution,
}

/// Timestamp resolution of an interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Resolution {
    /// 10⁻⁶ s or coarser.
    #[default]
    Micro,
    /// Finer than 10⁻⁶ s; lcap stores 10⁻⁹ s.
    Nano,
}

/// One captured frame, not decoded.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Position in the capture, from 1; frames that a filter rejects are counted too.
    pub number: u64,
    /// Capture time.
    pub time: Timestamp,
    /// Interface on which the frame was captured.
    pub interface: &'a Interface,
    /// Link type, which determines the header that `bytes` begins with.
    pub link: LinkType,
    /// Length on the wire in bytes, link header included.
    pub wire_len: u32,
    /// Captured bytes.
    pub bytes: &'a [u8],
    /// Options that a pcapng file records for the frame.
    pub options: FrameOptions<'a>,
}

/// Options of a pcapng packet block (comments, flags, …), unparsed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameOptions<'a> {
    /// Option records (code, length, value, padding), not necessarily complete.
    pub bytes: &'a [u8],
    /// True if the codes and lengths are big-endian.
    pub big_endian: bool,
}

impl<'a> FrameOptions<'a> {
    /// Returns the code and value of each option, up to the end-of-options record or the first
    /// record that is incomplete (padding to four bytes included).
    pub fn records(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let number = match self.big_endian {
            true => u16::from_be_bytes,
            false => u16::from_le_bytes,
        };
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let [c0, c1, l0, l1, value @ ..] = rest else {
                return None;
            };
            let (code, len) = (number([*c0, *c1]), usize::from(number([*l0, *l1])));
            rest = value.get(len.next_multiple_of(4)..).filter(|_| code != 0)?;
            Some((code, &value[..len]))
        })
    }
}

/// A frame, decoded up to the transport layer.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Frame that carried the packet.
    pub frame: &'a Frame<'a>,
    /// Offset of the network-layer header in `frame.bytes`, in bytes.
    pub network_offset: u32,
    /// Set if the packet is a fragment of an IP datagram.
    pub fragment: Option<Fragment>,
    /// Decoded contents.
    pub body: Body<'a>,
}

/// Contents of a packet. Tunnels are not decoded, and neither is the packet quoted by an ICMP
/// error.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// A TCP segment whose header was captured at least up to the window (RFC 9293 section 3.1).
    Tcp {
        /// Source and destination.
        tuple: Tuple,
        /// The header.
        tcp: Tcp<'a>,
        /// The data.
        payload: Payload<'a>,
    },
    /// A UDP datagram with a complete header (RFC 768).
    Udp {
        /// Source and destination.
        tuple: Tuple,
        /// The data.
        payload: Payload<'a>,
    },
    /// Readable part of a truncated or malformed TCP or UDP header.
    Broken {
        /// Source and destination.
        tuple: Tuple,
        /// Fixed part of a TCP header with an impossible data offset.
        tcp: Option<Tcp<'a>>,
        /// Problem found in the header.
        problem: DecodeProblem,
    },
    /// An ICMP (RFC 792) or ICMPv6 (RFC 4443) message.
    Icmp {
        /// Source address.
        src: IpAddr,
        /// Destination address.
        dst: IpAddr,
        /// IANA protocol number: 1 ICMP, 58 ICMPv6.
        proto: u8,
        /// The message, starting at its type octet.
        payload: Payload<'a>,
    },
    /// Any other IP packet, and every fragment except the first.
    Ip {
        /// Source address.
        src: IpAddr,
        /// Destination address.
        dst: IpAddr,
        /// IANA protocol number of the data after the IP header and its extensions.
        proto: u8,
        /// Data after the IP header and its extensions.
        payload: Payload<'a>,
    },
    /// A frame from which no addresses could be read, and the reason.
    Opaque(DecodeProblem),
}

/// Reason why the decoding of a frame stopped. Counted, never an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecodeProblem {
    /// No consumer requires the contents.
    NotDecoded,
    /// lcap does not support the link type.
    UnsupportedLinkType(LinkType),
    /// The frame ends inside its link header.
    TruncatedLink,
    /// Not IP. The value is the EtherType (IEEE 802 numbers); a value below 1536 is an 802.3 length
    /// or the address family of a BSD loopback header.
    NotIp(u16),
    /// The frame ends inside the IP header or its extensions.
    TruncatedIp,
    /// The IP version is neither 4 nor 6.
    BadIpVersion(u8),
    /// A length in the IP header is impossible.
    BadIpLength,
    /// The frame ends inside the TCP, UDP or ICMP header.
    TruncatedTransport,
    /// The TCP data offset or the UDP length is impossible.
    BadTransportLength,
}

impl fmt::Display for DecodeProblem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            DecodeProblem::NotDecoded => f.write_str("not read"),
            DecodeProblem::UnsupportedLinkType(link) => {
                write!(f, "link type {} is not one that lcap reads", link.0)
            }
            DecodeProblem::TruncatedLink => f.write_str("ends inside the link header"),
            DecodeProblem::NotIp(kind) if *kind < 1536 => {
                f.write_str("not IP (802.3 or an unknown family)")
            }
            DecodeProblem::NotIp(kind) => write!(f, "not IP (EtherType 0x{kind:04x})"),
            DecodeProblem::TruncatedIp => f.write_str("ends inside the IP header"),
            DecodeProblem::BadIpVersion(version) => write!(f, "IP version {version}"),
            DecodeProblem::BadIpLength => f.write_str("impossible length in the IP header"),
            DecodeProblem::TruncatedTransport => f.write_str("ends inside the transport header"),
            DecodeProblem::BadTransportLength => {
                f.write_str("impossible length in the transport header")
            }
        }
    }
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

/// Source and destination of a packet, and its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tuple {
    /// Source address and port.
    pub src: SocketAddr,
    /// Destination address and port.
    pub dst: SocketAddr,
    /// IANA protocol number: 6 TCP, 17 UDP.
    pub proto: u8,
}

impl Tuple {
    /// Returns the tuple of the opposite direction.
    pub fn reversed(&self) -> Tuple {
        Tuple {
            src: self.dst,
            dst: self.src,
            proto: self.proto,
        }
    }
}

/// Length of an IPv6 header in bytes; the payload length field does not include it.
const IPV6_HEADER_LEN: u32 = 40;

/// IANA protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IANA protocol number of TCP.
pub const TCP: u8 = 6;
/// IANA protocol number of UDP.
pub const UDP: u8 = 17;
/// IANA protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;

impl Frame<'_> {
    /// Returns the length on the wire, capped at 2 GiB as in Wireshark: a larger value is corrupt.
    #[inline]
    pub fn plausible_len(&self) -> u32 {
        self.wire_len.min(i32::MAX as u32)
    }
}

impl<'a> Packet<'a> {
    /// Returns a packet whose contents are not decoded.
    #[inline]
    pub fn undecoded(frame: &'a Frame<'a>) -> Packet<'a> {
        Packet {
            frame,
            network_offset: 0,
            fragment: None,
            body: Body::Opaque(DecodeProblem::NotDecoded),
        }
    }

    /// Returns the length from the IP header in bytes, header included.
    ///
    /// If the header contains 0 (segmentation offload, BIG TCP), returns the length up to the end
    /// of the frame. Returns 0 if the packet has no IP header.
    #[inline]
    pub fn ip_len(&self) -> u32 {
        let bytes = self.frame.bytes;
        let header = bytes
            .get(self.network_offset as usize..)
            .unwrap_or_default();
        let len = match *header {
            [first, _, a, b, ..] if first >> 4 == 4 => u32::from(u16::from_be_bytes([a, b])),
            [first, _, _, _, a, b, ..] if first >> 4 == 6 => {
                match u32::from(u16::from_be_bytes([a, b])) {
                    0 => 0,
                    len => len + IPV6_HEADER_LEN,
                }
            }
            _ => return 0,
        };
        match len {
            0 => self.frame.wire_len.saturating_sub(self.network_offset),
            len => len,
        }
    }

    /// Returns the source and destination addresses if the packet is IP.
    pub fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        match self.body {
            Body::Tcp { tuple, .. } | Body::Udp { tuple, .. } | Body::Broken { tuple, .. } => {
                Some((tuple.src.ip(), tuple.dst.ip()))
            }
            Body::Icmp { src, dst, .. } | Body::Ip { src, dst, .. } => Some((src, dst)),
            Body::Opaque(_) => None,
        }
    }

    /// Returns the source and destination ports if the packet has ports.
    #[inline]
    pub fn ports(&self) -> Option<(u16, u16)> {
        match &self.body {
            Body::Tcp { tuple, .. } | Body::Udp { tuple, .. } | Body::Broken { tuple, .. } => {
                Some((tuple.src.port(), tuple.dst.port()))
            }
            _ => None,
        }
    }

    /// Returns the source, destination and protocol if the packet has ports.
    pub fn tuple(&self) -> Option<Tuple> {
        match self.body {
            Body::Tcp { tuple, .. } | Body::Udp { tuple, .. } | Body::Broken { tuple, .. } => {
                Some(tuple)
            }
            _ => None,
        }
    }
}
