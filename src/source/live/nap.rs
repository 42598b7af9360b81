//! How long the ring is left alone while packets flow.
//!
//! Who waits at the ring is woken for every block, and both the kernel's answer and the wake-up cost the senders time; and what they have
//! just written is dearer to read than what has left their processor's cache. So the ring is looked at now and then instead.

use std::time::Duration;

use super::Pace;

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

/// No nap may fill more than this part of the ring,
const MOST: u64 = 8;
/// and none is taken that would fill less than this one: it saves little, and a burst that begins meanwhile could fill all of it.
const LEAST: u64 = 128;

/// Whether a ring of so many bytes may be left alone for a nap, when so many came in the time since it last was; if not the kernel has to
/// say when there is something.
pub(super) fn pays(nap: Duration, ring: u32, came: u64, since: Duration) -> bool {
    let fills = came.saturating_mul(nap.as_micros() as u64) / (since.as_micros() as u64).max(1);
    let ring = u64::from(ring);
    !nap.is_zero() && (ring / LEAST..ring / MOST).contains(&fills)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows() {
        const MIB: u64 = 1 << 20;
        let ring = 64 << 20;
        for (pace, came, millis, wanted) in [
            // 20 MiB/s: two MiB in a nap of a file, a third of one on a terminal.
            (Pace::Leisurely, 2 * MIB, 100, true),
            (Pace::Prompt, 2 * MIB, 100, false),
            (Pace::Prompt, 8 * MIB, 100, true),
            (Pace::Immediate, 8 * MIB, 100, false),
            // A few packets, behind which a bulk transfer may begin.
            (Pace::Leisurely, 60_000, 100, false),
            (Pace::Leisurely, 0, 100, false),
            // A bulk transfer, which would fill the ring.
            (Pace::Leisurely, 200 * MIB, 100, false),
            (Pace::Prompt, 200 * MIB, 100, false),
            // Clocks may stand still.
            (Pace::Leisurely, u64::MAX, 0, false),
        ] {
            let since = Duration::from_millis(millis);
            let given = pays(pace.nap(), ring, came, since);
            assert_eq!(given, wanted, "{pace:?}, {came} bytes in {since:?}");
        }
    }

    #[test]
    fn a_small_ring_is_looked_at_sooner() {
        let (nap, second) = (Pace::Leisurely.nap(), Duration::from_secs(1));
        assert!(pays(nap, 64 << 20, 40 << 20, second));
        assert!(!pays(nap, 2 << 20, 40 << 20, second));
    }
}
