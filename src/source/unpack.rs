//! Unpacks gzip (RFC 1952) and zstd (RFC 8878) as the bytes come.
//!
//! The readers of flate2 and zstd keep to themselves what they unpacked in the call that finds damage, which may be a whole small file.
//! These give every byte before the damage, and then the error. And they never ask for more input while there is output to give, so that
//! what a live pipe brings comes through at once.

use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, BufReader, Read};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

/// How much is read from the packed side at once.
const PACKED: usize = 64 * 1024;

/// The window of gzip's compression, as a power of two.
const WINDOW: u8 = 15;

/// The least that a zstd frame can begin with: its magic number and a byte.
const FRAME_BEGINNING: usize = 5;

/// How long the header of a zstd block is.
const BLOCK_HEADER: usize = 3;

/// A gzip file of one or more members.
pub(super) struct Gzip<R> {
    packed: BufReader<R>,
    member: Option<Decompress>,
    pending: Pending,
}

/// A zstd file of one or more frames.
pub(super) struct Zstd<R> {
    packed: BufReader<R>,
    decoder: Decoder<'static>,
    /// How many bytes the next step takes; 0 between frames.
    wanted: usize,
    pending: Pending,
}

/// What a decoder may hold back from the call before.
enum Pending {
    Nothing,
    /// Output, as there was no more room.
    Output,
    /// The end, as output came before it.
    Error(io::Error),
}

impl Pending {
    /// Settles what is pending: the input to go on with, none where output comes first.
    fn settle<'a, R: Read>(
        &mut self,
        packed: &'a mut BufReader<R>,
    ) -> io::Result<Option<&'a [u8]>> {
        match std::mem::replace(self, Pending::Nothing) {
            Pending::Nothing => packed.fill_buf().map(Some),
            Pending::Output => Ok(None),
            Pending::Error(e) => Err(e),
        }
    }
}

impl<R: Read> Gzip<R> {
    pub(super) fn new(packed: R) -> Gzip<R> {
        Gzip {
            packed: BufReader::with_capacity(PACKED, packed),
            member: None,
            pending: Pending::Nothing,
        }
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.pending.settle(&mut self.packed)?;
            let at_end = input.is_some_and(<[u8]>::is_empty);
            if self.member.is_none() && at_end {
                return Ok(0);
            }
            let member = self
                .member
                .get_or_insert_with(|| Decompress::new_gzip(WINDOW));
            let before = (member.total_in(), member.total_out());
            let input = input.unwrap_or_default();
            let status = member.decompress(input, buffer, FlushDecompress::None);
            let consumed = (member.total_in() - before.0) as usize;
            let count = (member.total_out() - before.1) as usize;
            self.packed.consume(consumed);
            match status {
                Err(_) if count == 0 => return Err(invalid()),
                Err(_) => self.pending = Pending::Error(invalid()),
                Ok(Status::StreamEnd) => self.member = None,
                Ok(Status::Ok | Status::BufError) => {
                    if count == 0 && at_end {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    if count == buffer.len() {
                        self.pending = Pending::Output;
                    }
                }
            }
            if count > 0 {
                return Ok(count);
            }
        }
    }
}

/// The decoder's own words depend on how its input was divided.
fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "invalid data")
}

impl<R: Read> Zstd<R> {
    /// # Errors
    /// There is no memory for the decoder.
    pub(super) fn new(packed: R) -> io::Result<Zstd<R>> {
        Ok(Zstd {
            packed: BufReader::with_capacity(PACKED, packed),
            decoder: Decoder::new()?,
            wanted: 0,
            pending: Pending::Nothing,
        })
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.pending.settle(&mut self.packed)?;
            let at_end = input.is_some_and(<[u8]>::is_empty);
            if at_end && self.wanted == 0 {
                return Ok(0);
            }
            if input.is_some() && self.wanted == 0 {
                self.decoder.reinit()?;
                self.wanted = FRAME_BEGINNING;
            }
            // The decoder asks for a part and the block header behind it. Given the part alone, it does one thing a call: where it
            // fails, nothing was unpacked in the same call.
            let step = match self.wanted.checked_sub(BLOCK_HEADER) {
                Some(part @ 1..) => part,
                _ => self.wanted,
            };
            let input = input.unwrap_or_default();
            let mut input = InBuffer::around(&input[..input.len().min(step)]);
            let mut output = OutBuffer::around(buffer);
            let wanted = self.decoder.run(&mut input, &mut output);
            let (consumed, count) = (input.pos(), output.pos());
            self.packed.consume(consumed);
            self.wanted = wanted?;
            if count > 0 {
                // Between frames there is nothing to hold back.
                if count == buffer.len() && self.wanted > 0 {
                    self.pending = Pending::Output;
                }
                return Ok(count);
            }
            if at_end {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
