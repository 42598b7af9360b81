//! TCP, UDP and ICMP headers (RFC 9293, RFC 768, RFC 792, RFC 4443).

use std::net::SocketAddr;

use etherparse::{TcpSlice, UdpHeaderSlice};

use super::ip::Datagram;
use crate::packet::{Body, Flags, ICMP, ICMPV6, Payload, Reason, TCP, Tcp, Tuple, UDP};

/// Length of a TCP header without options, in bytes.
const TCP_FIXED: usize = 20;
/// Length of a UDP header, in bytes.
const UDP_HEADER: u32 = 8;

/// What a datagram carries.
#[inline]
pub(super) fn body<'a>(datagram: &Datagram<'a>) -> Body<'a> {
    let Datagram {
        src,
        dst,
        proto,
        payload,
        ..
    } = *datagram;
    if datagram
        .fragment
        .is_some_and(|fragment| fragment.offset != 0)
    {
        return Body::Ip {
            src,
            dst,
            proto,
            payload,
        };
    }
    match proto {
        TCP | UDP => {
            let [a, b, c, d, ..] = *payload.bytes else {
                return Body::Ip {
                    src,
                    dst,
                    proto,
                    payload,
                };
            };
            let tuple = Tuple {
                src: SocketAddr::new(src, u16::from_be_bytes([a, b])),
                dst: SocketAddr::new(dst, u16::from_be_bytes([c, d])),
                proto,
            };
            let read = if proto == TCP {
                tcp(tuple, payload)
            } else {
                udp(tuple, payload)
            };
            read.unwrap_or_else(|reason| Body::Ports { tuple, reason })
        }
        ICMP | ICMPV6 => Body::Icmp {
            src,
            dst,
            proto,
            payload,
        },
        _ => Body::Ip {
            src,
            dst,
            proto,
            payload,
        },
    }
}

fn tcp(tuple: Tuple, payload: Payload<'_>) -> Result<Body<'_>, Reason> {
    let (tcp, header_len) = match TcpSlice::from_slice(payload.bytes) {
        Ok(slice) => {
            // Bytes 12 and 13: data offset (4 bits), reserved (3 bits), the nine flags.
            let [.., high, low] = *slice
                .slice()
                .first_chunk::<14>()
                .ok_or(Reason::CutTransport)?;
            let header = slice.header_slice();
            let tcp = Tcp {
                seq: slice.sequence_number(),
                ack: slice.acknowledgment_number(),
                flags: Flags(u16::from_be_bytes([high & 1, low])),
                window: slice.window_size(),
                urgent: slice.urgent_pointer(),
                options: header.get(TCP_FIXED..).unwrap_or_default(),
            };
            (tcp, header.len())
        }
        Err(_) => cut_tcp(payload.bytes)?,
    };
    let len = payload
        .len
        .checked_sub(header_len as u32)
        .ok_or(Reason::BadTransportLength)?;
    let bytes = payload.bytes.get(header_len..).unwrap_or_default();
    Ok(Body::Tcp {
        tuple,
        tcp,
        payload: Payload { bytes, len },
    })
}

/// A TCP header that was cut among its options: its fixed part, and how long it was.
#[cold]
fn cut_tcp(bytes: &[u8]) -> Result<(Tcp<'_>, usize), Reason> {
    let (fixed, options) = bytes
        .split_first_chunk::<TCP_FIXED>()
        .ok_or(Reason::CutTransport)?;
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
        _,
        _,
        u0,
        u1,
    ] = *fixed;
    let header_len = usize::from(high >> 4) * 4;
    if header_len < TCP_FIXED {
        return Err(Reason::BadTransportLength);
    }
    let tcp = Tcp {
        seq: u32::from_be_bytes([s0, s1, s2, s3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags: Flags(u16::from_be_bytes([high & 1, low])),
        window: u16::from_be_bytes([w0, w1]),
        urgent: u16::from_be_bytes([u0, u1]),
        options,
    };
    Ok((tcp, header_len))
}

fn udp(tuple: Tuple, payload: Payload<'_>) -> Result<Body<'_>, Reason> {
    let header = UdpHeaderSlice::from_slice(payload.bytes).map_err(|_| Reason::CutTransport)?;
    let len = match u32::from(header.length()) {
        // A jumbogram (RFC 2675 section 4), or an offloaded segment.
        0 => payload.len,
        len => len.min(payload.len),
    };
    let len = len
        .checked_sub(UDP_HEADER)
        .ok_or(Reason::BadTransportLength)?;
    let bytes = payload.bytes.get(UDP_HEADER as usize..).unwrap_or_default();
    let bytes = bytes.get(..len as usize).unwrap_or(bytes);
    Ok(Body::Udp {
        tuple,
        payload: Payload { bytes, len },
    })
}
