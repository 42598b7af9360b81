//! A packet's bytes below its line: `-A`, `-x`, `-X` and their kin.

use super::number;
use super::printer::Dump;

/// Bytes per row.
const ROW: usize = 16;
/// Where the text column begins behind the digits of a whole row: two digits each, a space before each pair.
const DIGITS: usize = ROW * 2 + ROW / 2;

/// Writes what the style asks for; `header` is the length of the link header.
pub(super) fn print(out: &mut Vec<u8>, dump: Dump, bytes: &[u8], header: usize) {
    let beyond = bytes.get(header..).unwrap_or_default();
    match dump {
        Dump::None => {}
        Dump::Ascii if beyond.is_empty() => {}
        Dump::Ascii => ascii(out, beyond),
        Dump::AsciiLink => ascii(out, bytes),
        Dump::Hex => hex(out, beyond),
        Dump::HexLink => hex(out, bytes),
        Dump::Both => hex_and_ascii(out, beyond),
        Dump::BothLink => hex_and_ascii(out, bytes),
    }
}

fn visible(octet: u8) -> u8 {
    if octet.is_ascii_graphic() {
        octet
    } else {
        b'.'
    }
}

fn ascii(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'\n');
    for (at, &octet) in bytes.iter().enumerate() {
        match octet {
            b'\t' | b' ' | b'\n' => out.push(octet),
            // At the end of a line it is left out.
            b'\r' => {
                let next = bytes.get(at + 1);
                if bytes.len() - at > 2 && next != Some(&b'\n') {
                    out.push(b'.');
                }
            }
            _ => out.push(visible(octet)),
        }
    }
}

/// `\n\t0x0010: `, with more digits where the offset has more.
fn offset(out: &mut Vec<u8>, at: usize) {
    out.extend_from_slice(b"\n\t0x");
    let [high, higher, low, lower] = (at as u32).to_be_bytes();
    if at > 0xffff {
        number::hex16(out, u16::from_be_bytes([high, higher]));
    }
    number::hex8(out, low);
    number::hex8(out, lower);
    out.extend_from_slice(b": ");
}

/// The digits of a row, and how long they are.
fn digits(row: &[u8]) -> ([u8; DIGITS], usize) {
    let (mut text, mut end) = ([b' '; DIGITS], 0);
    for (place, pair) in text.chunks_exact_mut(5).zip(row.chunks(2)) {
        for (place, &octet) in place[1..].chunks_exact_mut(2).zip(pair) {
            place.copy_from_slice(&number::hex_digits(octet));
        }
        end += 1 + pair.len() * 2;
    }
    (text, end)
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for (row, bytes) in bytes.chunks(ROW).enumerate() {
        offset(out, row * ROW);
        let (digits, end) = digits(bytes);
        number::piece(out, &digits, end);
    }
}

/// Both; also what a protocol is shown as that nothing is known of.
pub(super) fn hex_and_ascii(out: &mut Vec<u8>, bytes: &[u8]) {
    for (row, bytes) in bytes.chunks(ROW).enumerate() {
        offset(out, row * ROW);
        out.extend_from_slice(&digits(bytes).0);
        let mut text = [b' '; ROW + 2];
        for (place, &octet) in text.iter_mut().skip(2).zip(bytes) {
            *place = visible(octet);
        }
        number::piece(out, &text, bytes.len() + 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumped(dump: Dump, bytes: &[u8], header: usize) -> String {
        let mut out = Vec::new();
        print(&mut out, dump, bytes, header);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn odd_lengths() {
        let bytes = b"xxGET / HTTP/1.0\r\n\r";
        assert_eq!(dumped(Dump::Hex, bytes, 16), "\n\t0x0000:  0d0a 0d");
        assert_eq!(
            dumped(Dump::BothLink, bytes, 2),
            "\n\t0x0000:  7878 4745 5420 2f20 4854 5450 2f31 2e30  xxGET./.HTTP/1.0\
             \n\t0x0010:  0d0a 0d                                  ..."
        );
        assert_eq!(dumped(Dump::Both, bytes, 19), "");
        assert_eq!(dumped(Dump::Ascii, bytes, 19), "");
        assert_eq!(dumped(Dump::Ascii, bytes, 99), "");
    }

    #[test]
    fn offsets_of_more_than_four_digits() {
        assert!(dumped(Dump::Hex, &[0; 65537], 0).ends_with(" 0000\n\t0x10000:  00"));
    }

    #[test]
    fn carriage_returns_and_controls() {
        assert_eq!(
            dumped(Dump::Ascii, b"a\rbc\r\n\t\x1b\x7f\x9b\xffd\re", 0),
            "\na.bc\n\t....de"
        );
    }
}
