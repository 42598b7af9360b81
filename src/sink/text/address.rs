//! Addresses as tcpdump writes them: RFC 5952, with IPv4 inside of IPv6 as RFC 4291 section 2.2 shows it.

use super::number;

/// The decimal digits of every octet, and how many there are.
static OCTETS: [[u8; 4]; 256] = {
    let mut octets = [[0; 4]; 256];
    let mut i = 0;
    while i < 256 {
        let (a, b, c) = (
            b'0' + (i / 100) as u8,
            b'0' + (i / 10 % 10) as u8,
            b'0' + (i % 10) as u8,
        );
        octets[i] = match i {
            0..10 => [c, 0, 0, 1],
            10..100 => [b, c, 0, 2],
            _ => [a, b, c, 3],
        };
        i += 1;
    }
    octets
};

/// `127.0.0.1`.
#[inline]
pub(super) fn ip4(out: &mut Vec<u8>, octets: [u8; 4]) {
    let mut text = [b'.'; 16];
    let mut at = 0;
    for octet in octets {
        let [a, b, c, count] = OCTETS[usize::from(octet)];
        text[at] = a;
        text[at + 1] = b;
        text[at + 2] = c;
        at += usize::from(count);
        text[at] = b'.';
        at += 1;
    }
    number::piece(out, &text, at - 1);
}

/// `::1`.
pub(super) fn ip6(out: &mut Vec<u8>, octets: [u8; 16]) {
    if octets == LOOPBACK {
        return out.extend_from_slice(b"::1");
    }
    let (pairs, _) = octets.as_chunks::<2>();
    let (base, count) = longest_zeros(pairs);
    for (at, pair) in pairs.iter().enumerate() {
        if (base..base + count).contains(&at) {
            if at == base {
                out.push(b':');
            }
            continue;
        }
        if at != 0 {
            out.push(b':');
        }
        let is_ip4 = at == 6
            && base == 0
            && (count == 6 || (count == 5 && pairs.get(5) == Some(&[0xff, 0xff])));
        if is_ip4 && let Some(last) = octets.last_chunk::<4>() {
            return ip4(out, *last);
        }
        number::hex16(out, u16::from_be_bytes(*pair));
    }
    if count > 0 && base + count == 8 {
        out.push(b':');
    }
}

/// `::1`, the address that loopback traffic has most.
const LOOPBACK: [u8; 16] = std::net::Ipv6Addr::LOCALHOST.octets();

/// The first of the longest runs of at least two zero words: where it begins, and how long it is.
fn longest_zeros(pairs: &[[u8; 2]]) -> (usize, usize) {
    let (mut best, mut run) = ((0, 0), 0);
    for (at, pair) in pairs.iter().enumerate() {
        run = if *pair == [0, 0] { run + 1 } else { 0 };
        if run > best.1 {
            best = (at + 1 - run, run);
        }
    }
    if best.1 < 2 { (0, 0) } else { best }
}

/// `00:00:5e:00:53:01`, of any length.
pub(super) fn mac(out: &mut Vec<u8>, octets: &[u8]) {
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
    fn ip4_as_the_standard_library() {
        for seed in 0..2000_u32 {
            let octets = seed.wrapping_mul(0x9e37_79b1).to_be_bytes();
            let mut out = Vec::new();
            ip4(&mut out, octets);
            assert_eq!(out, Ipv4Addr::from(octets).to_string().as_bytes());
        }
    }

    #[test]
    fn ip6_as_the_standard_library_but_for_ip4_inside() {
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
            let address: Ipv6Addr = text.parse().expect("an address");
            let mut out = Vec::new();
            ip6(&mut out, address.octets());
            assert_eq!(String::from_utf8_lossy(&out), address.to_string());
        }
        let mut out = Vec::new();
        ip6(&mut out, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(out, b"::1.2.3.4");
    }

    #[test]
    fn mac_of_any_length() {
        let mut out = Vec::new();
        mac(&mut out, &[0, 0xab, 0x5e]);
        assert_eq!(out, b"00:ab:5e");
    }
}
