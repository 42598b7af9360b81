//! A thread that writes to a file while the next bytes are made.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// How many buffers may wait to be written: with half as many both threads often wait for each other.
const WAITING: usize = 8;

/// Writes buffers in their order.
pub(super) struct Behind {
    /// None once it has ended.
    full: Option<SyncSender<Vec<u8>>>,
    /// Buffers that were written.
    empty: Receiver<Vec<u8>>,
    /// How many are on their way.
    under_way: usize,
    running: Option<JoinHandle<io::Result<()>>>,
}

impl Behind {
    /// Begins to write to a file.
    ///
    /// # Errors
    /// The file cannot be shared, or the system has no more threads.
    pub(super) fn start(file: &File) -> io::Result<Behind> {
        let mut file = file.try_clone()?;
        let (full, taken) = sync_channel::<Vec<u8>>(WAITING);
        // Never full: so many wait, and one is being written.
        let (written, empty) = sync_channel(WAITING + 1);
        let thread = std::thread::Builder::new().name("write".into());
        let running = thread.spawn(move || {
            for mut buffer in taken {
                file.write_all(&buffer)?;
                buffer.clear();
                // Who does not take it back has gone.
                let _ = written.send(buffer);
            }
            Ok(())
        })?;
        Ok(Behind {
            full: Some(full),
            empty,
            under_way: 0,
            running: Some(running),
        })
    }

    /// Has a buffer written, and gives an empty one for it; waits where too many are on their way.
    ///
    /// # Errors
    /// This or an earlier one could not be written.
    pub(super) fn write(&mut self, buffer: Vec<u8>) -> io::Result<Vec<u8>> {
        let room = buffer.capacity();
        let sent = self.full.as_ref().map(|full| full.send(buffer));
        let Some(Ok(())) = sent else {
            self.end()?;
            return Ok(Vec::new());
        };
        self.under_way += 1;
        if let Ok(buffer) = self.empty.try_recv() {
            self.under_way -= 1;
            return Ok(buffer);
        }
        match self.under_way > WAITING {
            true => self.take_back(),
            false => Ok(Vec::with_capacity(room)),
        }
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// Something could not be.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.under_way > 0 {
            self.take_back()?;
        }
        Ok(())
    }

    fn take_back(&mut self) -> io::Result<Vec<u8>> {
        let Ok(buffer) = self.empty.recv() else {
            self.under_way = 0;
            self.end()?;
            return Ok(Vec::new());
        };
        self.under_way -= 1;
        Ok(buffer)
    }

    /// Ends the thread; how it ended.
    fn end(&mut self) -> io::Result<()> {
        self.full = None;
        join(&mut self.running)
    }
}

/// Waits for the end of a thread; how it ended, which is told once.
pub(super) fn join<E>(running: &mut Option<JoinHandle<Result<(), E>>>) -> Result<(), E> {
    match running.take().map(JoinHandle::join) {
        None => Ok(()),
        Some(Ok(ended)) => ended,
        Some(Err(panic)) => std::panic::resume_unwind(panic),
    }
}

impl Drop for Behind {
    /// What was handed on is written all the same.
    fn drop(&mut self) {
        self.full = None;
        let _ = self.running.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    #[test]
    fn everything_is_written_in_order() {
        let mut file = tempfile::tempfile().expect("a file");
        let mut behind = Behind::start(&file).expect("a thread");
        let mut expected = Vec::new();
        for number in 0..500_u32 {
            let buffer = number.to_be_bytes().repeat(number as usize);
            expected.extend_from_slice(&buffer);
            assert!(behind.write(buffer).expect("an empty one").is_empty());
        }
        behind.flush().expect("all is written");
        let mut written = Vec::new();
        file.rewind().expect("the beginning");
        file.read_to_end(&mut written).expect("what was written");
        assert!(written == expected);
    }

    #[test]
    fn what_fails_is_told_once() {
        let full = File::options().write(true).open("/dev/full").expect("it");
        let mut behind = Behind::start(&full).expect("a thread");
        let told = (0..20).filter(|_| behind.write(vec![0; 10]).is_err());
        let told = told.count() + usize::from(behind.flush().is_err());
        assert_eq!(told, 1);
    }
}
