//! gRPC over HTTP/2 (gRPC's PROTOCOL-HTTP2 document): `application/grpc` in the first HEADERS (RFC 9113, RFC 7541).

use super::cursor::{Cursor, Read, Stop};
use super::{Detector, Facts, Opening, Verdict, http2};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "grpc",
    transports: &[TCP],
    detect,
};

const CONTENT: &[u8] = b"application/grpc";

/// The same in the Huffman code of RFC 7541, appendix B: 88 bits, which end with an octet.
const CONTENT_CODED: [u8; 11] = [
    0x1d, 0x75, 0xd0, 0x62, 0x0d, 0x26, 0x3d, 0x4c, 0x4d, 0x65, 0x64,
];

/// The octets that `+` and `;` begin with, which may stand after; `-web` would be another protocol.
const CODED_PLUS: u8 = 0xff;
const CODED_SEMICOLON: u8 = 0xfb;

const HEADERS: u8 = 1;

/// Frames that cannot stand before the first HEADERS.
const DATA: u8 = 0;
const CONTINUATION: u8 = 9;

/// Flags of HEADERS.
const PADDED: u8 = 0x08;
const WITH_PRIORITY: u8 = 0x20;

/// Rows of RFC 7541's static table, appendix A: both are `:path`, with `/` and with `/index.html`.
const PATHS: [usize; 2] = [4, 5];

fn detect(opening: &Opening) -> Verdict {
    call(opening).unwrap_or_else(Stop::verdict)
}

fn call(opening: &Opening) -> Read<Verdict> {
    let (mut frames, settings) = http2::after_settings(opening)?;
    frames.take(settings)?;
    let mut block = Cursor::new(first_headers(&mut frames)?);
    let (mut is_call, mut path) = (false, &b""[..]);
    // A block that goes on in a CONTINUATION, or that is not one, ends here.
    while let Ok(field) = field(&mut block) {
        is_call |= is_content(field.value);
        if PATHS.contains(&field.index) || field.name == Text::Plain(b":path") {
            path = field.value.readable();
        }
    }
    match is_call {
        true => Ok(Verdict::Done(Facts::new(&["path"], [path]))),
        false => Err(Stop::Wrong),
    }
}

/// The first block of header fields, or what of it is in the HEADERS frame.
///
/// ```text
///  0        3      4       5        9
/// ├────────┼──────┼───────┼────────┼─────────────────────────────────────────
/// │ length │ kind │ flags │ stream │ [padding's length] [priority, 5] block [padding]
/// ```
fn first_headers<'a>(frames: &mut Cursor<'a>) -> Read<&'a [u8]> {
    loop {
        let [high, middle, low, kind, flags, ..] = frames.array::<9>()?;
        let len = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if matches!(kind, DATA | CONTINUATION) {
            return Err(Stop::Wrong);
        }
        let mut payload = Cursor::new(frames.take(len)?);
        if kind != HEADERS {
            continue;
        }
        let padding = match flags & PADDED {
            0 => 0,
            _ => payload.byte()?,
        };
        if flags & WITH_PRIORITY != 0 {
            payload.take(5)?;
        }
        let len = payload.rest.len().checked_sub(padding.into());
        return len.map(|len| payload.up_to(len)).ok_or(Stop::Wrong);
    }
}

/// A string of HPACK, which may be coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text<'a> {
    Plain(&'a [u8]),
    Coded(&'a [u8]),
}

impl<'a> Text<'a> {
    fn readable(self) -> &'a [u8] {
        match self {
            Text::Plain(text) => text,
            Text::Coded(_) => b"",
        }
    }
}

struct Field<'a> {
    /// The row that has the name, or 0.
    index: usize,
    name: Text<'a>,
    value: Text<'a>,
}

/// ```text
/// 1iiiiiii                 a field that a table has
/// 01iiiiii [name] value    a field, to be put into the table
/// 001sssss                 the table's size
/// 000xiiii [name] value    a field (the name where i is 0)
/// ```
fn field<'a>(block: &mut Cursor<'a>) -> Read<Field<'a>> {
    const NOTHING: Text = Text::Plain(b"");
    let first = block.byte()?;
    let (bits, is_literal) = match first.leading_zeros() {
        0 => (7, false),
        1 => (6, true),
        2 => (5, false),
        _ => (4, true),
    };
    let index = integer(first, bits, block)?;
    if !is_literal {
        return Ok(Field {
            index: 0,
            name: NOTHING,
            value: NOTHING,
        });
    }
    let name = match index {
        0 => string(block)?,
        _ => NOTHING,
    };
    let value = string(block)?;
    Ok(Field { index, name, value })
}

fn string<'a>(block: &mut Cursor<'a>) -> Read<Text<'a>> {
    let first = block.byte()?;
    let len = integer(first, 7, block)?;
    let octets = block.take(len)?;
    match first & 0x80 {
        0 => Ok(Text::Plain(octets)),
        _ => Ok(Text::Coded(octets)),
    }
}

/// RFC 7541, section 5.1; no more octets than any length here needs.
fn integer(first: u8, bits: u32, block: &mut Cursor) -> Read<usize> {
    let full = (1 << bits) - 1;
    let mut value = usize::from(first) & full;
    if value < full {
        return Ok(value);
    }
    for shift in [0, 7, 14] {
        let octet = block.byte()?;
        value += usize::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Stop::Wrong)
}

fn is_content(value: Text) -> bool {
    match value {
        Text::Plain(value) => match value.strip_prefix(CONTENT) {
            Some(after) => matches!(after, [] | [b'+' | b';', ..]),
            None => false,
        },
        Text::Coded(value) => match value.strip_prefix(&CONTENT_CODED) {
            Some(after) => matches!(after, [] | [CODED_PLUS | CODED_SEMICOLON, ..]),
            None => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{CODED_PLUS, CODED_SEMICOLON, CONTENT, CONTENT_CODED};

    /// Codes of RFC 7541, appendix B, as bits.
    fn code(letter: u8) -> &'static str {
        match letter {
            b'a' => "00011",
            b'c' => "00100",
            b'i' => "00110",
            b'o' => "00111",
            b't' => "01001",
            b'/' => "011000",
            b'g' => "100110",
            b'l' => "101000",
            b'n' => "101010",
            b'p' => "101011",
            b'r' => "101100",
            b'-' => "010110",
            b';' => "11111011",
            b'+' => "11111111011",
            other => panic!("{other}"),
        }
    }

    fn coded(text: &[u8]) -> Vec<u8> {
        let mut bits: String = text.iter().map(|letter| code(*letter)).collect();
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        let octets = bits.as_bytes().chunks(8);
        octets
            .map(|octet| u8::from_str_radix(str::from_utf8(octet).unwrap(), 2).unwrap())
            .collect()
    }

    #[test]
    fn the_coded_content_is_what_the_table_gives() {
        assert_eq!(coded(CONTENT), CONTENT_CODED);
        for (after, first) in [("+", CODED_PLUS), (";", CODED_SEMICOLON)] {
            let octets = coded(&[CONTENT, after.as_bytes()].concat());
            assert_eq!(octets.get(..11), Some(&CONTENT_CODED[..]), "{octets:02x?}");
            assert_eq!(octets.get(11), Some(&first), "{octets:02x?}");
        }
        let web = coded(b"application/grpc-");
        assert_ne!(web[11], CODED_PLUS);
        assert_ne!(web[11], CODED_SEMICOLON);
    }
}
