//! Read-ahead on a separate thread, so that decompressed bytes are ready when they are needed.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Size of a chunk in bytes.
const CHUNK_SIZE: usize = 256 << 10;
/// Number of filled chunks that may wait for the reader.
const MAX_WAITING_CHUNKS: usize = 4;

/// A reader whose input is read by a thread. It returns the same bytes, then the same error.
pub(super) struct ReadAhead {
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// Consumed chunks, to be filled again.
    used_chunks: SyncSender<Vec<u8>>,
    chunk: Vec<u8>,
    /// Number of bytes of the chunk already returned.
    chunk_position: usize,
}

impl ReadAhead {
    /// Starts a thread that reads from `reader`.
    ///
    /// # Errors
    /// The thread could not be created.
    pub(super) fn start(reader: impl Read + Send + 'static) -> io::Result<ReadAhead> {
        let (filled, chunks) = sync_channel(MAX_WAITING_CHUNKS);
        // Never full: only the waiting chunks exist, plus at most one on each side.
        let (used, empty) = sync_channel(MAX_WAITING_CHUNKS + 2);
        let thread = std::thread::Builder::new().name("decompress".into());
        thread.spawn(move || read_chunks(reader, &filled, &empty))?;
        Ok(ReadAhead {
            chunks,
            used_chunks: used,
            chunk: Vec::new(),
            chunk_position: 0,
        })
    }
}

impl Read for ReadAhead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk_position == self.chunk.len() {
            // The thread ends after an error or the last byte.
            let Ok(chunk) = self.chunks.recv() else {
                return Ok(0);
            };
            let chunk = std::mem::replace(&mut self.chunk, chunk?);
            self.chunk_position = 0;
            // Fails once the thread has ended, and then no chunk is needed.
            let _ = self.used_chunks.try_send(chunk);
        }
        let rest = &self.chunk[self.chunk_position..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.chunk_position += count;
        Ok(count)
    }
}

/// Reads until the end, an error, or until the [`ReadAhead`] is dropped.
fn read_chunks(
    mut reader: impl Read,
    filled: &SyncSender<io::Result<Vec<u8>>>,
    empty: &Receiver<Vec<u8>>,
) {
    loop {
        let mut chunk = empty.try_recv().unwrap_or_default();
        chunk.resize(CHUNK_SIZE, 0);
        let (count, ended) = fill_chunk(&mut reader, &mut chunk);
        chunk.truncate(count);
        if count > 0 && filled.send(Ok(chunk)).is_err() {
            return;
        }
        match ended {
            None => {}
            Some(Ok(())) => return,
            Some(Err(error)) => {
                // Fails if the `ReadAhead` was dropped, and then the error is irrelevant.
                let _ = filled.send(Err(error));
                return;
            }
        }
    }
}

/// Reads until a chunk is full; returns the number of bytes read and, if the chunk is not full, the
/// reason: the end of the input or an error.
fn fill_chunk(reader: &mut impl Read, chunk: &mut [u8]) -> (usize, Option<io::Result<()>>) {
    let mut count = 0;
    while count < chunk.len() {
        match reader.read(&mut chunk[count..]) {
            Ok(0) => return (count, Some(Ok(()))),
            Ok(len) => count += len,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return (count, Some(Err(e))),
        }
    }
    (count, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns its bytes in pieces of the given size, then this error.
    struct ChunkedReader(Vec<u8>, usize, io::ErrorKind);

    impl Read for ChunkedReader {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(self.2.into());
            }
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    #[test]
    fn read_ahead_returns_the_same_bytes_and_error() {
        let bytes: Vec<u8> = (0..CHUNK_SIZE * 7 / 3)
            .map(|at| (at * 7 / 5) as u8)
            .collect();
        for piece in [1000, CHUNK_SIZE / 2, CHUNK_SIZE * 2] {
            let reader = ChunkedReader(bytes.clone(), piece, io::ErrorKind::InvalidData);
            let mut ahead = ReadAhead::start(reader).expect("a thread");
            let mut read = Vec::new();
            let error = ahead.read_to_end(&mut read).expect_err("the error");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(read == bytes);
            assert_eq!(ahead.read(&mut [0; 9]).ok(), Some(0));
        }
    }

    #[test]
    fn dropping_a_read_ahead_stops_an_endless_read() {
        let endless = io::repeat(7);
        let mut ahead = ReadAhead::start(endless).expect("a thread");
        let mut bytes = [0; 100];
        ahead.read_exact(&mut bytes).expect("100 bytes");
        drop(ahead);
    }
}
