//! TCP, UDP and ICMP headers (RFC 9293, RFC 768, RFC 792, RFC 4443).

use std::net::{IpAddr, SocketAddr};

use etherparse::{TcpSlice, UdpHeaderSlice};

use super::Read;
use super::ip::Datagram;
use crate::packet::{Body, Flags, ICMP, ICMPV6, Payload, Reason, TCP, Tcp, Tuple, UDP};

/// Length of a TCP header without options, in bytes.
pub(super) const TCP_FIXED: usize = 20;
/// Length of a UDP header, in bytes.
const UDP_HEADER: u32 = 8;

/// What a datagram carries.
///
/// Addresses are converted only where the body is put together: as `IpAddr`s on their way they would be written to memory and
/// read back in pieces of other sizes, which stalls for longer than all the rest of the reading takes.
#[inline(always)]
pub(super) fn body<'a, A: Into<IpAddr> + Copy>(datagram: &Datagram<'a, A>) -> Body<'a> {
    let Datagram {
        src,
        dst,
        proto,
        fragment,
        payload,
    } = *datagram;
    let is_first = fragment.is_none_or(|fragment| fragment.offset == 0);
    match (proto, payload.bytes.first_chunk().copied()) {
        (TCP, Some(ports)) if is_first => match tcp(payload) {
            Ok((tcp, payload)) => Body::Tcp {
                tuple: tuple(datagram, ports),
                tcp,
                payload,
            },
            Err((tcp, reason)) => Body::Broken {
                tuple: tuple(datagram, ports),
                tcp,
                reason,
            },
        },
        (UDP, Some(ports)) if is_first => match udp(payload) {
            Ok(payload) => Body::Udp {
                tuple: tuple(datagram, ports),
                payload,
            },
            Err(reason) => Body::Broken {
                tuple: tuple(datagram, ports),
                tcp: None,
                reason,
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
fn tuple<A: Into<IpAddr> + Copy>(datagram: &Datagram<A>, [a, b, c, d]: [u8; 4]) -> Tuple {
    Tuple {
        src: SocketAddr::new(datagram.src.into(), u16::from_be_bytes([a, b])),
        dst: SocketAddr::new(datagram.dst.into(), u16::from_be_bytes([c, d])),
        proto: datagram.proto,
    }
}

/// A segment's header and data, or what can be read of the header.
#[inline(always)]
fn tcp(payload: Payload<'_>) -> Result<(Tcp<'_>, Payload<'_>), (Option<Tcp<'_>>, Reason)> {
    let (tcp, header_len) = match TcpSlice::from_slice(payload.bytes) {
        Ok(slice) => {
            let header = slice.header_slice();
            // Bytes 12 and 13: data offset (4 bits), reserved (3 bits), the nine flags.
            let flags = match *header {
                [_, _, _, _, _, _, _, _, _, _, _, _, high, low, ..] => [high & 1, low],
                _ => return Err((None, Reason::CutTransport)),
            };
            let tcp = Tcp {
                seq: slice.sequence_number(),
                ack: slice.acknowledgment_number(),
                flags: Flags(u16::from_be_bytes(flags)),
                window: slice.window_size(),
                urgent: slice.urgent_pointer(),
                options: header.get(TCP_FIXED..).unwrap_or_default(),
            };
            (tcp, header.len())
        }
        Err(_) => broken_tcp(payload.bytes)?,
    };
    let bytes = payload.bytes.get(header_len..).unwrap_or_default();
    match payload.len.checked_sub(header_len as u32) {
        Some(len) => Ok((tcp, Payload { bytes, len })),
        None => Err((Some(tcp), Reason::BadTransportLength)),
    }
}

/// A TCP header that was cut or is impossible: if it was only cut, and behind its window, what was captured of it and how long it was.
#[cold]
fn broken_tcp(bytes: &[u8]) -> Result<(Tcp<'_>, usize), (Option<Tcp<'_>>, Reason)> {
    let (front, rest) = bytes
        .split_first_chunk()
        .ok_or((None, Reason::CutTransport))?;
    let (tcp, header_len) = tcp_front(front);
    let is_possible = header_len >= TCP_FIXED;
    let options = bytes.get(TCP_FIXED..).filter(|_| is_possible);
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
        Err((Some(tcp), Reason::BadTransportLength))
    }
}

/// A TCP header up to its window, and how long it says that it is, in bytes.
#[inline(always)]
pub(super) fn tcp_front(front: &[u8; 16]) -> (Tcp<'static>, usize) {
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
        flags: Flags(u16::from_be_bytes([high & 1, low])),
        window: u16::from_be_bytes([w0, w1]),
        urgent: 0,
        options: &[],
    };
    (tcp, usize::from(high >> 4) * 4)
}

#[inline(always)]
fn udp(payload: Payload<'_>) -> Read<Payload<'_>> {
    let header = UdpHeaderSlice::from_slice(payload.bytes).map_err(|_| Reason::CutTransport)?;
    let len = match u32::from(header.length()) {
        // A jumbogram (RFC 2675 section 4), or an offloaded segment.
        0 => payload.len,
        len => len.min(payload.len),
    };
    let len = len.checked_sub(UDP_HEADER);
    let len = len.ok_or(Reason::BadTransportLength)?;
    let bytes = payload.bytes.get(UDP_HEADER as usize..).unwrap_or_default();
    let bytes = bytes.get(..len as usize).unwrap_or(bytes);
    Ok(Payload { bytes, len })
}
