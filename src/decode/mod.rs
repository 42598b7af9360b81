//! Frame to packet: the one door to etherparse. It cannot fail; what it does not understand it names ([`Reason`]).
//!
//! Header lengths are believed only as far as the frame reaches: `len` values come from the IP header, cut to what was on the
//! wire; `bytes` are what was captured of them. A total length of 0 is segmentation offload or BIG TCP, and means "to the end
//! of the frame"; an IPv6 payload length of 0 needs the jumbo option (RFC 2675).

mod brief;
mod ip;
mod link;
mod quoted;
mod transport;

pub use brief::{Usual, brief, usual};
pub use quoted::quoted;

use std::net::IpAddr;

use crate::packet::{Body, Frame, Packet, Payload, Reason};

/// Reads a frame as far as lcap understands it.
#[inline]
pub fn decode<'a>(frame: &'a Frame<'a>) -> Packet<'a> {
    let opaque = |reason| Packet {
        frame,
        network: 0,
        fragment: None,
        body: Body::Opaque(reason),
    };
    let (network, at) = match link::network(frame.link, frame.bytes) {
        Ok(found) => found,
        Err(reason) => return opaque(reason),
    };
    let bytes = frame.bytes.get(at..).unwrap_or_default();
    let wire = wire_len(frame, at);
    let packet = |fragment, body| Packet {
        frame,
        network: at as u32,
        fragment,
        body,
    };
    let reason = match (network, bytes.first().map(|first| first >> 4)) {
        (Network::Ip4 | Network::Either, Some(4)) => match ip::version_4(bytes, wire) {
            Ok(datagram) => return packet(datagram.fragment, transport::body(&datagram)),
            Err(reason) => reason,
        },
        (Network::Ip6 | Network::Either, Some(6)) => match ip::version_6(bytes, wire) {
            Ok(datagram) => return packet(datagram.fragment, transport::body(&datagram)),
            Err(reason) => reason,
        },
        (_, Some(version)) => Reason::BadIpVersion(version),
        (_, None) => Reason::CutIp,
    };
    packet(None, Body::Opaque(reason))
}

/// The IANA protocol number and the contents of a fragment: what follows its IP header, whatever that is a part of.
pub fn fragment_contents<'a>(packet: &Packet<'a>) -> Option<(u8, Payload<'a>)> {
    let frame = packet.frame;
    let bytes = frame.bytes.get(packet.network as usize..)?;
    let wire = wire_len(frame, packet.network as usize);
    match bytes.first()? >> 4 {
        4 => ip::version_4(bytes, wire)
            .ok()
            .map(|datagram| (datagram.proto, datagram.payload)),
        _ => ip::version_6(bytes, wire)
            .ok()
            .map(|datagram| (datagram.proto, datagram.payload)),
    }
}

/// How many bytes stood on the wire from `at` on, which is within the frame. A record may claim fewer than it holds; what is here was
/// there.
#[inline]
fn wire_len(frame: &Frame, at: usize) -> usize {
    (frame.plausible_len() as usize).max(frame.bytes.len()) - at
}

/// What a whole datagram carries whose fragments were put together.
pub fn contents(src: IpAddr, dst: IpAddr, proto: u8, payload: Payload<'_>) -> Body<'_> {
    transport::body(&ip::Datagram {
        src,
        dst,
        proto,
        fragment: None,
        payload,
    })
}

/// What a link header says follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    /// IPv4.
    Ip4,
    /// IPv6.
    Ip6,
    /// IP of the version that its first nibble says.
    Either,
}

/// An impossible or cut header.
type Read<T> = Result<T, Reason>;
