//! Counter of Server-Sent Events (WHATWG HTML section 9.2).

/// Counts the events in the decoded body of a `text/event-stream`: each blank line after at least
/// one field line. Comment lines, which keep the connection open, are no fields.
#[derive(Debug, Default)]
pub(super) struct EventCounter {
    pub(super) events: u64,
    line: LineKind,
    /// True if the current event has a field line.
    has_field: bool,
    /// True if the last byte was a CR: an LF after it does not end another line.
    is_after_cr: bool,
}

/// The current line so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum LineKind {
    #[default]
    Empty,
    Field,
    Comment,
}

impl EventCounter {
    /// Counts the events in the next bytes of the body.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' if std::mem::take(&mut self.is_after_cr) => {}
                b'\r' | b'\n' => {
                    self.end_line();
                    self.is_after_cr = *byte == b'\r';
                }
                _ => {
                    self.is_after_cr = false;
                    if self.line == LineKind::Empty {
                        self.line = match byte {
                            b':' => LineKind::Comment,
                            _ => LineKind::Field,
                        };
                    }
                }
            }
        }
    }

    fn end_line(&mut self) {
        match std::mem::take(&mut self.line) {
            LineKind::Empty => self.events += u64::from(std::mem::take(&mut self.has_field)),
            LineKind::Field => self.has_field = true,
            LineKind::Comment => {}
        }
    }
}
