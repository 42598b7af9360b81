//! Standard error as a terminal: the status line stays on one line, and messages start on a clear
//! line (console_codes(4)).
//!
//! indicatif pads the line that it draws with spaces up to the right edge. When a terminal then
//! echoes `^C`, the echo wraps to the next line, and at the end that line is cleared instead of the
//! status line. Therefore the padding is omitted here, and every message to standard error clears
//! the current line first.

use std::io::{ErrorKind, IsTerminal, Result, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use indicatif::TermLike;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::PIPE_BUF;
use rustix::termios::{Winsize, tcgetwinsize};

use super::output_stream::OutputStream;
use crate::error::UNREAD_TIMEOUT;

/// Moves the cursor to the start of the line and erases the line.
pub(super) const CLEAR_LINE: &str = "\r\x1b[2K";

/// True if standard error is a terminal that supports [`CLEAR_LINE`].
pub(super) fn is_available() -> bool {
    let name = std::env::var_os("TERM");
    std::io::stderr().is_terminal() && name.is_some_and(|name| name != "dumb")
}

/// Writes to standard error. If its reader does not read for [`UNREAD_TIMEOUT`], this text is lost,
/// and so is every later one for which there is no room: lcap never waits long for messages.
pub(super) fn write_stderr(text: &[u8]) -> Result<()> {
    static IS_BLOCKED: AtomicBool = AtomicBool::new(false);
    let stderr = std::io::stderr();
    for part in text.chunks(PIPE_BUF) {
        let timeout = match IS_BLOCKED.load(Ordering::Relaxed) {
            true => Timespec::default(),
            false => Timespec::try_from(UNREAD_TIMEOUT).unwrap_or_default(),
        };
        let ready = poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&timeout));
        let is_blocked = ready == Ok(0);
        IS_BLOCKED.store(is_blocked, Ordering::Relaxed);
        if is_blocked {
            return Err(ErrorKind::TimedOut.into());
        }
        rustix::io::write(stderr.as_fd(), part)?;
    }
    Ok(())
}

/// The terminal that indicatif draws on.
#[derive(Debug, Default)]
pub(super) struct Terminal {
    /// Text drawn but not written so far. One write draws everything, so that messages of other
    /// threads cannot split it.
    pending: Mutex<String>,
}

impl Terminal {
    fn draw(&self, text: &str) -> Result<()> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.push_str(text);
        Ok(())
    }

    fn move_cursor(&self, count: usize, direction: char) -> Result<()> {
        match count {
            0 => Ok(()),
            _ => self.draw(&format!("\x1b[{count}{direction}")),
        }
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        size().map_or(80, |size| size.ws_col)
    }

    fn height(&self) -> u16 {
        size().map_or(24, |size| size.ws_row)
    }

    fn move_cursor_up(&self, count: usize) -> Result<()> {
        self.move_cursor(count, 'A')
    }

    fn move_cursor_down(&self, count: usize) -> Result<()> {
        self.move_cursor(count, 'B')
    }

    fn move_cursor_right(&self, count: usize) -> Result<()> {
        self.move_cursor(count, 'C')
    }

    fn move_cursor_left(&self, count: usize) -> Result<()> {
        self.move_cursor(count, 'D')
    }

    fn write_line(&self, text: &str) -> Result<()> {
        self.draw(text)?;
        self.draw("\n")
    }

    fn write_str(&self, text: &str) -> Result<()> {
        match text.trim_start_matches(' ') {
            "" => Ok(()),
            _ => self.draw(text),
        }
    }

    fn clear_line(&self) -> Result<()> {
        self.draw(CLEAR_LINE)
    }

    fn flush(&self) -> Result<()> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let result = write_stderr(pending.as_bytes());
        pending.clear();
        result
    }
}

/// Standard output above the status line of the same terminal: every write first clears that line,
/// in the same system call.
pub(super) struct AboveTicker {
    out: OutputStream,
    is_shared: bool,
    buffer: Vec<u8>,
}

impl AboveTicker {
    pub(super) fn new(out: OutputStream) -> AboveTicker {
        AboveTicker {
            is_shared: is_available() && out.is_terminal(),
            out,
            buffer: Vec::new(),
        }
    }
}

impl Write for AboveTicker {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if !self.is_shared || bytes.is_empty() {
            return self.out.write(bytes);
        }
        self.buffer.clear();
        self.buffer.extend_from_slice(CLEAR_LINE.as_bytes());
        self.buffer.extend_from_slice(bytes);
        self.out.write_all(&self.buffer)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}

/// Returns the size of standard error's terminal, unless it reports 0, as some terminals do.
fn size() -> Option<Winsize> {
    let size = tcgetwinsize(std::io::stderr()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some(size)
}
