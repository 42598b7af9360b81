//! memcached's text and binary protocols (memcached's doc/protocol.txt and
//! doc/protocol-binary.txt).

use super::cursor::{Cursor, ParseError, ParseResult, is_text, response_only};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "memcached",
    transports: &[TCP],
    detect,
};

const REQUEST_MAGIC: u8 = 0x80;

const MAX_KEY_LEN: usize = 250;
/// Maximum length of a command line that a server accepts, in bytes.
const MAX_LINE_LEN: usize = 2_048;
const MAX_BODY_LEN: u32 = 128 << 20;

fn detect(opening: &Opening) -> DetectorVerdict {
    let command = match opening.orig.first() {
        // First bytes of the responses to all commands.
        None => Err(response_only(opening.resp, b"VESNDTOHMRC0123456789\x81")),
        Some(&REQUEST_MAGIC) => binary_request(opening.orig),
        Some(b'a'..=b'z') => text_request(opening),
        Some(_) => Err(ParseError::Mismatch),
    };
    match command {
        Ok(command) => DetectorVerdict::Done(ServiceAttributes::new(&["command"], [command])),
        Err(error) => error.verdict(),
    }
}

/// A command of the text protocol.
struct TextCommand {
    name: &'static [u8],
    /// Expected arguments: `k` a key, `n` a number, `*` any number of keys, `?` an optional number,
    /// `q` an optional `noreply`.
    arguments: &'static [u8],
    /// First bytes of the possible responses; any other response is not from memcached.
    responses: &'static [&'static [u8]],
}

const fn text_command(
    name: &'static [u8],
    arguments: &'static [u8],
    responses: &'static [&'static [u8]],
) -> TextCommand {
    TextCommand {
        name,
        arguments,
        responses,
    }
}

const GET_RESPONSES: &[&[u8]] = &[b"VALUE ", b"END\r\n"];
const STORE_RESPONSES: &[&[u8]] = &[
    b"STORED\r\n",
    b"NOT_STORED\r\n",
    b"EXISTS\r\n",
    b"NOT_FOUND\r\n",
];
const COUNTER_RESPONSES: &[&[u8]] = &[
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
/// Responses to the meta commands.
const META_RESPONSES: &[&[u8]] = &[
    b"HD\r\n", b"HD ", b"EN\r\n", b"VA ", b"NS\r\n", b"NS ", b"EX\r\n", b"EX ", b"NF\r\n", b"NF ",
];
/// Error responses to any command.
const ERROR_RESPONSES: &[&[u8]] = &[b"CLIENT_ERROR ", b"SERVER_ERROR "];

const TEXT_COMMANDS: &[TextCommand] = &[
    text_command(b"get", b"k*", GET_RESPONSES),
    text_command(b"gets", b"k*", GET_RESPONSES),
    text_command(b"gat", b"nk*", GET_RESPONSES),
    text_command(b"gats", b"nk*", GET_RESPONSES),
    text_command(b"set", b"knnnq", STORE_RESPONSES),
    text_command(b"add", b"knnnq", STORE_RESPONSES),
    text_command(b"replace", b"knnnq", STORE_RESPONSES),
    text_command(b"append", b"knnnq", STORE_RESPONSES),
    text_command(b"prepend", b"knnnq", STORE_RESPONSES),
    text_command(b"cas", b"knnnnq", STORE_RESPONSES),
    text_command(b"incr", b"knq", COUNTER_RESPONSES),
    text_command(b"decr", b"knq", COUNTER_RESPONSES),
    text_command(b"delete", b"k?q", &[b"DELETED\r\n", b"NOT_FOUND\r\n"]),
    text_command(b"touch", b"knq", &[b"TOUCHED\r\n", b"NOT_FOUND\r\n"]),
    text_command(b"stats", b"*", &[b"STAT ", b"END\r\n", b"RESET\r\n"]),
    text_command(b"version", b"", &[b"VERSION "]),
    text_command(b"flush_all", b"?q", &[b"OK\r\n"]),
    text_command(b"verbosity", b"nq", &[b"OK\r\n"]),
    text_command(b"quit", b"", &[]),
    text_command(b"mg", b"k*", META_RESPONSES),
    text_command(b"ms", b"kn*", META_RESPONSES),
    text_command(b"md", b"k*", META_RESPONSES),
    text_command(b"ma", b"k*", META_RESPONSES),
    text_command(b"me", b"k*", &[b"ME ", b"EN\r\n"]),
    text_command(b"mn", b"", &[b"MN\r\n"]),
];

fn text_request(opening: &Opening) -> ParseResult<&'static [u8]> {
    let mut cursor = Cursor::new(opening.orig);
    let name = cursor.take_while(9, |byte| byte.is_ascii_lowercase() || byte == b'_')?;
    let command = TEXT_COMMANDS.iter().find(|command| command.name == name);
    let command = command.ok_or(ParseError::Mismatch)?;
    if !matches!(cursor.rest, [b' ' | b'\r' | b'\n', ..]) {
        return Err(ParseError::Mismatch);
    }
    let arguments = cursor.line(MAX_LINE_LEN)?;
    if !has_valid_arguments(arguments, command.arguments) {
        return Err(ParseError::Mismatch);
    }
    // No other protocol has a line with a key and three numbers: the response is not needed.
    if command.arguments.starts_with(b"knnn") {
        return Ok(command.name);
    }
    let responses = command.responses.iter().chain(ERROR_RESPONSES);
    let mut result = Err(ParseError::Mismatch);
    for response in responses {
        match Cursor::new(opening.resp).literal(response) {
            Ok(()) => return Ok(command.name),
            Err(ParseError::Incomplete) => result = Err(ParseError::Incomplete),
            Err(ParseError::Mismatch) => {}
        }
    }
    result
}

fn has_valid_arguments(line: &[u8], arguments: &[u8]) -> bool {
    let values = line.split(|byte| *byte == b' ');
    let mut values = values.filter(|value| !value.is_empty()).peekable();
    let is_number = |value: &[u8]| {
        let digits = value.strip_prefix(b"-").unwrap_or(value);
        !digits.is_empty() && digits.len() <= 20 && digits.iter().all(u8::is_ascii_digit)
    };
    let is_key =
        |value: &[u8]| value.len() <= MAX_KEY_LEN && value.iter().all(|byte| is_text(*byte));
    let mut is_valid = arguments.iter().all(|argument| match argument {
        b'k' => values.next().is_some_and(is_key),
        b'n' => values.next().is_some_and(is_number),
        b'?' => {
            values.next_if(|value| is_number(value));
            true
        }
        b'q' => {
            values.next_if_eq(&&b"noreply"[..]);
            true
        }
        _ => values.by_ref().all(is_key),
    });
    is_valid &= values.next().is_none();
    is_valid
}

/// Parses the header of a binary request.
///
/// ```text
///  0       1         2            4              5      6         8             12       16
/// ├───────┼─────────┼────────────┼──────────────┼──────┼─────────┼─────────────┼────────┼─────────
/// │ magic │ command │ key length │ extra length │ type │ vbucket │ body length │ opaque │ CAS (8)
/// ```
fn binary_request(orig: &[u8]) -> ParseResult<&'static [u8]> {
    let mut cursor = Cursor::new(orig);
    cursor.literal(&[REQUEST_MAGIC])?;
    let (name, extra_lens, has_key) = binary_command(cursor.byte()?).ok_or(ParseError::Mismatch)?;
    let key = cursor.u16()?;
    if has_key.is_some_and(|has_key| has_key != (key > 0)) || usize::from(key) > MAX_KEY_LEN {
        return Err(ParseError::Mismatch);
    }
    let extra_len = cursor.byte()?;
    if !extra_lens.contains(&extra_len) {
        return Err(ParseError::Mismatch);
    }
    cursor.literal(&[0, 0, 0])?;
    let body = cursor.u32()?;
    if !(u32::from(key) + u32::from(extra_len)..=MAX_BODY_LEN).contains(&body) {
        return Err(ParseError::Mismatch);
    }
    Ok(name)
}

/// Returns the name of a command, the valid lengths of its extras, and the rule for its key:
/// `Some(true)` if a key is required, `Some(false)` if it is not allowed, `None` if it is optional.
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
