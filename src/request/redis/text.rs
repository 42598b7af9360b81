//! Strings as redis-cli prints them, within limits of memory.

use crate::printable::is_printable;

/// The first bytes of a string that can be much longer.
#[derive(Debug, Default)]
pub(super) struct BoundedBytes {
    bytes: Vec<u8>,
    limit: usize,
    /// Length of the string so far.
    len: u64,
    /// True if bytes are missing in the capture.
    is_damaged: bool,
}

impl BoundedBytes {
    /// Starts another string, of which at most `limit` bytes are kept.
    pub(super) fn start(&mut self, limit: usize) {
        self.bytes.clear();
        // A large value is kept once, and not for each later one.
        self.bytes.shrink_to(1 << 10);
        self.limit = limit;
        self.len = 0;
        self.is_damaged = false;
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let space = self.limit.saturating_sub(self.bytes.len());
        self.bytes
            .extend_from_slice(&bytes[..space.min(bytes.len())]);
        self.len += bytes.len() as u64;
    }

    /// Records missing bytes; what follows them is not kept.
    pub(super) fn skip(&mut self, len: u64) {
        self.limit = self.bytes.len();
        self.len += len;
        self.is_damaged = true;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the length of the whole string.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Returns the first `limit` bytes, and whether more follow.
    pub(super) fn first(&self, limit: usize) -> (&[u8], bool) {
        let bytes = &self.bytes[..limit.min(self.bytes.len())];
        (bytes, self.is_damaged || self.len > bytes.len() as u64)
    }
}

/// Text up to a limit.
#[derive(Debug, Default)]
pub(super) struct BoundedText {
    text: String,
    limit: usize,
    /// Number of bytes that were left out.
    pub(super) left_out: u64,
}

impl BoundedText {
    pub(super) fn new(limit: usize) -> BoundedText {
        BoundedText {
            limit,
            ..BoundedText::default()
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        let end = text.floor_char_boundary(self.space().min(text.len()));
        self.text.push_str(&text[..end]);
        if end < text.len() {
            self.limit = self.text.len();
            self.left_out += (text.len() - end) as u64;
        }
    }

    /// Adds a string in quotes, and counts the part of it that was not kept.
    pub(super) fn push_string(&mut self, string: &BoundedBytes, quotes: Quotes) {
        if self.space() > 0 {
            let (bytes, is_cut) = string.first(self.space());
            let mut text = String::new();
            push_string(&mut text, bytes, is_cut, quotes);
            self.left_out += string.len() - bytes.len() as u64;
            self.push(&text);
        } else {
            self.left_out += string.len();
        }
    }

    /// Returns the number of bytes that can be added.
    pub(super) fn space(&self) -> usize {
        self.limit.saturating_sub(self.text.len())
    }

    /// Adds nothing more.
    pub(super) fn close(&mut self) {
        self.limit = self.text.len();
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn memory(&self) -> usize {
        self.text.capacity()
    }
}

/// Rule for quotes around a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    Always,
    /// Only around a string that is empty, or contains spaces, quotes or unprintable characters.
    IfNecessary,
}

/// Adds a string; a string that is cut ends in `…`.
pub(super) fn push_string(text: &mut String, bytes: &[u8], is_cut: bool, quotes: Quotes) {
    let is_plain = |c: char| !matches!(c, ' ' | '"' | '\'') && is_printable(c);
    let plain = match quotes {
        Quotes::IfNecessary if bytes.is_ascii() => std::str::from_utf8(bytes).ok(),
        Quotes::IfNecessary => std::str::from_utf8(bytes).ok().filter(|_| !is_cut),
        Quotes::Always => None,
    };
    match plain.filter(|plain| !plain.is_empty() && plain.chars().all(is_plain)) {
        Some(plain) => text.push_str(plain),
        None => push_quoted(text, bytes, is_cut),
    }
    if is_cut {
        text.push('…');
    }
}

fn push_quoted(text: &mut String, bytes: &[u8], is_cut: bool) {
    text.push('"');
    let mut end = 0;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_character(text, character);
        }
        end += chunk.valid().len() + chunk.invalid().len();
        // A partial character at the end of a cut string is not an invalid one.
        if !(is_cut && end == bytes.len()) {
            chunk
                .invalid()
                .iter()
                .for_each(|&byte| push_hex(text, byte));
        }
    }
    text.push('"');
}

fn push_character(text: &mut String, character: char) {
    match character {
        '"' | '\\' => text.extend(['\\', character]),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\x07' => text.push_str("\\a"),
        '\x08' => text.push_str("\\b"),
        _ if is_printable(character) => text.push(character),
        _ => {
            let mut buffer = [0; 4];
            let bytes = character.encode_utf8(&mut buffer).bytes();
            bytes.for_each(|byte| push_hex(text, byte));
        }
    }
}

fn push_hex(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 0xf)]);
    text.extend(['\\', 'x', digit(byte >> 4), digit(byte)]);
}

/// Returns a string as text without quotes, e.g. for a typed value; a string that is cut ends in
/// `…`.
pub(super) fn plain_text(bytes: &[u8], is_cut: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut end = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        end += chunk.valid().len() + chunk.invalid().len();
        let is_partial = is_cut && end == bytes.len();
        if !is_partial && !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    if is_cut {
        text.push('…');
    }
    text
}
