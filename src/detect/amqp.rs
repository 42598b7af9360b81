//! AMQP 0-9-1 and earlier (AMQP 0-9-1 specification, section 4.2.2) and 1.0 (OASIS AMQP 1.0,
//! section 2.2): the protocol header.

use super::cursor::{Cursor, ParseError, ParseResult, response_only};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "amqp",
    transports: &[TCP],
    detect,
};

fn detect(opening: &Opening) -> DetectorVerdict {
    // First bytes of responses: a protocol header, a method frame of 0-9-1, a frame of 1.0.
    if opening.orig.is_empty() {
        return response_only(opening.resp, b"A\x01\x00").verdict();
    }
    match version(opening.orig) {
        Ok(version) => DetectorVerdict::Done(ServiceAttributes::new(&["version"], [version])),
        Err(error) => error.verdict(),
    }
}

/// Returns the version in the protocol header.
///
/// ```text
///  0        4    5       6       7          8
/// ├────────┼────┼───────┼───────┼──────────┤
/// │ "AMQP" │ id │ major │ minor │ revision │
/// ```
fn version(orig: &[u8]) -> ParseResult<&'static [u8]> {
    let mut cursor = Cursor::new(orig);
    cursor.literal(b"AMQP")?;
    Ok(match cursor.array()? {
        [0, 0, 9, 1] => b"0-9-1",
        [1, 1, 0, 9] => b"0-9",
        [1, 1, 8, 0] => b"0-8",
        [1, 1, 0, 10] => b"0-10",
        // Protocol IDs: AMQP, TLS, SASL.
        [0 | 2 | 3, 1, 0, 0] => b"1.0",
        _ => return Err(ParseError::Mismatch),
    })
}
