//! Statistics of durations in bounded memory: exact for a few, a histogram for more.

/// Number, maximum and quantiles of durations.
#[derive(Debug, Clone, Default)]
pub struct DurationStatistics {
    count: u32,
    max: u64,
    /// Allocated from the second sample on: most short flows have only one.
    samples: Option<Box<Samples>>,
}

/// Summary of durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationSummary {
    /// Number of durations.
    pub count: u32,
    /// Median, in nanoseconds; accurate to 1 part in 32 beyond 128 durations.
    pub median: u64,
    /// 99th percentile, in nanoseconds; as accurate as the median.
    pub p99: u64,
    /// Maximum, in nanoseconds.
    pub max: u64,
}

/// Exact values, or counts per bucket.
#[derive(Debug, Clone)]
enum Samples {
    Exact(Vec<u64>),
    Histogram(Box<[u32; BUCKET_COUNT]>),
}

/// Maximum number of samples that are kept exactly; for more samples a histogram is used.
const MAX_EXACT_SAMPLES: usize = 128;
/// Buckets per power of two: a time is accurate to 1 part in 32.
const BUCKETS_PER_POWER: u32 = 16;
/// Number of powers of two: 2⁴ ns to 2⁴³ ns, about 2.4 hours.
const POWERS_OF_TWO: u32 = 40;
const BUCKET_COUNT: usize = (POWERS_OF_TWO * BUCKETS_PER_POWER) as usize;

impl DurationStatistics {
    /// Adds a duration in nanoseconds.
    pub fn add(&mut self, duration: u64) {
        if self.count > 0 {
            let first = self.max;
            let samples = self
                .samples
                .get_or_insert_with(|| Box::new(Samples::Exact(vec![first])));
            samples.push(duration);
        }
        self.count = self.count.saturating_add(1);
        self.max = self.max.max(duration);
    }

    /// Returns the summary of all durations so far; `None` without durations.
    pub fn summary(&self) -> Option<DurationSummary> {
        let quantile = |percent| match &self.samples {
            Some(samples) => samples.quantile(percent).min(self.max),
            None => self.max,
        };
        (self.count > 0).then(|| DurationSummary {
            count: self.count,
            median: quantile(50),
            p99: quantile(99),
            max: self.max,
        })
    }
}

impl Samples {
    fn push(&mut self, duration: u64) {
        match self {
            Samples::Exact(times) if times.len() < MAX_EXACT_SAMPLES => times.push(duration),
            Samples::Exact(times) => {
                let mut counts = Box::new([0; BUCKET_COUNT]);
                for time in times.iter().chain([&duration]) {
                    counts[bucket_index(*time)] += 1;
                }
                *self = Samples::Histogram(counts);
            }
            Samples::Histogram(counts) => {
                let count = &mut counts[bucket_index(duration)];
                *count = count.saturating_add(1);
            }
        }
    }

    /// Returns the smallest time that at least `percent` percent of the samples do not exceed.
    fn quantile(&self, percent: u64) -> u64 {
        match self {
            Samples::Exact(times) => {
                let mut times = times.clone();
                times.sort_unstable();
                let rank = (times.len() as u64 * percent).div_ceil(100).max(1);
                times.get(rank as usize - 1).copied().unwrap_or_default()
            }
            Samples::Histogram(counts) => {
                let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
                let rank = (total * percent).div_ceil(100).max(1);
                let mut seen = 0;
                let reached = counts.iter().position(|&count| {
                    seen += u64::from(count);
                    seen >= rank
                });
                bucket_midpoint(reached.unwrap_or_default())
            }
        }
    }
}

/// Returns the index of a time's bucket, which consists of its power of two and the next four bits.
fn bucket_index(time: u64) -> usize {
    let time = time.max(u64::from(BUCKETS_PER_POWER));
    let power = time.ilog2() - BUCKETS_PER_POWER.ilog2();
    let step = (time >> power) as u32 - BUCKETS_PER_POWER;
    ((power * BUCKETS_PER_POWER + step) as usize).min(BUCKET_COUNT - 1)
}

/// Returns the midpoint of a bucket.
fn bucket_midpoint(bucket: usize) -> u64 {
    let (power, step) = (
        bucket as u32 / BUCKETS_PER_POWER,
        bucket as u32 % BUCKETS_PER_POWER,
    );
    let low = u64::from(BUCKETS_PER_POWER + step) << power;
    low + (1_u64 << power) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(times: impl IntoIterator<Item = u64>) -> DurationSummary {
        let mut statistics = DurationStatistics::default();
        times.into_iter().for_each(|time| statistics.add(time));
        statistics.summary().expect("at least one duration")
    }

    #[test]
    fn a_few_durations_are_exact() {
        let single = summary([70]);
        assert_eq!(
            (single.count, single.median, single.p99, single.max),
            (1, 70, 70, 70)
        );
        let hundred = summary((1..=100).rev());
        assert_eq!(
            (hundred.count, hundred.median, hundred.p99, hundred.max),
            (100, 50, 99, 100)
        );
    }

    #[test]
    fn many_durations_are_exact_to_one_part_in_32() {
        let many = summary((1..=10_000).map(|time| time * 1000));
        assert_eq!((many.count, many.max), (10_000, 10_000_000));
        for (value, exact) in [(many.median, 5_000_000), (many.p99, 9_900_000)] {
            let error = value.abs_diff(exact);
            assert!(error <= exact / 32, "{value}");
        }
    }

    #[test]
    fn every_time_is_close_to_its_bucket_midpoint() {
        for time in [0, 1, 15, 16, 17, 1000, 123_456_789, 1 << 43, u64::MAX] {
            let midpoint = bucket_midpoint(bucket_index(time));
            let is_in_range = (16..1 << 43).contains(&time);
            assert!(
                !is_in_range || midpoint.abs_diff(time) <= time / 32,
                "{time}"
            );
        }
    }
}
