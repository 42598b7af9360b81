//! Reader of zstd files.

use super::{COMPRESSED_BUFFER_SIZE, PendingOutcome};
use std::io::{self, BufRead, BufReader, Read};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

/// Minimum length of the start of a zstd frame: its magic number and one byte.
const ZSTD_FRAME_START_LEN: usize = 5;

/// Length of a zstd block header in bytes.
const ZSTD_BLOCK_HEADER_LEN: usize = 3;

/// A reader of a zstd file with one or more frames.
pub(in crate::source) struct ZstdReader<R> {
    compressed: BufReader<R>,
    decoder: Decoder<'static>,
    /// Number of input bytes that the decoder requests next; 0 between frames.
    needed: usize,
    pending: PendingOutcome,
}

impl<R: Read> ZstdReader<R> {
    /// Creates a reader.
    ///
    /// # Errors
    /// The memory for the decoder could not be allocated.
    pub(in crate::source) fn new(compressed: R) -> io::Result<ZstdReader<R>> {
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
