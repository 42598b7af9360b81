//! MQTT 3.1, 3.1.1 and 5.0 (OASIS MQTT, section 3.1): the CONNECT packet.

use super::cursor::{Cursor, Read, Stop, text, unasked};
use super::{Detector, Facts, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "mqtt",
    transports: &[TCP],
    detect,
};

const CONNECT: u8 = 0x10;
/// CONNACK, and AUTH, with which 5.0 may go on.
const ANSWERS: [u8; 2] = [0x20, 0xf0];

/// Mosquitto's and others' bridges set this bit of the level.
const BRIDGE: u8 = 0x80;

fn detect(opening: &Opening) -> Verdict {
    if opening.orig.is_empty() {
        return unasked(opening.resp, &ANSWERS).verdict();
    }
    let mut cursor = Cursor::new(opening.orig);
    let version = match version(&mut cursor) {
        Ok(version) => version,
        Err(stop) => return stop.verdict(),
    };
    match client(&mut cursor, version) {
        Ok(client) => Verdict::Done(Facts::new(&["version", "client"], [version, client])),
        Err(Stop::Cut) => Verdict::Yes(Facts::new(&["version"], [version])),
        Err(Stop::Wrong) => Verdict::No,
    }
}

/// ```text
///  0    1                2             4
/// ├────┼────────────────┼─────────────┼──────┬───────────┬───────────┬───────────────┬─────────────────
/// │ 10 │ length (1 to 4)│ name length │ name │ level (1) │ flags (1) │ keep alive (2)│ 5.0: properties
///                                                                                    │ client (2)
/// ```
fn version(cursor: &mut Cursor) -> Read<&'static [u8]> {
    cursor.literal(&[CONNECT])?;
    if variable(cursor)? < 12 {
        return Err(Stop::Wrong);
    }
    let name_len = cursor.u16()?;
    let name: &[u8] = match name_len {
        4 => b"MQTT",
        6 => b"MQIsdp",
        _ => return Err(Stop::Wrong),
    };
    cursor.literal(name)?;
    let level = cursor.byte()? & !BRIDGE;
    let version: &[u8] = match (name_len, level) {
        (6, 3) => b"3.1",
        (4, 4) => b"3.1.1",
        (4, 5) => b"5.0",
        _ => return Err(Stop::Wrong),
    };
    // The lowest flag is reserved.
    match cursor.byte()? & 1 {
        0 => Ok(version),
        _ => Err(Stop::Wrong),
    }
}

fn client<'a>(cursor: &mut Cursor<'a>, version: &[u8]) -> Read<&'a [u8]> {
    let _keep_alive = cursor.u16()?;
    if version == b"5.0" {
        let len = variable(cursor)?;
        cursor.take(len)?;
    }
    let len = cursor.u16()?;
    let client = cursor.up_to(len.into());
    match client.len() == usize::from(len) {
        _ if !client.iter().all(|byte| text(*byte)) => Err(Stop::Wrong),
        true => Ok(client),
        false => Err(Stop::Cut),
    }
}

/// An integer of seven bits a byte, the lowest first; the highest bit says that more follow.
fn variable(cursor: &mut Cursor) -> Read<usize> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let byte = cursor.byte()?;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Stop::Wrong)
}
