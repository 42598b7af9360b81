//! Parser of the fields of a message body.

/// Name of a statement or portal; empty for the unnamed one.
pub(super) type ObjectName = Box<[u8]>;

/// Position in a message body, or in the beginning of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldReader<'a> {
    /// Bytes after the position.
    pub(super) rest: &'a [u8],
}

impl<'a> FieldReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> FieldReader<'a> {
        FieldReader { rest: bytes }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*array)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    /// Returns a string without the NUL at its end.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == 0)?;
        let string = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(string)
    }

    /// Returns a value after its length; the inner `None` is NULL, whose length is -1.
    pub(super) fn value(&mut self) -> Option<Option<&'a [u8]>> {
        match self.i32()? {
            -1 => Some(None),
            len => self.take(usize::try_from(len).ok()?).map(Some),
        }
    }

    /// Returns numbers of 16 bits after their count.
    pub(super) fn numbers(&mut self) -> Option<Vec<u16>> {
        let count = self.u16()?;
        let bytes = self.take(2 * usize::from(count))?;
        let pairs = bytes.chunks_exact(2);
        Some(
            pairs
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect(),
        )
    }

    /// Returns object identifiers of 32 bits after their count; none if some are missing.
    pub(super) fn oids(&mut self) -> Option<Vec<u32>> {
        let count = self.u16()?;
        let bytes = self.take(4 * usize::from(count))?;
        let (oids, _) = bytes.as_chunks();
        Some(oids.iter().map(|oid| u32::from_be_bytes(*oid)).collect())
    }
}
