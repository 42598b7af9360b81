//! Packets that were dropped during a capture, and the flows that may lack them.
//!
//! The source reports drops as a count for a period: the time between two reads of the kernel's
//! counters, or between two packets of a file. Any flow that existed in that period may lack some
//! of these packets.

use crate::packet::Drops;

/// Drops so far, the oldest first.
#[derive(Debug, Default)]
pub(super) struct DropLog {
    periods: Vec<Drops>,
}

/// Maximum number of periods; beyond it, neighbours among the older half are merged.
const MAX_PERIODS: usize = 1 << 10;

impl DropLog {
    /// Records packets that were dropped.
    pub(super) fn record(&mut self, drops: Drops) {
        if self.periods.len() >= MAX_PERIODS {
            self.merge_older_half();
        }
        self.periods.push(drops);
    }

    fn merge_older_half(&mut self) {
        let newer = self.periods.split_off(MAX_PERIODS / 2);
        let merge = |a: &Drops, b: &Drops| Drops {
            since: a.since.min(b.since),
            until: a.until.max(b.until),
            count: a.count.saturating_add(b.count),
        };
        let merged = self.periods.chunks_exact(2);
        let merged = merged.map(|pair| merge(&pair[0], &pair[1]));
        self.periods = merged.chain(newer).collect();
    }

    /// Returns the number of packets that were dropped in periods that overlap the time from
    /// `first` to `last`, in nanoseconds.
    pub(super) fn count_between(&self, first: i64, last: i64) -> u64 {
        let mut count = 0_u64;
        for period in &self.periods {
            if period.since.0 <= last && first <= period.until.0 {
                count = count.saturating_add(period.count);
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Timestamp;

    fn drops(since: i64, until: i64, count: u64) -> Drops {
        Drops {
            since: Timestamp(since),
            until: Timestamp(until),
            count,
        }
    }

    #[test]
    fn drops_count_for_overlapping_times() {
        let mut log = DropLog::default();
        log.record(drops(100, 200, 3));
        log.record(drops(200, 300, 40));
        log.record(drops(500, 600, 500));
        for (first, last, expected) in [
            (0, 99, 0),
            (0, 100, 3),
            (150, 160, 3),
            (150, 250, 43),
            (301, 499, 0),
            (250, i64::MAX, 540),
            (601, i64::MAX, 0),
        ] {
            assert_eq!(log.count_between(first, last), expected, "{first} {last}");
        }
    }

    #[test]
    fn the_log_is_bounded_and_keeps_the_total() {
        let mut log = DropLog::default();
        for at in 0..100_000 {
            log.record(drops(at, at + 1, 2));
        }
        assert!(log.periods.len() <= MAX_PERIODS);
        assert_eq!(log.count_between(i64::MIN, i64::MAX), 200_000);
        assert_eq!(log.count_between(99_999, 99_999), 4);
    }
}
