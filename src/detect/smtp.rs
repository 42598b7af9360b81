//! SMTP (RFC 5321): the server's greeting and the client's EHLO or HELO.

use super::cursor::{Cursor, ParseError, ParseResult, is_graphic};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "smtp",
    transports: &[TCP],
    detect,
};

const MAX_HOST_LEN: usize = 255;

fn detect(opening: &Opening) -> DetectorVerdict {
    // FTP has the same greeting: only both sides together are conclusive.
    match (greeting(opening.resp), ehlo(opening.orig)) {
        (Err(ParseError::Mismatch), _) | (_, Err(ParseError::Mismatch)) => DetectorVerdict::No,
        (Ok(server), Ok(client)) => DetectorVerdict::Done(ServiceAttributes::new(
            &["server", "client"],
            [server, client],
        )),
        _ => DetectorVerdict::Maybe,
    }
}

/// Returns the host name in the server's greeting.
///
/// ```text
/// 220 mail.example.com ESMTP Postfix CR LF
///     host
/// ```
fn greeting(resp: &[u8]) -> ParseResult<&[u8]> {
    let mut cursor = Cursor::new(resp);
    cursor.literal(b"220")?;
    match cursor.byte()? {
        b' ' | b'-' => host(cursor),
        _ => Err(ParseError::Mismatch),
    }
}

/// Returns the host name in the client's EHLO or HELO.
///
/// ```text
/// EHLO client.example.com CR LF
/// ```
fn ehlo(orig: &[u8]) -> ParseResult<&[u8]> {
    let mut cursor = Cursor::new(orig);
    match orig.first() {
        Some(b'H' | b'h') => cursor.literal_ignore_case(b"HELO ")?,
        _ => cursor.literal_ignore_case(b"EHLO ")?,
    }
    host(cursor)
}

fn host(mut cursor: Cursor<'_>) -> ParseResult<&[u8]> {
    let host = cursor.take_while(MAX_HOST_LEN, is_graphic)?;
    match cursor.byte()? {
        b' ' | b'\r' | b'\n' => Ok(host),
        _ => Err(ParseError::Mismatch),
    }
}
