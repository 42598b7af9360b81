//! HTTP/2 with prior knowledge (RFC 9113, section 3.4): the client's preface and its SETTINGS.

use super::cursor::{Cursor, Read, Stop};
use super::{Detector, Facts, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "http2",
    transports: &[TCP],
    detect,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const SETTINGS: u8 = 4;

/// Far more than there are settings.
const MOST_SETTINGS: u32 = 128;

fn detect(opening: &Opening) -> Verdict {
    match after_settings(opening) {
        Ok(_) => Verdict::Done(Facts::default()),
        Err(stop) => stop.verdict(),
    }
}

/// What the originator says after the header of its first frame, and the length of that frame's payload.
pub(super) fn after_settings<'a>(opening: &Opening<'a>) -> Read<(Cursor<'a>, usize)> {
    if opening.orig.is_empty() {
        // A server may send its settings before it has read the preface; alone they are too little to be sure.
        return match first_frame(&mut Cursor::new(opening.resp)) {
            Err(Stop::Wrong) => Err(Stop::Wrong),
            Ok(_) | Err(Stop::Cut) => Err(Stop::Cut),
        };
    }
    let mut cursor = Cursor::new(opening.orig);
    cursor.literal(PREFACE)?;
    let len = first_frame(&mut cursor)?;
    Ok((cursor, len))
}

/// The header of a frame that must be the first SETTINGS, and no acknowledgement.
///
/// ```text
///  0        3      4       5        9
/// ├────────┼──────┼───────┼────────┼───
/// │ length │ kind │ flags │ stream │ 6 bytes for each setting
/// ```
fn first_frame(cursor: &mut Cursor) -> Read<usize> {
    let len = cursor.u24()?;
    if len % 6 != 0 || len / 6 > MOST_SETTINGS {
        return Err(Stop::Wrong);
    }
    cursor.literal(&[SETTINGS, 0, 0, 0, 0, 0])?;
    usize::try_from(len).map_err(|_| Stop::Wrong)
}
