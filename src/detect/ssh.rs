//! SSH (RFC 4253, section 4.2): identification lines of both sides.

use super::cursor::{Cursor, ParseError, ParseResult, is_graphic};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "ssh",
    transports: &[TCP],
    detect,
};

/// Maximum length of an identification line, in bytes.
const MAX_IDENTIFICATION_LEN: usize = 255;

fn detect(opening: &Opening) -> DetectorVerdict {
    let client = Cursor::new(opening.orig);
    let server = Cursor::new(opening.resp);
    let (client_is_ssh, client) = match software(client) {
        Ok(software) => software,
        Err(error) => return error.verdict(),
    };
    let (server_is_ssh, server) = match software(server) {
        Ok(software) => software,
        Err(error) => return error.verdict(),
    };
    if !client_is_ssh && !server_is_ssh {
        return DetectorVerdict::Maybe;
    }
    let attributes = ServiceAttributes::new(
        &["client", "server"],
        [client.unwrap_or_default(), server.unwrap_or_default()],
    );
    match client.is_some() && server.is_some() {
        true => DetectorVerdict::Done(attributes),
        false => DetectorVerdict::Yes(attributes),
    }
}

/// Returns true if the line of one side is certainly SSH, and the name of that side's software if
/// it was captured completely.
///
/// ```text
/// SSH-2.0-OpenSSH_9.2p1 Debian-2 CR LF
///         software      comments
/// ```
fn software(mut line: Cursor<'_>) -> ParseResult<(bool, Option<&[u8]>)> {
    match identification(&mut line) {
        Ok(()) => {}
        Err(ParseError::Incomplete) => return Ok((false, None)),
        Err(ParseError::Mismatch) => return Err(ParseError::Mismatch),
    }
    let software = match line.take_while(MAX_IDENTIFICATION_LEN, is_graphic) {
        Ok(software) => software,
        Err(ParseError::Incomplete) => return Ok((true, None)),
        Err(ParseError::Mismatch) => return Err(ParseError::Mismatch),
    };
    match line.rest {
        [b' ' | b'\r' | b'\n', ..] => Ok((true, Some(software))),
        _ => Err(ParseError::Mismatch),
    }
}

fn identification(line: &mut Cursor) -> ParseResult<()> {
    line.literal(b"SSH-")?;
    match line.rest {
        [b'1', ..] => line.literal(b"1.99-"),
        _ => line.literal(b"2.0-"),
    }
}
