//! The nouns: frames as they were captured, packets as they were understood.

mod brief;
mod lane;
mod link;
mod tcp;
mod time;

pub use brief::Brief;
pub use lane::{Lane, Lanes};
pub use link::LinkType;
pub use tcp::{Flags, Tcp, TcpOption, TcpOptions};
pub use time::{Span, Timestamp};

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Where frames were captured: a live device, or an interface that a capture file describes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Position in the source's list, from 0; it counts on over the sections of a pcapng file.
    pub id: u32,
    /// The device's name (`lo`), where known.
    pub name: Option<String>,
    /// The device's description, where known.
    pub description: Option<String>,
    /// How its frames begin.
    pub link: LinkType,
    /// The most bytes that were kept of a frame; 0 is no limit.
    pub snap_len: u32,
    /// How fine the time stamps are.
    pub resolution: Resolution,
}

/// How fine the time stamps of an interface are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Resolution {
    /// 10⁻⁶ s or coarser.
    #[default]
    Micro,
    /// Finer than 10⁻⁶ s; lcap keeps 10⁻⁹ s.
    Nano,
}

/// One frame as it was captured: nothing of it is interpreted.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Position in the capture, from 1; frames that a filter leaves out count too.
    pub number: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// Where it was captured.
    pub interface: &'a Interface,
    /// How its bytes begin.
    pub link: LinkType,
    /// Its length on the wire, in bytes, with the link header.
    pub wire_len: u32,
    /// What was captured of it.
    pub bytes: &'a [u8],
    /// What a pcapng file says about it beside its bytes.
    pub options: Options<'a>,
}

/// The options of a pcapng packet block (comments, flags, …), as they stand in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options<'a> {
    /// Option records (code, length, value, padding), without a guarantee that they are whole.
    pub bytes: &'a [u8],
    /// Whether their numbers are big-endian.
    pub big_endian: bool,
}

impl<'a> Options<'a> {
    /// Each option's code and value, up to the end of options or one that is not whole with its padding to four bytes.
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

/// One frame, understood as far as lcap reads.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// The frame it came in.
    pub frame: &'a Frame<'a>,
    /// Where the network layer begins in `frame.bytes`, in bytes.
    pub network: u32,
    /// Set where the packet is a fragment of an IP datagram.
    pub fragment: Option<Fragment>,
    /// What is in it.
    pub body: Body<'a>,
}

/// What a packet carries. Tunnels are not opened; an ICMP error is the outer packet.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// A TCP segment with its header at least to the window (RFC 9293 section 3.1).
    Tcp {
        /// Who sends to whom.
        tuple: Tuple,
        /// The header.
        tcp: Tcp<'a>,
        /// The data.
        payload: Payload<'a>,
    },
    /// A UDP datagram with its whole header (RFC 768).
    Udp {
        /// Who sends to whom.
        tuple: Tuple,
        /// The data.
        payload: Payload<'a>,
    },
    /// A TCP or UDP header that is cut or impossible: what can be read of it.
    Broken {
        /// Who sends to whom.
        tuple: Tuple,
        /// The fixed part of a TCP header with an impossible data offset.
        tcp: Option<Tcp<'a>>,
        /// What is wrong with it.
        reason: Reason,
    },
    /// An ICMP (RFC 792) or ICMPv6 (RFC 4443) message.
    Icmp {
        /// The sender.
        src: IpAddr,
        /// The receiver.
        dst: IpAddr,
        /// 1 or 58, as IANA numbers them.
        proto: u8,
        /// The message, from its type octet on.
        payload: Payload<'a>,
    },
    /// Any other IP packet, and every fragment but the first.
    Ip {
        /// The sender.
        src: IpAddr,
        /// The receiver.
        dst: IpAddr,
        /// IANA's protocol number of what follows the IP header and its extensions.
        proto: u8,
        /// What follows them.
        payload: Payload<'a>,
    },
    /// Nothing that lcap reads addresses from, and why.
    Opaque(Reason),
}

/// Why a frame was not understood (further). Counted, never an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nobody needed to know what is in it.
    NotRead,
    /// The link type is not one that lcap reads.
    UnknownLink(LinkType),
    /// The frame ends inside its link header.
    CutLink,
    /// Not IP; the EtherType (IEEE 802 numbers) says what it is. Below 1536 it is an 802.3 length.
    NotIp(u16),
    /// The frame ends inside the IP header or its extensions.
    CutIp,
    /// The IP version is neither 4 nor 6.
    BadIpVersion(u8),
    /// A length in the IP header is impossible.
    BadIpLength,
    /// The frame ends inside the TCP, UDP or ICMP header.
    CutTransport,
    /// The TCP data offset or the UDP length is impossible.
    BadTransportLength,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Reason::NotRead => f.write_str("not read"),
            Reason::UnknownLink(link) => {
                write!(f, "link type {} is not one that lcap reads", link.0)
            }
            Reason::CutLink => f.write_str("ends inside the link header"),
            Reason::NotIp(kind) if *kind < 1536 => {
                f.write_str("not IP (802.3 or an unknown family)")
            }
            Reason::NotIp(kind) => write!(f, "not IP (EtherType 0x{kind:04x})"),
            Reason::CutIp => f.write_str("ends inside the IP header"),
            Reason::BadIpVersion(version) => write!(f, "IP version {version}"),
            Reason::BadIpLength => f.write_str("impossible length in the IP header"),
            Reason::CutTransport => f.write_str("ends inside the transport header"),
            Reason::BadTransportLength => f.write_str("impossible length in the transport header"),
        }
    }
}

/// A fragment's place in its datagram (RFC 791 section 2.3, RFC 8200 section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// The datagram's identification.
    pub id: u32,
    /// Offset of the fragment's first byte, in bytes.
    pub offset: u32,
    /// Whether more fragments follow.
    pub more: bool,
}

/// Bytes that a header announced, and those of them that were captured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Payload<'a> {
    /// What was captured; shorter than `len` where the snap length cut it.
    pub bytes: &'a [u8],
    /// How long it was on the wire.
    pub len: u32,
}

/// Who sends to whom: directed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tuple {
    /// The sender.
    pub src: SocketAddr,
    /// The receiver.
    pub dst: SocketAddr,
    /// IANA's protocol number: 6 TCP, 17 UDP.
    pub proto: u8,
}

impl Tuple {
    /// The way back.
    pub fn reversed(&self) -> Tuple {
        Tuple {
            src: self.dst,
            dst: self.src,
            proto: self.proto,
        }
    }
}

/// Length of an IPv6 header, which its payload length leaves out, in bytes.
const IPV6_HEADER: u32 = 40;

/// IANA's number of ICMP.
pub const ICMP: u8 = 1;
/// IANA's number of TCP.
pub const TCP: u8 = 6;
/// IANA's number of UDP.
pub const UDP: u8 = 17;
/// IANA's number of ICMPv6.
pub const ICMPV6: u8 = 58;

impl Frame<'_> {
    /// Its length on the wire as far as that can be: what claims to be longer than 2 GiB is damaged, and taken for that long, as
    /// Wireshark does.
    #[inline]
    pub fn plausible_len(&self) -> u32 {
        self.wire_len.min(i32::MAX as u32)
    }
}

impl<'a> Packet<'a> {
    /// A packet that nobody looks into.
    #[inline]
    pub fn not_read(frame: &'a Frame<'a>) -> Packet<'a> {
        Packet {
            frame,
            network: 0,
            fragment: None,
            body: Body::Opaque(Reason::NotRead),
        }
    }

    /// Its length as the IP header gives it, header included, in bytes; where that says 0 (segmentation offload, BIG TCP) to the end
    /// of the frame, and 0 where there is no IP header.
    #[inline]
    pub fn ip_len(&self) -> u32 {
        let bytes = self.frame.bytes;
        let header = bytes.get(self.network as usize..).unwrap_or_default();
        let len = match *header {
            [first, _, a, b, ..] if first >> 4 == 4 => u32::from(u16::from_be_bytes([a, b])),
            [first, _, _, _, a, b, ..] if first >> 4 == 6 => {
                match u32::from(u16::from_be_bytes([a, b])) {
                    0 => 0,
                    len => len + IPV6_HEADER,
                }
            }
            _ => return 0,
        };
        match len {
            0 => self.frame.wire_len.saturating_sub(self.network),
            len => len,
        }
    }

    /// Sender and receiver, where the packet is IP.
    pub fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        match self.body {
            Body::Tcp { tuple, .. } | Body::Udp { tuple, .. } | Body::Broken { tuple, .. } => {
                Some((tuple.src.ip(), tuple.dst.ip()))
            }
            Body::Icmp { src, dst, .. } | Body::Ip { src, dst, .. } => Some((src, dst)),
            Body::Opaque(_) => None,
        }
    }

    /// Source and destination port, where the packet has them.
    #[inline]
    pub fn ports(&self) -> Option<(u16, u16)> {
        match &self.body {
            Body::Tcp { tuple, .. } | Body::Udp { tuple, .. } | Body::Broken { tuple, .. } => {
                Some((tuple.src.port(), tuple.dst.port()))
            }
            _ => None,
        }
    }

    /// Who sends to whom, where the packet has ports.
    pub fn tuple(&self) -> Option<Tuple> {
        match self.body {
            Body::Tcp { tuple, .. } | Body::Udp { tuple, .. } | Body::Broken { tuple, .. } => {
                Some(tuple)
            }
            _ => None,
        }
    }
}
