//! Payload as lines of text or of hexadecimal, each after the prefix of its sender.

use std::io::Write;

use crate::flow::Side;
use crate::printable::is_printable;
use crate::sink::digits;

/// Bytes per line of hexadecimal.
pub(super) const HEX_ROW_LEN: usize = 16;

/// Returns the prefix of a side's lines: `>` for the client, `<` for the server.
pub(super) fn prefix(side: Side) -> &'static str {
    match side {
        Side::Orig => "> ",
        Side::Resp => "< ",
    }
}

/// Returns true if the bytes are readable text: no control characters except tab, CR, LF and ESC,
/// and at most 6 bytes of invalid UTF-8.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let is_control = |&octet: &u8| octet < b' ' && !matches!(octet, b'\t' | b'\n' | b'\r' | 0x1b);
    // A multi-byte character can be split at both ends of a chunk.
    let invalid = |bytes: &[u8]| bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    let invalid: usize = if bytes.is_ascii() { 0 } else { invalid(bytes) };
    invalid <= 6 && !bytes.iter().any(is_control)
}

/// Writes text with unprintable characters and invalid bytes replaced by `.`, and CR LF by LF. The
/// prefix is written at the start of each line; `mid_line` is true within a line.
pub(super) fn write_text(out: &mut Vec<u8>, prefix: &str, mid_line: &mut bool, bytes: &[u8]) {
    let is_plain = |octet: &u8| matches!(octet, b' '..=b'~' | b'\n' | b'\t');
    for line in bytes.split_inclusive(|&octet| octet == b'\n') {
        let is_ended = line.ends_with(b"\n");
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let text = match is_ended {
            true => line.strip_suffix(b"\r").unwrap_or(line),
            false => line,
        };
        if !*mid_line {
            let prefix = match text.is_empty() {
                true => prefix.trim_end(),
                false => prefix,
            };
            out.extend_from_slice(prefix.as_bytes());
        }
        // Nearly all lines are plain, and faster to copy as a whole.
        match text.iter().all(is_plain) {
            true => out.extend_from_slice(text),
            false => write_unusual(out, text),
        }
        if is_ended {
            out.push(b'\n');
        }
        *mid_line = !is_ended;
    }
}

fn write_unusual(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match is_printable(character) || character == '\t' {
                true => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                false => out.push(b'.'),
            }
        }
        out.extend(chunk.invalid().iter().map(|_| b'.'));
    }
}

/// Writes lines of hexadecimal, each after the prefix:
/// `> 00000010  48 6f 73 74 3a 20 31 32  37 2e 30 2e 30 2e 31 3a  |Host: 127.0.0.1:|`.
pub(super) fn write_hex(out: &mut Vec<u8>, prefix: &str, offset: u64, bytes: &[u8]) {
    for (at, row) in bytes.chunks(HEX_ROW_LEN).enumerate() {
        let offset = (offset + (at * HEX_ROW_LEN) as u64) as u32;
        let (left, right) = row.split_at(row.len().min(HEX_ROW_LEN / 2));
        let [left, right] = [left, right].map(|octets| {
            let digits = octets.iter().map(|&octet| digits::HEX[usize::from(octet)]);
            let cells = digits.flat_map(|[high, low]| [high, low, b' ']);
            cells.map(char::from).collect::<String>()
        });
        let visible = |&octet: &u8| match octet {
            b' '..=b'~' => char::from(octet),
            _ => '.',
        };
        let text: String = row.iter().map(visible).collect();
        // Writing to a Vec cannot fail.
        let _ = writeln!(out, "{prefix}{offset:08x}  {left:24} {right:24} |{text}|");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn text_has_no_terminal_controls() {
        let payload =
            b"GET / HTTP/1.1\r\nX: \x1b[2Jpl\xc3\xa4in \xff\x9b\r\n\r\nlone\rhere\t\xc2\x9b.\nend";
        assert!(is_text(payload));
        assert_eq!(
            written(|out| {
                let mut mid_line = false;
                write_text(out, "> ", &mut mid_line, payload);
                assert!(mid_line);
                write_text(out, "> ", &mut mid_line, b"ed\n");
                assert!(!mid_line);
            }),
            "> GET / HTTP/1.1\n> X: .[2Jpläin ..\n>\n> lone.here\t..\n> ended\n"
        );
        assert!(!is_text(b"\x00\x00\x00\x08\x04\xd2\x16\x2f"));
        assert!(!is_text(&[0xfe; 40]));
    }

    #[test]
    fn hex_rows_have_offset_and_ascii() {
        assert_eq!(
            written(|out| write_hex(out, "< ", 0x10, b"Host: 127.0.0.1:8\n")),
            "< 00000010  48 6f 73 74 3a 20 31 32  37 2e 30 2e 30 2e 31 3a  |Host: 127.0.0.1:|\n\
             < 00000020  38 0a                                             |8.|\n"
        );
    }
}
