//! MySQL's and MariaDB's protocol (MySQL internals, "Connection Phase": protocol version 10): the server's greeting or refusal.

use super::cursor::{Cursor, Read, Stop, graphic, text};
use super::{Detector, Facts, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "mysql",
    transports: &[TCP],
    detect,
};

const PROTOCOL: u8 = 10;
const REFUSAL: u8 = 0xff;

/// Numbers of errors that a server has for clients.
const ERRORS: std::ops::Range<u16> = 1_000..5_000;

const LONGEST: u32 = 1_024;

/// Capabilities of a client.
const PROTOCOL_41: u32 = 0x0200;
const TLS: u32 = 0x0800;

/// MariaDB says its version so to replicas that would stop at a first digit above 5.
const OLD_VERSION: &[u8] = b"5.5.5-";

fn detect(opening: &Opening) -> Verdict {
    let user = user(opening.orig);
    if user == Err(Stop::Wrong) {
        return Verdict::No;
    }
    let version = match greeting(opening.resp) {
        Ok(Some(version)) => version,
        Ok(None) => return Verdict::Done(Facts::default()),
        Err(stop) => return stop.verdict(),
    };
    let version = version.strip_prefix(OLD_VERSION).unwrap_or(version);
    let facts = Facts::new(&["version", "user"], [version, user.unwrap_or_default()]);
    match user {
        Ok(_) => Verdict::Done(facts),
        Err(_) => Verdict::Yes(facts),
    }
}

/// The version of a server's greeting, or nothing where it says an error instead.
///
/// ```text
///  0            3            4    5
/// ├────────────┼────────────┼────┼──────────────────────────────────────────
/// │ length, LE │ number (0) │ 10 │ version NUL, connection (4), challenge (8), 0, …
///                           │ ff │ error, LE (2), text
/// ```
fn greeting(resp: &[u8]) -> Read<Option<&[u8]>> {
    let mut cursor = Cursor::new(resp);
    let len = cursor.u24_little()?;
    if !(8..=LONGEST).contains(&len) {
        return Err(Stop::Wrong);
    }
    cursor.literal(&[0])?;
    match cursor.byte()? {
        PROTOCOL => {}
        REFUSAL => return refusal(cursor, len).map(|()| None),
        _ => return Err(Stop::Wrong),
    }
    let version = cursor.word(0, 80, graphic)?;
    if !version.first().is_some_and(u8::is_ascii_digit) {
        return Err(Stop::Wrong);
    }
    cursor.take(4 + 8)?;
    cursor.literal(&[0])?;
    Ok(Some(version))
}

fn refusal(mut cursor: Cursor, len: u32) -> Read<()> {
    let error = u16::from_le_bytes(cursor.array()?);
    let len = usize::try_from(len - 3).map_err(|_| Stop::Wrong)?;
    let message = cursor.up_to(len);
    if !ERRORS.contains(&error) || !message.iter().all(|byte| text(*byte)) {
        return Err(Stop::Wrong);
    }
    match message.len() == len {
        true => Ok(()),
        false => Err(Stop::Cut),
    }
}

/// Whom the client says it is, or nothing where TLS hides that.
///
/// ```text
///  0            3            4                  8              12         13         36
/// ├────────────┼────────────┼──────────────────┼──────────────┼──────────┼──────────┼──────
/// │ length, LE │ number (1) │ capabilities, LE │ longest, LE  │ alphabet │ reserved │ user NUL
/// ```
fn user(orig: &[u8]) -> Read<&[u8]> {
    let mut cursor = Cursor::new(orig);
    let len = cursor.u24_little()?;
    if len == 0 {
        return Err(Stop::Wrong);
    }
    cursor.literal(&[1])?;
    if len < 32 {
        return Ok(b"");
    }
    let capabilities = cursor.u32_little()?;
    if capabilities & PROTOCOL_41 == 0 || capabilities & TLS != 0 {
        return Ok(b"");
    }
    cursor.take(4 + 1 + 23)?;
    cursor.word(0, 256, text)
}
