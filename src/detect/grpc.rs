//! gRPC over HTTP/2 (gRPC's PROTOCOL-HTTP2 document): `application/grpc` in the first HEADERS frame
//! (RFC 9113, RFC 7541).

use super::cursor::{Cursor, ParseError, ParseResult};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes, http2};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "grpc",
    transports: &[TCP],
    detect,
};

const CONTENT_TYPE: &[u8] = b"application/grpc";

/// `CONTENT_TYPE` in the Huffman code of RFC 7541, appendix B: 88 bits, a whole number of octets.
const CONTENT_TYPE_HUFFMAN: [u8; 11] = [
    0x1d, 0x75, 0xd0, 0x62, 0x0d, 0x26, 0x3d, 0x4c, 0x4d, 0x65, 0x64,
];

/// First octets of the Huffman codes for `+` and `;`, which can follow the content type;
/// `application/grpc-web` is another protocol.
const HUFFMAN_PLUS: u8 = 0xff;
const HUFFMAN_SEMICOLON: u8 = 0xfb;

const FRAME_HEADERS: u8 = 1;

/// Frames that cannot precede the first HEADERS frame.
const FRAME_DATA: u8 = 0;
const FRAME_CONTINUATION: u8 = 9;

/// Flags of a HEADERS frame.
const FLAG_PADDED: u8 = 0x08;
const FLAG_PRIORITY: u8 = 0x20;

/// Indexes of `:path` in the static table (RFC 7541, appendix A), with the values `/` and
/// `/index.html`.
const PATH_INDEXES: [usize; 2] = [4, 5];

fn detect(opening: &Opening) -> DetectorVerdict {
    parse_call(opening).unwrap_or_else(ParseError::verdict)
}

fn parse_call(opening: &Opening) -> ParseResult<DetectorVerdict> {
    let (mut frames, settings) = http2::after_settings(opening)?;
    frames.take(settings)?;
    let mut block = Cursor::new(first_header_block(&mut frames)?);
    let (mut is_call, mut path) = (false, &b""[..]);
    // The loop also ends at a malformed field, or at one that continues in a CONTINUATION frame.
    while let Ok(field) = parse_field(&mut block) {
        is_call |= is_grpc_content_type(field.value);
        if PATH_INDEXES.contains(&field.index) || field.name == HpackString::Plain(b":path") {
            path = field.value.plain_or_empty();
        }
    }
    match is_call {
        true => Ok(DetectorVerdict::Done(ServiceAttributes::new(
            &["path"],
            [path],
        ))),
        false => Err(ParseError::Mismatch),
    }
}

/// Returns the header fields in the first HEADERS frame, without those in CONTINUATION frames.
///
/// ```text
///  0        3      4       5        9
/// ├────────┼──────┼───────┼────────┼─────────────────────────────────────────
/// │ length │ type │ flags │ stream │ [pad length] [priority (5)] block [padding]
/// ```
fn first_header_block<'a>(frames: &mut Cursor<'a>) -> ParseResult<&'a [u8]> {
    loop {
        let [high, middle, low, kind, flags, ..] = frames.array::<9>()?;
        let len = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if matches!(kind, FRAME_DATA | FRAME_CONTINUATION) {
            return Err(ParseError::Mismatch);
        }
        let mut payload = Cursor::new(frames.take(len)?);
        if kind != FRAME_HEADERS {
            continue;
        }
        let padding = match flags & FLAG_PADDED {
            0 => 0,
            _ => payload.byte()?,
        };
        if flags & FLAG_PRIORITY != 0 {
            payload.take(5)?;
        }
        let len = payload.rest.len().checked_sub(padding.into());
        return len
            .map(|len| payload.take_up_to(len))
            .ok_or(ParseError::Mismatch);
    }
}

/// An HPACK string, which can be Huffman-coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HpackString<'a> {
    Plain(&'a [u8]),
    Huffman(&'a [u8]),
}

impl<'a> HpackString<'a> {
    fn plain_or_empty(self) -> &'a [u8] {
        match self {
            HpackString::Plain(text) => text,
            HpackString::Huffman(_) => b"",
        }
    }
}

struct HpackField<'a> {
    /// Table index of a literal field's name, or 0.
    index: usize,
    name: HpackString<'a>,
    value: HpackString<'a>,
}

/// Parses a field representation or a table size update (RFC 7541, section 6). Only literal fields
/// are returned with their contents.
///
/// ```text
/// 1iiiiiii                 field in a table
/// 01iiiiii [name] value    literal field, to be added to the table
/// 001sssss                 update of the table size
/// 000xiiii [name] value    literal field (the name is present if i is 0)
/// ```
fn parse_field<'a>(block: &mut Cursor<'a>) -> ParseResult<HpackField<'a>> {
    const EMPTY: HpackString = HpackString::Plain(b"");
    let first = block.byte()?;
    let (bits, is_literal) = match first.leading_zeros() {
        0 => (7, false),
        1 => (6, true),
        2 => (5, false),
        _ => (4, true),
    };
    let index = parse_integer(first, bits, block)?;
    if !is_literal {
        return Ok(HpackField {
            index: 0,
            name: EMPTY,
            value: EMPTY,
        });
    }
    let name = match index {
        0 => parse_string(block)?,
        _ => EMPTY,
    };
    let value = parse_string(block)?;
    Ok(HpackField { index, name, value })
}

fn parse_string<'a>(block: &mut Cursor<'a>) -> ParseResult<HpackString<'a>> {
    let first = block.byte()?;
    let len = parse_integer(first, 7, block)?;
    let octets = block.take(len)?;
    match first & 0x80 {
        0 => Ok(HpackString::Plain(octets)),
        _ => Ok(HpackString::Huffman(octets)),
    }
}

/// Parses an integer (RFC 7541, section 5.1) of at most three octets after the first: more than any
/// length here requires.
fn parse_integer(first: u8, bits: u32, block: &mut Cursor) -> ParseResult<usize> {
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
    Err(ParseError::Mismatch)
}

fn is_grpc_content_type(value: HpackString) -> bool {
    match value {
        HpackString::Plain(value) => match value.strip_prefix(CONTENT_TYPE) {
            Some(after) => matches!(after, [] | [b'+' | b';', ..]),
            None => false,
        },
        HpackString::Huffman(value) => match value.strip_prefix(&CONTENT_TYPE_HUFFMAN) {
            Some(after) => matches!(after, [] | [HUFFMAN_PLUS | HUFFMAN_SEMICOLON, ..]),
            None => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{CONTENT_TYPE, CONTENT_TYPE_HUFFMAN, HUFFMAN_PLUS, HUFFMAN_SEMICOLON};

    /// Returns the code of a letter in RFC 7541, appendix B, as bits.
    fn huffman_code(letter: u8) -> &'static str {
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

    fn huffman_encode(text: &[u8]) -> Vec<u8> {
        let mut bits: String = text.iter().map(|letter| huffman_code(*letter)).collect();
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        let octets = bits.as_bytes().chunks(8);
        octets
            .map(|octet| u8::from_str_radix(str::from_utf8(octet).unwrap(), 2).unwrap())
            .collect()
    }

    #[test]
    fn huffman_content_type_matches_the_rfc_table() {
        assert_eq!(huffman_encode(CONTENT_TYPE), CONTENT_TYPE_HUFFMAN);
        for (after, first) in [("+", HUFFMAN_PLUS), (";", HUFFMAN_SEMICOLON)] {
            let octets = huffman_encode(&[CONTENT_TYPE, after.as_bytes()].concat());
            assert_eq!(
                octets.get(..11),
                Some(&CONTENT_TYPE_HUFFMAN[..]),
                "{octets:02x?}"
            );
            assert_eq!(octets.get(11), Some(&first), "{octets:02x?}");
        }
        let web = huffman_encode(b"application/grpc-");
        assert_ne!(web[11], HUFFMAN_PLUS);
        assert_ne!(web[11], HUFFMAN_SEMICOLON);
    }
}
