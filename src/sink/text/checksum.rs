//! The Internet checksum (RFC 1071).

use super::printer::Printer;

/// Returns the checksum of the concatenated parts: 0 if they include a correct checksum.
pub(in crate::sink) fn sum(parts: &[&[u8]]) -> u16 {
    let (mut total, mut odd) = (0_u64, false);
    for part in parts {
        let folded = fold(unfolded_sum(part));
        // A part that begins at an odd offset is summed with its octets swapped.
        total += u64::from(if odd { folded.swap_bytes() } else { folded });
        odd ^= part.len() % 2 == 1;
    }
    !u16::from_be(fold(total))
}

/// Returns the correct checksum of a header that contains `found` and whose [`sum`] is `computed`.
pub(super) fn expected(found: u16, computed: u16) -> u16 {
    fold(u64::from(found) + u64::from(computed))
}

/// Returns the sum of 16-bit words in this machine's byte order, not folded.
///
/// One's-complement addition depends neither on the byte order nor on the width of the words (RFC
/// 1071 section 2), and a 64-bit sum of 32-bit words cannot overflow below 16 GiB.
fn unfolded_sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]);
    words.map(|word| u64::from(u32::from_ne_bytes(*word))).sum()
}

/// Prints whether the checksum `found` of a message is correct, where `computed` is the [`sum`] of
/// the message.
pub(super) fn print_verdict(p: &mut Printer, protocol: &str, found: u16, computed: u16) {
    match computed {
        0 => write!(p, "[{protocol} sum ok] "),
        _ => {
            let expected = expected(found, computed);
            write!(
                p,
                "[bad {protocol} cksum 0x{found:04x} -> 0x{expected:04x}!] "
            );
        }
    }
}

/// Folds a sum to 16 bits with end-around carry.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_matches_the_rfc_1071_example() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(sum(&[&bytes]), !0xddf2);
        assert_eq!(sum(&[&bytes, &(!0xddf2_u16).to_be_bytes()]), 0);
    }

    #[test]
    fn split_points_do_not_change_the_sum() {
        let bytes: Vec<u8> = (0..1001_u32).map(|n| (n * n % 251) as u8).collect();
        let whole = sum(&[&bytes]);
        for at in [0, 1, 7, 8, 500, 999] {
            let (a, b) = bytes.split_at(at);
            assert_eq!(sum(&[a, b]), whole);
            let (c, d) = b.split_at(b.len() / 3);
            assert_eq!(sum(&[a, c, d]), whole);
        }
    }

    #[test]
    fn expected_checksum_makes_the_header_valid() {
        let header = [
            0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8,
        ];
        let expected = expected(0x1234, sum(&[&header]));
        let mut corrected = header;
        corrected[10..12].copy_from_slice(&expected.to_be_bytes());
        assert_eq!(sum(&[&corrected]), 0);
    }
}
