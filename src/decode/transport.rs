//! TCP, UDP and ICMP headers (RFC 9293, RFC 768, RFC 792, RFC 4443).

use std::net::{IpAddr, SocketAddr};

use etherparse::{TcpSlice, UdpHeaderSlice};

use super::DecodeResult;
use super::ip::IpDatagram;
use crate::packet::{Body, DecodeProblem, ICMP, ICMPV6, Payload, TCP, Tcp, TcpFlags, Tuple, UDP};

/// Length of a TCP header without options, in bytes.
pub(super) const MIN_TCP_HEADER_LEN: usize = 20;
/// Length of a UDP header, in bytes.
const UDP_HEADER_LEN: u32 = 8;

/// Decodes the transport layer of a datagram.
///
/// Addresses are converted to `IpAddr` only here: if converted earlier, they would be written to
/// memory and read back with different access sizes, and the store-forwarding stall would take
/// longer than the remaining decoding.
#[inline(always)]
pub(super) fn body<'a, A: Into<IpAddr> + Copy>(datagram: &IpDatagram<'a, A>) -> Body<'a> {
    let IpDatagram {
        src,
        dst,
        proto,
        fragment,
        payload,
    } = *datagram;
    let is_first = fragment.is_none_or(|fragment| fragment.offset == 0);
    match (proto, payload.bytes.first_chunk().copied()) {
        (TCP, Some(ports)) if is_first => match parse_tcp(payload) {
            Ok((tcp, payload)) => Body::Tcp {
                tuple: tuple(datagram, ports),
                tcp,
                payload,
            },
            Err((tcp, problem)) => Body::Broken {
                tuple: tuple(datagram, ports),
                tcp,
                problem,
            },
        },
        (UDP, Some(ports)) if is_first => match parse_udp(payload) {
            Ok(payload) => Body::Udp {
                tuple: tuple(datagram, ports),
                payload,
            },
            Err(problem) => Body::Broken {
                tuple: tuple(datagram, ports),
                tcp: None,
                problem,
            },
        },
        (ICMP | ICMPV6, _) if is_first => Body::Icmp {
            src: src.into(),
            dst: dst.into(),
            proto,
            payload,
        },
        _ => Body::Ip {
            src: src.into(),
            dst: dst.into(),
            proto,
            payload,
        },
    }
}

#[inline(always)]
fn tuple<A: Into<IpAddr> + Copy>(datagram: &IpDatagram<A>, [a, b, c, d]: [u8; 4]) -> Tuple {
    Tuple {
        src: SocketAddr::new(datagram.src.into(), u16::from_be_bytes([a, b])),
        dst: SocketAddr::new(datagram.dst.into(), u16::from_be_bytes([c, d])),
        proto: datagram.proto,
    }
}

/// Parses the header and data of a segment; on failure returns the readable part of the header.
#[inline(always)]
fn parse_tcp(
    payload: Payload<'_>,
) -> Result<(Tcp<'_>, Payload<'_>), (Option<Tcp<'_>>, DecodeProblem)> {
    let (tcp, header_len) = match TcpSlice::from_slice(payload.bytes) {
        Ok(slice) => {
            let header = slice.header_slice();
            // Bytes 12 and 13: data offset (4 bits), reserved (3 bits), the nine flags.
            let flags = match *header {
                [_, _, _, _, _, _, _, _, _, _, _, _, high, low, ..] => [high & 1, low],
                _ => return Err((None, DecodeProblem::TruncatedTransport)),
            };
            let tcp = Tcp {
                seq: slice.sequence_number(),
                ack: slice.acknowledgment_number(),
                flags: TcpFlags(u16::from_be_bytes(flags)),
                window: slice.window_size(),
                urgent: slice.urgent_pointer(),
                options: header.get(MIN_TCP_HEADER_LEN..).unwrap_or_default(),
            };
            (tcp, header.len())
        }
        Err(_) => parse_broken_tcp(payload.bytes)?,
    };
    let bytes = payload.bytes.get(header_len..).unwrap_or_default();
    match payload.len.checked_sub(header_len as u32) {
        Some(len) => Ok((tcp, Payload { bytes, len })),
        None => Err((Some(tcp), DecodeProblem::BadTransportLength)),
    }
}

/// Parses a truncated or malformed TCP header.
///
/// If the header is only truncated, after the window field, returns the captured part and the
/// header length.
#[cold]
fn parse_broken_tcp(bytes: &[u8]) -> Result<(Tcp<'_>, usize), (Option<Tcp<'_>>, DecodeProblem)> {
    let (front, rest) = bytes
        .split_first_chunk()
        .ok_or((None, DecodeProblem::TruncatedTransport))?;
    let (tcp, header_len) = parse_tcp_front(front);
    let is_possible = header_len >= MIN_TCP_HEADER_LEN;
    let options = bytes.get(MIN_TCP_HEADER_LEN..).filter(|_| is_possible);
    let tcp = Tcp {
        urgent: match *rest {
            [_, _, u0, u1, ..] => u16::from_be_bytes([u0, u1]),
            _ => 0,
        },
        options: options.unwrap_or_default(),
        ..tcp
    };
    if is_possible {
        Ok((tcp, header_len))
    } else {
        Err((Some(tcp), DecodeProblem::BadTransportLength))
    }
}

/// Parses a TCP header up to its window; also returns the header length that it announces, in
/// bytes.
#[inline(always)]
pub(super) fn parse_tcp_front(front: &[u8; 16]) -> (Tcp<'static>, usize) {
    let [
        _,
        _,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        a0,
        a1,
        a2,
        a3,
        high,
        low,
        w0,
        w1,
    ] = *front;
    let tcp = Tcp {
        seq: u32::from_be_bytes([s0, s1, s2, s3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags: TcpFlags(u16::from_be_bytes([high & 1, low])),
        window: u16::from_be_bytes([w0, w1]),
        urgent: 0,
        options: &[],
    };
    (tcp, usize::from(high >> 4) * 4)
}

#[inline(always)]
fn parse_udp(payload: Payload<'_>) -> DecodeResult<Payload<'_>> {
    let header =
        UdpHeaderSlice::from_slice(payload.bytes).map_err(|_| DecodeProblem::TruncatedTransport)?;
    let len = match u32::from(header.length()) {
        // A jumbogram (RFC 2675 section 4), or a datagram subject to segmentation offload.
        0 => payload.len,
        len => len.min(payload.len),
    };
    let len = len.checked_sub(UDP_HEADER_LEN);
    let len = len.ok_or(DecodeProblem::BadTransportLength)?;
    let bytes = payload
        .bytes
        .get(UDP_HEADER_LEN as usize..)
        .unwrap_or_default();
    let bytes = bytes.get(..len as usize).unwrap_or(bytes);
    Ok(Payload { bytes, len })
}
