//! Local time of day in the flows table and in conversations.

use super::text::{self, Style, TimestampWriter};
use crate::packet::Timestamp;

/// Formatter of times in the format of packet lines.
pub(super) struct LocalTimeFormatter {
    times: TimestampWriter,
    style: Style,
}

impl LocalTimeFormatter {
    /// Returns a formatter with nanoseconds, or with microseconds if `nano` is false.
    pub(super) fn new(nano: bool) -> LocalTimeFormatter {
        LocalTimeFormatter {
            times: TimestampWriter::new(),
            style: Style {
                timestamp_format: text::TimestampFormat::TimeOfDay,
                nano,
                ..Style::default()
            },
        }
    }

    /// Writes a time: `07:16:56.182593`.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        self.times.write(out, time, &self.style);
        // Remove the space after the time.
        out.pop();
    }
}
