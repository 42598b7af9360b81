//! Threads that append to files. For very many files, the kernel spends more time on creating them
//! than lcap spends on extracting their contents.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::sink::background_writer::join_once;
use crate::sink::capture_file::chown_to_invoking_user;

/// Maximum number of threads. More would wait for each other, because the kernel creates one file
/// at a time in a directory.
const MAX_WRITER_THREADS: usize = 4;
/// Limit for queued chunks per thread.
const MAX_QUEUED_CHUNKS: usize = 64;

/// Bytes to append to a file.
pub(super) struct FileChunk {
    /// Name of the file in the directory.
    pub(super) name: Arc<str>,
    /// True for the first chunk, for which the file is created.
    pub(super) is_first: bool,
    pub(super) bytes: Vec<u8>,
}

/// Writer threads for the files of one directory.
pub(super) struct FileWriters {
    threads: Vec<WriterThread>,
}

struct WriterThread {
    /// `None` after the thread failed or was stopped.
    commands: Option<SyncSender<WriteCommand>>,
    /// `None` after the thread was joined.
    handle: Option<JoinHandle<Result<()>>>,
}

enum WriteCommand {
    Write(FileChunk),
    /// Request for an acknowledgement once all earlier chunks are written.
    Acknowledge(SyncSender<()>),
}

impl FileWriters {
    /// Starts the threads for files in this directory.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub(super) fn start(directory: &Path) -> Result<FileWriters> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let mut threads = Vec::new();
        for _ in 0..count.min(MAX_WRITER_THREADS) {
            let (commands, queued) = sync_channel(MAX_QUEUED_CHUNKS);
            let path = directory.to_owned();
            let thread = std::thread::Builder::new().name("write".into());
            let handle = thread.spawn(move || run_commands(&path, &queued));
            let handle = handle.map_err(|source| Error::File {
                action: "cannot start a thread that writes to",
                path: directory.into(),
                source,
            })?;
            threads.push(WriterThread {
                commands: Some(commands),
                handle: Some(handle),
            });
        }
        Ok(FileWriters { threads })
    }

    /// Queues a chunk for writing. Chunks with the same `number` are written in order, so all
    /// chunks of a file must have the same number.
    ///
    /// # Errors
    /// The chunk cannot be queued because an earlier one cannot be written.
    pub(super) fn write(&mut self, number: u64, chunk: FileChunk) -> Result<()> {
        let at = number as usize % self.threads.len();
        self.threads[at].send(WriteCommand::Write(chunk))
    }

    /// Waits until all queued chunks are written.
    ///
    /// # Errors
    /// A chunk cannot be written.
    pub(super) fn flush(&mut self) -> Result<()> {
        let (acknowledge, acknowledged) = sync_channel(self.threads.len());
        for thread in &mut self.threads {
            thread.send(WriteCommand::Acknowledge(acknowledge.clone()))?;
        }
        drop(acknowledge);
        let count = acknowledged.iter().count();
        match count == self.threads.len() {
            true => Ok(()),
            // A thread exited without an acknowledgement.
            false => self.threads.iter_mut().try_for_each(WriterThread::stop),
        }
    }
}

impl WriterThread {
    fn send(&mut self, command: WriteCommand) -> Result<()> {
        match &self.commands {
            Some(commands) if commands.send(command).is_ok() => Ok(()),
            Some(_) => self.stop(),
            // The error was already returned.
            None => Ok(()),
        }
    }

    /// Stops the thread and returns its result.
    fn stop(&mut self) -> Result<()> {
        self.commands = None;
        join_once(&mut self.handle)
    }
}

impl Drop for FileWriters {
    /// Waits until the queued chunks are written; errors are ignored.
    fn drop(&mut self) {
        for thread in &mut self.threads {
            thread.commands = None;
        }
        for thread in &mut self.threads {
            let _ = thread.handle.take().map(JoinHandle::join);
        }
    }
}

fn run_commands(directory: &Path, commands: &Receiver<WriteCommand>) -> Result<()> {
    for command in commands {
        match command {
            WriteCommand::Write(chunk) => append_chunk(directory.join(&*chunk.name), &chunk)?,
            // Fails only if the receiver no longer waits, which is not an error.
            WriteCommand::Acknowledge(acknowledge) => drop(acknowledge.send(())),
        }
    }
    Ok(())
}

fn append_chunk(path: PathBuf, chunk: &FileChunk) -> Result<()> {
    let opened = match chunk.is_first {
        true => File::create(&path),
        false => OpenOptions::new().append(true).open(&path),
    };
    let mut action = "cannot create";
    let written = opened.and_then(|mut file| {
        if chunk.is_first {
            chown_to_invoking_user(&file);
        }
        action = "cannot write";
        file.write_all(&chunk.bytes)
    });
    written.map_err(|source| Error::File {
        action,
        path,
        source,
    })
}
