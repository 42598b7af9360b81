//! NATS (NATS documentation, "Client Protocol"): the server's `INFO` and the client's `CONNECT`.

use super::cursor::{Cursor, Read, Stop, text};
use super::{Detector, Facts, OPENING, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "nats",
    transports: &[TCP],
    detect,
};

/// The first byte of a TLS record, which a client may say after `INFO`.
const TLS: u8 = 22;

fn detect(opening: &Opening) -> Verdict {
    if client(opening.orig) == Err(Stop::Wrong) {
        return Verdict::No;
    }
    let (information, is_whole) = match information(opening.resp) {
        Ok(information) => information,
        Err(stop) => return stop.verdict(),
    };
    let is_sure = !value(information, b"server_id").is_empty();
    let facts = || {
        Facts::new(
            &["version", "server"],
            [
                value(information, b"version"),
                value(information, b"server_name"),
            ],
        )
    };
    match (is_sure, is_whole) {
        (true, true) => Verdict::Done(facts()),
        (true, false) => Verdict::Yes(facts()),
        (false, true) => Verdict::No,
        (false, false) => Verdict::Maybe,
    }
}

fn client(orig: &[u8]) -> Read<()> {
    match orig.first() {
        Some(&TLS) => Ok(()),
        Some(b'P' | b'p') => Cursor::new(orig).letters(b"PING\r\n"),
        _ => Cursor::new(orig).letters(b"CONNECT {"),
    }
}

/// The object of the first line, and whether the line ends in what was captured.
///
/// ```text
/// INFO {"server_id":"…","server_name":"…","version":"2.10.0",…} CR LF
/// ```
fn information(resp: &[u8]) -> Read<(&[u8], bool)> {
    let mut cursor = Cursor::new(resp);
    cursor.literal(b"INFO {")?;
    let all = cursor.rest;
    match cursor.line(OPENING) {
        Ok(line) => Ok((line, true)),
        Err(Stop::Cut) => Ok((all, false)),
        Err(Stop::Wrong) => Err(Stop::Wrong),
    }
}

/// The text of a member of a flat object, where both of its quotes are there.
fn value<'a>(object: &'a [u8], name: &[u8]) -> &'a [u8] {
    let quoted = |text: &[u8]| {
        let text = text.strip_prefix(b"\"")?.strip_prefix(name)?;
        text.first().is_some_and(|byte| *byte == b'"').then_some(())
    };
    let start = (0..object.len()).find(|at| object.get(*at..).and_then(quoted).is_some());
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
    cursor.word(b'"', 256, text).unwrap_or_default()
}
