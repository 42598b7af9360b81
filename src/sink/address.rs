//! Addresses in the format of tcpdump: RFC 5952, with embedded IPv4 addresses as in RFC 4291
//! section 2.2.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::digits;

/// Writes an IPv4 address: `127.0.0.1`.
#[inline]
pub(in crate::sink) fn write_ipv4(out: &mut Vec<u8>, octets: [u8; 4]) {
    // Fast path for the most frequent address in loopback traffic.
    if octets == Ipv4Addr::LOCALHOST.octets() {
        return out.extend_from_slice(b"127.0.0.1");
    }
    for (at, octet) in octets.into_iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        digits::decimal(out, octet);
    }
}

/// Writes an IPv6 address: `::1`.
pub(in crate::sink) fn write_ipv6(out: &mut Vec<u8>, octets: [u8; 16]) {
    // Fast path for the most frequent address in loopback traffic.
    if octets == Ipv6Addr::LOCALHOST.octets() {
        return out.extend_from_slice(b"::1");
    }
    match octets {
        // An address without an IPv4 address has at least one more group of zeros: `::5`, `::`.
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] if [a, b] != [0, 0] => {
            out.extend_from_slice(b"::");
            write_ipv4(out, [a, b, c, d]);
        }
        // Writing to a Vec cannot fail.
        _ => _ = write!(out, "{}", Ipv6Addr::from(octets)),
    }
}

/// Writes an IPv4 or IPv6 address: `127.0.0.1`, `::1`.
#[inline]
pub(in crate::sink) fn write_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => write_ipv4(out, ip.octets()),
        IpAddr::V6(ip) => write_ipv6(out, ip.octets()),
    }
}

/// Writes an address and a port: `127.0.0.1:80`, `[::1]:80`.
pub(in crate::sink) fn write_socket_addr(out: &mut Vec<u8>, socket: SocketAddr) {
    let (before, after) = match socket {
        SocketAddr::V4(_) => ("", ":"),
        SocketAddr::V6(_) => ("[", "]:"),
    };
    out.extend_from_slice(before.as_bytes());
    write_ip(out, socket.ip());
    out.extend_from_slice(after.as_bytes());
    digits::decimal(out, socket.port());
}

/// Writes a link-layer address of any length: `00:00:5e:00:53:01`.
pub(in crate::sink) fn write_mac(out: &mut Vec<u8>, octets: &[u8]) {
    for (at, &octet) in octets.iter().enumerate() {
        if at > 0 {
            out.push(b':');
        }
        digits::hex(out, octet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_matches_the_standard_library() {
        for seed in 0..2000_u32 {
            let octets = seed.wrapping_mul(0x9e37_79b1).to_be_bytes();
            let mut out = Vec::new();
            write_ipv4(&mut out, octets);
            assert_eq!(out, Ipv4Addr::from(octets).to_string().as_bytes());
        }
    }

    #[test]
    fn ipv6_matches_the_standard_library_except_embedded_ipv4() {
        for text in [
            "::",
            "::1",
            "::5",
            "1::",
            "fe80::1",
            "2001:db8::1:0:0:1",
            "1:0:0:2:0:0:0:3",
            "1:2:3:4:5:6:7:8",
            "1:0:2:3:4:5:6:7",
            "::ffff:1.2.3.4",
            "0:0:1::",
            "a::b:0:c",
            "1:2:3:4:5:6:7::",
        ] {
            let address: Ipv6Addr = text.parse().expect("a valid address");
            let mut out = Vec::new();
            write_ipv6(&mut out, address.octets());
            assert_eq!(String::from_utf8_lossy(&out), address.to_string());
        }
        let mut out = Vec::new();
        write_ipv6(&mut out, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(out, b"::1.2.3.4");
    }

    #[test]
    fn mac_address_of_any_length_is_written() {
        let mut out = Vec::new();
        write_mac(&mut out, &[0, 0xab, 0x5e]);
        assert_eq!(out, b"00:ab:5e");
    }
}
