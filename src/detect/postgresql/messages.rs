//! Detection of a capture that starts within a PostgreSQL connection: messages with a type.

use super::{
    Cursor, DetectorVerdict, Opening, ParseError, ParseResult, ServiceAttributes, is_graphic,
    is_text,
};

/// Maximum length of a message in bytes: PostgreSQL's `PQ_LARGE_MESSAGE_LIMIT`.
const MAX_MESSAGE_LEN: u32 = 0x3fff_ffff;
/// Number of bytes of a statement that are checked: more of them are not required.
const MAX_CHECKED_LEN: usize = 64;
/// Minimum length of a statement that is certain without an answer.
const MIN_CERTAIN_LEN: usize = 6;
/// Maximum length of a name in bytes, with margin: PostgreSQL's `NAMEDATALEN` is 64.
const MAX_NAME_LEN: usize = 128;

/// Evidence of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Evidence {
    /// The message matches, which does not suffice.
    Weak,
    /// The message suffices together with one of the other side.
    Strong,
    /// The message suffices.
    Certain,
}

/// Detects messages with a type. One message with strong evidence of each side is final.
pub(super) fn detect(opening: &Opening) -> DetectorVerdict {
    let orig = evidence(opening.orig, client_message);
    let resp = evidence(opening.resp, server_message);
    match (orig, resp) {
        (Err(ParseError::Mismatch), _) | (_, Err(ParseError::Mismatch)) => DetectorVerdict::No,
        (Ok(_), Ok(_)) => DetectorVerdict::Done(ServiceAttributes::default()),
        (Ok(Evidence::Certain), _) => DetectorVerdict::Yes(ServiceAttributes::default()),
        _ => DetectorVerdict::Maybe,
    }
}

/// Returns the evidence of the first message of a side that is more than weak.
fn evidence(
    bytes: &[u8],
    check: fn(u8, usize, &mut Cursor) -> ParseResult<Evidence>,
) -> ParseResult<Evidence> {
    let mut cursor = Cursor::new(bytes);
    loop {
        let kind = cursor.byte()?;
        // Of other protocols, most messages with the same first byte are texts.
        if cursor.rest.first().is_some_and(|byte| *byte > 0x3f) {
            return Err(ParseError::Mismatch);
        }
        let len = cursor.u32()?;
        if !(4..=MAX_MESSAGE_LEN).contains(&len) {
            return Err(ParseError::Mismatch);
        }
        let len = usize::try_from(len - 4).map_err(|_| ParseError::Mismatch)?;
        let captured = cursor.take_up_to(len);
        match check(kind, len, &mut Cursor::new(captured)) {
            Ok(Evidence::Weak) => {}
            // The message is too short for its fields.
            Err(ParseError::Incomplete) if captured.len() == len => {
                return Err(ParseError::Mismatch);
            }
            result => return result,
        }
    }
}

/// Checks a message of the client with a body of this length.
fn client_message(kind: u8, len: usize, body: &mut Cursor) -> ParseResult<Evidence> {
    match kind {
        b'Q' => match statement(body)? {
            Some(text) if text + 1 != len => Err(ParseError::Mismatch),
            Some(..MIN_CERTAIN_LEN) => Ok(Evidence::Strong),
            _ => Ok(Evidence::Certain),
        },
        b'P' => {
            let name = body.take_delimited(0, MAX_NAME_LEN, is_text)?;
            let Some(text) = statement(body)? else {
                return Ok(Evidence::Certain);
            };
            body.take(text + 1)?;
            // The types of the parameters are at the end.
            match len == name.len() + text + 4 + 4 * usize::from(body.u16()?) {
                true => Ok(Evidence::Strong),
                false => Err(ParseError::Mismatch),
            }
        }
        b'B' => {
            body.take_delimited(0, MAX_NAME_LEN, is_text)?;
            body.take_delimited(0, MAX_NAME_LEN, is_text)?;
            let formats = body.u16()?;
            for _ in 0..formats {
                if body.u16()? > 1 {
                    return Err(ParseError::Mismatch);
                }
            }
            match body.u16()? {
                values if [0, 1, values].contains(&formats) => Ok(Evidence::Strong),
                _ => Err(ParseError::Mismatch),
            }
        }
        b'C' | b'D' => {
            if ![b'S', b'P'].contains(&body.byte()?) {
                return Err(ParseError::Mismatch);
            }
            body.take_delimited(0, MAX_NAME_LEN, is_text)
                .and_then(|_| end(body))
        }
        b'E' => {
            body.take_delimited(0, MAX_NAME_LEN, is_text)?;
            body.u32().and_then(|_| end(body))
        }
        b'S' | b'H' if len == 0 => Ok(Evidence::Weak),
        _ => Err(ParseError::Mismatch),
    }
}

/// Checks a statement up to the NUL at its end, or its first [`MAX_CHECKED_LEN`] bytes. Returns its
/// length, or `None` if it is longer.
fn statement(body: &Cursor) -> ParseResult<Option<usize>> {
    let is_part = |byte: u8| is_text(byte) || byte.is_ascii_whitespace();
    let start = &body.rest[..body.rest.len().min(MAX_CHECKED_LEN)];
    match start.iter().position(|byte| !is_part(*byte)) {
        Some(end) if start[end] == 0 => Ok(Some(end)),
        Some(_) => Err(ParseError::Mismatch),
        // Random bytes are rarely text in UTF-8, whose last character can be incomplete here.
        None if start.len() == MAX_CHECKED_LEN => match std::str::from_utf8(start) {
            Err(error) if error.error_len().is_some() => Err(ParseError::Mismatch),
            _ => Ok(None),
        },
        None => Err(ParseError::Incomplete),
    }
}

/// Returns weak evidence at the end of a message.
fn end(body: &Cursor) -> ParseResult<Evidence> {
    match body.rest {
        [] => Ok(Evidence::Weak),
        _ => Err(ParseError::Mismatch),
    }
}

/// Checks a message of the server with a body of this length.
fn server_message(kind: u8, len: usize, body: &mut Cursor) -> ParseResult<Evidence> {
    match kind {
        b'1' | b'2' | b'3' | b'I' | b'n' | b's' if len == 0 => Ok(Evidence::Strong),
        b'Z' if len == 1 => match body.byte()? {
            b'I' | b'T' | b'E' => Ok(Evidence::Strong),
            _ => Err(ParseError::Mismatch),
        },
        // Command tags are words and numbers.
        b'C' => {
            let tag = body.take_delimited(0, MAX_NAME_LEN, is_text)?;
            match tag.first().is_some_and(u8::is_ascii_uppercase) && tag.len() + 1 == len {
                true => Ok(Evidence::Strong),
                false => Err(ParseError::Mismatch),
            }
        }
        // The first field of errors and notices is the severity.
        b'E' | b'N' => {
            body.literal(b"S")?;
            let severity = body.take_delimited(0, MAX_NAME_LEN, is_text)?;
            match severity.is_empty() {
                true => Err(ParseError::Mismatch),
                false => Ok(Evidence::Strong),
            }
        }
        b'T' => {
            let count = body.u16()?;
            if count == 0 {
                return Ok(Evidence::Weak);
            }
            body.take_delimited(0, MAX_NAME_LEN, is_text)
                .map(|_| Evidence::Strong)
        }
        b'D' => {
            let count = body.u16()?;
            if count == 0 {
                return end(body);
            }
            match body.u32()? {
                u32::MAX => Ok(Evidence::Weak),
                value if u64::from(value) + 6 <= len as u64 => Ok(Evidence::Weak),
                _ => Err(ParseError::Mismatch),
            }
        }
        b't' => {
            let count = usize::from(body.u16()?);
            match len == 2 + 4 * count {
                true => Ok(Evidence::Weak),
                false => Err(ParseError::Mismatch),
            }
        }
        b'S' => body
            .take_delimited(0, MAX_NAME_LEN, is_graphic)
            .map(|_| Evidence::Weak),
        b'G' | b'H' if len >= 3 => match body.byte()? {
            0 | 1 => Ok(Evidence::Weak),
            _ => Err(ParseError::Mismatch),
        },
        b'd' => Ok(Evidence::Weak),
        _ => Err(ParseError::Mismatch),
    }
}
