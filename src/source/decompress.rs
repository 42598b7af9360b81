//! Streaming decompression of gzip (RFC 1952) and zstd (RFC 8878).
//!
//! The readers of the flate2 and zstd crates discard the output of the call that detects damage,
//! which may be a whole small file. The readers in this module return every byte before the damage,
//! then the error. They also never read more input while output is available, so that packets from
//! a live pipe are delivered immediately.

use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, BufReader, Read};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

/// Size of the buffer for compressed input, in bytes.
const COMPRESSED_BUFFER_SIZE: usize = 64 * 1024;

/// The window size of gzip's DEFLATE, as a power of two.
const GZIP_WINDOW_BITS: u8 = 15;

/// Minimum length of the start of a zstd frame: its magic number and one byte.
const ZSTD_FRAME_START_LEN: usize = 5;

/// Length of a zstd block header in bytes.
const ZSTD_BLOCK_HEADER_LEN: usize = 3;

/// A reader of a gzip file with one or more members.
pub(super) struct GzipReader<R> {
    compressed: BufReader<R>,
    member: Option<Decompress>,
    pending: PendingOutcome,
}

/// A reader of a zstd file with one or more frames.
pub(super) struct ZstdReader<R> {
    compressed: BufReader<R>,
    decoder: Decoder<'static>,
    /// Number of input bytes that the decoder requests next; 0 between frames.
    needed: usize,
    pending: PendingOutcome,
}

/// Outcome of the previous call that the next call delivers.
enum PendingOutcome {
    Nothing,
    /// More output, because the buffer was full.
    Output,
    /// An error, which was found after output of the same call.
    Error(io::Error),
}

impl PendingOutcome {
    /// Resolves the pending outcome; returns the input to continue with, or `None` if the decoder
    /// has to deliver more output first.
    fn next_input<'a, R: Read>(
        &mut self,
        compressed: &'a mut BufReader<R>,
    ) -> io::Result<Option<&'a [u8]>> {
        match std::mem::replace(self, PendingOutcome::Nothing) {
            PendingOutcome::Nothing => compressed.fill_buf().map(Some),
            PendingOutcome::Output => Ok(None),
            PendingOutcome::Error(e) => Err(e),
        }
    }
}

impl<R: Read> GzipReader<R> {
    pub(super) fn new(compressed: R) -> GzipReader<R> {
        GzipReader {
            compressed: BufReader::with_capacity(COMPRESSED_BUFFER_SIZE, compressed),
            member: None,
            pending: PendingOutcome::Nothing,
        }
    }
}

impl<R: Read> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.pending.next_input(&mut self.compressed)?;
            let at_end = input.is_some_and(<[u8]>::is_empty);
            if self.member.is_none() && at_end {
                return Ok(0);
            }
            let member = self
                .member
                .get_or_insert_with(|| Decompress::new_gzip(GZIP_WINDOW_BITS));
            let before = (member.total_in(), member.total_out());
            let input = input.unwrap_or_default();
            let status = member.decompress(input, buffer, FlushDecompress::None);
            let consumed = (member.total_in() - before.0) as usize;
            let count = (member.total_out() - before.1) as usize;
            self.compressed.consume(consumed);
            match status {
                Err(_) if count == 0 => return Err(invalid_data()),
                Err(_) => self.pending = PendingOutcome::Error(invalid_data()),
                Ok(Status::StreamEnd) => self.member = None,
                Ok(Status::Ok | Status::BufError) => {
                    if count == 0 && at_end {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    if count == buffer.len() {
                        self.pending = PendingOutcome::Output;
                    }
                }
            }
            if count > 0 {
                return Ok(count);
            }
        }
    }
}

/// A fixed error: the decoder's own message depends on how its input was divided.
fn invalid_data() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "invalid data")
}

impl<R: Read> ZstdReader<R> {
    /// Creates a reader.
    ///
    /// # Errors
    /// The memory for the decoder could not be allocated.
    pub(super) fn new(compressed: R) -> io::Result<ZstdReader<R>> {
        Ok(ZstdReader {
            compressed: BufReader::with_capacity(COMPRESSED_BUFFER_SIZE, compressed),
            decoder: Decoder::new()?,
            needed: 0,
            pending: PendingOutcome::Nothing,
        })
    }
}

impl<R: Read> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.pending.next_input(&mut self.compressed)?;
            let at_end = input.is_some_and(<[u8]>::is_empty);
            if at_end && self.needed == 0 {
                return Ok(0);
            }
            if input.is_some() && self.needed == 0 {
                self.decoder.reinit()?;
                self.needed = ZSTD_FRAME_START_LEN;
            }
            // The decoder requests a part of the frame together with the block header after it. If
            // it receives only the part, it performs one step per call, so a call that fails has
            // produced no output.
            let step = match self.needed.checked_sub(ZSTD_BLOCK_HEADER_LEN) {
                Some(part @ 1..) => part,
                _ => self.needed,
            };
            let input = input.unwrap_or_default();
            let mut input = InBuffer::around(&input[..input.len().min(step)]);
            let mut output = OutBuffer::around(buffer);
            let needed = self.decoder.run(&mut input, &mut output);
            let (consumed, count) = (input.pos(), output.pos());
            self.compressed.consume(consumed);
            self.needed = needed?;
            if count > 0 {
                // Between frames no output is pending.
                if count == buffer.len() && self.needed > 0 {
                    self.pending = PendingOutcome::Output;
                }
                return Ok(count);
            }
            if at_end {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
