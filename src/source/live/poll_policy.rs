//! Polling policy for the ring: sleep for a fixed time while packets arrive.
//!
//! A reader that polls the ring is woken for every block, and both the kernel's notification and
//! the wake-up cost the senders time; also, data that the senders have just written is slower to
//! read than data that has left their processor's cache. Under steady traffic the ring is therefore
//! read at intervals instead.

use std::time::Duration;

use super::DeliveryMode;

/// A sleep is skipped if it would fill more than this fraction (1/n) of the ring.
const MAX_FILL_DIVISOR: u64 = 8;
/// A sleep is skipped if it would fill less than this fraction (1/n) of the ring: it saves little,
/// and a burst that starts meanwhile could fill the whole ring.
const MIN_FILL_DIVISOR: u64 = 128;

impl DeliveryMode {
    /// Returns the length of one sleep.
    pub(super) fn sleep_duration(self) -> Duration {
        match self {
            DeliveryMode::Interactive => Duration::from_millis(15),
            DeliveryMode::Batched => Duration::from_millis(100),
            DeliveryMode::Immediate => Duration::ZERO,
        }
    }
}

/// The recent packet rate, which decides whether to sleep.
#[derive(Debug, Default)]
pub(super) struct PollPolicy {
    /// Bytes that would have arrived during a sleep, at the rate before the last wait.
    previous_fill: u64,
}

impl PollPolicy {
    /// Returns true if the ring, of `ring_size` bytes, can be left unread for `sleep`, given that
    /// `bytes` arrived in the time `elapsed` since the last wait. Otherwise the caller polls the
    /// ring.
    ///
    /// The rate before that wait must allow it as well: a burst that starts at the end of an idle
    /// period looks like light traffic.
    pub(super) fn decide_sleep(
        &mut self,
        sleep: Duration,
        ring_size: u32,
        bytes: u64,
        elapsed: Duration,
    ) -> bool {
        let elapsed = (elapsed.as_micros() as u64).max(1);
        let fill = bytes.saturating_mul(sleep.as_micros() as u64) / elapsed;
        let previous_fill = std::mem::replace(&mut self.previous_fill, fill);
        let ring_size = u64::from(ring_size);
        let worth_sleeping = ring_size / MIN_FILL_DIVISOR..ring_size / MAX_FILL_DIVISOR;
        worth_sleeping.contains(&fill) && worth_sleeping.contains(&previous_fill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Returns the decision after each arrival of (bytes, milliseconds), for a ring of this many
    /// MiB.
    fn sleep_decisions(delivery: DeliveryMode, ring: u64, arrivals: &[(u64, u64)]) -> Vec<bool> {
        let (sleep, ring_size) = (delivery.sleep_duration(), (ring * MIB) as u32);
        let mut policy = PollPolicy::default();
        let decide = |&(bytes, millis)| {
            policy.decide_sleep(sleep, ring_size, bytes, Duration::from_millis(millis))
        };
        arrivals.iter().map(decide).collect()
    }

    #[test]
    fn steady_traffic_causes_sleeps() {
        // 20 MiB/s: 2 MiB per sleep when batched, 0.3 MiB when interactive.
        let steady = [(MIB / 5, 10), (MIB / 5, 10), (2 * MIB, 100)];
        assert_eq!(
            sleep_decisions(DeliveryMode::Batched, 64, &steady),
            [false, true, true]
        );
        assert_eq!(
            sleep_decisions(DeliveryMode::Interactive, 64, &steady),
            [false; 3]
        );
        let fast = [(MIB, 10), (MIB, 10)];
        assert_eq!(
            sleep_decisions(DeliveryMode::Interactive, 64, &fast),
            [false, true]
        );
        assert_eq!(
            sleep_decisions(DeliveryMode::Immediate, 64, &fast),
            [false; 2]
        );
        // Half of this ring would be filled in one sleep.
        assert_eq!(
            sleep_decisions(DeliveryMode::Batched, 4, &steady),
            [false; 3]
        );
    }

    #[test]
    fn burst_after_light_traffic_causes_no_sleep() {
        let bulk = 2 * MIB;
        let burst = [(2000, 80), (2000, 100), (MIB, 60), (bulk, 1), (bulk, 1)];
        assert_eq!(
            sleep_decisions(DeliveryMode::Batched, 64, &burst),
            [false; 5]
        );
        assert_eq!(
            sleep_decisions(DeliveryMode::Interactive, 64, &burst),
            [false; 5]
        );
    }

    #[test]
    fn stopped_clock_causes_no_sleep() {
        let arrivals = [(u64::MAX, 0), (0, 0), (u64::MAX, u64::MAX / 2)];
        assert_eq!(
            sleep_decisions(DeliveryMode::Batched, 64, &arrivals),
            [false; 3]
        );
    }
}
