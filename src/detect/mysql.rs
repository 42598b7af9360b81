//! MySQL and MariaDB (MySQL internals, "Connection Phase": protocol version 10): the server's
//! greeting or error.

use super::cursor::{Cursor, ParseError, ParseResult, is_graphic, is_text};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "mysql",
    transports: &[TCP],
    detect,
};

const PROTOCOL_VERSION: u8 = 10;
const ERR_PACKET_HEADER: u8 = 0xff;

/// Error numbers that servers send to clients.
const SERVER_ERROR_CODES: std::ops::Range<u16> = 1_000..5_000;

const MAX_PACKET_LEN: u32 = 1_024;

/// Capability flags of a client.
const CLIENT_PROTOCOL_41: u32 = 0x0200;
const CLIENT_SSL: u32 = 0x0800;

/// Prefix of the version that MariaDB sends, for old replicas that check only the first digit.
const REPLICATION_VERSION_PREFIX: &[u8] = b"5.5.5-";

fn detect(opening: &Opening) -> DetectorVerdict {
    let user = user(opening.orig);
    if user == Err(ParseError::Mismatch) {
        return DetectorVerdict::No;
    }
    let version = match greeting(opening.resp) {
        Ok(Some(version)) => version,
        Ok(None) => return DetectorVerdict::Done(ServiceAttributes::default()),
        Err(error) => return error.verdict(),
    };
    let version = version
        .strip_prefix(REPLICATION_VERSION_PREFIX)
        .unwrap_or(version);
    let attributes =
        ServiceAttributes::new(&["version", "user"], [version, user.unwrap_or_default()]);
    match user {
        Ok(_) => DetectorVerdict::Done(attributes),
        Err(_) => DetectorVerdict::Yes(attributes),
    }
}

/// Returns the version in a server's greeting, or `None` if the server sent an error instead.
///
/// ```text
///  0            3            4    5
/// ├────────────┼────────────┼────┼────────────────────────────────────────────────────
/// │ length, LE │ number (0) │ 10 │ version NUL, connection id (4), challenge (8), 0, …
///                           │ ff │ error, LE (2), text
/// ```
fn greeting(resp: &[u8]) -> ParseResult<Option<&[u8]>> {
    let mut cursor = Cursor::new(resp);
    let len = cursor.u24_le()?;
    if !(8..=MAX_PACKET_LEN).contains(&len) {
        return Err(ParseError::Mismatch);
    }
    cursor.literal(&[0])?;
    match cursor.byte()? {
        PROTOCOL_VERSION => {}
        ERR_PACKET_HEADER => return err_packet(cursor, len).map(|()| None),
        _ => return Err(ParseError::Mismatch),
    }
    let version = cursor.take_delimited(0, 80, is_graphic)?;
    if !version.first().is_some_and(u8::is_ascii_digit) {
        return Err(ParseError::Mismatch);
    }
    cursor.take(4 + 8)?;
    cursor.literal(&[0])?;
    Ok(Some(version))
}

fn err_packet(mut cursor: Cursor, len: u32) -> ParseResult<()> {
    let error = u16::from_le_bytes(cursor.array()?);
    let len = usize::try_from(len - 3).map_err(|_| ParseError::Mismatch)?;
    let message = cursor.take_up_to(len);
    if !SERVER_ERROR_CODES.contains(&error) || !message.iter().all(|byte| is_text(*byte)) {
        return Err(ParseError::Mismatch);
    }
    match message.len() == len {
        true => Ok(()),
        false => Err(ParseError::Incomplete),
    }
}

/// Returns the user name in the client's response, or an empty name if the response has none, e.g.
/// because TLS follows.
///
/// ```text
///  0            3            4                  8                12        13         36
/// ├────────────┼────────────┼──────────────────┼────────────────┼─────────┼──────────┼──────
/// │ length, LE │ number (1) │ capabilities, LE │ max packet, LE │ charset │ reserved │ user NUL
/// ```
fn user(orig: &[u8]) -> ParseResult<&[u8]> {
    let mut cursor = Cursor::new(orig);
    let len = cursor.u24_le()?;
    if len == 0 {
        return Err(ParseError::Mismatch);
    }
    cursor.literal(&[1])?;
    if len < 32 {
        return Ok(b"");
    }
    let capabilities = cursor.u32_le()?;
    if capabilities & CLIENT_PROTOCOL_41 == 0 || capabilities & CLIENT_SSL != 0 {
        return Ok(b"");
    }
    cursor.take(4 + 1 + 23)?;
    cursor.take_delimited(0, 256, is_text)
}
