//! Numbers as digits, without `core::fmt`: most of a line is numbers.
//!
//! Digits are made inside of a register, the first one lowest, and written as an array of fixed size of which the line
//! then keeps what counts: a copy of variable length is a call, and octets written one by one have to reach memory before
//! they can be read as one.

/// Two digits of every octet.
static HEX: [u16; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [0; 256];
    let mut i = 0;
    while i < 256 {
        pairs[i] = u16::from_le_bytes([digits[i >> 4], digits[i & 15]]);
        i += 1;
    }
    pairs
};

/// The three digits of every number below 1000, the first one lowest, and above them how many are zeros at the front, 2 at most.
static THREE: [u32; 1000] = {
    let mut texts = [0; 1000];
    let mut i = 0;
    while i < 1000 {
        let digits = [i / 100, i / 10 % 10, i % 10];
        let zeros = (i < 100) as u32 + (i < 10) as u32;
        texts[i] = 0x30_3030 | (digits[0] | digits[1] << 8 | digits[2] << 16) as u32 | zeros << 24;
        i += 1;
    }
    texts
};

/// `%u` of a number below 1000: its digits, the first one lowest, and how many there are.
#[inline]
pub(super) fn three(value: u32) -> (u32, usize) {
    let text = THREE[value as usize];
    let zeros = text >> 24;
    ((text & 0xff_ffff) >> (zeros * 8), 3 - zeros as usize)
}

/// `%u` of a port.
#[inline]
pub(in crate::sink) fn port(out: &mut Vec<u8>, port: u16) {
    let (thousands, rest) = (u32::from(port) / 1000, u32::from(port) % 1000);
    if thousands == 0 {
        let (digits, count) = three(rest);
        return piece(out, &digits.to_le_bytes(), count);
    }
    let (digits, count) = three(thousands);
    let rest = u64::from(THREE[rest as usize] & 0xff_ffff);
    let text = u64::from(digits) | rest << (count * 8);
    piece(out, &text.to_le_bytes(), count + 3);
}

/// `0` in every octet.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Appends the first `count` octets of `piece`.
#[inline]
pub(in crate::sink) fn piece<const N: usize>(out: &mut Vec<u8>, piece: &[u8; N], count: usize) {
    let start = out.len();
    out.extend_from_slice(piece);
    out.truncate(start + count);
}

/// So many spaces.
#[inline]
pub(in crate::sink) fn spaces(out: &mut Vec<u8>, count: usize) {
    match count <= SPACES.len() {
        true => piece(out, &SPACES, count),
        false => out.resize(out.len() + count, b' '),
    }
}

const SPACES: [u8; 32] = [b' '; 32];

/// The values of eight decimal digits of a number below 10⁸, one in each octet.
///
/// Halves are divided side by side: by 10 000, then both by 100, then all four by 10, each as a multiplication.
#[inline]
pub(super) fn eight_digits(value: u32) -> u64 {
    let fours = u64::from(value / 10_000) | u64::from(value % 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (twos - tens * 10) << 8
}

/// `%u`.
#[inline]
pub(in crate::sink) fn decimal(out: &mut Vec<u8>, value: u32) {
    if out.capacity() - out.len() < size_of::<u128>() {
        return decimal_behind_room(out, value);
    }
    match value {
        0..10 => out.push(b'0' + value as u8),
        10..EIGHT => short(out, eight_digits(value)),
        EIGHT.. => long(out, value),
    }
}

/// Has room made first. Where that is done apart from what is done with it, nothing has to be kept over the call.
#[cold]
#[inline(never)]
fn decimal_behind_room(out: &mut Vec<u8>, value: u32) {
    out.reserve(size_of::<u128>());
    decimal(out, value);
}

/// The first number with nine digits.
const EIGHT: u32 = 100_000_000;

/// Nine or ten digits.
#[inline]
fn long(out: &mut Vec<u8>, value: u32) {
    let (front, back) = (value / EIGHT, value % EIGHT);
    let skipped = usize::from(front < 10);
    let digits = (front / 10) | (front % 10) << 8 | 0x3030;
    let front = digits >> (skipped * 8);
    let back = u128::from(eight_digits(back) | ZEROS) << (16 - skipped * 8);
    piece(out, &(u128::from(front) | back).to_le_bytes(), 10 - skipped);
}

/// Eight digits without the zeros at their front.
#[inline]
fn short(out: &mut Vec<u8>, digits: u64) {
    let skipped = (digits.trailing_zeros() / 8).min(7);
    let text = (digits | ZEROS) >> (skipped * 8);
    piece(out, &text.to_le_bytes(), 8 - skipped as usize);
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

/// `%02u` of a number below 100.
#[inline]
pub(in crate::sink) fn digits2(out: &mut Vec<u8>, value: u32) {
    let [.., tens, ones] = (eight_digits(value) | ZEROS).to_le_bytes();
    out.extend_from_slice(&[tens, ones]);
}

/// `%06u` of a number below 10⁶.
#[inline]
pub(in crate::sink) fn digits6(out: &mut Vec<u8>, value: u32) {
    let text = (eight_digits(value) | ZEROS) >> 16;
    piece(out, &text.to_le_bytes(), 6);
}

/// `%09u` of a number below 10⁹.
pub(in crate::sink) fn digits9(out: &mut Vec<u8>, value: u32) {
    let text = eight_digits(value / 10) | ZEROS;
    out.extend_from_slice(&text.to_le_bytes());
    out.push(b'0' + (value % 10) as u8);
}

/// `%02x`.
#[inline]
pub(in crate::sink) fn hex8(out: &mut Vec<u8>, value: u8) {
    out.extend_from_slice(&hex_digits(value));
}

/// The two hexadecimal digits of an octet.
#[inline]
pub(in crate::sink) fn hex_digits(value: u8) -> [u8; 2] {
    HEX[usize::from(value)].to_le_bytes()
}

/// `%x` of a 16-bit number.
#[inline]
pub(in crate::sink) fn hex16(out: &mut Vec<u8>, value: u16) {
    let (digits, count) = hex_word(value, 0);
    piece(out, &digits, count);
}

/// The digits of `%x` of a 16-bit number, filled up with `filler`, and how many there are.
#[inline]
pub(in crate::sink) fn hex_word(value: u16, filler: u8) -> ([u8; 4], usize) {
    let [high, low] = value
        .to_be_bytes()
        .map(|octet| u32::from(HEX[usize::from(octet)]));
    let skipped = (value.leading_zeros() / 4).min(3);
    let filled = u64::from(u32::from_le_bytes([filler; 4])) << 32 | u64::from(high | low << 16);
    let text = (filled >> (skipped * 8)) as u32;
    (text.to_le_bytes(), 4 - skipped as usize)
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
    fn any_number_of_spaces() {
        for count in 0..40 {
            assert_eq!(
                written(|o| spaces(o, count)),
                format!("x{}", " ".repeat(count))
            );
        }
    }

    #[test]
    fn as_the_standard_library_writes_them() {
        let mut value: u64 = 1;
        for _ in 0..20 {
            for n in [
                value - 1,
                value,
                value.wrapping_add(1),
                value.wrapping_mul(7),
            ] {
                assert_eq!(written(|o| decimal64(o, n)), format!("x{n}"));
                let (a, b) = (n as u32, n as u16);
                assert_eq!(written(|o| decimal(o, a)), format!("x{a}"));
                assert_eq!(written(|o| port(o, b)), format!("x{b}"));
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
