//! Decoding of frames into packets; the only module that uses etherparse.
//!
//! Decoding never returns an error: a frame that cannot be decoded results in a packet with a
//! [`DecodeProblem`].
//!
//! Header lengths are trusted only up to the end of the frame: `len` is the length according to the
//! IP header, limited to the length on the wire; `bytes` is the captured part. An IPv4 total length
//! of 0 (segmentation offload, BIG TCP) is read as the length up to the end of the frame; an IPv6
//! payload length of 0 requires the jumbo option (RFC 2675).

mod brief;
mod icmp_error;
mod ip;
mod link;
mod transport;

pub use brief::{Usual, brief, usual};
pub use icmp_error::quoted_tuple;

use std::net::IpAddr;

use crate::packet::{Body, DecodeProblem, Frame, Packet, Payload};

/// Decodes a frame up to the transport layer.
#[inline]
pub fn decode<'a>(frame: &'a Frame<'a>) -> Packet<'a> {
    let opaque = |problem| Packet {
        frame,
        network_offset: 0,
        fragment: None,
        body: Body::Opaque(problem),
    };
    let (network, at) = match link::network_layer(frame.link, frame.bytes) {
        Ok(found) => found,
        Err(problem) => return opaque(problem),
    };
    let bytes = frame.bytes.get(at..).unwrap_or_default();
    let wire_len = wire_len(frame, at);
    let packet = |fragment, body| Packet {
        frame,
        network_offset: at as u32,
        fragment,
        body,
    };
    let problem = match (network, bytes.first().map(|first| first >> 4)) {
        (NetworkLayer::Ipv4 | NetworkLayer::Either, Some(4)) => {
            match ip::parse_ipv4(bytes, wire_len) {
                Ok(datagram) => return packet(datagram.fragment, transport::body(&datagram)),
                Err(problem) => problem,
            }
        }
        (NetworkLayer::Ipv6 | NetworkLayer::Either, Some(6)) => {
            match ip::parse_ipv6(bytes, wire_len) {
                Ok(datagram) => return packet(datagram.fragment, transport::body(&datagram)),
                Err(problem) => problem,
            }
        }
        (_, Some(version)) => DecodeProblem::BadIpVersion(version),
        (_, None) => DecodeProblem::TruncatedIp,
    };
    packet(None, Body::Opaque(problem))
}

/// Returns the IANA protocol number and the data of a fragment: the bytes after its IP header.
pub fn fragment_payload<'a>(packet: &Packet<'a>) -> Option<(u8, Payload<'a>)> {
    let frame = packet.frame;
    let bytes = frame.bytes.get(packet.network_offset as usize..)?;
    let wire_len = wire_len(frame, packet.network_offset as usize);
    match bytes.first()? >> 4 {
        4 => ip::parse_ipv4(bytes, wire_len)
            .ok()
            .map(|datagram| (datagram.proto, datagram.payload)),
        _ => ip::parse_ipv6(bytes, wire_len)
            .ok()
            .map(|datagram| (datagram.proto, datagram.payload)),
    }
}

/// Returns the number of bytes on the wire from `at`, an offset within the frame, to its end.
///
/// A capture record may give a wire length below its number of captured bytes; the greater of the
/// two is used.
#[inline]
fn wire_len(frame: &Frame, at: usize) -> usize {
    (frame.plausible_len() as usize).max(frame.bytes.len()) - at
}

/// Decodes the contents of a datagram reassembled from its fragments.
pub fn decode_reassembled(src: IpAddr, dst: IpAddr, proto: u8, payload: Payload<'_>) -> Body<'_> {
    transport::body(&ip::IpDatagram {
        src,
        dst,
        proto,
        fragment: None,
        payload,
    })
}

/// Network layer according to a link header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NetworkLayer {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// IPv4 or IPv6, by the first nibble (the version).
    Either,
}

/// Parsed header, or the problem with it.
type DecodeResult<T> = Result<T, DecodeProblem>;
