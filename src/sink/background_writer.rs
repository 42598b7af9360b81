//! Background thread that writes buffers to a file while the caller fills the next one.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Number of buffers in use. With half as many, the two threads often wait for each other.
const BUFFER_COUNT: usize = 9;

/// Writer of buffers to one file, in order, on a background thread.
pub(super) struct BackgroundWriter {
    queue: SyncSender<Vec<u8>>,
    /// Empty buffers: unused ones, and those that were written.
    recycled: Receiver<Vec<u8>>,
    thread: JoinHandle<io::Result<()>>,
}

impl BackgroundWriter {
    /// Starts a thread that writes to `file`.
    ///
    /// # Errors
    /// The file descriptor cannot be duplicated, or the thread cannot be started.
    pub(super) fn start(file: &File) -> io::Result<BackgroundWriter> {
        let mut file = file.try_clone()?;
        let (queue, queued) = sync_channel::<Vec<u8>>(BUFFER_COUNT);
        // Never full: there are no other buffers.
        let (written, recycled) = sync_channel(BUFFER_COUNT);
        for _ in 1..BUFFER_COUNT {
            let _ = written.send(Vec::new());
        }
        let thread = std::thread::Builder::new().name("write".into());
        let thread = thread.spawn(move || {
            for mut buffer in queued {
                file.write_all(&buffer)?;
                buffer.clear();
                // Fails only if the BackgroundWriter was dropped.
                let _ = written.send(buffer);
            }
            Ok(())
        })?;
        Ok(BackgroundWriter {
            queue,
            recycled,
            thread,
        })
    }

    /// Queues a buffer for writing and returns an empty one; waits while all others are queued.
    /// Returns `None` if the thread ended because it could not write a buffer.
    pub(super) fn write(&mut self, buffer: Vec<u8>) -> Option<Vec<u8>> {
        self.queue.send(buffer).ok()?;
        self.recycled.recv().ok()
    }

    /// Waits until all queued buffers are written.
    ///
    /// # Errors
    /// A buffer cannot be written.
    ///
    /// # Panics
    /// The thread panicked.
    pub(super) fn finish(self) -> io::Result<()> {
        drop(self.queue);
        let result = self.thread.join();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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
            assert!(writer.write(buffer).expect("an empty buffer").is_empty());
        }
        writer.finish().expect("write all buffers");
        let mut written = Vec::new();
        file.rewind().expect("rewind");
        file.read_to_end(&mut written).expect("read the file");
        assert!(written == expected);
    }

    #[test]
    fn write_error_is_reported() {
        let full = File::options().write(true).open("/dev/full");
        let full = full.expect("open /dev/full");
        let mut writer = BackgroundWriter::start(&full).expect("start a thread");
        assert!((0..20).any(|_| writer.write(vec![0; 10]).is_none()));
        assert!(writer.finish().is_err());
    }
}
