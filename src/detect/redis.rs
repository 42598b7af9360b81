//! Redis and compatible servers (Redis serialization protocol specification, RESP2 and RESP3): the
//! first command.

use super::cursor::{Cursor, ParseError, ParseResult, is_text, response_only};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "redis",
    transports: &[TCP],
    detect,
};

/// First bytes of replies.
const REPLY_TYPES: &[u8] = b"+-:$*_,#!=%~>(|";

const MAX_COMMAND_LEN: usize = 32;

fn detect(opening: &Opening) -> DetectorVerdict {
    command(opening).unwrap_or_else(ParseError::verdict)
}

fn command(opening: &Opening) -> ParseResult<DetectorVerdict> {
    let name = match opening.orig.first() {
        None => return Err(response_only(opening.resp, REPLY_TYPES)),
        // No other protocol has such a request: the reply is not needed.
        Some(b'*') => array_command(opening.orig)?,
        Some(byte) if byte.is_ascii_alphabetic() => {
            let name = inline_command(opening.orig)?;
            // Another protocol can have the same request line, but not the same reply.
            reply(opening.resp)?;
            name
        }
        Some(_) => return Err(ParseError::Mismatch),
    };
    let name = name.to_ascii_uppercase();
    Ok(DetectorVerdict::Done(ServiceAttributes::new(
        &["command"],
        [&name[..]],
    )))
}

/// Returns the first string of an array of strings.
///
/// ```text
/// *2 CR LF  $3 CR LF  GET CR LF  …
/// ```
fn array_command(orig: &[u8]) -> ParseResult<&[u8]> {
    let mut cursor = Cursor::new(orig);
    cursor.literal(b"*")?;
    number(&mut cursor)?;
    cursor.literal(b"$")?;
    let len = number(&mut cursor)?;
    if len > MAX_COMMAND_LEN {
        return Err(ParseError::Mismatch);
    }
    let name = cursor.take_delimited(b'\r', len, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'|')
    })?;
    cursor.literal(b"\n")?;
    match name.len() == len {
        true => Ok(name),
        false => Err(ParseError::Mismatch),
    }
}

/// Parses a number of at least 1 and the CR LF after it.
fn number(cursor: &mut Cursor) -> ParseResult<usize> {
    let digits = cursor.take_delimited(b'\r', 7, |byte| byte.is_ascii_digit())?;
    cursor.literal(b"\n")?;
    let number = digits
        .iter()
        .fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    match number {
        0 => Err(ParseError::Mismatch),
        number => Ok(number),
    }
}

/// Returns the name of an inline command: a text line, e.g. typed into telnet.
fn inline_command(orig: &[u8]) -> ParseResult<&[u8]> {
    let mut cursor = Cursor::new(orig);
    let name = cursor.take_while(12, |byte| byte.is_ascii_alphabetic())?;
    if !is_redis_inline_command(name) || !matches!(cursor.rest, [b' ' | b'\r' | b'\n', ..]) {
        return Err(ParseError::Mismatch);
    }
    cursor.line(1_024)?;
    Ok(name)
}

/// Returns true for a command that no other protocol with similar replies has. `AUTH` and `QUIT`
/// are excluded, because they are commands of POP3, too.
fn is_redis_inline_command(name: &[u8]) -> bool {
    const INLINE_COMMANDS: [&[u8]; 40] = [
        b"PING",
        b"ECHO",
        b"GET",
        b"SET",
        b"DEL",
        b"EXISTS",
        b"INFO",
        b"SELECT",
        b"INCR",
        b"DECR",
        b"KEYS",
        b"TTL",
        b"EXPIRE",
        b"MONITOR",
        b"HELLO",
        b"CONFIG",
        b"COMMAND",
        b"CLIENT",
        b"DBSIZE",
        b"FLUSHALL",
        b"FLUSHDB",
        b"SUBSCRIBE",
        b"PUBLISH",
        b"TYPE",
        b"SCAN",
        b"LPUSH",
        b"RPUSH",
        b"LRANGE",
        b"HGET",
        b"HSET",
        b"HGETALL",
        b"SADD",
        b"SMEMBERS",
        b"ROLE",
        b"TIME",
        b"CLUSTER",
        b"MGET",
        b"MSET",
        b"REPLCONF",
        b"APPEND",
    ];
    INLINE_COMMANDS
        .iter()
        .any(|command| command.eq_ignore_ascii_case(name))
}

/// Parses the first line of a reply.
fn reply(resp: &[u8]) -> ParseResult<()> {
    let mut cursor = Cursor::new(resp);
    let kind = cursor.byte()?;
    let line = cursor.take_delimited(b'\r', 1_024, is_text)?;
    cursor.literal(b"\n")?;
    let is_number = |line: &[u8]| !line.is_empty() && line.iter().all(u8::is_ascii_digit);
    let is_valid = match kind {
        b'+' | b'-' => !line.is_empty(),
        b':' | b'$' | b'*' | b'%' | b'~' | b'>' => {
            is_number(line.strip_prefix(b"-").unwrap_or(line))
        }
        _ => false,
    };
    match is_valid {
        true => Ok(()),
        false => Err(ParseError::Mismatch),
    }
}
