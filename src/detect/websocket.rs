//! WebSocket (RFC 6455): a GET that asks to upgrade to it, and the answer 101.

use super::cursor::{Cursor, Read, Stop};
use super::{Detector, Facts, OPENING, Opening, Verdict, http};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "websocket",
    transports: &[TCP],
    detect,
};

/// The name of the header field, and what ends it.
const UPGRADE: &[u8] = b"upgrade:";

fn detect(opening: &Opening) -> Verdict {
    handshake(opening).unwrap_or_else(Stop::verdict)
}

/// ```text
/// orig  GET /chat HTTP/1.1 CR LF … Upgrade: websocket CR LF … CR LF
/// resp  HTTP/1.1 101 Switching Protocols CR LF …
/// ```
fn handshake(opening: &Opening) -> Read<Verdict> {
    let accepted = match http::status(opening.resp) {
        Ok(b"101") => Ok(()),
        Err(Stop::Cut) => Err(Stop::Cut),
        // Refused, or not even HTTP.
        Ok(_) | Err(Stop::Wrong) => return Err(Stop::Wrong),
    };
    Cursor::new(opening.orig).literal(b"GET ")?;
    let request = http::request(opening.orig)?;
    asks_to_upgrade(request.after)?;
    accepted?;
    Ok(Verdict::Done(Facts::new(&["path"], [request.target])))
}

fn asks_to_upgrade(mut headers: Cursor) -> Read<()> {
    loop {
        let line = headers.line(OPENING)?;
        if line.is_empty() {
            return Err(Stop::Wrong);
        }
        if !line.contains(&b':') {
            return Err(Stop::Wrong);
        }
        let name = line.split_at_checked(UPGRADE.len());
        let Some((_, value)) = name.filter(|(name, _)| name.eq_ignore_ascii_case(UPGRADE)) else {
            continue;
        };
        let mut protocols = value.split(|byte| *byte == b',');
        if protocols.any(|one| one.trim_ascii().eq_ignore_ascii_case(b"websocket")) {
            return Ok(());
        }
    }
}
