//! MongoDB's wire protocol (MongoDB documentation, "MongoDB Wire Protocol"): `OP_MSG`, `OP_QUERY`
//! and `OP_COMPRESSED`.

use super::cursor::{Cursor, ParseError, ParseResult};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "mongodb",
    transports: &[TCP],
    detect,
};

const OP_QUERY: u32 = 2004;
const OP_COMPRESSED: u32 = 2012;
const OP_MSG: u32 = 2013;

const HEADER_LEN: u32 = 16;
const MAX_MESSAGE_LEN: u32 = 48_000_000;

/// Defined flags of `OP_MSG`: `checksumPresent`, `moreToCome`, `exhaustAllowed`.
const DEFINED_MSG_FLAGS: u32 = 0x0001_0003;

fn detect(opening: &Opening) -> DetectorVerdict {
    match command(opening) {
        Ok(command) => DetectorVerdict::Done(ServiceAttributes::new(&["command"], [command])),
        Err(error) => error.verdict(),
    }
}

/// Parses the first message and returns its command.
///
/// ```text
///  0        4         8             12     16
/// ├────────┼─────────┼─────────────┼──────┼───────────────────────────────────────────
/// │ length │ request │ response to │ code │ 2013: flags (4), sections
///                                         │ 2004: flags (4), collection NUL, skip (4),
///                                         │       limit (4), document
///                                         │ 2012: code (4), length (4), compressor (1), bytes
/// ```
///
/// All numbers are little-endian.
fn command<'a>(opening: &Opening<'a>) -> ParseResult<&'a [u8]> {
    let mut cursor = Cursor::new(opening.orig);
    if opening.orig.is_empty() {
        // A reply can have any length up to the limit; only the highest byte is checked.
        return match opening.resp {
            [_, _, _, 3..=255, ..] => Err(ParseError::Mismatch),
            _ => Err(ParseError::Incomplete),
        };
    }
    let len = cursor.u32_le()?;
    if !(HEADER_LEN + 5..=MAX_MESSAGE_LEN).contains(&len) {
        return Err(ParseError::Mismatch);
    }
    let _request = cursor.u32_le()?;
    cursor.literal(&[0; 4])?;
    let code = cursor.u32_le()?;
    let max_len = len - HEADER_LEN;
    match code {
        OP_MSG => op_msg(cursor, max_len),
        OP_QUERY => op_query(cursor, max_len),
        OP_COMPRESSED => op_compressed(cursor).map(|()| &b""[..]),
        _ => Err(ParseError::Mismatch),
    }
}

/// Parses the sections of `OP_MSG` and returns the command. A section is a 0 followed by a
/// document, or a 1 followed by a length and a list of documents.
fn op_msg(mut cursor: Cursor<'_>, max_len: u32) -> ParseResult<&[u8]> {
    if cursor.u32_le()? & !DEFINED_MSG_FLAGS != 0 {
        return Err(ParseError::Mismatch);
    }
    loop {
        match cursor.byte()? {
            0 => return first_element_name(cursor, max_len),
            1 => {
                let len = cursor.u32_le()?;
                if !(5..=max_len).contains(&len) {
                    return Err(ParseError::Mismatch);
                }
                cursor.take(usize::try_from(len - 4).map_err(|_| ParseError::Mismatch)?)?;
            }
            _ => return Err(ParseError::Mismatch),
        }
    }
}

fn op_query(mut cursor: Cursor<'_>, max_len: u32) -> ParseResult<&[u8]> {
    // Eight flags, the first of which is reserved.
    if cursor.u32_le()? & !0xff != 0 {
        return Err(ParseError::Mismatch);
    }
    let collection = cursor.take_delimited(0, 255, |byte| byte > b' ')?;
    if !collection.contains(&b'.') {
        return Err(ParseError::Mismatch);
    }
    cursor.take(4 + 4)?;
    first_element_name(cursor, max_len)
}

fn op_compressed(mut cursor: Cursor) -> ParseResult<()> {
    let code = cursor.u32_le()?;
    let len = cursor.u32_le()?;
    if !matches!(code, OP_QUERY | OP_MSG) || !(5..=MAX_MESSAGE_LEN).contains(&len) {
        return Err(ParseError::Mismatch);
    }
    // Compressors: none, Snappy, zlib, Zstandard.
    match cursor.byte()? {
        0..=3 => Ok(()),
        _ => Err(ParseError::Mismatch),
    }
}

/// Returns the name of a document's first element, which is the command.
///
/// ```text
///  0        4      5
/// ├────────┼──────┼──────────────
/// │ length │ type │ name NUL value …
/// ```
fn first_element_name(mut document: Cursor<'_>, max_len: u32) -> ParseResult<&[u8]> {
    let len = document.u32_le()?;
    if !(5..=max_len).contains(&len) {
        return Err(ParseError::Mismatch);
    }
    match document.byte()? {
        // End of the document, which is empty.
        0 => Ok(b""),
        1..=0x13 => match document.take_delimited(0, 64, |byte| byte.is_ascii_graphic())? {
            [] => Err(ParseError::Mismatch),
            name => Ok(name),
        },
        _ => Err(ParseError::Mismatch),
    }
}
