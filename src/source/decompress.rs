//! Streaming decompression of gzip (RFC 1952) and zstd (RFC 8878).
//!
//! The readers of the flate2 and zstd crates discard the output of the call that detects damage,
//! which may be a whole small file. The readers in this module return every byte before the damage,
//! then the error. They also never read more input while output is available, so that packets from
//! a live pipe are delivered immediately.

#[cfg(feature = "zstd")]
mod zstd_reader;

#[cfg(feature = "zstd")]
pub(super) use zstd_reader::ZstdReader;

use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, BufReader, Read};

/// Size of the buffer for compressed input, in bytes.
const COMPRESSED_BUFFER_SIZE: usize = 64 * 1024;

/// The window size of gzip's DEFLATE, as a power of two.
const GZIP_WINDOW_BITS: u8 = 15;

/// A reader of a gzip file with one or more members.
pub(super) struct GzipReader<R> {
    compressed: BufReader<R>,
    member: Option<Decompress>,
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
