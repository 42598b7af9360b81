//! Addresses in the format of tcpdump: RFC 5952, with embedded IPv4 addresses as in RFC 4291
//! section 2.2.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::number;

/// Text of each octet (its decimal digits and a dot) as a little-endian integer, and the length of
/// that text in bits.
static OCTETS: [(u32, u32); 256] = {
    let mut octets = [(0, 0); 256];
    let mut i = 0;
    while i < 256 {
        let (a, b, c) = (
            b'0' + (i / 100) as u8,
            b'0' + (i / 10 % 10) as u8,
            b'0' + (i % 10) as u8,
        );
        octets[i] = match i {
            0..10 => (u32::from_le_bytes([c, b'.', 0, 0]), 16),
            10..100 => (u32::from_le_bytes([b, c, b'.', 0]), 24),
            _ => (u32::from_le_bytes([a, b, c, b'.']), 32),
        };
        i += 1;
    }
    octets
};

/// Writes an IPv4 address: `127.0.0.1`.
#[inline]
pub(in crate::sink) fn write_ipv4(out: &mut Vec<u8>, octets: [u8; 4]) {
    let [a, b, c, d] = octets.map(|octet| OCTETS[usize::from(octet)]);
    let front = u64::from(a.0) | u64::from(b.0) << a.1;
    let back = u64::from(c.0) | u64::from(d.0) << c.1;
    let text = u128::from(front) | u128::from(back) << (a.1 + b.1);
    let bits = a.1 + b.1 + c.1 + d.1;
    number::piece(out, &text.to_le_bytes(), bits as usize / 8 - 1);
}

/// Writes an IPv6 address: `::1`.
pub(in crate::sink) fn write_ipv6(out: &mut Vec<u8>, octets: [u8; 16]) {
    if octets == LOOPBACK {
        return out.extend_from_slice(b"::1");
    }
    let (pairs, _) = octets.as_chunks::<2>();
    let (base, count) = longest_zero_run(pairs);
    // Bytes that are not overwritten stay colons.
    let mut text = [b':'; 48];
    let mut end = 0;
    for (at, pair) in pairs.iter().enumerate() {
        if (base..base + count).contains(&at) {
            end += usize::from(at == base);
            continue;
        }
        end += usize::from(at != 0);
        let is_ip4 = at == 6
            && base == 0
            && (count == 6 || (count == 5 && pairs.get(5) == Some(&[0xff, 0xff])));
        if is_ip4 && let Some(last) = octets.last_chunk::<4>() {
            number::piece(out, &text, end);
            return write_ipv4(out, *last);
        }
        let (digits, length) = number::hex_word(u16::from_be_bytes(*pair), b':');
        if let Some(target) = text.get_mut(end..end + digits.len()) {
            target.copy_from_slice(&digits);
        }
        end += length;
    }
    end += usize::from(count > 0 && base + count == 8);
    number::piece(out, &text, end);
}

/// The most frequent IPv6 address in loopback traffic, which has a fast path.
const LOOPBACK: [u8; 16] = std::net::Ipv6Addr::LOCALHOST.octets();

/// Returns the index and length of the longest run of at least two zero 16-bit groups, or of the
/// first such run if several are equally long. The length is 0 if no such run exists.
fn longest_zero_run(pairs: &[[u8; 2]]) -> (usize, usize) {
    let (mut best, mut run) = ((0, 0), 0);
    for (at, pair) in pairs.iter().enumerate() {
        run = if *pair == [0, 0] { run + 1 } else { 0 };
        if run > best.1 {
            best = (at + 1 - run, run);
        }
    }
    if best.1 < 2 { (0, 0) } else { best }
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
    match socket {
        // Fast path for the most frequent address in loopback traffic.
        SocketAddr::V4(socket) if *socket.ip() == Ipv4Addr::LOCALHOST => {
            out.extend_from_slice(b"127.0.0.1:");
        }
        SocketAddr::V4(socket) => {
            write_ipv4(out, socket.ip().octets());
            out.push(b':');
        }
        SocketAddr::V6(socket) => {
            out.push(b'[');
            write_ipv6(out, socket.ip().octets());
            out.extend_from_slice(b"]:");
        }
    }
    number::port(out, socket.port());
}

/// Writes a link-layer address of any length: `00:00:5e:00:53:01`.
pub(in crate::sink) fn write_mac(out: &mut Vec<u8>, octets: &[u8]) {
    for (at, &octet) in octets.iter().enumerate() {
        if at > 0 {
            out.push(b':');
        }
        number::hex8(out, octet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

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
