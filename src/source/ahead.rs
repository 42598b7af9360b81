//! A thread that reads before it is asked: what takes long to read, because it is unpacked, is ready when it is needed.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How much is read at once, in bytes.
const CHUNK: usize = 256 << 10;
/// How many such chunks may wait.
const WAITING: usize = 4;

/// A reader whose reading is done by a thread. It gives the same bytes, and the same error behind them.
pub(super) struct Ahead {
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// Chunks that were used, to be filled again.
    used: SyncSender<Vec<u8>>,
    chunk: Vec<u8>,
    /// How much of the chunk was given.
    given: usize,
}

impl Ahead {
    /// Begins to read.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(super) fn start(reader: impl Read + Send + 'static) -> io::Result<Ahead> {
        let (filled, chunks) = sync_channel(WAITING);
        // Never full: there are as many chunks as wait, and one on each side.
        let (used, empty) = sync_channel(WAITING + 2);
        let thread = std::thread::Builder::new().name("unpack".into());
        thread.spawn(move || go(reader, &filled, &empty))?;
        Ok(Ahead {
            chunks,
            used,
            chunk: Vec::new(),
            given: 0,
        })
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.chunk.len() {
            // The thread ends behind an error or the last byte.
            let Ok(chunk) = self.chunks.recv() else {
                return Ok(0);
            };
            let chunk = std::mem::replace(&mut self.chunk, chunk?);
            self.given = 0;
            // Nobody needs it behind the end.
            let _ = self.used.try_send(chunk);
        }
        let rest = &self.chunk[self.given..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

/// Reads until the end, an error, or until nobody wants more.
fn go(mut reader: impl Read, filled: &SyncSender<io::Result<Vec<u8>>>, empty: &Receiver<Vec<u8>>) {
    loop {
        let mut chunk = empty.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let (count, ended) = fill(&mut reader, &mut chunk);
        chunk.truncate(count);
        if count > 0 && filled.send(Ok(chunk)).is_err() {
            return;
        }
        match ended {
            None => {}
            Some(Ok(())) => return,
            Some(Err(error)) => {
                // Who is gone does not want to know.
                let _ = filled.send(Err(error));
                return;
            }
        }
    }
}

/// Reads until a chunk is full, and how that ended before it was.
fn fill(reader: &mut impl Read, chunk: &mut [u8]) -> (usize, Option<io::Result<()>>) {
    let mut count = 0;
    while count < chunk.len() {
        match reader.read(&mut chunk[count..]) {
            Ok(0) => return (count, Some(Ok(()))),
            Ok(more) => count += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return (count, Some(Err(e))),
        }
    }
    (count, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what it has in pieces, then this error.
    struct Pieces(Vec<u8>, usize, io::ErrorKind);

    impl Read for Pieces {
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
    fn the_same_bytes_and_the_same_end() {
        let bytes: Vec<u8> = (0..CHUNK * 7 / 3).map(|at| (at * 7 / 5) as u8).collect();
        for piece in [1000, CHUNK / 2, CHUNK * 2] {
            let reader = Pieces(bytes.clone(), piece, io::ErrorKind::InvalidData);
            let mut ahead = Ahead::start(reader).expect("a thread");
            let mut read = Vec::new();
            let error = ahead.read_to_end(&mut read).expect_err("the error");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(read == bytes);
            assert_eq!(ahead.read(&mut [0; 9]).ok(), Some(0));
        }
    }

    #[test]
    fn nobody_waits_for_who_is_gone() {
        let endless = io::repeat(7);
        let mut ahead = Ahead::start(endless).expect("a thread");
        let mut some = [0; 100];
        ahead.read_exact(&mut some).expect("some");
        drop(ahead);
    }
}
