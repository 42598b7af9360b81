//! The time of day in lines of our own.

use super::text::{self, Style, Times};
use crate::packet::Timestamp;

/// Shows times as the lines of packets do.
pub(super) struct Clock {
    times: Times,
    style: Style,
}

impl Clock {
    /// Local time, in microseconds or nanoseconds.
    pub(super) fn new(nano: bool) -> Clock {
        Clock {
            times: Times::new(),
            style: Style {
                clock: text::Clock::Time,
                nano,
                ..Style::default()
            },
        }
    }

    /// `07:16:56.182593`.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        self.times.write(out, time, &self.style);
        // The space behind it.
        out.pop();
    }
}
