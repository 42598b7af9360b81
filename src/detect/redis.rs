//! Redis and what speaks its protocol (Redis serialization protocol specification, RESP2 and RESP3): the first command.

use super::cursor::{Cursor, Read, Stop, text, unasked};
use super::{Detector, Facts, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "redis",
    transports: &[TCP],
    detect,
};

/// What replies begin with.
const REPLIES: &[u8] = b"+-:$*_,#!=%~>(|";

const LONGEST_COMMAND: usize = 32;

fn detect(opening: &Opening) -> Verdict {
    command(opening).unwrap_or_else(Stop::verdict)
}

fn command(opening: &Opening) -> Read<Verdict> {
    match unasked(opening.resp, REPLIES) {
        Stop::Cut => {}
        stop @ Stop::Wrong => return Err(stop),
    }
    let name = match opening.orig.first() {
        None => return Err(Stop::Cut),
        Some(b'*') => array(opening.orig)?,
        Some(byte) if byte.is_ascii_alphabetic() => {
            let name = inline(opening.orig)?;
            // So may other protocols' lines be, but not their answers.
            reply(opening.resp)?;
            name
        }
        Some(_) => return Err(Stop::Wrong),
    };
    let name = name.to_ascii_uppercase();
    Ok(Verdict::Done(Facts::new(&["command"], [&name[..]])))
}

/// The first string of an array of strings.
///
/// ```text
/// *2 CR LF  $3 CR LF  GET CR LF  …
/// ```
fn array(orig: &[u8]) -> Read<&[u8]> {
    let mut cursor = Cursor::new(orig);
    cursor.literal(b"*")?;
    number(&mut cursor)?;
    cursor.literal(b"$")?;
    let len = number(&mut cursor)?;
    if len > LONGEST_COMMAND {
        return Err(Stop::Wrong);
    }
    let name = cursor.word(b'\r', len, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'|')
    })?;
    cursor.literal(b"\n")?;
    match name.len() == len {
        true => Ok(name),
        false => Err(Stop::Wrong),
    }
}

/// A number of at least 1, and the end of its line.
fn number(cursor: &mut Cursor) -> Read<usize> {
    let digits = cursor.word(b'\r', 7, |byte| byte.is_ascii_digit())?;
    cursor.literal(b"\n")?;
    let number = digits
        .iter()
        .fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    match number {
        0 => Err(Stop::Wrong),
        number => Ok(number),
    }
}

/// The first word of a line that is a command as people type it.
fn inline(orig: &[u8]) -> Read<&[u8]> {
    let mut cursor = Cursor::new(orig);
    let name = cursor.run(12, |byte| byte.is_ascii_alphabetic())?;
    if !is_typed(name) || !matches!(cursor.rest, [b' ' | b'\r' | b'\n', ..]) {
        return Err(Stop::Wrong);
    }
    cursor.line(1_024)?;
    Ok(name)
}

/// Whether it is a command that other protocols with such answers have not: POP3 knows `AUTH` and `QUIT`, too.
fn is_typed(name: &[u8]) -> bool {
    const KNOWN: [&[u8]; 40] = [
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
    KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The first line of a reply.
fn reply(resp: &[u8]) -> Read<()> {
    let mut cursor = Cursor::new(resp);
    let kind = cursor.byte()?;
    let line = cursor.word(b'\r', 1_024, text)?;
    cursor.literal(b"\n")?;
    let is_number = |line: &[u8]| !line.is_empty() && line.iter().all(u8::is_ascii_digit);
    let fits = match kind {
        b'+' | b'-' => !line.is_empty(),
        b':' | b'$' | b'*' | b'%' | b'~' | b'>' => {
            is_number(line.strip_prefix(b"-").unwrap_or(line))
        }
        _ => false,
    };
    match fits {
        true => Ok(()),
        false => Err(Stop::Wrong),
    }
}
