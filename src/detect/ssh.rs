//! SSH (RFC 4253, section 4.2): the identification of either side.

use super::cursor::{Cursor, Read, Stop, graphic};
use super::{Detector, Facts, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "ssh",
    transports: &[TCP],
    detect,
};

/// The line must not be longer.
const LONGEST: usize = 255;

fn detect(opening: &Opening) -> Verdict {
    let client = Cursor::new(opening.orig);
    let server = Cursor::new(opening.resp);
    let (is_client, client) = match software(client) {
        Ok(software) => software,
        Err(stop) => return stop.verdict(),
    };
    let (is_server, server) = match software(server) {
        Ok(software) => software,
        Err(stop) => return stop.verdict(),
    };
    if !is_client && !is_server {
        return Verdict::Maybe;
    }
    let facts = Facts::new(
        &["client", "server"],
        [client.unwrap_or_default(), server.unwrap_or_default()],
    );
    match client.is_some() && server.is_some() {
        true => Verdict::Done(facts),
        false => Verdict::Yes(facts),
    }
}

/// Whether a side surely speaks SSH, and the name of its software once that is there.
///
/// ```text
/// SSH-2.0-OpenSSH_9.2p1 Debian-2 CR LF
///         software      comments
/// ```
fn software(mut line: Cursor<'_>) -> Read<(bool, Option<&[u8]>)> {
    match identification(&mut line) {
        Ok(()) => {}
        Err(Stop::Cut) => return Ok((false, None)),
        Err(Stop::Wrong) => return Err(Stop::Wrong),
    }
    let software = match line.run(LONGEST, graphic) {
        Ok(software) => software,
        Err(Stop::Cut) => return Ok((true, None)),
        Err(Stop::Wrong) => return Err(Stop::Wrong),
    };
    match line.rest {
        [b' ' | b'\r' | b'\n', ..] => Ok((true, Some(software))),
        _ => Err(Stop::Wrong),
    }
}

fn identification(line: &mut Cursor) -> Read<()> {
    line.literal(b"SSH-")?;
    match line.rest {
        [b'1', ..] => line.literal(b"1.99-"),
        _ => line.literal(b"2.0-"),
    }
}
