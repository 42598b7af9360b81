//! WebSocket (RFC 6455): a GET request to upgrade the connection, and the 101 response.

use super::cursor::{Cursor, ParseError, ParseResult};
use super::{Detector, DetectorVerdict, MAX_OPENING_LEN, Opening, ServiceAttributes, http};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "websocket",
    transports: &[TCP],
    detect,
};

/// Name of the header field, and the colon after it.
const UPGRADE_FIELD: &[u8] = b"upgrade:";

fn detect(opening: &Opening) -> DetectorVerdict {
    handshake(opening).unwrap_or_else(ParseError::verdict)
}

/// Parses the opening handshake of both sides.
///
/// ```text
/// orig  GET /chat HTTP/1.1 CR LF … Upgrade: websocket CR LF … CR LF
/// resp  HTTP/1.1 101 Switching Protocols CR LF …
/// ```
fn handshake(opening: &Opening) -> ParseResult<DetectorVerdict> {
    let accepted = match http::status_code(opening.resp) {
        Ok(b"101") => Ok(()),
        Err(ParseError::Incomplete) => Err(ParseError::Incomplete),
        // The upgrade was refused, or the response is not HTTP.
        Ok(_) | Err(ParseError::Mismatch) => return Err(ParseError::Mismatch),
    };
    Cursor::new(opening.orig).literal(b"GET ")?;
    let request = http::request_line(opening.orig)?;
    check_upgrade_field(request.after)?;
    accepted?;
    Ok(DetectorVerdict::Done(ServiceAttributes::new(
        &["path"],
        [request.target],
    )))
}

fn check_upgrade_field(mut headers: Cursor) -> ParseResult<()> {
    loop {
        let line = headers.line(MAX_OPENING_LEN)?;
        if line.is_empty() {
            return Err(ParseError::Mismatch);
        }
        if !line.contains(&b':') {
            return Err(ParseError::Mismatch);
        }
        let name = line.split_at_checked(UPGRADE_FIELD.len());
        let Some((_, value)) = name.filter(|(name, _)| name.eq_ignore_ascii_case(UPGRADE_FIELD))
        else {
            continue;
        };
        let mut protocols = value.split(|byte| *byte == b',');
        if protocols.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket")) {
            return Ok(());
        }
    }
}
