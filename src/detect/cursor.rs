//! Parser of captured bytes that distinguishes mismatched bytes from bytes that have not arrived.

use super::DetectorVerdict;

/// Reason why a field could not be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParseError {
    /// The captured bytes match so far, but end within the field.
    Incomplete,
    /// The bytes do not have the expected form.
    Mismatch,
}

/// Parsed value, or the reason why it could not be parsed.
pub(super) type ParseResult<T> = Result<T, ParseError>;

impl ParseError {
    /// Returns the verdict of a detector that stopped with this error before its protocol was
    /// certain.
    pub(super) fn verdict(self) -> DetectorVerdict {
        match self {
            ParseError::Incomplete => DetectorVerdict::Maybe,
            ParseError::Mismatch => DetectorVerdict::No,
        }
    }
}

/// Returns the error for a response without a request, in a protocol in which the originator sends
/// first: [`ParseError::Incomplete`] (the request can still arrive) if the response is empty or
/// starts with one of `first_bytes`, otherwise [`ParseError::Mismatch`].
pub(super) fn response_only(resp: &[u8], first_bytes: &[u8]) -> ParseError {
    match resp.first() {
        Some(first) if !first_bytes.contains(first) => ParseError::Mismatch,
        _ => ParseError::Incomplete,
    }
}

/// Returns true for visible ASCII characters: neither spaces nor control characters.
pub(super) fn is_graphic(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

/// Returns true for bytes of a text line, in any superset of ASCII.
pub(super) fn is_text(byte: u8) -> bool {
    byte >= b' ' && byte != 0x7f
}

/// Position of a parser in the captured bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    /// Bytes after the position.
    pub(super) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    pub(super) fn array<const N: usize>(&mut self) -> ParseResult<[u8; N]> {
        let (array, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(ParseError::Incomplete)?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn byte(&mut self) -> ParseResult<u8> {
        self.array().map(|[byte]| byte)
    }

    /// Parses a big-endian number, like all methods without the suffix `_le`.
    pub(super) fn u16(&mut self) -> ParseResult<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u24(&mut self) -> ParseResult<u32> {
        self.array()
            .map(|[high, middle, low]| u32::from_be_bytes([0, high, middle, low]))
    }

    pub(super) fn u24_le(&mut self) -> ParseResult<u32> {
        self.array()
            .map(|[low, middle, high]| u32::from_le_bytes([low, middle, high, 0]))
    }

    pub(super) fn u32(&mut self) -> ParseResult<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u32_le(&mut self) -> ParseResult<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn take(&mut self, len: usize) -> ParseResult<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(ParseError::Incomplete)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Returns `len` bytes, or fewer if fewer were captured.
    pub(super) fn take_up_to(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    /// Parses exactly these bytes.
    pub(super) fn literal(&mut self, literal: &[u8]) -> ParseResult<()> {
        self.literal_with(literal, |byte, expected| byte == expected)
    }

    /// Parses these ASCII letters in upper or lower case.
    pub(super) fn literal_ignore_case(&mut self, letters: &[u8]) -> ParseResult<()> {
        self.literal_with(letters, u8::eq_ignore_ascii_case)
    }

    fn literal_with(
        &mut self,
        literal: &[u8],
        is_equal: impl Fn(&u8, &u8) -> bool,
    ) -> ParseResult<()> {
        // Literals are short, and usually the first byte differs: a loop is faster than memcmp(3).
        if self
            .rest
            .iter()
            .zip(literal)
            .any(|(byte, expected)| !is_equal(byte, expected))
        {
            return Err(ParseError::Mismatch);
        }
        self.take(literal.len()).map(|_| ())
    }

    /// Parses at most `max_len` bytes that satisfy `is_part`, up to the first byte that does not.
    /// That byte must have been captured, and is not consumed.
    pub(super) fn take_while(
        &mut self,
        max_len: usize,
        is_part: impl Fn(u8) -> bool,
    ) -> ParseResult<&'a [u8]> {
        let end = self.rest.iter().position(|byte| !is_part(*byte));
        match end {
            Some(end) if end <= max_len => self.take(end),
            None if self.rest.len() <= max_len => Err(ParseError::Incomplete),
            _ => Err(ParseError::Mismatch),
        }
    }

    /// Parses at most `max_len` bytes that satisfy `is_part`, and the delimiter `end` after them;
    /// returns the bytes before the delimiter.
    pub(super) fn take_delimited(
        &mut self,
        end: u8,
        max_len: usize,
        is_part: impl Fn(u8) -> bool,
    ) -> ParseResult<&'a [u8]> {
        let field = self.take_while(max_len, |byte| byte != end && is_part(byte))?;
        match self.byte()? {
            byte if byte == end => Ok(field),
            _ => Err(ParseError::Mismatch),
        }
    }

    /// Parses a text line that ends in CR LF or LF, and returns it without the line ending.
    pub(super) fn line(&mut self, max_len: usize) -> ParseResult<&'a [u8]> {
        let line = self.take_while(max_len, is_text)?;
        match self.byte()? {
            b'\n' => Ok(line),
            b'\r' => self.literal(b"\n").map(|()| line),
            _ => Err(ParseError::Mismatch),
        }
    }
}
