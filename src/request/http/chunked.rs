//! Chunked transfer coding (RFC 9112 section 7.1), one byte of framing at a time.

use super::head::MAX_HEAD_LEN;

/// Position in a chunked body. It keeps no bytes, so that any split gives the same result.
///
/// ```text
/// size (hex) [; extension] CR LF | data | CR LF | … | 0 CR LF | trailer fields | CR LF
/// ```
///
/// The CR of each line end can be absent, and spaces can follow the size.
#[derive(Debug, Default)]
pub(super) struct ChunkedBody {
    state: State,
    /// Size of the chunk so far, or the number of its bytes that are left.
    size: u64,
    /// Number of framing bytes since the last data.
    framing_len: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    #[default]
    SizeStart,
    Size,
    /// After the size: spaces, or an extension.
    SizeEnd,
    Extension,
    /// After the CR of a size line.
    SizeCr,
    Data,
    /// After the data.
    DataEnd,
    DataCr,
    /// At the start of a line of the trailer section.
    Trailer,
    TrailerLine,
    TrailerCr,
}

/// The next piece of a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkPiece {
    /// This number of bytes are sizes, extensions, line ends or trailer fields.
    Framing(usize),
    /// This number of bytes are data.
    Data(usize),
    /// This number of bytes are framing, and end the body.
    End(usize),
    /// The bytes are not a chunked body.
    Invalid,
}

impl ChunkedBody {
    /// Returns the kind of the next bytes.
    pub(super) fn next(&mut self, bytes: &[u8]) -> ChunkPiece {
        if self.state == State::Data {
            let len = bytes
                .len()
                .min(usize::try_from(self.size).unwrap_or(usize::MAX));
            self.skip(len as u64);
            return ChunkPiece::Data(len);
        }
        for (at, byte) in bytes.iter().enumerate() {
            self.framing_len += 1;
            let next = self.state_after(*byte);
            match next {
                Some(State::Data) => {
                    self.state = State::Data;
                    self.framing_len = 0;
                    return ChunkPiece::Framing(at + 1);
                }
                Some(state) if self.framing_len <= MAX_HEAD_LEN => self.state = state,
                None if *byte == b'\n' && self.is_at_end() => return ChunkPiece::End(at + 1),
                // The valid bytes are counted first, as if they were a segment of their own.
                _ if at > 0 => return ChunkPiece::Framing(at),
                _ => return ChunkPiece::Invalid,
            }
        }
        ChunkPiece::Framing(bytes.len())
    }

    /// Continues after bytes of the data; returns false if they are more than the chunk's rest.
    pub(super) fn skip(&mut self, len: u64) -> bool {
        if self.state != State::Data || len > self.size {
            return false;
        }
        self.size -= len;
        if self.size == 0 {
            self.state = State::DataEnd;
        }
        true
    }

    /// Returns true if an LF ends the body.
    fn is_at_end(&self) -> bool {
        matches!(self.state, State::Trailer | State::TrailerCr)
    }

    /// Returns the state after a byte of framing; `None` if the byte ends the body or is invalid.
    fn state_after(&mut self, byte: u8) -> Option<State> {
        match (self.state, byte) {
            (State::SizeStart, _) => {
                self.size = 0;
                self.add_digit(byte)
            }
            (State::Size | State::SizeEnd, b' ' | b'\t') => Some(State::SizeEnd),
            (State::Size | State::SizeEnd, b';') => Some(State::Extension),
            (State::Size | State::SizeEnd, b'\r') => Some(State::SizeCr),
            (State::Size | State::SizeEnd | State::SizeCr | State::Extension, b'\n') => {
                Some(match self.size {
                    0 => State::Trailer,
                    _ => State::Data,
                })
            }
            (State::Size, _) => self.add_digit(byte),
            (State::Extension, _) => Some(State::Extension),
            (State::DataEnd, b'\r') => Some(State::DataCr),
            (State::DataEnd | State::DataCr, b'\n') => Some(State::SizeStart),
            (State::Trailer, b'\r') => Some(State::TrailerCr),
            (State::TrailerLine, b'\n') => Some(State::Trailer),
            (State::Trailer | State::TrailerLine, _) if byte != b'\n' => Some(State::TrailerLine),
            _ => None,
        }
    }

    fn add_digit(&mut self, byte: u8) -> Option<State> {
        let digit = char::from(byte).to_digit(16)?;
        self.size = self.size.checked_mul(16)?.checked_add(u64::from(digit))?;
        Some(State::Size)
    }
}
