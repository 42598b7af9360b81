//! memcached's text and binary protocols (memcached's doc/protocol.txt and doc/protocol-binary.txt).

use super::cursor::{Cursor, Read, Stop, text, unasked};
use super::{Detector, Facts, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "memcached",
    transports: &[TCP],
    detect,
};

const REQUEST: u8 = 0x80;
const RESPONSE: u8 = 0x81;

const LONGEST_KEY: usize = 250;
/// As many keys as a server takes in one line.
const LONGEST_LINE: usize = 2_048;
const LONGEST_BODY: u32 = 128 << 20;

fn detect(opening: &Opening) -> Verdict {
    let command = match opening.orig.first() {
        // What the answers to all commands begin with.
        None => Err(unasked(opening.resp, b"VESNDTOHMRC0123456789\x81")),
        Some(&REQUEST) => binary(opening),
        Some(b'a'..=b'z') => line(opening),
        Some(_) => Err(Stop::Wrong),
    };
    match command {
        Ok(command) => Verdict::Done(Facts::new(&["command"], [command])),
        Err(stop) => stop.verdict(),
    }
}

/// A command of the text protocol.
struct Command {
    name: &'static [u8],
    /// What must stand after it: `k` a key, `n` a number, `*` any more words, `?` perhaps a number, `q` perhaps `noreply`.
    arguments: &'static [u8],
    /// What an answer begins with; any other is not memcached's.
    answers: &'static [&'static [u8]],
}

const fn command(
    name: &'static [u8],
    arguments: &'static [u8],
    answers: &'static [&'static [u8]],
) -> Command {
    Command {
        name,
        arguments,
        answers,
    }
}

const FOUND: &[&[u8]] = &[b"VALUE ", b"END\r\n"];
const STORED: &[&[u8]] = &[
    b"STORED\r\n",
    b"NOT_STORED\r\n",
    b"EXISTS\r\n",
    b"NOT_FOUND\r\n",
];
const COUNTED: &[&[u8]] = &[
    b"NOT_FOUND\r\n",
    b"0",
    b"1",
    b"2",
    b"3",
    b"4",
    b"5",
    b"6",
    b"7",
    b"8",
    b"9",
];
/// Of the meta commands.
const META: &[&[u8]] = &[
    b"HD\r\n", b"HD ", b"EN\r\n", b"VA ", b"NS\r\n", b"NS ", b"EX\r\n", b"EX ", b"NF\r\n", b"NF ",
];
/// Of every command.
const ERRORS: &[&[u8]] = &[b"CLIENT_ERROR ", b"SERVER_ERROR "];

const COMMANDS: &[Command] = &[
    command(b"get", b"k*", FOUND),
    command(b"gets", b"k*", FOUND),
    command(b"gat", b"nk*", FOUND),
    command(b"gats", b"nk*", FOUND),
    command(b"set", b"knnnq", STORED),
    command(b"add", b"knnnq", STORED),
    command(b"replace", b"knnnq", STORED),
    command(b"append", b"knnnq", STORED),
    command(b"prepend", b"knnnq", STORED),
    command(b"cas", b"knnnnq", STORED),
    command(b"incr", b"knq", COUNTED),
    command(b"decr", b"knq", COUNTED),
    command(b"delete", b"k?q", &[b"DELETED\r\n", b"NOT_FOUND\r\n"]),
    command(b"touch", b"knq", &[b"TOUCHED\r\n", b"NOT_FOUND\r\n"]),
    command(b"stats", b"*", &[b"STAT ", b"END\r\n", b"RESET\r\n"]),
    command(b"version", b"", &[b"VERSION "]),
    command(b"flush_all", b"?q", &[b"OK\r\n"]),
    command(b"verbosity", b"nq", &[b"OK\r\n"]),
    command(b"quit", b"", &[]),
    command(b"mg", b"k*", META),
    command(b"ms", b"kn*", META),
    command(b"md", b"k*", META),
    command(b"ma", b"k*", META),
    command(b"me", b"k*", &[b"ME ", b"EN\r\n"]),
    command(b"mn", b"", &[b"MN\r\n"]),
];

fn line(opening: &Opening) -> Read<&'static [u8]> {
    let mut cursor = Cursor::new(opening.orig);
    let name = cursor.run(9, |byte| byte.is_ascii_lowercase() || byte == b'_')?;
    let command = COMMANDS.iter().find(|command| command.name == name);
    let command = command.ok_or(Stop::Wrong)?;
    if !matches!(cursor.rest, [b' ' | b'\r' | b'\n', ..]) {
        return Err(Stop::Wrong);
    }
    let arguments = cursor.line(LONGEST_LINE)?;
    if !fits(arguments, command.arguments) {
        return Err(Stop::Wrong);
    }
    let answers = command.answers.iter().chain(ERRORS);
    let mut answer = Err(Stop::Wrong);
    for beginning in answers {
        match Cursor::new(opening.resp).literal(beginning) {
            Ok(()) => return Ok(command.name),
            Err(Stop::Cut) => answer = Err(Stop::Cut),
            Err(Stop::Wrong) => {}
        }
    }
    // Nobody else says a key and three numbers after such a word.
    match answer {
        Err(Stop::Cut) if command.arguments.starts_with(b"knnn") => Ok(command.name),
        answer => answer,
    }
}

fn fits(line: &[u8], arguments: &[u8]) -> bool {
    let words = line.split(|byte| *byte == b' ');
    let mut words = words.filter(|word| !word.is_empty()).peekable();
    let is_number = |word: &[u8]| {
        let digits = word.strip_prefix(b"-").unwrap_or(word);
        !digits.is_empty() && digits.len() <= 20 && digits.iter().all(u8::is_ascii_digit)
    };
    let is_key = |word: &[u8]| word.len() <= LONGEST_KEY && word.iter().all(|byte| text(*byte));
    let mut fits = arguments.iter().all(|argument| match argument {
        b'k' => words.next().is_some_and(is_key),
        b'n' => words.next().is_some_and(is_number),
        b'?' => {
            words.next_if(|word| is_number(word));
            true
        }
        b'q' => {
            words.next_if_eq(&&b"noreply"[..]);
            true
        }
        _ => words.by_ref().all(is_key),
    });
    fits &= words.next().is_none();
    fits
}

/// What a binary request has beside its value.
///
/// ```text
///  0       1         2            4             5      6         8            12       16
/// ├───────┼─────────┼────────────┼─────────────┼──────┼─────────┼────────────┼────────┼──────────
/// │ magic │ command │ key length │ extra length│ kind │ bucket  │ body length│ opaque │ unique (8)
/// ```
fn binary(opening: &Opening) -> Read<&'static [u8]> {
    if !matches!(opening.resp, [] | [RESPONSE, ..]) {
        return Err(Stop::Wrong);
    }
    let mut cursor = Cursor::new(opening.orig);
    cursor.literal(&[REQUEST])?;
    let (name, extra, has_key) = binary_command(cursor.byte()?).ok_or(Stop::Wrong)?;
    let key = cursor.u16()?;
    if has_key.is_some_and(|has_key| has_key != (key > 0)) || usize::from(key) > LONGEST_KEY {
        return Err(Stop::Wrong);
    }
    let own_extra = cursor.byte()?;
    if !extra.contains(&own_extra) {
        return Err(Stop::Wrong);
    }
    cursor.literal(&[0, 0, 0])?;
    let body = cursor.u32()?;
    if !(u32::from(key) + u32::from(own_extra)..=LONGEST_BODY).contains(&body) {
        return Err(Stop::Wrong);
    }
    Ok(name)
}

/// A command's name, what its extras may be long, and whether it has a key where it must or must not.
fn binary_command(code: u8) -> Option<(&'static [u8], &'static [u8], Option<bool>)> {
    Some(match code {
        0x00 | 0x09 | 0x0c | 0x0d => (b"get", &[0], Some(true)),
        0x01 | 0x11 => (b"set", &[8], Some(true)),
        0x02 | 0x12 => (b"add", &[8], Some(true)),
        0x03 | 0x13 => (b"replace", &[8], Some(true)),
        0x04 | 0x14 => (b"delete", &[0], Some(true)),
        0x05 | 0x15 => (b"incr", &[20], Some(true)),
        0x06 | 0x16 => (b"decr", &[20], Some(true)),
        0x07 | 0x17 => (b"quit", &[0], Some(false)),
        0x08 | 0x18 => (b"flush_all", &[0, 4], Some(false)),
        0x0a => (b"noop", &[0], Some(false)),
        0x0b => (b"version", &[0], Some(false)),
        0x0e | 0x19 => (b"append", &[0], Some(true)),
        0x0f | 0x1a => (b"prepend", &[0], Some(true)),
        0x10 => (b"stats", &[0], None),
        0x1b => (b"verbosity", &[4], Some(false)),
        0x1c => (b"touch", &[4], Some(true)),
        0x1d | 0x1e | 0x23 | 0x24 => (b"gat", &[4], Some(true)),
        0x20 => (b"sasl_mechs", &[0], Some(false)),
        0x21 | 0x22 => (b"sasl_auth", &[0], Some(true)),
        _ => return None,
    })
}
