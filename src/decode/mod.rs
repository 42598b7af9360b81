//! Decoding of frames into packets; the only module that uses etherparse.
//!
//! Decoding never returns an error: a frame that cannot be decoded results in a packet with a
//! [`DecodeProblem`].
//!
//! Header lengths are trusted only up to the end of the frame: `len` is the length according to the
//! IP header, limited to the length on the wire; `bytes` is the captured part. An IPv4 total length
//! of 0 (segmentation offload, BIG TCP) is read as the length up to the end of the frame; an IPv6
//! payload length of 0 requires the jumbo option (RFC 2675).

mod icmp_error;
mod ip;
mod link;
mod transport;

pub use icmp_error::quoted_endpoints;

use crate::packet::{DecodeProblem, Frame, Layers, Packet};

/// Decodes a frame up to the transport layer. The owners are attached later.
#[inline]
pub fn decode<'a>(frame: &'a Frame<'a>) -> Packet<'a> {
    Packet {
        frame,
        layers: layers(frame),
        owners: None,
    }
}

fn layers(frame: &Frame) -> Layers {
    parse_layers(frame).unwrap_or_else(Layers::opaque)
}

#[inline(always)]
fn parse_layers(frame: &Frame) -> DecodeResult<Layers> {
    let (network, at) = link::network_layer(frame.link, frame.bytes)?;
    let bytes = frame.bytes.get(at..).unwrap_or_default();
    let wire_len = (frame.plausible_len() as usize).max(frame.bytes.len()) - at;
    let version = bytes.first().map(|first| first >> 4);
    let (ip_version, datagram) = match (network, version) {
        (NetworkLayer::Ipv4 | NetworkLayer::Either, Some(4)) => {
            (4, ip::parse_ipv4(bytes, wire_len)?)
        }
        (NetworkLayer::Ipv6 | NetworkLayer::Either, Some(6)) => {
            (6, ip::parse_ipv6(bytes, wire_len)?)
        }
        (_, Some(version)) => return Err(DecodeProblem::BadIpVersion(version)),
        (_, None) => return Err(DecodeProblem::TruncatedIp),
    };
    let parsed = transport::parse(&datagram);
    let transport = (at + datagram.transport) as u32;
    Ok(Layers {
        kind: parsed.kind,
        problem: parsed.problem,
        proto: datagram.proto,
        ip_version,
        is_fragment: datagram.fragment.is_some(),
        network: at as u32,
        fragment: (at + datagram.fragment.unwrap_or_default()) as u32,
        transport,
        payload: transport + parsed.header_len,
        payload_len: parsed.payload_len,
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
