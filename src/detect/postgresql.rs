//! PostgreSQL's protocol, version 3 (PostgreSQL documentation, "Frontend/Backend Protocol",
//! "Message Formats").

mod messages;

use super::cursor::{Cursor, ParseError, ParseResult, is_graphic, is_text, response_only};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "postgresql",
    transports: &[TCP],
    detect,
};

/// Request codes in place of a protocol version: 1234 in the upper 16 bits, a number in the lower.
const CANCEL_REQUEST_CODE: u32 = 80_877_102;
const SSL_REQUEST_CODE: u32 = 80_877_103;
const GSSENC_REQUEST_CODE: u32 = 80_877_104;

/// Maximum length of a startup packet that servers accept, in bytes.
const MAX_STARTUP_PACKET_LEN: u32 = 10_000;

fn detect(opening: &Opening) -> DetectorVerdict {
    match messages::detect(opening) {
        DetectorVerdict::No => {}
        verdict => return verdict,
    }
    // First bytes of responses: S, G, N and E to an encryption request, E, R and v to a startup
    // message.
    if opening.orig.is_empty() {
        return response_only(opening.resp, b"SGNERv").verdict();
    }
    let (mut orig, mut resp) = (Cursor::new(opening.orig), Cursor::new(opening.resp));
    let mut is_certain = false;
    loop {
        match first_message(&mut orig, &mut resp, is_certain) {
            Ok(Some(verdict)) => return verdict,
            Ok(None) => is_certain = true,
            Err(ParseError::Incomplete) if is_certain => {
                return DetectorVerdict::Yes(ServiceAttributes::default());
            }
            Err(error) => return error.verdict(),
        }
    }
}

/// Parses a message and its response; returns `None` if the server refused encryption, after which
/// the client can send another message.
///
/// ```text
///  0        4      8
/// ├────────┼──────┼───────────────────────────────────────────────
/// │ length │ code │ names and values, a NUL after each; one more NUL at the end
/// ```
fn first_message(
    orig: &mut Cursor,
    resp: &mut Cursor,
    is_certain: bool,
) -> ParseResult<Option<DetectorVerdict>> {
    let len = orig.u32()?;
    if !(8..=MAX_STARTUP_PACKET_LEN).contains(&len) {
        return Err(ParseError::Mismatch);
    }
    let code = orig.u32()?;
    match (code, len) {
        (SSL_REQUEST_CODE, 8) => {
            encryption_response(resp, b'S', ServiceAttributes::new(&["tls"], [&b"yes"[..]]))
        }
        (GSSENC_REQUEST_CODE, 8) => encryption_response(resp, b'G', ServiceAttributes::default()),
        // Protocol 3.2 allows keys of up to 256 bytes.
        (CANCEL_REQUEST_CODE, 16..=268) => {
            let len = usize::try_from(len - 8).map_err(|_| ParseError::Mismatch)?;
            orig.take(len)
                .map(|_| Some(DetectorVerdict::Done(ServiceAttributes::default())))
        }
        (0x0003_0000..=0x0003_ffff, 9..) => {
            let len = usize::try_from(len - 8).map_err(|_| ParseError::Mismatch)?;
            let captured = orig.take_up_to(len);
            startup_message(captured, captured.len() == len, is_certain).map(Some)
        }
        _ => Err(ParseError::Mismatch),
    }
}

fn encryption_response(
    resp: &mut Cursor,
    accepted: u8,
    attributes: ServiceAttributes,
) -> ParseResult<Option<DetectorVerdict>> {
    match resp.byte() {
        Ok(b'N') => Ok(None),
        Ok(byte) if byte == accepted => Ok(Some(DetectorVerdict::Done(attributes))),
        // A server that does not support encryption sends an error.
        Ok(b'E') => Ok(Some(DetectorVerdict::Done(ServiceAttributes::default()))),
        Ok(_) => Err(ParseError::Mismatch),
        Err(_) => Ok(Some(DetectorVerdict::Yes(ServiceAttributes::default()))),
    }
}

fn startup_message(
    parameters: &[u8],
    is_complete: bool,
    is_certain: bool,
) -> ParseResult<DetectorVerdict> {
    let mut cursor = Cursor::new(parameters);
    let (mut user, mut database, mut application) = (&b""[..], &b""[..], &b""[..]);
    loop {
        let parameter = parameter(&mut cursor);
        let attributes = || {
            ServiceAttributes::new(
                &["user", "database", "application"],
                [user, database, application],
            )
        };
        let (name, value) = match parameter {
            Ok((b"", _)) if is_complete && cursor.rest.is_empty() && !user.is_empty() => {
                return Ok(DetectorVerdict::Done(attributes()));
            }
            Ok((b"", _)) => return Err(ParseError::Mismatch),
            Ok(parameter) => parameter,
            Err(ParseError::Incomplete) if is_complete => return Err(ParseError::Mismatch),
            Err(ParseError::Incomplete) if is_certain || !user.is_empty() => {
                return Ok(DetectorVerdict::Yes(attributes()));
            }
            Err(error) => return Err(error),
        };
        match name {
            b"user" => user = value,
            b"database" => database = value,
            b"application_name" => application = value,
            _ => {}
        }
    }
}

/// Parses a name and its value; an empty name has no value.
fn parameter<'a>(cursor: &mut Cursor<'a>) -> ParseResult<(&'a [u8], &'a [u8])> {
    let name = cursor.take_delimited(0, 128, is_graphic)?;
    let value = match name {
        [] => &[],
        _ => cursor.take_delimited(0, cursor.rest.len(), |byte| {
            is_text(byte) || byte.is_ascii_whitespace()
        })?,
    };
    Ok((name, value))
}
