//! A place in captured bytes that tells bytes that are wrong from bytes that are still to come.

use super::Verdict;

/// Why something could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// What was captured ends before it does, and fits so far.
    Cut,
    /// It is something else.
    Wrong,
}

/// What was read, or why not.
pub(super) type Read<T> = Result<T, Stop>;

impl Stop {
    /// What a detector says that could not read on before it was sure.
    pub(super) fn verdict(self) -> Verdict {
        match self {
            Stop::Cut => Verdict::Maybe,
            Stop::Wrong => Verdict::No,
        }
    }
}

/// What to think of an answer without a question, where the originator speaks first: it may only be seen late, if it begins as
/// answers do.
pub(super) fn unasked(resp: &[u8], beginnings: &[u8]) -> Stop {
    match resp.first() {
        Some(first) if !beginnings.contains(first) => Stop::Wrong,
        _ => Stop::Cut,
    }
}

/// ASCII that is seen: neither blanks nor control characters.
pub(super) fn graphic(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

/// What a line of text is made of, in any encoding that has ASCII in it.
pub(super) fn text(byte: u8) -> bool {
    byte >= b' ' && byte != 0x7f
}

/// The bytes that are still to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Stop::Cut)?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn byte(&mut self) -> Read<u8> {
        self.array().map(|[byte]| byte)
    }

    /// Big-endian, as are all that do not say otherwise.
    pub(super) fn u16(&mut self) -> Read<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u24(&mut self) -> Read<u32> {
        self.array()
            .map(|[high, middle, low]| u32::from_be_bytes([0, high, middle, low]))
    }

    pub(super) fn u24_little(&mut self) -> Read<u32> {
        self.array()
            .map(|[low, middle, high]| u32::from_le_bytes([low, middle, high, 0]))
    }

    pub(super) fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u32_little(&mut self) -> Read<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn take(&mut self, len: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Stop::Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    /// What is there of that many bytes.
    pub(super) fn up_to(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    /// Exactly these bytes.
    pub(super) fn literal(&mut self, literal: &[u8]) -> Read<()> {
        self.literal_by(literal, |own, due| own == due)
    }

    /// These bytes, in upper or lower case.
    pub(super) fn letters(&mut self, letters: &[u8]) -> Read<()> {
        self.literal_by(letters, u8::eq_ignore_ascii_case)
    }

    fn literal_by(&mut self, literal: &[u8], same: impl Fn(&u8, &u8) -> bool) -> Read<()> {
        // Literals are short, and mostly the first byte is another: a loop is quicker than a call.
        if self
            .rest
            .iter()
            .zip(literal)
            .any(|(own, due)| !same(own, due))
        {
            return Err(Stop::Wrong);
        }
        self.take(literal.len()).map(|_| ())
    }

    /// The bytes that belong together, `most` or fewer, up to one that does not, which stays.
    pub(super) fn run(&mut self, most: usize, belongs: impl Fn(u8) -> bool) -> Read<&'a [u8]> {
        let end = self.rest.iter().position(|byte| !belongs(*byte));
        match end {
            Some(end) if end <= most => self.take(end),
            None if self.rest.len() <= most => Err(Stop::Cut),
            _ => Err(Stop::Wrong),
        }
    }

    /// A run and the byte that must stand after it.
    pub(super) fn word(
        &mut self,
        end: u8,
        most: usize,
        belongs: impl Fn(u8) -> bool,
    ) -> Read<&'a [u8]> {
        let word = self.run(most, |byte| byte != end && belongs(byte))?;
        match self.byte()? {
            byte if byte == end => Ok(word),
            _ => Err(Stop::Wrong),
        }
    }

    /// A line of text, without its end: CR LF, or LF alone.
    pub(super) fn line(&mut self, most: usize) -> Read<&'a [u8]> {
        let line = self.run(most, text)?;
        match self.byte()? {
            b'\n' => Ok(line),
            b'\r' => self.literal(b"\n").map(|()| line),
            _ => Err(Stop::Wrong),
        }
    }
}
