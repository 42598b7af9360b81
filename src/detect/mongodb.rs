//! MongoDB's wire protocol (MongoDB documentation, "MongoDB Wire Protocol"): `OP_MSG`, `OP_QUERY`, `OP_COMPRESSED`.

use super::cursor::{Cursor, Read, Stop};
use super::{Detector, Facts, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "mongodb",
    transports: &[TCP],
    detect,
};

const QUERY: u32 = 2004;
const COMPRESSED: u32 = 2012;
const MESSAGE: u32 = 2013;

const HEADER: u32 = 16;
const LONGEST: u32 = 48_000_000;

/// Of `OP_MSG`: a checksum stands at its end, more is coming, more may come.
const KNOWN_FLAGS: u32 = 0x0001_0003;

fn detect(opening: &Opening) -> Verdict {
    match command(opening) {
        Ok(command) => Verdict::Done(Facts::new(&["command"], [command])),
        Err(stop) => stop.verdict(),
    }
}

/// ```text
///  0        4         8             12     16
/// ├────────┼─────────┼─────────────┼──────┼───────────────────────────────────────────
/// │ length │ request │ in answer to│ code │ 2013: flags (4), sections
///                                         │ 2004: flags (4), collection NUL, skip (4), most (4), document
///                                         │ 2012: code (4), length (4), compressor (1), bytes
/// ```
///
/// All are little-endian.
fn command<'a>(opening: &Opening<'a>) -> Read<&'a [u8]> {
    let mut cursor = Cursor::new(opening.orig);
    if opening.orig.is_empty() {
        // A reply's length can be any.
        return match opening.resp {
            [_, _, _, 3..=255, ..] => Err(Stop::Wrong),
            _ => Err(Stop::Cut),
        };
    }
    let len = cursor.u32_little()?;
    if !(HEADER + 5..=LONGEST).contains(&len) {
        return Err(Stop::Wrong);
    }
    let _request = cursor.u32_little()?;
    cursor.literal(&[0; 4])?;
    let code = cursor.u32_little()?;
    let longest = len - HEADER;
    match code {
        MESSAGE => message(cursor, longest),
        QUERY => query(cursor, longest),
        COMPRESSED => compressed(cursor).map(|()| &b""[..]),
        _ => Err(Stop::Wrong),
    }
}

/// A section is a document after a 0, or a list of them after a 1 and its own length.
fn message(mut cursor: Cursor<'_>, longest: u32) -> Read<&[u8]> {
    if cursor.u32_little()? & !KNOWN_FLAGS != 0 {
        return Err(Stop::Wrong);
    }
    loop {
        match cursor.byte()? {
            0 => return first_name(cursor, longest),
            1 => {
                let len = cursor.u32_little()?;
                if !(5..=longest).contains(&len) {
                    return Err(Stop::Wrong);
                }
                cursor.take(usize::try_from(len - 4).map_err(|_| Stop::Wrong)?)?;
            }
            _ => return Err(Stop::Wrong),
        }
    }
}

fn query(mut cursor: Cursor<'_>, longest: u32) -> Read<&[u8]> {
    // Eight flags, of which the first is not used.
    if cursor.u32_little()? & !0xff != 0 {
        return Err(Stop::Wrong);
    }
    let collection = cursor.word(0, 255, |byte| byte > b' ')?;
    if !collection.contains(&b'.') {
        return Err(Stop::Wrong);
    }
    cursor.take(4 + 4)?;
    first_name(cursor, longest)
}

fn compressed(mut cursor: Cursor) -> Read<()> {
    let code = cursor.u32_little()?;
    let len = cursor.u32_little()?;
    if !matches!(code, QUERY | MESSAGE) || !(5..=LONGEST).contains(&len) {
        return Err(Stop::Wrong);
    }
    // None, Snappy, zlib, Zstandard.
    match cursor.byte()? {
        0..=3 => Ok(()),
        _ => Err(Stop::Wrong),
    }
}

/// The name of a document's first element, which is the command.
///
/// ```text
///  0        4      5
/// ├────────┼──────┼──────────────
/// │ length │ kind │ name NUL value …
/// ```
fn first_name(mut document: Cursor<'_>, longest: u32) -> Read<&[u8]> {
    let len = document.u32_little()?;
    if !(5..=longest).contains(&len) {
        return Err(Stop::Wrong);
    }
    match document.byte()? {
        // The end of an empty one.
        0 => Ok(b""),
        1..=0x13 => match document.word(0, 64, |byte| byte.is_ascii_graphic())? {
            [] => Err(Stop::Wrong),
            name => Ok(name),
        },
        _ => Err(Stop::Wrong),
    }
}
