//! Clock of a pipe: it goes on while the pipe is silent if the writer captures live.
//!
//! A pipe can also contain a stored capture, from a program that is slower than lcap. Its short
//! pauses have no effect, so that the output is that of the file.

use super::IdleClock;
use crate::packet::Timestamp;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Silence after which the writer is assumed to capture live, and to wait for packets.
const LIVE_SILENCE: Duration = Duration::from_secs(1);

/// Maximum age of a frame that was captured live: delays of the network, of buffers in the writer,
/// and between the clocks of two machines.
const MAX_LIVE_FRAME_AGE: Duration = Duration::from_secs(5);

/// The clock of one pipe.
#[derive(Debug)]
pub(super) struct PipeClock {
    /// True once there was a sign that the writer captures live.
    is_live: bool,
    /// Time at which the pipe became empty.
    silent_since: Instant,
    /// Part of the silence that was already returned.
    returned: Duration,
}

impl PipeClock {
    /// Creates the clock of a pipe that is empty.
    pub(super) fn new() -> PipeClock {
        PipeClock {
            is_live: false,
            silent_since: Instant::now(),
            returned: Duration::ZERO,
        }
    }

    /// Notes that the pipe is empty after a frame with this time.
    pub(super) fn start_silence(&mut self, last_frame: Timestamp) -> IdleClock {
        self.silent_since = Instant::now();
        self.returned = Duration::ZERO;
        self.is_live |= frame_age(last_frame).is_some_and(|age| age <= MAX_LIVE_FRAME_AGE);
        self.read(Duration::ZERO)
    }

    /// Reads the clock while the pipe is empty.
    pub(super) fn read_silent(&mut self) -> IdleClock {
        self.read(self.silent_since.elapsed())
    }

    fn read(&mut self, silence: Duration) -> IdleClock {
        self.is_live |= silence >= LIVE_SILENCE;
        match self.is_live {
            true => {
                let returned = std::mem::replace(&mut self.returned, silence);
                IdleClock::Elapsed(silence.saturating_sub(returned))
            }
            false => IdleClock::Stopped,
        }
    }
}

/// Returns the difference between a frame's time and the current time; `None` if the frame has no
/// time.
fn frame_age(time: Timestamp) -> Option<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let now = i64::try_from(now.as_nanos()).ok()?;
    let age = time.is_present().then(|| now.abs_diff(time.0))?;
    Some(Duration::from_nanos(age))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_of_a_stored_capture_goes_on_after_a_long_silence() {
        let mut clock = PipeClock::new();
        let ms = Duration::from_millis;
        for time in [
            Timestamp(0),
            Timestamp::ABSENT,
            Timestamp::MIN,
            Timestamp::MAX,
        ] {
            assert_eq!(clock.start_silence(time), IdleClock::Stopped);
            assert_eq!(clock.read(ms(999)), IdleClock::Stopped);
        }
        assert_eq!(clock.read(ms(1001)), IdleClock::Elapsed(ms(1001)));
        assert_eq!(clock.read(ms(1251)), IdleClock::Elapsed(ms(250)));
        // The silence was a sign of a live capture.
        let zero = IdleClock::Elapsed(Duration::ZERO);
        assert_eq!(clock.start_silence(Timestamp(1)), zero);
        assert_eq!(clock.read(ms(250)), IdleClock::Elapsed(ms(250)));
    }

    #[test]
    fn clock_of_a_live_capture_goes_on_at_once() {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut clock = PipeClock::new();
        let zero = IdleClock::Elapsed(Duration::ZERO);
        let now = Timestamp(now.as_nanos() as i64);
        assert_eq!(clock.start_silence(now), zero);
    }
}
