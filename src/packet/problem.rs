//! Problems found while decoding a frame.

use std::fmt;

use super::LinkType;

/// Reason why the decoding of a frame stopped. Counted, never an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecodeProblem {
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
