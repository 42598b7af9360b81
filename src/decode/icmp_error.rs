//! Headers of the packet quoted by an ICMP error (RFC 792, RFC 4443 section 3, RFC 4884).
//!
//! ```text
//!  | type | code | checksum (2) | varies (4) | IP header | source port (2) | dest. port (2) | …
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::packet::{ICMP, Payload, TCP, Tuple, UDP};

/// Length of an ICMP error's own header, in bytes.
const ICMP_HEADER_LEN: usize = 8;

/// Returns the source and destination of the TCP or UDP packet that an ICMP error quotes; `None` if
/// the message is not an error or quotes another kind of packet.
pub fn quoted_tuple(proto: u8, payload: Payload) -> Option<Tuple> {
    let kind = *payload.bytes.first()?;
    let is_error = match proto {
        // Unreachable, source quench, redirect, time exceeded, parameter problem.
        ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        _ => kind < 128,
    };
    let packet = payload.bytes.get(ICMP_HEADER_LEN..).filter(|_| is_error)?;
    match proto {
        ICMP => ipv4_tuple(packet),
        _ => ipv6_tuple(packet),
    }
}

fn ipv4_tuple(bytes: &[u8]) -> Option<Tuple> {
    let header: &[u8; 20] = bytes.first_chunk()?;
    let [first, .., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    let proto = header[9];
    let ports = bytes.get(usize::from(first & 15) * 4..)?;
    let src = Ipv4Addr::new(s0, s1, s2, s3);
    let dst = Ipv4Addr::new(d0, d1, d2, d3);
    tuple_with_ports(src.into(), dst.into(), proto, ports)
}

fn ipv6_tuple(bytes: &[u8]) -> Option<Tuple> {
    let (header, ports) = bytes.split_first_chunk::<40>()?;
    let proto = header[6];
    let (src, rest) = header[8..].split_first_chunk::<16>()?;
    let dst = rest.first_chunk::<16>()?;
    let (src, dst) = (Ipv6Addr::from(*src), Ipv6Addr::from(*dst));
    tuple_with_ports(src.into(), dst.into(), proto, ports)
}

fn tuple_with_ports(src: IpAddr, dst: IpAddr, proto: u8, ports: &[u8]) -> Option<Tuple> {
    let [a, b, c, d, ..] = *ports else {
        return None;
    };
    [TCP, UDP].contains(&proto).then(|| Tuple {
        src: SocketAddr::new(src, u16::from_be_bytes([a, b])),
        dst: SocketAddr::new(dst, u16::from_be_bytes([c, d])),
        proto,
    })
}
