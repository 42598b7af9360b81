//! Numbers as digits, without `core::fmt`: most of a line is numbers.
//!
//! A piece is written as an array of fixed size and the line then shortened to what counts: that compiles to a few moves,
//! where a copy of variable length is a call.

/// `00` to `99`.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

/// The digits of hexadecimal numbers.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends the first `count` octets of `piece`.
#[inline]
pub(in crate::sink) fn piece<const N: usize>(out: &mut Vec<u8>, piece: &[u8; N], count: usize) {
    let start = out.len();
    out.extend_from_slice(piece);
    out.truncate(start + count);
}

/// The two digits of a number below 100.
#[inline]
fn pair(value: u32) -> [u8; 2] {
    PAIRS[(value % 100) as usize]
}

/// `%u`.
#[inline]
pub(in crate::sink) fn decimal(out: &mut Vec<u8>, value: u32) {
    // The digits end at 10; what follows is cut off again.
    let mut digits = [b'0'; 20];
    let (mut at, mut left) = (10, value);
    while left >= 10 {
        at -= 2;
        let two = pair(left);
        digits[at] = two[0];
        digits[at + 1] = two[1];
        left /= 100;
    }
    if left > 0 || value == 0 {
        at -= 1;
        digits[at] = b'0' + left as u8;
    }
    if let Some(shown) = digits.get(at..).and_then(|rest| rest.first_chunk::<10>()) {
        piece(out, shown, 10 - at);
    }
}

/// `%lu`.
pub(in crate::sink) fn decimal64(out: &mut Vec<u8>, value: u64) {
    const HALF: u64 = 1_000_000_000;
    if let Ok(small) = u32::try_from(value) {
        return decimal(out, small);
    }
    decimal64(out, value / HALF);
    digits9(out, (value % HALF) as u32);
}

/// `%02u`.
#[inline]
pub(in crate::sink) fn digits2(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&pair(value));
}

/// `%06u`.
#[inline]
pub(in crate::sink) fn digits6(out: &mut Vec<u8>, value: u32) {
    let ([a, b], [c, d], [e, f]) = (pair(value / 10_000), pair(value / 100), pair(value));
    out.extend_from_slice(&[a, b, c, d, e, f]);
}

/// `%09u`.
pub(in crate::sink) fn digits9(out: &mut Vec<u8>, value: u32) {
    out.push(b'0' + (value / 100_000_000 % 10) as u8);
    digits2(out, value / 1_000_000);
    digits6(out, value % 1_000_000);
}

/// `%02x`.
#[inline]
pub(in crate::sink) fn hex8(out: &mut Vec<u8>, value: u8) {
    out.extend_from_slice(&hex_digits(value));
}

/// The two hexadecimal digits of an octet.
#[inline]
pub(in crate::sink) fn hex_digits(value: u8) -> [u8; 2] {
    [HEX[usize::from(value >> 4)], HEX[usize::from(value & 0x0f)]]
}

/// `%x` of a 16-bit number.
#[inline]
pub(in crate::sink) fn hex16(out: &mut Vec<u8>, value: u16) {
    let [high, low] = value.to_be_bytes();
    let ([a, b], [c, d]) = (hex_digits(high), hex_digits(low));
    let digits = [a, b, c, d, 0, 0, 0];
    let skipped = (value.leading_zeros() / 4).min(3) as usize;
    if let Some(shown) = digits
        .get(skipped..)
        .and_then(|rest| rest.first_chunk::<4>())
    {
        piece(out, shown, 4 - skipped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = b"x".to_vec();
        write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn as_the_standard_library_writes_them() {
        let mut value: u64 = 1;
        for _ in 0..20 {
            for n in [value - 1, value, value + 1, value.wrapping_mul(7)] {
                assert_eq!(written(|o| decimal64(o, n)), format!("x{n}"));
                let (a, b) = (n as u32, n as u16);
                assert_eq!(written(|o| decimal(o, a)), format!("x{a}"));
                assert_eq!(written(|o| hex16(o, b)), format!("x{b:x}"));
                let small = a % 1_000_000;
                assert_eq!(written(|o| digits6(o, small)), format!("x{small:06}"));
                let small = a % 1_000_000_000;
                assert_eq!(written(|o| digits9(o, small)), format!("x{small:09}"));
            }
            value = value.wrapping_mul(10).max(1);
        }
        assert_eq!(written(|o| decimal(o, u32::MAX)), "x4294967295");
        assert_eq!(written(|o| decimal64(o, u64::MAX)), "x18446744073709551615");
    }
}
