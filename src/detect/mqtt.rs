//! MQTT 3.1, 3.1.1 and 5.0 (OASIS MQTT, section 3.1): the CONNECT packet.

use super::cursor::{Cursor, ParseError, ParseResult, is_text, response_only};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "mqtt",
    transports: &[TCP],
    detect,
};

/// First byte of a CONNECT packet.
const CONNECT: u8 = 0x10;
/// First bytes of CONNACK, and of AUTH, which a server of version 5.0 can send before CONNACK.
const RESPONSE_TYPES: [u8; 2] = [0x20, 0xf0];

/// Bit of the protocol level that is set by bridges (Mosquitto and others).
const BRIDGE_BIT: u8 = 0x80;

fn detect(opening: &Opening) -> DetectorVerdict {
    if opening.orig.is_empty() {
        return response_only(opening.resp, &RESPONSE_TYPES).verdict();
    }
    let mut cursor = Cursor::new(opening.orig);
    let version = match version(&mut cursor) {
        Ok(version) => version,
        Err(error) => return error.verdict(),
    };
    match client_id(&mut cursor, version) {
        Ok(client) => DetectorVerdict::Done(ServiceAttributes::new(
            &["version", "client"],
            [version, client],
        )),
        Err(ParseError::Incomplete) => {
            DetectorVerdict::Yes(ServiceAttributes::new(&["version"], [version]))
        }
        Err(ParseError::Mismatch) => DetectorVerdict::No,
    }
}

/// Parses CONNECT up to its flags and returns the protocol version.
///
/// ```text
///  0    1                2             4
/// ├────┼────────────────┼─────────────┼──────┬───────────┬───────────┬────────────────┬───
/// │ 10 │ length (1 to 4)│ name length │ name │ level (1) │ flags (1) │ keep alive (2) │
///
/// ┬─────────────────┬───────────────────────┬───────────
/// │ 5.0: properties │ client ID's length (2)│ client ID …
/// ```
fn version(cursor: &mut Cursor) -> ParseResult<&'static [u8]> {
    cursor.literal(&[CONNECT])?;
    if variable_byte_integer(cursor)? < 12 {
        return Err(ParseError::Mismatch);
    }
    let name_len = cursor.u16()?;
    let name: &[u8] = match name_len {
        4 => b"MQTT",
        6 => b"MQIsdp",
        _ => return Err(ParseError::Mismatch),
    };
    cursor.literal(name)?;
    let level = cursor.byte()? & !BRIDGE_BIT;
    let version: &[u8] = match (name_len, level) {
        (6, 3) => b"3.1",
        (4, 4) => b"3.1.1",
        (4, 5) => b"5.0",
        _ => return Err(ParseError::Mismatch),
    };
    // The lowest flag is reserved.
    match cursor.byte()? & 1 {
        0 => Ok(version),
        _ => Err(ParseError::Mismatch),
    }
}

fn client_id<'a>(cursor: &mut Cursor<'a>, version: &[u8]) -> ParseResult<&'a [u8]> {
    let _keep_alive = cursor.u16()?;
    if version == b"5.0" {
        let len = variable_byte_integer(cursor)?;
        cursor.take(len)?;
    }
    let len = cursor.u16()?;
    let client = cursor.take_up_to(len.into());
    match client.len() == usize::from(len) {
        _ if !client.iter().all(|byte| is_text(*byte)) => Err(ParseError::Mismatch),
        true => Ok(client),
        false => Err(ParseError::Incomplete),
    }
}

/// Parses an integer of seven bits per byte, lowest bits first; the highest bit marks a
/// continuation.
fn variable_byte_integer(cursor: &mut Cursor) -> ParseResult<usize> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let byte = cursor.byte()?;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(ParseError::Mismatch)
}
