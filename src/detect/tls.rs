//! TLS 1.0 to 1.3 and SSL 3.0 (RFC 8446, RFC 5246): the hello of either side.

use super::cursor::{Cursor, Read, Stop, unasked};
use super::{Detector, Facts, OPENING, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "tls",
    transports: &[TCP],
    detect,
};

/// Kinds of records: a change of ciphers is the first, data the last.
const RECORDS: std::ops::RangeInclusive<u8> = 20..=23;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

/// Kinds of handshake messages.
const CLIENT: u8 = 1;
const SERVER: u8 = 2;

/// Kinds of extensions.
const SERVER_NAME: u16 = 0;
const PROTOCOLS: u16 = 16;
const VERSIONS: u16 = 43;

const SSL_3: u16 = 0x0300;
const TLS_1_3: u16 = 0x0304;

/// What RFC 5246 allows for a record that is compressed and encrypted.
const LONGEST_RECORD: u16 = 16_384 + 2_048;

/// What a hello says.
#[derive(Default)]
struct Hello<'a> {
    /// The highest that is offered, or the one that is chosen.
    version: u16,
    server_name: &'a [u8],
    /// The names of RFC 7301, each after its length.
    protocols: &'a [u8],
    /// Nothing more can be learnt from it.
    is_whole: bool,
}

fn detect(opening: &Opening) -> Verdict {
    // No other opening costs more than this.
    let may_be_ours = match *opening.orig {
        [] => true,
        [kind] => RECORDS.contains(&kind),
        [kind, major, ..] => RECORDS.contains(&kind) && major == 3,
    };
    if !may_be_ours || !may_answer(opening.resp) {
        return Verdict::No;
    }
    let (mut client_bytes, mut server_bytes) = ([0; OPENING], [0; OPENING]);
    let client = hello(CLIENT, opening.orig, &mut client_bytes);
    let server = hello(SERVER, opening.resp, &mut server_bytes);
    match (client, server) {
        (Ok(client), Ok(server)) if client.is_whole && server.is_whole => {
            Verdict::Done(facts(&client, &server))
        }
        // An alert, or a server that knows no TLS.
        (Ok(client), Err(Stop::Wrong)) if client.is_whole => {
            Verdict::Done(facts(&client, &Hello::default()))
        }
        (Ok(client), server) => Verdict::Yes(facts(&client, &server.unwrap_or_default())),
        // The capture joined late, or the client's hello is cut.
        (Err(_), Ok(server)) => Verdict::Yes(facts(&Hello::default(), &server)),
        (Err(Stop::Wrong), Err(stop)) => stop.verdict(),
        // A client's hello may have been answered so.
        (Err(_), Err(Stop::Wrong)) if opening.orig.is_empty() => {
            unasked(opening.resp, &[ALERT, b'H']).verdict()
        }
        (Err(Stop::Cut), Err(_)) => Verdict::Maybe,
    }
}

/// Whether a client's hello is answered so: with TLS, or by a web server without it that complains of the request. What others
/// say may have been said first, and TLS begin later.
fn may_answer(resp: &[u8]) -> bool {
    match *resp {
        [] | [ALERT | HANDSHAKE] | [ALERT | HANDSHAKE, 3, ..] => true,
        _ => Cursor::new(resp).literal(b"HTTP/1.") != Err(Stop::Wrong),
    }
}

fn facts(client: &Hello, server: &Hello) -> Facts {
    let version = match server.version {
        0 => client.version,
        chosen => chosen,
    };
    let protocols = match server.protocols {
        [] => client.protocols,
        chosen => chosen,
    };
    Facts::new(
        &["sni", "alpn", "version"],
        [
            client.server_name,
            &joined(protocols),
            version_name(version),
        ],
    )
}

fn version_name(version: u16) -> &'static [u8] {
    match version {
        SSL_3 => b"SSL 3.0",
        0x0301 => b"1.0",
        0x0302 => b"1.1",
        0x0303 => b"1.2",
        TLS_1_3 => b"1.3",
        _ => b"",
    }
}

/// The names, commas between them.
fn joined(protocols: &[u8]) -> Vec<u8> {
    let (mut names, mut cursor) = (Vec::new(), Cursor::new(protocols));
    while let Ok(len) = cursor.byte() {
        if !names.is_empty() {
            names.push(b',');
        }
        names.extend(cursor.up_to(len.into()));
    }
    names
}

/// Reads the hello of a kind, which may lie in several records; `buffer` takes it without their headers.
fn hello<'a>(kind: u8, bytes: &[u8], buffer: &'a mut [u8; OPENING]) -> Read<Hello<'a>> {
    let (len, is_ended) = join(bytes, buffer)?;
    let message = buffer.get(..len).unwrap_or_default();
    match read_hello(kind, Cursor::new(message)) {
        Err(Stop::Cut) if is_ended => Err(Stop::Wrong),
        read => read,
    }
}

/// The length of what the first records carry of a handshake, and whether something else stands after it.
///
/// ```text
///  0      1       2       3        5
/// ├──────┼───────┼───────┼────────┼──────────
/// │ kind │ major │ minor │ length │ fragment
/// ```
fn join(records: &[u8], buffer: &mut [u8; OPENING]) -> Read<(usize, bool)> {
    let (mut cursor, mut end) = (Cursor::new(records), 0);
    loop {
        let fragment = match fragment(&mut cursor) {
            Ok(fragment) => fragment,
            Err(stop) if end == 0 => return Err(stop),
            Err(stop) => return Ok((end, stop == Stop::Wrong)),
        };
        let room = buffer.iter_mut().skip(end).zip(fragment);
        end += room.map(|(place, byte)| *place = *byte).count();
    }
}

fn fragment<'a>(cursor: &mut Cursor<'a>) -> Read<&'a [u8]> {
    cursor.literal(&[HANDSHAKE, 3])?;
    let (minor, len) = (cursor.byte()?, cursor.u16()?);
    if minor > 4 || len == 0 || len > LONGEST_RECORD {
        return Err(Stop::Wrong);
    }
    match cursor.up_to(len.into()) {
        [] => Err(Stop::Cut),
        fragment => Ok(fragment),
    }
}

/// ```text
///  0      1        4         6        38
/// ├──────┼────────┼─────────┼────────┼─────────────┬────────────────────────┬─────────────┬────────────
/// │ kind │ length │ version │ random │ session (1) │ client: ciphers (2)    │ methods (1) │ extensions (2)
/// │      │        │         │        │             │ server: the cipher [2] │ method [1]  │
/// ```
///
/// In parentheses: the size of a length before it. In brackets: its own size.
fn read_hello<'a>(kind: u8, mut cursor: Cursor<'a>) -> Read<Hello<'a>> {
    cursor.literal(&[kind, 0])?;
    let len = cursor.u16()?;
    let is_there = cursor.rest.len() >= usize::from(len);
    let mut body = Cursor::new(cursor.up_to(len.into()));
    let version = body.u16()?;
    if !(SSL_3..=TLS_1_3).contains(&version) {
        return Err(Stop::Wrong);
    }
    body.take(32)?;
    let session = body.byte()?;
    if session > 32 {
        return Err(Stop::Wrong);
    }
    body.take(session.into())?;
    let ciphers = body.u16()?;
    if kind == CLIENT && (ciphers < 2 || ciphers % 2 != 0) {
        return Err(Stop::Wrong);
    }
    // From here on it is sure, and what does not fit only ends what can be learnt.
    let mut hello = Hello {
        version,
        is_whole: is_there,
        ..Hello::default()
    };
    let skipped = match kind {
        CLIENT => body.take(ciphers.into()).and_then(|_| body.byte()),
        _ => Ok(1),
    };
    if skipped
        .and_then(|methods| body.take(methods.into()))
        .is_ok()
        && body.u16().is_ok()
    {
        while extension(kind, &mut body, &mut hello).is_ok() {}
    }
    Ok(hello)
}

fn extension<'a>(kind: u8, extensions: &mut Cursor<'a>, hello: &mut Hello<'a>) -> Read<()> {
    let (name, len) = (extensions.u16()?, extensions.u16()?);
    let mut value = Cursor::new(extensions.take(len.into())?);
    match (name, kind) {
        (VERSIONS, CLIENT) => {
            value.byte()?;
            // What is not a version is there to keep servers used to new ones (RFC 8701).
            while let Ok(offer) = value.u16() {
                if (SSL_3..=TLS_1_3).contains(&offer) {
                    hello.version = hello.version.max(offer);
                }
            }
        }
        (VERSIONS, _) => hello.version = value.u16()?,
        (PROTOCOLS, _) => {
            let len = value.u16()?;
            hello.protocols = value.up_to(len.into());
        }
        // A list of which each client makes one name: its length, the kind of name, the name's length.
        (SERVER_NAME, CLIENT) => {
            value.u16()?;
            value.literal(&[0])?;
            let len = value.u16()?;
            hello.server_name = value.up_to(len.into());
        }
        _ => {}
    }
    Ok(())
}
