//! HTTP/1.0 and HTTP/1.1 (RFC 9112): a request line, or a status line if the request was not
//! captured.

use super::cursor::{Cursor, ParseError, ParseResult};
use super::{Detector, DetectorVerdict, MAX_OPENING_LEN, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "http",
    transports: &[TCP],
    detect,
};

/// Parts of a request line, and the bytes after it.
///
/// ```text
/// GET /index.html HTTP/1.1 CR LF
/// method target   version
/// ```
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) after: Cursor<'a>,
}

/// Maximum length of a method; the longest registered method has 17 letters.
const MAX_METHOD_LEN: usize = 24;

fn detect(opening: &Opening) -> DetectorVerdict {
    let status = status_code(opening.resp);
    let request = match request_line(opening.orig) {
        Ok(request) => request,
        Err(ParseError::Mismatch) => return DetectorVerdict::No,
        // For a long request line, or a capture that started late, the response decides, but it
        // never rejects: the request can still be HTTP.
        Err(ParseError::Incomplete) => {
            return match status {
                Ok(status) => DetectorVerdict::Yes(ServiceAttributes::new(&["status"], [status])),
                Err(_) => DetectorVerdict::Maybe,
            };
        }
    };
    let attributes = ServiceAttributes::new(
        &["method", "path", "status"],
        [request.method, request.target, status.unwrap_or_default()],
    );
    match status {
        Err(ParseError::Incomplete) => DetectorVerdict::Yes(attributes),
        // The request is HTTP even if the responder does not understand it.
        Ok(_) | Err(ParseError::Mismatch) => DetectorVerdict::Done(attributes),
    }
}

pub(super) fn request_line(orig: &[u8]) -> ParseResult<RequestLine<'_>> {
    let mut cursor = Cursor::new(orig);
    let method = cursor.take_delimited(b' ', MAX_METHOD_LEN, |byte| {
        byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_')
    })?;
    let target =
        cursor.take_delimited(b' ', MAX_OPENING_LEN, |byte| byte > b' ' && byte != 0x7f)?;
    if method.is_empty() || target.is_empty() {
        return Err(ParseError::Mismatch);
    }
    version(&mut cursor)?;
    cursor.line(0)?;
    Ok(RequestLine {
        method,
        target,
        after: cursor,
    })
}

/// Returns the three digits of the status code in a status line.
///
/// ```text
/// HTTP/1.1 200 OK CR LF
/// version  status reason
/// ```
pub(super) fn status_code(resp: &[u8]) -> ParseResult<&[u8]> {
    let mut cursor = Cursor::new(resp);
    version(&mut cursor)?;
    cursor.literal(b" ")?;
    let is_valid = |(at, byte): (usize, &u8)| byte.is_ascii_digit() && (at > 0 || *byte != b'0');
    let digits = cursor.take_up_to(3);
    match digits.len() {
        _ if !digits.iter().enumerate().all(is_valid) => Err(ParseError::Mismatch),
        3 => Ok(digits),
        _ => Err(ParseError::Incomplete),
    }
}

fn version(cursor: &mut Cursor) -> ParseResult<()> {
    cursor.literal(b"HTTP/1.")?;
    match cursor.byte()?.is_ascii_digit() {
        true => Ok(()),
        false => Err(ParseError::Mismatch),
    }
}
