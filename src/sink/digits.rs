//! Numbers as text: decimal and hexadecimal digits, and values in units.

use crate::packet::TimeDelta;

/// Writes a decimal number.
#[inline]
pub(in crate::sink) fn decimal(out: &mut Vec<u8>, value: impl itoa::Integer) {
    let mut buffer = itoa::Buffer::new();
    // Copied in pairs, as itoa stores the digits: a longer load would wait for their stores.
    let (first, pairs) = buffer.format(value).as_bytes().as_rchunks::<2>();
    if let [digit] = first {
        out.push(*digit);
    }
    for pair in pairs {
        out.extend_from_slice(pair);
    }
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

/// Writes a number of bytes in decimal units: `79 B`, `1.2 kB`, `65 kB`.
pub(in crate::sink) fn byte_count(out: &mut Vec<u8>, count: u64) {
    write_in_unit(out, count, &[" B", " kB", " MB", " GB", " TB"]);
}

/// Writes a duration as `TimeDelta` displays it, but faster: `222 µs`, `1.2 ms`.
pub(in crate::sink) fn duration(out: &mut Vec<u8>, span: TimeDelta) {
    match span.0 {
        nanos @ 1..60_000_000_000 => {
            write_in_unit(out, nanos.unsigned_abs(), &[" ns", " µs", " ms", " s"]);
        }
        _ => out.extend_from_slice(span.to_string().as_bytes()),
    }
}

/// Writes a value in the largest unit that is not larger; each unit is 1000 times the unit before
/// it. There is one decimal place if only one digit precedes the decimal point.
fn write_in_unit(out: &mut Vec<u8>, value: u64, names: &[&str]) {
    let (mut unit, mut rest) = (1, names.iter());
    let mut name = rest.next();
    while value >= unit * 1000 && rest.len() > 0 {
        unit *= 1000;
        name = rest.next();
    }
    decimal(out, value / unit);
    if value / unit < 10 && unit > 1 {
        out.push(b'.');
        decimal(out, value % unit / (unit / 10));
    }
    out.extend_from_slice(name.copied().unwrap_or_default().as_bytes());
}

/// Formats a number of bytes in decimal units, as the flow table does.
pub(crate) fn format_byte_count(count: u64) -> String {
    let mut out = Vec::new();
    byte_count(&mut out, count);
    String::from_utf8_lossy(&out).into_owned()
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
        assert_eq!(counts.map(format_byte_count), expected);
        for nanos in [-1, 0, 7, 999, 1_000, 14_800, 1_250_000, 9_990_000_000] {
            for span in [nanos, nanos * 10, nanos * 1_000].map(TimeDelta) {
                let text = written(|out| duration(out, span));
                assert_eq!(text, format!("x{span}"));
            }
        }
    }
}
