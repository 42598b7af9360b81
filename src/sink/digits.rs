//! Numbers as text: decimal and hexadecimal digits, and values in units.

use std::fmt;

/// Writes a decimal number.
#[inline]
pub(in crate::sink) fn decimal(out: &mut Vec<u8>, value: impl itoa::Integer + Into<u64> + Copy) {
    let mut rest = value.into();
    if rest >= 100_000_000 {
        return out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
    // Most numbers are short: their digits are collected in a register and written as one word,
    // because a copy of variable length takes longer than the digits.
    let (mut digits, mut len) = (0_u64, out.len());
    loop {
        digits = digits << 8 | (u64::from(b'0') + rest % 10);
        rest /= 10;
        len += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits.to_le_bytes());
    out.truncate(len);
}

/// Writes the last `N` decimal digits of a number, with leading zeros.
#[inline]
pub(in crate::sink) fn padded<const N: usize>(out: &mut Vec<u8>, mut value: u32) {
    let mut digits = [0; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits);
}

/// Writes the two hexadecimal digits of an octet.
#[inline]
pub(in crate::sink) fn hex(out: &mut Vec<u8>, octet: u8) {
    out.extend_from_slice(&HEX[usize::from(octet)]);
}

/// The two hexadecimal digits of each octet.
pub(in crate::sink) static HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut octet = 0;
    while octet < 256 {
        pairs[octet] = [digits[octet >> 4], digits[octet & 15]];
        octet += 1;
    }
    pairs
};

/// A number of bytes, printed in the largest decimal unit that is not larger: `79 B`, `1.2 kB`,
/// `65 kB`. There is one decimal place if only one digit precedes the decimal point.
pub(crate) struct ByteCount(pub(crate) u64);

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
        let power = self.0.checked_ilog10().unwrap_or_default() / 3;
        let power = power.min(UNITS.len() as u32 - 1);
        let (unit, name) = (1000_u64.pow(power), UNITS[power as usize]);
        match self.0 / unit {
            whole @ 0..10 if power > 0 => {
                write!(f, "{whole}.{} {name}", self.0 % unit / (unit / 10))
            }
            whole => write!(f, "{whole} {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = b"x".to_vec();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn numbers_are_written_as_digits() {
        for value in (0..20).map(|power| u64::MAX / 10_u64.pow(power)) {
            assert_eq!(written(|out| decimal(out, value)), format!("x{value}"));
        }
        assert_eq!(written(|out| padded::<2>(out, 2021)), "x21");
        assert_eq!(written(|out| padded::<6>(out, 4_500)), "x004500");
        assert_eq!(written(|out| hex(out, 0x0a)), "x0a");
    }

    #[test]
    fn units_are_chosen_by_size() {
        let counts = [0, 999, 1_250, 65_483, 3_400_000_000, u64::MAX];
        let expected = ["0 B", "999 B", "1.2 kB", "65 kB", "3.4 GB", "18446744 TB"];
        assert_eq!(counts.map(|count| ByteCount(count).to_string()), expected);
    }
}
