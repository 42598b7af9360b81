//! Output to a pipe or a terminal, which a stop request ends even if its reader does not read.

use std::fs::File;
use std::io::{Error as IoError, ErrorKind, IsTerminal, Result as IoResult, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, fcntl_getfl};
use rustix::io::Errno;
use rustix::pipe::PIPE_BUF;

use super::save::is_stdout;
use crate::error::{Error, ReaderTimeout, Result, UNREAD_TIMEOUT, WriteFailure};
use crate::sink::create_output_file;
use crate::source::Stop;

/// A writable file. After a stop, writes to a pipe, socket or terminal fail with a
/// [`ReaderTimeout`] if its reader reads nothing for [`UNREAD_TIMEOUT`].
pub(super) struct OutputStream {
    file: File,
    mode: WriteMode,
    name: String,
    stop: Stop,
    /// Time of the last write after a stop.
    written_at: Option<Instant>,
}

/// Prevention of writes that block for an unlimited time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriteMode {
    /// No reader: a regular file or a device such as /dev/null.
    Direct,
    /// The file description is not shared with other processes, and is non-blocking.
    NonBlocking,
    /// The file description is shared, so it remains blocking. When poll(2) reports room in a pipe,
    /// [`PIPE_BUF`] bytes can be written without blocking.
    SmallWrites,
}

/// Interval at which a FIFO without a reader is opened again.
const OPEN_INTERVAL: Duration = Duration::from_millis(20);

impl OutputStream {
    /// Opens the file of an output option if it is a stream: standard output, or a FIFO, for whose
    /// reader this waits. `None` for other files.
    ///
    /// # Errors
    /// The FIFO cannot be opened, or no reader has opened it before a stop.
    pub(super) fn open(path: &Path, stop: &Stop) -> Result<Option<OutputStream>> {
        if is_stdout(path) {
            return OutputStream::stdout(stop).map(Some);
        }
        let is_fifo = std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_fifo());
        if !is_fifo {
            return Ok(None);
        }
        let (file, mode) = without_blocking(open_fifo(path, stop)?);
        Ok(Some(OutputStream {
            file,
            mode,
            name: path.display().to_string(),
            stop: stop.clone(),
            written_at: None,
        }))
    }

    /// True if the stream is a terminal.
    pub(super) fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }

    /// Writes to standard output. The standard library's line buffer is bypassed, because sinks
    /// have their own buffers.
    ///
    /// # Errors
    /// The process has no file descriptors left.
    pub(super) fn stdout(stop: &Stop) -> Result<OutputStream> {
        OutputStream::duplicate(std::io::stdout().as_fd(), "standard output", stop)
    }

    /// Writes to standard error.
    ///
    /// # Errors
    /// The same as [`stdout`](Self::stdout).
    pub(super) fn stderr(stop: &Stop) -> Result<OutputStream> {
        OutputStream::duplicate(std::io::stderr().as_fd(), "standard error", stop)
    }

    fn duplicate(file: BorrowedFd, name: &str, stop: &Stop) -> Result<OutputStream> {
        let file = file.try_clone_to_owned().map(File::from);
        let file = file.map_err(Error::file("cannot open", name))?;
        let (file, mode) = without_blocking(file);
        Ok(OutputStream {
            file,
            mode,
            name: name.to_owned(),
            stop: stop.clone(),
            written_at: None,
        })
    }

    /// Waits until the reader has read something.
    fn wait_writable(&self) -> IoResult<()> {
        loop {
            let now = Instant::now();
            let waiting_since = self.stop.time().max(self.written_at);
            let give_up_at = waiting_since.map(|at| at + UNREAD_TIMEOUT);
            let timeout = give_up_at.map(|at| at.saturating_duration_since(now));
            let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
            let stop = self.stop.fd();
            let mut files = [
                PollFd::new(&self.file, PollFlags::OUT),
                PollFd::new(&stop, PollFlags::IN),
            ];
            // The stop descriptor stays readable after a request.
            let polled = 1 + usize::from(!self.stop.is_requested());
            match poll(&mut files[..polled], timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            // An error is also an event, and the next write returns it.
            if !files[0].revents().is_empty() {
                return Ok(());
            }
            if give_up_at.is_some_and(|at| Instant::now() >= at) {
                let output = self.name.clone();
                return Err(IoError::new(ErrorKind::TimedOut, ReaderTimeout { output }));
            }
        }
    }

    /// Writes some bytes; the error does not name the output.
    fn write_some(&mut self, bytes: &[u8]) -> IoResult<usize> {
        match self.mode {
            WriteMode::Direct => self.file.write(bytes),
            WriteMode::NonBlocking => loop {
                match self.file.write(bytes) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_writable()?,
                    result => return result,
                }
            },
            WriteMode::SmallWrites => {
                self.wait_writable()?;
                self.file.write(&bytes[..bytes.len().min(PIPE_BUF)])
            }
        }
    }
}

impl Write for OutputStream {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        let written = self.write_some(bytes);
        self.written_at = self.stop.is_requested().then(Instant::now);
        written.map_err(|cause| {
            if cause.raw_os_error().is_none() || cause.kind() == ErrorKind::Interrupted {
                return cause;
            }
            let output = self.name.clone();
            IoError::new(cause.kind(), WriteFailure { output, cause })
        })
    }

    fn flush(&mut self) -> IoResult<()> {
        self.file.flush()
    }
}

/// Opens a pipe or a terminal again, because its file description is shared with other processes,
/// which would be affected by O_NONBLOCK.
fn without_blocking(file: File) -> (File, WriteMode) {
    let Ok(kind) = file.metadata().map(|metadata| metadata.file_type()) else {
        return (file, WriteMode::Direct);
    };
    if !(kind.is_fifo() || kind.is_socket() || file.is_terminal()) {
        return (file, WriteMode::Direct);
    }
    if fcntl_getfl(&file).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK)) {
        return (file, WriteMode::NonBlocking);
    }
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // Fails for sockets, without /proc, and for pipes and terminals of other users.
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => (file.into(), WriteMode::NonBlocking),
        Err(_) => (file, WriteMode::SmallWrites),
    }
}

/// Opens a FIFO once it has a reader.
fn open_fifo(path: &Path, stop: &Stop) -> Result<File> {
    loop {
        match create_output_file(path) {
            Err(Error::File { source, .. })
                if Errno::from_io_error(&source) == Some(Errno::NXIO) => {}
            result => return result.map(File::from),
        }
        if stop.time().is_some_and(|at| Instant::now() >= at) {
            let what = IoError::other("no process has opened the FIFO for reading");
            return Err(Error::file("cannot open", path)(what));
        }
        let stop = stop.fd();
        let interval = Timespec::try_from(OPEN_INTERVAL).ok();
        // The loop ends for every result.
        let _ = poll(&mut [PollFd::new(&stop, PollFlags::IN)], interval.as_ref());
    }
}
