//! Buffered output of a sink, which counts the records that the reader of a pipe does not read.

use std::io::{Error as IoError, ErrorKind, Result as IoResult, Write};

use crate::error::{Error, ReaderTimeout, Result, count_noun};

/// Number of buffered bytes at which [`BufferedOutput::end_record`] writes the buffer.
const FLUSH_THRESHOLD: usize = 64 << 10;

/// Buffered output of a sink. After a failed write, the buffered bytes are lost: the error is
/// final. If a reader does not read in time, records are no longer written but counted, so that the
/// other sinks of the run receive the rest of the packets.
pub(super) struct BufferedOutput<W> {
    pub(super) writer: W,
    /// The buffered bytes, to which the caller appends.
    pub(super) bytes: Vec<u8>,
    /// Ends of the records in `bytes`.
    record_ends: Vec<usize>,
    unread: Option<Unread>,
}

/// Output that was not written because its reader did not read in time.
struct Unread {
    cause: IoError,
    records: u64,
    bytes: u64,
}

impl<W: Write> BufferedOutput<W> {
    /// Returns an empty buffer in front of `writer`.
    pub(super) fn new(writer: W) -> BufferedOutput<W> {
        BufferedOutput::with_capacity(writer, FLUSH_THRESHOLD + FLUSH_THRESHOLD / 4)
    }

    /// Returns an empty buffer of this size in front of `writer`.
    pub(super) fn with_capacity(writer: W, capacity: usize) -> BufferedOutput<W> {
        BufferedOutput {
            writer,
            bytes: Vec::with_capacity(capacity),
            record_ends: Vec::new(),
            unread: None,
        }
    }

    /// Marks the end of a record, and writes the buffer if it is full.
    ///
    /// # Errors
    /// The buffer cannot be written.
    #[inline]
    pub(super) fn end_record(&mut self) -> Result<()> {
        self.mark_record_end();
        self.write_if_full()
    }

    /// Writes the buffer if it is full.
    ///
    /// # Errors
    /// The buffer cannot be written.
    #[inline]
    pub(super) fn write_if_full(&mut self) -> Result<()> {
        match self.bytes.len() < FLUSH_THRESHOLD {
            true => Ok(()),
            false => self.write_buffer().map_err(Error::Write),
        }
    }

    /// Marks the end of a record.
    #[inline]
    pub(super) fn mark_record_end(&mut self) {
        self.record_ends.push(self.bytes.len());
    }

    /// Removes the buffered bytes, which the caller writes.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        self.record_ends.clear();
        std::mem::take(&mut self.bytes)
    }

    /// Writes the buffer, also if it is not full.
    ///
    /// # Errors
    /// The buffer cannot be written.
    pub(super) fn flush(&mut self) -> Result<()> {
        let flushed = self.write_buffer().and_then(|()| self.writer.flush());
        flushed.map_err(Error::Write)
    }

    /// Writes the buffer after the last record; `noun` is that of a record in messages.
    ///
    /// # Errors
    /// The buffer cannot be written, or its reader has not read some of the output in time.
    pub(super) fn finish(&mut self, noun: &str) -> Result<()> {
        self.flush()?;
        match self.unread.take() {
            Some(Unread {
                cause,
                records,
                bytes,
            }) => Err(Error::Unread {
                what: match records {
                    0 => count_noun(bytes, "byte"),
                    _ => format!(
                        "{} ({})",
                        count_noun(records, noun),
                        count_noun(bytes, "byte")
                    ),
                },
                cause,
            }),
            None => Ok(()),
        }
    }

    /// Writes the buffer to the writer, or counts what it does not accept.
    pub(super) fn write_buffer(&mut self) -> IoResult<()> {
        let (written, result) = match self.unread {
            Some(_) => (0, Ok(())),
            None => write_counted(&mut self.writer, &self.bytes),
        };
        let result = match result {
            Err(cause) if is_reader_timeout(&cause) => {
                self.unread = Some(Unread {
                    cause,
                    records: 0,
                    bytes: 0,
                });
                Ok(())
            }
            result => result,
        };
        if let Some(unread) = &mut self.unread {
            let unwritten = self.record_ends.iter().filter(|end| **end > written);
            unread.records += unwritten.count() as u64;
            unread.bytes += (self.bytes.len() - written) as u64;
        }
        self.bytes.clear();
        self.record_ends.clear();
        result
    }
}

/// Writes all bytes; returns how many were written even if an error occurs.
fn write_counted(writer: &mut impl Write, bytes: &[u8]) -> (usize, IoResult<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match writer.write(&bytes[written..]) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

fn is_reader_timeout(error: &IoError) -> bool {
    matches!(error.get_ref(), Some(cause) if cause.is::<ReaderTimeout>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader_timeout() -> IoError {
        let output = "a test".to_owned();
        IoError::new(ErrorKind::TimedOut, ReaderTimeout { output })
    }

    /// Accepts this number of bytes in pieces of 3, then its reader stops reading.
    struct Limited(usize, Vec<u8>);

    impl Write for Limited {
        fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
            let count = bytes.len().min(self.0 - self.1.len()).min(3);
            if count == 0 {
                return Err(reader_timeout());
            }
            self.1.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> IoResult<()> {
            Ok(())
        }
    }

    #[test]
    fn records_that_are_not_written_completely_are_counted() {
        for (accepted, unread) in [
            (0, "6 packets (30 bytes)"),
            (1, "6 packets (29 bytes)"),
            (14, "4 packets (16 bytes)"),
            (15, "3 packets (15 bytes)"),
            (29, "1 packet (1 byte)"),
            (30, ""),
        ] {
            let mut out = BufferedOutput::new(Limited(accepted, Vec::new()));
            for _ in 0..3 {
                for _ in 0..2 {
                    out.bytes.extend_from_slice(b"12345");
                    out.end_record().expect("an empty buffer");
                }
                out.flush().expect("records are counted instead");
            }
            let message = match out.finish("packet") {
                Ok(()) => String::new(),
                Err(error) => error.to_string(),
            };
            assert_eq!(out.writer.1.len(), accepted);
            let expected = match unread {
                "" => String::new(),
                _ => format!("{unread} not written: {}", reader_timeout()),
            };
            assert_eq!(message, expected);
        }
    }
}
