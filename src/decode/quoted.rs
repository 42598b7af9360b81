//! The packet that an ICMP error is about, of which it quotes the begin (RFC 792, RFC 4443 section 3, RFC 4884).
//!
//! ```text
//!  | type | code | checksum (2) | depends on the type (4) | IP header | source port (2) | destination port (2) | …
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::packet::{ICMP, Payload, TCP, Tuple, UDP};

/// Length of an ICMP error's own header, in bytes.
const HEADER: usize = 8;

/// Who sent the TCP or UDP packet that an ICMP error quotes, and to whom; nothing if the message is no error, or quotes another packet.
pub fn quoted(proto: u8, payload: Payload) -> Option<Tuple> {
    let kind = *payload.bytes.first()?;
    let is_error = match proto {
        // Unreachable, source quench, redirect, time exceeded, parameter problem.
        ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        _ => kind < 128,
    };
    let packet = payload.bytes.get(HEADER..).filter(|_| is_error)?;
    match proto {
        ICMP => version_4(packet),
        _ => version_6(packet),
    }
}

fn version_4(bytes: &[u8]) -> Option<Tuple> {
    let header: &[u8; 20] = bytes.first_chunk()?;
    let [first, .., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    let proto = header[9];
    let ports = bytes.get(usize::from(first & 15) * 4..)?;
    let src = Ipv4Addr::new(s0, s1, s2, s3);
    let dst = Ipv4Addr::new(d0, d1, d2, d3);
    with_ports(src.into(), dst.into(), proto, ports)
}

fn version_6(bytes: &[u8]) -> Option<Tuple> {
    let (header, ports) = bytes.split_first_chunk::<40>()?;
    let proto = header[6];
    let (src, rest) = header[8..].split_first_chunk::<16>()?;
    let dst = rest.first_chunk::<16>()?;
    let (src, dst) = (Ipv6Addr::from(*src), Ipv6Addr::from(*dst));
    with_ports(src.into(), dst.into(), proto, ports)
}

fn with_ports(src: IpAddr, dst: IpAddr, proto: u8, ports: &[u8]) -> Option<Tuple> {
    let [a, b, c, d, ..] = *ports else {
        return None;
    };
    [TCP, UDP].contains(&proto).then(|| Tuple {
        src: SocketAddr::new(src, u16::from_be_bytes([a, b])),
        dst: SocketAddr::new(dst, u16::from_be_bytes([c, d])),
        proto,
    })
}
