//! TCP, UDP and ICMP headers (RFC 9293, RFC 768, RFC 792, RFC 4443).

use etherparse::{TcpSlice, UdpHeaderSlice};

use super::DecodeResult;
use super::ip::IpDatagram;
use crate::packet::{
    DecodeProblem, ICMP, ICMPV6, MIN_TCP_HEADER_LEN, PacketKind, Payload, TCP, UDP,
};

/// Length of the ports of a TCP or UDP header, in bytes.
const PORTS_LEN: usize = 4;
/// Offset of the data offset in a TCP header, and length of the header up to the window, in bytes.
const TCP_DATA_OFFSET: usize = 12;
const TCP_FRONT_LEN: usize = 16;
/// Length of a UDP header, in bytes.
const UDP_HEADER_LEN: u32 = 8;

/// Decoded transport header.
pub(super) struct Transport {
    pub(super) kind: PacketKind,
    pub(super) problem: Option<DecodeProblem>,
    /// Length of the header in bytes; 0 for ICMP, other protocols and broken headers.
    pub(super) header_len: u32,
    /// Length of the data on the wire, in bytes.
    pub(super) payload_len: u32,
}

/// Decodes the transport header of a datagram.
#[inline]
pub(super) fn parse(datagram: &IpDatagram) -> Transport {
    let payload = datagram.payload;
    let whole = |kind, problem| Transport {
        kind,
        problem,
        header_len: 0,
        payload_len: payload.len,
    };
    if datagram.is_later_fragment {
        return whole(PacketKind::Ip, None);
    }
    let (kind, lengths) = match datagram.proto {
        TCP if payload.bytes.len() >= PORTS_LEN => (PacketKind::Tcp, tcp_lengths(payload)),
        UDP if payload.bytes.len() >= PORTS_LEN => (PacketKind::Udp, udp_lengths(payload)),
        ICMP | ICMPV6 => return whole(PacketKind::Icmp, None),
        _ => return whole(PacketKind::Ip, None),
    };
    match lengths {
        Ok((header_len, payload_len)) => Transport {
            kind,
            problem: None,
            header_len,
            payload_len,
        },
        Err(problem) => whole(PacketKind::Broken, Some(problem)),
    }
}

/// Returns the lengths of a segment's header and data, in bytes.
#[inline]
fn tcp_lengths(payload: Payload) -> DecodeResult<(u32, u32)> {
    let header_len = match TcpSlice::from_slice(payload.bytes) {
        Ok(slice) => slice.header_slice().len(),
        Err(_) => broken_tcp_header_len(payload.bytes)?,
    } as u32;
    let len = payload.len.checked_sub(header_len);
    Ok((header_len, len.ok_or(DecodeProblem::BadTransportLength)?))
}

/// Returns the length that a truncated TCP header announces, if the header was captured at least up
/// to its window.
#[cold]
fn broken_tcp_header_len(bytes: &[u8]) -> DecodeResult<usize> {
    let front: &[u8; TCP_FRONT_LEN] = bytes
        .first_chunk()
        .ok_or(DecodeProblem::TruncatedTransport)?;
    match usize::from(front[TCP_DATA_OFFSET] >> 4) * 4 {
        len @ MIN_TCP_HEADER_LEN.. => Ok(len),
        _ => Err(DecodeProblem::BadTransportLength),
    }
}

/// Returns the lengths of a UDP header and its data, in bytes.
#[inline]
fn udp_lengths(payload: Payload) -> DecodeResult<(u32, u32)> {
    let header =
        UdpHeaderSlice::from_slice(payload.bytes).map_err(|_| DecodeProblem::TruncatedTransport)?;
    let len = match u32::from(header.length()) {
        // A jumbogram (RFC 2675 section 4), or a datagram subject to segmentation offload.
        0 => payload.len,
        len => len.min(payload.len),
    };
    let len = len.checked_sub(UDP_HEADER_LEN);
    Ok((
        UDP_HEADER_LEN,
        len.ok_or(DecodeProblem::BadTransportLength)?,
    ))
}
