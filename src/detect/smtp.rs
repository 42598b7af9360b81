//! SMTP (RFC 5321): the server's greeting and the client's EHLO or HELO.

use super::cursor::{Cursor, Read, Stop, graphic};
use super::{Detector, Facts, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "smtp",
    transports: &[TCP],
    detect,
};

const LONGEST_HOST: usize = 255;

fn detect(opening: &Opening) -> Verdict {
    // FTP greets so, too: only both sides together are sure.
    match (greeting(opening.resp), hello(opening.orig)) {
        (Err(Stop::Wrong), _) | (_, Err(Stop::Wrong)) => Verdict::No,
        (Ok(server), Ok(client)) => {
            Verdict::Done(Facts::new(&["server", "client"], [server, client]))
        }
        _ => Verdict::Maybe,
    }
}

/// ```text
/// 220 mail.example.com ESMTP Postfix CR LF
///     host
/// ```
fn greeting(resp: &[u8]) -> Read<&[u8]> {
    let mut cursor = Cursor::new(resp);
    cursor.literal(b"220")?;
    match cursor.byte()? {
        b' ' | b'-' => host(cursor),
        _ => Err(Stop::Wrong),
    }
}

/// ```text
/// EHLO client.example.com CR LF
/// ```
fn hello(orig: &[u8]) -> Read<&[u8]> {
    let mut cursor = Cursor::new(orig);
    match orig.first() {
        Some(b'H' | b'h') => cursor.letters(b"HELO ")?,
        _ => cursor.letters(b"EHLO ")?,
    }
    host(cursor)
}

fn host(mut cursor: Cursor<'_>) -> Read<&[u8]> {
    let host = cursor.run(LONGEST_HOST, graphic)?;
    match cursor.byte()? {
        b' ' | b'\r' | b'\n' => Ok(host),
        _ => Err(Stop::Wrong),
    }
}
