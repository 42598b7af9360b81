//! PostgreSQL's frontend protocol 3 (PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats").

use super::cursor::{Cursor, Read, Stop, graphic, text, unasked};
use super::{Detector, Facts, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "postgresql",
    transports: &[TCP],
    detect,
};

/// What stands where a version stands: 1234 and a number.
const CANCEL: u32 = 80_877_102;
const ENCRYPT_TLS: u32 = 80_877_103;
const ENCRYPT_GSS: u32 = 80_877_104;

/// A server takes no longer one.
const LONGEST: u32 = 10_000;

fn detect(opening: &Opening) -> Verdict {
    // Answers: of a request to encrypt S, G, N or E, of a startup message others.
    if opening.orig.is_empty() {
        return unasked(opening.resp, b"SGNERv").verdict();
    }
    let (mut orig, mut resp) = (Cursor::new(opening.orig), Cursor::new(opening.resp));
    let mut is_sure = false;
    loop {
        match first_message(&mut orig, &mut resp, is_sure) {
            Ok(Some(verdict)) => return verdict,
            Ok(None) => is_sure = true,
            Err(Stop::Cut) if is_sure => return Verdict::Yes(Facts::default()),
            Err(stop) => return stop.verdict(),
        }
    }
}

/// Passes a message with its answer; nothing where it was refused, and the next may come.
///
/// ```text
///  0        4      8
/// ├────────┼──────┼───────────────────────────────────────────────
/// │ length │ code │ names and values, a NUL after each; after all, one more
/// ```
fn first_message(orig: &mut Cursor, resp: &mut Cursor, is_sure: bool) -> Read<Option<Verdict>> {
    let len = orig.u32()?;
    if !(8..=LONGEST).contains(&len) {
        return Err(Stop::Wrong);
    }
    let code = orig.u32()?;
    match (code, len) {
        (ENCRYPT_TLS, 8) => answer(resp, b'S', Facts::new(&["tls"], [&b"yes"[..]])),
        (ENCRYPT_GSS, 8) => answer(resp, b'G', Facts::default()),
        // The key is of any length in protocol 3.2.
        (CANCEL, 16..=268) => {
            let len = usize::try_from(len - 8).map_err(|_| Stop::Wrong)?;
            orig.take(len)
                .map(|_| Some(Verdict::Done(Facts::default())))
        }
        (0x0003_0000..=0x0003_ffff, 9..) => {
            let len = usize::try_from(len - 8).map_err(|_| Stop::Wrong)?;
            let there = orig.up_to(len);
            startup(there, there.len() == len, is_sure).map(Some)
        }
        _ => Err(Stop::Wrong),
    }
}

fn answer(resp: &mut Cursor, accepted: u8, facts: Facts) -> Read<Option<Verdict>> {
    match resp.byte() {
        Ok(b'N') => Ok(None),
        Ok(byte) if byte == accepted => Ok(Some(Verdict::Done(facts))),
        // An error, of a server that knows no encryption.
        Ok(b'E') => Ok(Some(Verdict::Done(Facts::default()))),
        Ok(_) => Err(Stop::Wrong),
        Err(_) => Ok(Some(Verdict::Yes(Facts::default()))),
    }
}

fn startup(parameters: &[u8], is_whole: bool, is_sure: bool) -> Read<Verdict> {
    let mut cursor = Cursor::new(parameters);
    let (mut user, mut database, mut application) = (&b""[..], &b""[..], &b""[..]);
    loop {
        let parameter = parameter(&mut cursor);
        let facts = || {
            Facts::new(
                &["user", "database", "application"],
                [user, database, application],
            )
        };
        let (name, value) = match parameter {
            Ok((b"", _)) if cursor.rest.is_empty() && !user.is_empty() => {
                return Ok(Verdict::Done(facts()));
            }
            Ok((b"", _)) => return Err(Stop::Wrong),
            Ok(parameter) => parameter,
            Err(Stop::Cut) if is_whole => return Err(Stop::Wrong),
            Err(Stop::Cut) if is_sure || !user.is_empty() => return Ok(Verdict::Yes(facts())),
            Err(stop) => return Err(stop),
        };
        match name {
            b"user" => user = value,
            b"database" => database = value,
            b"application_name" => application = value,
            _ => {}
        }
    }
}

/// A name with its value; an empty name has none.
fn parameter<'a>(cursor: &mut Cursor<'a>) -> Read<(&'a [u8], &'a [u8])> {
    let name = cursor.word(0, 128, graphic)?;
    let value = match name {
        [] => &[],
        _ => cursor.word(0, cursor.rest.len(), |byte| {
            text(byte) || byte.is_ascii_whitespace()
        })?,
    };
    Ok((name, value))
}
