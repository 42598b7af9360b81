//! NATS (NATS documentation, "Client Protocol"): the server's `INFO` and the client's `CONNECT`.

use super::cursor::{Cursor, ParseError, ParseResult, is_text};
use super::{Detector, DetectorVerdict, MAX_OPENING_LEN, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "nats",
    transports: &[TCP],
    detect,
};

/// First byte of a TLS handshake record, which a client can send after `INFO`.
const TLS_HANDSHAKE_RECORD: u8 = 22;

fn detect(opening: &Opening) -> DetectorVerdict {
    if check_client(opening.orig) == Err(ParseError::Mismatch) {
        return DetectorVerdict::No;
    }
    let (info, is_complete) = match info_line(opening.resp) {
        Ok(line) => line,
        Err(error) => return error.verdict(),
    };
    let is_certain = !member_value(info, b"server_id").is_empty();
    let attributes = || {
        ServiceAttributes::new(
            &["version", "server"],
            [
                member_value(info, b"version"),
                member_value(info, b"server_name"),
            ],
        )
    };
    match (is_certain, is_complete) {
        (true, true) => DetectorVerdict::Done(attributes()),
        (true, false) => DetectorVerdict::Yes(attributes()),
        (false, true) => DetectorVerdict::No,
        (false, false) => DetectorVerdict::Maybe,
    }
}

fn check_client(orig: &[u8]) -> ParseResult<()> {
    match orig.first() {
        Some(&TLS_HANDSHAKE_RECORD) => Ok(()),
        Some(b'P' | b'p') => Cursor::new(orig).literal_ignore_case(b"PING\r\n"),
        _ => Cursor::new(orig).literal_ignore_case(b"CONNECT {"),
    }
}

/// Returns the JSON object in the server's first line, without the opening brace, and true if the
/// end of the line was captured.
///
/// ```text
/// INFO {"server_id":"…","server_name":"…","version":"2.10.0",…} CR LF
/// ```
fn info_line(resp: &[u8]) -> ParseResult<(&[u8], bool)> {
    let mut cursor = Cursor::new(resp);
    cursor.literal(b"INFO {")?;
    let captured = cursor.rest;
    match cursor.line(MAX_OPENING_LEN) {
        Ok(line) => Ok((line, true)),
        Err(ParseError::Incomplete) => Ok((captured, false)),
        Err(ParseError::Mismatch) => Err(ParseError::Mismatch),
    }
}

/// Returns the string value of a member of a flat JSON object; it is empty if the member is missing
/// or the closing quotation mark was not captured.
fn member_value<'a>(object: &'a [u8], name: &[u8]) -> &'a [u8] {
    let is_member = |text: &[u8]| {
        let text = text.strip_prefix(b"\"")?.strip_prefix(name)?;
        text.first().is_some_and(|byte| *byte == b'"').then_some(())
    };
    let start = (0..object.len()).find(|at| object.get(*at..).and_then(is_member).is_some());
    let Some(after) = start.and_then(|start| object.get(start + name.len() + 2..)) else {
        return b"";
    };
    let mut cursor = Cursor::new(after.trim_ascii_start());
    if cursor.literal(b":").is_err() {
        return b"";
    }
    cursor = Cursor::new(cursor.rest.trim_ascii_start());
    if cursor.literal(b"\"").is_err() {
        return b"";
    }
    cursor
        .take_delimited(b'"', 256, is_text)
        .unwrap_or_default()
}
