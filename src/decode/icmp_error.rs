//! Headers of the packet quoted by an ICMP error (RFC 792, RFC 4443 section 3, RFC 4884).
//!
//! ```text
//!  | type | code | checksum (2) | varies (4) | IP header | source port (2) | dest. port (2) | …
//! ```

use crate::packet::{Endpoints, ICMP, Payload, TCP, UDP};

/// Length of an ICMP error's own header, in bytes.
const ICMP_HEADER_LEN: usize = 8;

/// Returns the source and destination of the TCP or UDP packet that an ICMP error quotes; `None` if
/// the message is not an error or quotes another kind of packet.
pub fn quoted_endpoints(proto: u8, payload: Payload) -> Option<Endpoints> {
    let kind = *payload.bytes.first()?;
    let is_error = match proto {
        // Unreachable, source quench, redirect, time exceeded, parameter problem.
        ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        _ => kind < 128,
    };
    let packet = payload.bytes.get(ICMP_HEADER_LEN..).filter(|_| is_error)?;
    match proto {
        ICMP => ipv4_endpoints(packet),
        _ => ipv6_endpoints(packet),
    }
}

fn ipv4_endpoints(bytes: &[u8]) -> Option<Endpoints> {
    let header: &[u8; 20] = bytes.first_chunk()?;
    let [first, .., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    let (ports, proto) = ports(header[9], bytes.get(usize::from(first & 15) * 4..)?)?;
    let (src, dst) = ([s0, s1, s2, s3], [d0, d1, d2, d3]);
    Some(Endpoints::from_ipv4(src, dst, ports, proto))
}

fn ipv6_endpoints(bytes: &[u8]) -> Option<Endpoints> {
    let (header, transport) = bytes.split_first_chunk::<40>()?;
    let (ports, proto) = ports(header[6], transport)?;
    let (src, rest) = header[8..].split_first_chunk::<16>()?;
    let dst = rest.first_chunk::<16>()?;
    Some(Endpoints::from_ipv6(*src, *dst, ports, proto))
}

/// Returns the ports at the start of a TCP or UDP header, and the protocol.
fn ports(proto: u8, transport: &[u8]) -> Option<([u16; 2], u8)> {
    let [a, b, c, d, ..] = *transport else {
        return None;
    };
    let ports = [[a, b], [c, d]].map(u16::from_be_bytes);
    [TCP, UDP].contains(&proto).then_some((ports, proto))
}
