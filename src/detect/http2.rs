//! HTTP/2 with prior knowledge (RFC 9113, section 3.4): the client's preface and its SETTINGS.

use super::cursor::{Cursor, ParseError, ParseResult};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "http2",
    transports: &[TCP],
    detect,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const FRAME_SETTINGS: u8 = 4;

/// Maximum number of settings in the first frame, far above the number of defined settings.
const MAX_SETTINGS: u32 = 128;

fn detect(opening: &Opening) -> DetectorVerdict {
    match after_settings(opening) {
        Ok(_) => DetectorVerdict::Done(ServiceAttributes::default()),
        Err(error) => error.verdict(),
    }
}

/// Parses the client's preface and the header of its SETTINGS frame. Returns the bytes after that
/// header, and the length of the frame's payload.
pub(super) fn after_settings<'a>(opening: &Opening<'a>) -> ParseResult<(Cursor<'a>, usize)> {
    if opening.orig.is_empty() {
        // A server can send its SETTINGS before it has read the preface, but they alone are not
        // conclusive.
        return match first_settings_len(&mut Cursor::new(opening.resp)) {
            Err(ParseError::Mismatch) => Err(ParseError::Mismatch),
            Ok(_) | Err(ParseError::Incomplete) => Err(ParseError::Incomplete),
        };
    }
    let mut cursor = Cursor::new(opening.orig);
    cursor.literal(PREFACE)?;
    let len = first_settings_len(&mut cursor)?;
    Ok((cursor, len))
}

/// Parses the header of the first frame, which must be SETTINGS and not an acknowledgement, and
/// returns the payload length.
///
/// ```text
///  0        3      4       5        9
/// ├────────┼──────┼───────┼────────┼───
/// │ length │ type │ flags │ stream │ 6 bytes for each setting
/// ```
fn first_settings_len(cursor: &mut Cursor) -> ParseResult<usize> {
    let len = cursor.u24()?;
    if len % 6 != 0 || len / 6 > MAX_SETTINGS {
        return Err(ParseError::Mismatch);
    }
    cursor.literal(&[FRAME_SETTINGS, 0, 0, 0, 0, 0])?;
    usize::try_from(len).map_err(|_| ParseError::Mismatch)
}
