//! TLS 1.0 to 1.3 and SSL 3.0 (RFC 8446, RFC 5246): the hello messages of both sides.

use super::cursor::{Cursor, ParseError, ParseResult, response_only};
use super::{Detector, DetectorVerdict, MAX_OPENING_LEN, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "tls",
    transports: &[TCP],
    detect,
};

/// Record types, from change_cipher_spec to application_data.
const RECORD_TYPES: std::ops::RangeInclusive<u8> = 20..=23;
const ALERT_RECORD: u8 = 21;
const HANDSHAKE_RECORD: u8 = 22;

/// Handshake message types.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// Extension types.
const SERVER_NAME_EXTENSION: u16 = 0;
const ALPN_EXTENSION: u16 = 16;
const SUPPORTED_VERSIONS_EXTENSION: u16 = 43;

const SSL_3_0: u16 = 0x0300;
const TLS_1_3: u16 = 0x0304;

/// Maximum length of a compressed and encrypted record in RFC 5246, in bytes.
const MAX_RECORD_LEN: u16 = 16_384 + 2_048;

/// Length of an alert record, and of the literal with which an unencrypted web server answers.
const MIN_REFUSAL_LEN: usize = b"HTTP/1.".len();

/// Fields of a hello message.
#[derive(Default)]
struct TlsHello<'a> {
    /// Highest version offered, or the version chosen.
    version: u16,
    server_name: &'a [u8],
    /// ALPN protocol names (RFC 7301), each after its length.
    protocols: &'a [u8],
    /// True if the message was captured completely.
    is_complete: bool,
}

fn detect(opening: &Opening) -> DetectorVerdict {
    // This test makes detection cheap for all other protocols.
    let may_be_tls = match *opening.orig {
        [] => true,
        [kind] => RECORD_TYPES.contains(&kind),
        [kind, major, ..] => RECORD_TYPES.contains(&kind) && major == 3,
    };
    if !may_be_tls || !can_answer_client_hello(opening.resp) {
        return DetectorVerdict::No;
    }
    let (mut client_bytes, mut server_bytes) = ([0; MAX_OPENING_LEN], [0; MAX_OPENING_LEN]);
    let client = hello(CLIENT_HELLO, opening.orig, &mut client_bytes);
    let server = hello(SERVER_HELLO, opening.resp, &mut server_bytes);
    match (client, server) {
        (Ok(client), Ok(server)) if client.is_complete && server.is_complete => {
            DetectorVerdict::Done(attributes(&client, &server))
        }
        // An alert, or a server without TLS.
        (Ok(client), Err(ParseError::Mismatch))
            if client.is_complete && opening.resp.len() >= MIN_REFUSAL_LEN =>
        {
            DetectorVerdict::Done(attributes(&client, &TlsHello::default()))
        }
        (Ok(client), server) => {
            DetectorVerdict::Yes(attributes(&client, &server.unwrap_or_default()))
        }
        // The capture started late, or the client's hello is truncated.
        (Err(_), Ok(server)) => DetectorVerdict::Yes(attributes(&TlsHello::default(), &server)),
        (Err(ParseError::Mismatch), Err(error)) => error.verdict(),
        // The bytes can be the response to a client's hello.
        (Err(_), Err(ParseError::Mismatch)) if opening.orig.is_empty() => {
            response_only(opening.resp, &[ALERT_RECORD, b'H']).verdict()
        }
        (Err(ParseError::Incomplete), Err(_)) => DetectorVerdict::Maybe,
    }
}

/// Returns true if the bytes can be the response to a client's hello: TLS, or the unencrypted error
/// of a web server. Other bytes come from a protocol in which the server sends first and TLS starts
/// later.
fn can_answer_client_hello(resp: &[u8]) -> bool {
    match *resp {
        [] | [ALERT_RECORD | HANDSHAKE_RECORD] | [ALERT_RECORD | HANDSHAKE_RECORD, 3, ..] => true,
        _ => Cursor::new(resp).literal(b"HTTP/1.") != Err(ParseError::Mismatch),
    }
}

fn attributes(client: &TlsHello, server: &TlsHello) -> ServiceAttributes {
    let version = match server.version {
        0 => client.version,
        chosen => chosen,
    };
    let protocols = match server.protocols {
        [] => client.protocols,
        chosen => chosen,
    };
    ServiceAttributes::new(
        &["sni", "alpn", "version"],
        [
            client.server_name,
            &alpn_list(protocols),
            version_name(version),
        ],
    )
}

fn version_name(version: u16) -> &'static [u8] {
    match version {
        SSL_3_0 => b"SSL 3.0",
        0x0301 => b"1.0",
        0x0302 => b"1.1",
        0x0303 => b"1.2",
        TLS_1_3 => b"1.3",
        _ => b"",
    }
}

/// Returns the ALPN protocol names, separated by commas.
fn alpn_list(protocols: &[u8]) -> Vec<u8> {
    let (mut names, mut cursor) = (Vec::new(), Cursor::new(protocols));
    while let Ok(len) = cursor.byte() {
        if !names.is_empty() {
            names.push(b',');
        }
        names.extend(cursor.take_up_to(len.into()));
    }
    names
}

/// Parses the hello message of the client or the server, which can span several records; `buffer`
/// receives the message without the record headers.
fn hello<'a>(
    kind: u8,
    bytes: &[u8],
    buffer: &'a mut [u8; MAX_OPENING_LEN],
) -> ParseResult<TlsHello<'a>> {
    let (len, is_at_end) = reassemble_handshake(bytes, buffer)?;
    let message = buffer.get(..len).unwrap_or_default();
    match parse_hello(kind, Cursor::new(message)) {
        Err(ParseError::Incomplete) if is_at_end => Err(ParseError::Mismatch),
        parsed => parsed,
    }
}

/// Copies the handshake bytes of the first records into `buffer`. Returns their length, and true if
/// bytes other than a handshake record follow them.
///
/// ```text
///  0      1       2       3        5
/// ├──────┼───────┼───────┼────────┼──────────
/// │ type │ major │ minor │ length │ fragment
/// ```
fn reassemble_handshake(
    records: &[u8],
    buffer: &mut [u8; MAX_OPENING_LEN],
) -> ParseResult<(usize, bool)> {
    let (mut cursor, mut end) = (Cursor::new(records), 0);
    loop {
        let fragment = match handshake_fragment(&mut cursor) {
            Ok(fragment) => fragment,
            Err(error) if end == 0 => return Err(error),
            Err(error) => return Ok((end, error == ParseError::Mismatch)),
        };
        let pairs = buffer.iter_mut().skip(end).zip(fragment);
        end += pairs.map(|(octet, byte)| *octet = *byte).count();
    }
}

fn handshake_fragment<'a>(cursor: &mut Cursor<'a>) -> ParseResult<&'a [u8]> {
    cursor.literal(&[HANDSHAKE_RECORD, 3])?;
    let (minor, len) = (cursor.byte()?, cursor.u16()?);
    if minor > 4 || len == 0 || len > MAX_RECORD_LEN {
        return Err(ParseError::Mismatch);
    }
    match cursor.take_up_to(len.into()) {
        [] => Err(ParseError::Incomplete),
        fragment => Ok(fragment),
    }
}

/// Parses a hello message.
///
/// ```text
///  0      1        4         6        38
/// ├──────┼────────┼─────────┼────────┼─────────────┬─────────────────────┬─────────────┬───
/// │ type │ length │ version │ random │ session (1) │ client: ciphers (2) │ methods (1) │
/// │      │        │         │        │             │ server: cipher [2]  │ method [1]  │
///
/// ┬────────────────┐
/// │ extensions (2) │
/// ```
///
/// The number in parentheses is the size of the length field before an item; the number in brackets
/// is the size of the item.
fn parse_hello<'a>(kind: u8, mut cursor: Cursor<'a>) -> ParseResult<TlsHello<'a>> {
    cursor.literal(&[kind, 0])?;
    let len = cursor.u16()?;
    let is_captured = cursor.rest.len() >= usize::from(len);
    let mut body = Cursor::new(cursor.take_up_to(len.into()));
    let version = body.u16()?;
    if !(SSL_3_0..=TLS_1_3).contains(&version) {
        return Err(ParseError::Mismatch);
    }
    body.take(32)?;
    let session = body.byte()?;
    if session > 32 {
        return Err(ParseError::Mismatch);
    }
    body.take(session.into())?;
    let ciphers = body.u16()?;
    if kind == CLIENT_HELLO && (ciphers < 2 || ciphers % 2 != 0) {
        return Err(ParseError::Mismatch);
    }
    // The message is certainly a hello; a malformed field only ends the parsing.
    let mut hello = TlsHello {
        version,
        is_complete: is_captured,
        ..TlsHello::default()
    };
    let skipped = match kind {
        CLIENT_HELLO => body.take(ciphers.into()).and_then(|_| body.byte()),
        _ => Ok(1),
    };
    if skipped
        .and_then(|methods| body.take(methods.into()))
        .is_ok()
        && body.u16().is_ok()
    {
        while parse_extension(kind, &mut body, &mut hello).is_ok() {}
    }
    Ok(hello)
}

fn parse_extension<'a>(
    kind: u8,
    extensions: &mut Cursor<'a>,
    hello: &mut TlsHello<'a>,
) -> ParseResult<()> {
    let (extension, len) = (extensions.u16()?, extensions.u16()?);
    let mut value = Cursor::new(extensions.take(len.into())?);
    match (extension, kind) {
        (SUPPORTED_VERSIONS_EXTENSION, CLIENT_HELLO) => {
            value.byte()?;
            // Reserved values (GREASE, RFC 8701) are not versions.
            while let Ok(offer) = value.u16() {
                if (SSL_3_0..=TLS_1_3).contains(&offer) {
                    hello.version = hello.version.max(offer);
                }
            }
        }
        (SUPPORTED_VERSIONS_EXTENSION, _) => hello.version = value.u16()?,
        (ALPN_EXTENSION, _) => {
            let len = value.u16()?;
            hello.protocols = value.take_up_to(len.into());
        }
        // A list that in practice has one name: list length, name type, name length, name.
        (SERVER_NAME_EXTENSION, CLIENT_HELLO) => {
            value.u16()?;
            value.literal(&[0])?;
            let len = value.u16()?;
            hello.server_name = value.take_up_to(len.into());
        }
        _ => {}
    }
    Ok(())
}
