//! How long the ring is left alone while packets flow.
//!
//! Who waits at the ring is woken for every block, and both the kernel's answer and the wake-up cost the senders time; and what they have
//! just written is dearer to read than what has left their processor's cache. So the ring is looked at now and then instead.

use std::time::Duration;

use super::Pace;

/// No nap may fill more than this part of the ring,
const MOST: u64 = 8;
/// and none is taken that would fill less than this one: it saves little, and a burst that begins meanwhile could fill all of it.
const LEAST: u64 = 128;

impl Pace {
    /// How long a nap is.
    pub(super) fn nap(self) -> Duration {
        match self {
            Pace::Prompt => Duration::from_millis(15),
            Pace::Leisurely => Duration::from_millis(100),
            Pace::Immediate => Duration::ZERO,
        }
    }
}

/// Knows how packets came lately, and so whether to nap.
#[derive(Debug, Default)]
pub(super) struct Naps {
    /// Bytes that would have filled a nap, as they came before the last wait.
    before: u64,
}

impl Naps {
    /// Whether a ring of so many bytes may be left alone for a nap, when so many came in the time since the last wait; if not the kernel has
    /// to say when there is something.
    ///
    /// What came before that wait must say so too: a burst that begins at the end of a silence looks like a little traffic.
    pub(super) fn pays(&mut self, nap: Duration, ring: u32, came: u64, since: Duration) -> bool {
        let since = (since.as_micros() as u64).max(1);
        let fills = came.saturating_mul(nap.as_micros() as u64) / since;
        let before = std::mem::replace(&mut self.before, fills);
        let ring = u64::from(ring);
        let pays = ring / LEAST..ring / MOST;
        pays.contains(&fills) && pays.contains(&before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Whether a nap is taken behind each of these: bytes, milliseconds.
    fn naps(pace: Pace, ring: u64, came: &[(u64, u64)]) -> Vec<bool> {
        let mut naps = Naps::default();
        let pays = |&(bytes, millis)| {
            let since = Duration::from_millis(millis);
            naps.pays(pace.nap(), (ring * MIB) as u32, bytes, since)
        };
        came.iter().map(pays).collect()
    }

    #[test]
    fn steady_traffic() {
        // 20 MiB/s: two MiB in a nap of a file, a third of one on a terminal.
        let steady = [(MIB / 5, 10), (MIB / 5, 10), (2 * MIB, 100)];
        assert_eq!(naps(Pace::Leisurely, 64, &steady), [false, true, true]);
        assert_eq!(naps(Pace::Prompt, 64, &steady), [false; 3]);
        let fast = [(MIB, 10), (MIB, 10)];
        assert_eq!(naps(Pace::Prompt, 64, &fast), [false, true]);
        assert_eq!(naps(Pace::Immediate, 64, &fast), [false; 2]);
        // Half of it in a nap.
        assert_eq!(naps(Pace::Leisurely, 4, &steady), [false; 3]);
    }

    #[test]
    fn a_burst_behind_a_few_packets() {
        let bulk = 2 * MIB;
        let burst = [(2000, 80), (2000, 100), (MIB, 60), (bulk, 1), (bulk, 1)];
        assert_eq!(naps(Pace::Leisurely, 64, &burst), [false; 5]);
        assert_eq!(naps(Pace::Prompt, 64, &burst), [false; 5]);
    }

    #[test]
    fn clocks_may_stand_still() {
        let all = [(u64::MAX, 0), (0, 0), (u64::MAX, u64::MAX / 2)];
        assert_eq!(naps(Pace::Leisurely, 64, &all), [false; 3]);
    }
}
