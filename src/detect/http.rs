//! HTTP/1.0 and HTTP/1.1 (RFC 9112): a request line, or a status line where the request was not captured.

use super::cursor::{Cursor, Read, Stop};
use super::{Detector, Facts, OPENING, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "http",
    transports: &[TCP],
    detect,
};

/// A request line, and what stands after it.
///
/// ```text
/// GET /index.html HTTP/1.1 CR LF
/// method target   version
/// ```
pub(super) struct Request<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) after: Cursor<'a>,
}

/// The longest method that is registered has 17 letters.
const LONGEST_METHOD: usize = 24;

fn detect(opening: &Opening) -> Verdict {
    let status = status(opening.resp);
    let request = match request(opening.orig) {
        Ok(request) => request,
        Err(Stop::Wrong) => return Verdict::No,
        // A long request line, or a capture that joined late: the answer tells.
        Err(Stop::Cut) => {
            return match status {
                Ok(status) => Verdict::Yes(Facts::new(&["status"], [status])),
                Err(stop) => stop.verdict(),
            };
        }
    };
    let facts = Facts::new(
        &["method", "path", "status"],
        [request.method, request.target, status.unwrap_or_default()],
    );
    match status {
        Err(Stop::Cut) => Verdict::Yes(facts),
        // A request is one, even where the responder does not understand it.
        Ok(_) | Err(Stop::Wrong) => Verdict::Done(facts),
    }
}

pub(super) fn request(orig: &[u8]) -> Read<Request<'_>> {
    let mut cursor = Cursor::new(orig);
    let method = cursor.word(b' ', LONGEST_METHOD, |byte| {
        byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_')
    })?;
    let target = cursor.word(b' ', OPENING, |byte| byte > b' ' && byte != 0x7f)?;
    if method.is_empty() || target.is_empty() {
        return Err(Stop::Wrong);
    }
    version(&mut cursor)?;
    cursor.line(0)?;
    Ok(Request {
        method,
        target,
        after: cursor,
    })
}

/// The three digits of a status line.
///
/// ```text
/// HTTP/1.1 200 OK CR LF
/// version  status reason
/// ```
pub(super) fn status(resp: &[u8]) -> Read<&[u8]> {
    let mut cursor = Cursor::new(resp);
    version(&mut cursor)?;
    cursor.literal(b" ")?;
    let fits = |(at, byte): (usize, &u8)| byte.is_ascii_digit() && (at > 0 || *byte != b'0');
    let there = cursor.up_to(3);
    match there.len() {
        _ if !there.iter().enumerate().all(fits) => Err(Stop::Wrong),
        3 => Ok(there),
        _ => Err(Stop::Cut),
    }
}

fn version(cursor: &mut Cursor) -> Read<()> {
    cursor.literal(b"HTTP/1.")?;
    match cursor.byte()?.is_ascii_digit() {
        true => Ok(()),
        false => Err(Stop::Wrong),
    }
}
