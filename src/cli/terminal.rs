//! Standard error as a terminal: what is drawn on it stays on its line, and what is said begins a line (console_codes(4)).
//!
//! indicatif fills the line that it draws with blanks up to the edge. The `^C` that a terminal echoes then goes to the next
//! line, and in the end that line is cleared instead of the drawn one. So the blanks are left out here, and whoever speaks on
//! standard error clears the line first.

use std::fs::File;
use std::io::{IsTerminal, Result, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::TermLike;
use rustix::termios::{Winsize, tcgetwinsize};

/// To the begin of the line, which is erased.
pub(super) const CLEAR_LINE: &str = "\r\x1b[2K";

/// Whether standard error is a terminal that understands this.
pub(super) fn is_there() -> bool {
    let name = std::env::var_os("TERM");
    std::io::stderr().is_terminal() && name.is_some_and(|name| name != "dumb")
}

/// What indicatif draws on.
#[derive(Debug, Default)]
pub(super) struct Terminal {
    /// What was drawn and not yet written: one write draws everything, between what others say.
    drawn: Mutex<String>,
}

impl Terminal {
    fn draw(&self, text: &str) -> Result<()> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        drawn.push_str(text);
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
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let written = std::io::stderr().write_all(drawn.as_bytes());
        drawn.clear();
        written
    }
}

/// Standard output while counters are drawn below it on the same terminal: every write clears their line first, in one piece.
pub(super) struct AboveTicker {
    out: File,
    shares: bool,
    piece: Vec<u8>,
}

impl AboveTicker {
    pub(super) fn new(out: File) -> AboveTicker {
        AboveTicker {
            shares: is_there() && out.is_terminal(),
            out,
            piece: Vec::new(),
        }
    }
}

impl Write for AboveTicker {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if !self.shares || bytes.is_empty() {
            return self.out.write(bytes);
        }
        self.piece.clear();
        self.piece.extend_from_slice(CLEAR_LINE.as_bytes());
        self.piece.extend_from_slice(bytes);
        self.out.write_all(&self.piece)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}

/// Some terminals do not know their size and say 0.
fn size() -> Option<Winsize> {
    let size = tcgetwinsize(std::io::stderr()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some(size)
}
