//! Dumps of packet bytes, printed below the packet's line (`-A`, `-x`, `-X`, …).

use std::io::Write;

use super::digits::{self, HEX};

/// Dump of a packet's bytes below its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dump {
    /// No dump.
    #[default]
    None,
    /// `-A`: ASCII, without the link header.
    Ascii,
    /// `-AA`: ASCII, with the link header.
    AsciiLink,
    /// `-x`: hexadecimal, without the link header.
    Hex,
    /// `-xx`: hexadecimal, with the link header.
    HexLink,
    /// `-X`: hexadecimal and ASCII, without the link header.
    HexAscii,
    /// `-XX`: hexadecimal and ASCII, with the link header.
    HexAsciiLink,
}

const BYTES_PER_ROW: usize = 16;
/// Width of the hexadecimal column: two digits per byte and a space before each pair of bytes.
const HEX_COLUMN_WIDTH: usize = BYTES_PER_ROW * 2 + BYTES_PER_ROW / 2;

/// Writes a dump in this style; `header` is the length of the link header, in bytes.
pub(super) fn print(out: &mut Vec<u8>, dump: Dump, bytes: &[u8], header: usize) {
    let payload = bytes.get(header..).unwrap_or_default();
    match dump {
        Dump::None => {}
        Dump::Ascii if payload.is_empty() => {}
        Dump::Ascii => write_ascii(out, payload),
        Dump::AsciiLink => write_ascii(out, bytes),
        Dump::Hex => write_hex(out, INDENT, payload),
        Dump::HexLink => write_hex(out, INDENT, bytes),
        Dump::HexAscii => write_hex_and_ascii(out, payload),
        Dump::HexAsciiLink => write_hex_and_ascii(out, bytes),
    }
}

fn printable(octet: u8) -> u8 {
    if octet.is_ascii_graphic() {
        octet
    } else {
        b'.'
    }
}

fn write_ascii(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'\n');
    for (at, &octet) in bytes.iter().enumerate() {
        match octet {
            b'\t' | b' ' | b'\n' => out.push(octet),
            // tcpdump omits a carriage return before a newline or near the end of the data.
            b'\r' => {
                let next = bytes.get(at + 1);
                if bytes.len() - at > 2 && next != Some(&b'\n') {
                    out.push(b'.');
                }
            }
            _ => out.push(printable(octet)),
        }
    }
}

/// Start of a dump's line.
const INDENT: &str = "\n\t";

/// Writes an offset, e.g. `\n\t0x0010: `; offsets above 0xffff have more digits.
fn write_offset(out: &mut Vec<u8>, indent: &str, at: usize) {
    out.extend_from_slice(indent.as_bytes());
    out.extend_from_slice(b"0x");
    let [byte1, byte0] = (at as u16).to_be_bytes();
    if at > 0xffff {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{:x}", at >> 16);
    }
    digits::hex(out, byte1);
    digits::hex(out, byte0);
    out.extend_from_slice(b": ");
}

/// Returns the hexadecimal column of a row, padded with spaces, and its length without padding.
fn hex_column(row: &[u8]) -> ([u8; HEX_COLUMN_WIDTH], usize) {
    let (mut text, mut end) = ([b' '; HEX_COLUMN_WIDTH], 0);
    for (cell, pair) in text.chunks_exact_mut(5).zip(row.chunks(2)) {
        for (digits, &octet) in cell[1..].chunks_exact_mut(2).zip(pair) {
            digits.copy_from_slice(&HEX[usize::from(octet)]);
        }
        end += 1 + pair.len() * 2;
    }
    (text, end)
}

/// Writes a dump in hexadecimal, also of octets that are not dissected; each line begins with
/// `indent`.
pub(super) fn write_hex(out: &mut Vec<u8>, indent: &str, bytes: &[u8]) {
    for (row, bytes) in bytes.chunks(BYTES_PER_ROW).enumerate() {
        write_offset(out, indent, row * BYTES_PER_ROW);
        let (digits, end) = hex_column(bytes);
        out.extend_from_slice(&digits);
        out.truncate(out.len() - (HEX_COLUMN_WIDTH - end));
    }
}

/// Writes a dump in hexadecimal and ASCII; also used for undissected protocols.
pub(super) fn write_hex_and_ascii(out: &mut Vec<u8>, bytes: &[u8]) {
    for (row, bytes) in bytes.chunks(BYTES_PER_ROW).enumerate() {
        write_offset(out, INDENT, row * BYTES_PER_ROW);
        out.extend_from_slice(&hex_column(bytes).0);
        let mut text = [b' '; BYTES_PER_ROW + 2];
        for (cell, &octet) in text.iter_mut().skip(2).zip(bytes) {
            *cell = printable(octet);
        }
        out.extend_from_slice(&text);
        out.truncate(out.len() - (BYTES_PER_ROW - bytes.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump_to_string(dump: Dump, bytes: &[u8], header: usize) -> String {
        let mut out = Vec::new();
        print(&mut out, dump, bytes, header);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn partial_rows_and_empty_dumps_are_printed() {
        let bytes = b"xxGET / HTTP/1.0\r\n\r";
        assert_eq!(dump_to_string(Dump::Hex, bytes, 16), "\n\t0x0000:  0d0a 0d");
        assert_eq!(
            dump_to_string(Dump::HexAsciiLink, bytes, 2),
            "\n\t0x0000:  7878 4745 5420 2f20 4854 5450 2f31 2e30  xxGET./.HTTP/1.0\
             \n\t0x0010:  0d0a 0d                                  ..."
        );
        assert_eq!(dump_to_string(Dump::HexAscii, bytes, 19), "");
        assert_eq!(dump_to_string(Dump::Ascii, bytes, 19), "");
        assert_eq!(dump_to_string(Dump::Ascii, bytes, 99), "");
    }

    #[test]
    fn offsets_above_0xffff_have_more_digits() {
        assert!(dump_to_string(Dump::Hex, &[0; 65537], 0).ends_with(" 0000\n\t0x10000:  00"));
    }

    #[test]
    fn control_characters_print_as_dots() {
        assert_eq!(
            dump_to_string(Dump::Ascii, b"a\rbc\r\n\t\x1b\x7f\x9b\xffd\re", 0),
            "\na.bc\n\t....de"
        );
    }
}
