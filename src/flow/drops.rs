//! Packets that were dropped during a capture, and the flows that may lack them.
//!
//! The source reports drops as a count for a period: the time between two reads of the kernel's
//! counters, or between two packets of a file. Any flow that existed in that period may lack some
//! of these packets.

use crate::packet::Timestamp;

/// Packets that were dropped between two times.
#[derive(Debug, Clone, Copy)]
struct DropPeriod {
    /// Start and end, in nanoseconds.
    since: i64,
    until: i64,
    count: u64,
}

/// Drops so far, the oldest first.
#[derive(Debug, Default)]
pub(super) struct DropLog {
    periods: Vec<DropPeriod>,
}

/// Maximum number of periods; beyond it, neighbours among the older half are merged.
const MAX_PERIODS: usize = 1 << 10;

impl DropLog {
    /// Records that this number of packets was dropped between two times.
    pub(super) fn record(&mut self, since: Timestamp, until: Timestamp, count: u64) {
        if self.periods.len() >= MAX_PERIODS {
            self.merge_older_half();
        }
        self.periods.push(DropPeriod {
            since: since.0,
            until: until.0,
            count,
        });
    }

    fn merge_older_half(&mut self) {
        let newer = self.periods.split_off(MAX_PERIODS / 2);
        let merged = self.periods.chunks(2).map(|pair| DropPeriod {
            since: pair.iter().map(|period| period.since).min().unwrap_or(0),
            until: pair.iter().map(|period| period.until).max().unwrap_or(0),
            count: pair.iter().map(|period| period.count).sum(),
        });
        self.periods = merged.chain(newer).collect();
    }

    /// Returns the number of packets that were dropped in periods that overlap the time from
    /// `first` to `last`, in nanoseconds.
    pub(super) fn count_between(&self, first: i64, last: i64) -> u64 {
        let mut count = 0_u64;
        for period in &self.periods {
            if period.since <= last && first <= period.until {
                count = count.saturating_add(period.count);
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_count_for_overlapping_times() {
        let mut log = DropLog::default();
        log.record(Timestamp(100), Timestamp(200), 3);
        log.record(Timestamp(200), Timestamp(300), 40);
        log.record(Timestamp(500), Timestamp(600), 500);
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
            log.record(Timestamp(at), Timestamp(at + 1), 2);
        }
        assert!(log.periods.len() <= MAX_PERIODS);
        assert_eq!(log.count_between(i64::MIN, i64::MAX), 200_000);
        assert_eq!(log.count_between(99_999, 99_999), 4);
    }
}
