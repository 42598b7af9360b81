//! Background thread that writes buffers to a file while the caller fills the next one.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Limit for buffers in the write queue. With half as many, the two threads often wait for each
/// other.
const MAX_QUEUED_BUFFERS: usize = 8;

/// Writer of buffers to one file, in order, on a background thread.
pub(super) struct BackgroundWriter {
    /// `None` after the thread was stopped.
    queue: Option<SyncSender<Vec<u8>>>,
    /// Empty buffers that the thread returns after writing them.
    recycled: Receiver<Vec<u8>>,
    /// Number of buffers that were sent and have not been returned.
    in_flight: usize,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl BackgroundWriter {
    /// Starts a thread that writes to `file`.
    ///
    /// # Errors
    /// The file descriptor cannot be duplicated, or the thread cannot be started.
    pub(super) fn start(file: &File) -> io::Result<BackgroundWriter> {
        let mut file = file.try_clone()?;
        let (queue, queued) = sync_channel::<Vec<u8>>(MAX_QUEUED_BUFFERS);
        // Never full: at most MAX_QUEUED_BUFFERS are queued, and one is being written.
        let (written, recycled) = sync_channel(MAX_QUEUED_BUFFERS + 1);
        let thread = std::thread::Builder::new().name("write".into());
        let handle = thread.spawn(move || {
            for mut buffer in queued {
                file.write_all(&buffer)?;
                buffer.clear();
                // Fails only if the BackgroundWriter was dropped.
                let _ = written.send(buffer);
            }
            Ok(())
        })?;
        Ok(BackgroundWriter {
            queue: Some(queue),
            recycled,
            in_flight: 0,
            thread: Some(handle),
        })
    }

    /// Queues a buffer for writing and returns an empty one; waits while too many are in flight.
    ///
    /// # Errors
    /// This buffer or an earlier one cannot be written.
    pub(super) fn write(&mut self, buffer: Vec<u8>) -> io::Result<Vec<u8>> {
        let capacity = buffer.capacity();
        let sent = self.queue.as_ref().map(|queue| queue.send(buffer));
        let Some(Ok(())) = sent else {
            self.stop()?;
            return Ok(Vec::new());
        };
        self.in_flight += 1;
        if let Ok(buffer) = self.recycled.try_recv() {
            self.in_flight -= 1;
            return Ok(buffer);
        }
        match self.in_flight > MAX_QUEUED_BUFFERS {
            true => self.reclaim(),
            false => Ok(Vec::with_capacity(capacity)),
        }
    }

    /// Waits until all queued buffers are written.
    ///
    /// # Errors
    /// A buffer cannot be written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.in_flight > 0 {
            self.reclaim()?;
        }
        Ok(())
    }

    /// Waits for a written buffer and returns it.
    fn reclaim(&mut self) -> io::Result<Vec<u8>> {
        let Ok(buffer) = self.recycled.recv() else {
            self.in_flight = 0;
            self.stop()?;
            return Ok(Vec::new());
        };
        self.in_flight -= 1;
        Ok(buffer)
    }

    /// Stops the thread and returns its result.
    fn stop(&mut self) -> io::Result<()> {
        self.queue = None;
        join_once(&mut self.thread)
    }
}

/// Waits for a thread to exit and returns its result; later calls return `Ok`.
///
/// # Panics
/// The thread panicked.
pub(super) fn join_once<E>(handle: &mut Option<JoinHandle<Result<(), E>>>) -> Result<(), E> {
    match handle.take().map(JoinHandle::join) {
        None => Ok(()),
        Some(Ok(result)) => result,
        Some(Err(panic)) => std::panic::resume_unwind(panic),
    }
}

impl Drop for BackgroundWriter {
    /// Waits until the queued buffers are written; errors are ignored.
    fn drop(&mut self) {
        self.queue = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    #[test]
    fn buffers_are_written_in_order() {
        let mut file = tempfile::tempfile().expect("create a file");
        let mut writer = BackgroundWriter::start(&file).expect("start a thread");
        let mut expected = Vec::new();
        for number in 0..500_u32 {
            let buffer = number.to_be_bytes().repeat(number as usize);
            expected.extend_from_slice(&buffer);
            assert!(writer.write(buffer).expect("write a buffer").is_empty());
        }
        writer.flush().expect("flush");
        let mut written = Vec::new();
        file.rewind().expect("rewind");
        file.read_to_end(&mut written).expect("read the file");
        assert!(written == expected);
    }

    #[test]
    fn write_error_is_reported_once() {
        let full = File::options().write(true).open("/dev/full");
        let full = full.expect("open /dev/full");
        let mut writer = BackgroundWriter::start(&full).expect("start a thread");
        let errors = (0..20).filter(|_| writer.write(vec![0; 10]).is_err());
        let errors = errors.count() + usize::from(writer.flush().is_err());
        assert_eq!(errors, 1);
    }
}
