//! How long answers take: from the last byte of a request to the first byte of what is said to it, turn by turn.
//!
//! That works for every protocol in which the sides take turns, without knowing it.

use super::key::Side;

/// Response times of one flow.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    /// When the originator last said something new, in nanoseconds, and whether it was the last to speak.
    asked: i64,
    speaker: Option<Side>,
    count: u32,
    max: u64,
    /// From the second turn on: most short flows have one.
    samples: Option<Box<Samples>>,
}

/// What is kept of the times: all of them, or how many were about as long as that.
#[derive(Debug, Clone)]
enum Samples {
    Exact(Vec<u64>),
    Counted(Box<[u32; BUCKETS]>),
}

/// So many times are kept as they are, before they are only counted.
const EXACT: usize = 128;
/// Buckets of each power of two: a time is known to 1 part in 32.
const STEPS: u32 = 16;
/// Powers of two from 2⁴ to 2⁴³ ns, which is two and a half hours.
const POWERS: u32 = 40;
const BUCKETS: usize = (POWERS * STEPS) as usize;

/// Response times of a flow: from the originator's last byte before an answer to the responder's first byte of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseTimes {
    /// How many there were.
    pub count: u32,
    /// Half of them were at most this long, in nanoseconds; beyond 128 turns to 1 part in 32.
    pub median: u64,
    /// 99 of 100 were at most this long, likewise.
    pub p99: u64,
    /// The longest, in nanoseconds.
    pub max: u64,
}

impl Turns {
    /// A side said something new at this time.
    #[inline]
    pub(super) fn spoke(&mut self, side: Side, time: i64) {
        if side == Side::Orig {
            self.asked = time;
        } else if self.speaker == Some(Side::Orig) {
            self.answered(time.saturating_sub(self.asked).max(0) as u64);
        }
        self.speaker = Some(side);
    }

    fn answered(&mut self, took: u64) {
        if self.count > 0 {
            let first = self.max;
            let samples = self
                .samples
                .get_or_insert_with(|| Box::new(Samples::Exact(vec![first])));
            samples.add(took);
        }
        self.count = self.count.saturating_add(1);
        self.max = self.max.max(took);
    }

    /// The ends were exchanged: what was measured was the other way.
    pub(super) fn flip(&mut self) {
        *self = Turns::default();
    }

    /// All turns so far, if there was one.
    pub(super) fn summary(&self) -> Option<ResponseTimes> {
        let quantile = |of_100| match &self.samples {
            Some(samples) => samples.quantile(of_100).min(self.max),
            None => self.max,
        };
        (self.count > 0).then(|| ResponseTimes {
            count: self.count,
            median: quantile(50),
            p99: quantile(99),
            max: self.max,
        })
    }
}

impl Samples {
    fn add(&mut self, took: u64) {
        match self {
            Samples::Exact(times) if times.len() < EXACT => times.push(took),
            Samples::Exact(times) => {
                let mut counts = Box::new([0; BUCKETS]);
                for time in times.iter().chain([&took]) {
                    counts[bucket(*time)] += 1;
                }
                *self = Samples::Counted(counts);
            }
            Samples::Counted(counts) => {
                let count = &mut counts[bucket(took)];
                *count = count.saturating_add(1);
            }
        }
    }

    /// The time that so many of 100 do not exceed.
    fn quantile(&self, of_100: u64) -> u64 {
        match self {
            Samples::Exact(times) => {
                let mut times = times.clone();
                times.sort_unstable();
                let rank = (times.len() as u64 * of_100).div_ceil(100).max(1);
                times.get(rank as usize - 1).copied().unwrap_or_default()
            }
            Samples::Counted(counts) => {
                let all: u64 = counts.iter().map(|&count| u64::from(count)).sum();
                let rank = (all * of_100).div_ceil(100).max(1);
                let mut seen = 0;
                let reached = counts.iter().position(|&count| {
                    seen += u64::from(count);
                    seen >= rank
                });
                middle(reached.unwrap_or_default())
            }
        }
    }
}

/// Which bucket counts a time: its power of two, and the next four bits.
fn bucket(time: u64) -> usize {
    let time = time.max(u64::from(STEPS));
    let power = time.ilog2() - STEPS.ilog2();
    let step = (time >> power) as u32 - STEPS;
    ((power * STEPS + step) as usize).min(BUCKETS - 1)
}

/// The middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let (power, step) = (bucket as u32 / STEPS, bucket as u32 % STEPS);
    let low = u64::from(STEPS + step) << power;
    low + (1_u64 << power) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(times: impl IntoIterator<Item = u64>) -> ResponseTimes {
        let (mut turns, mut now) = (Turns::default(), 0);
        for time in times {
            turns.spoke(Side::Orig, now - 5);
            // The last byte of a request counts.
            turns.spoke(Side::Orig, now);
            turns.spoke(Side::Resp, now + time as i64);
            turns.spoke(Side::Resp, now + time as i64 + 999_999);
            now += time as i64 + 1_000_000;
        }
        turns.summary().expect("turns")
    }

    #[test]
    fn few_turns_are_exact() {
        let one = summary([70]);
        assert_eq!((one.count, one.median, one.p99, one.max), (1, 70, 70, 70));
        let some = summary((1..=100).rev());
        assert_eq!(
            (some.count, some.median, some.p99, some.max),
            (100, 50, 99, 100)
        );
    }

    #[test]
    fn many_turns_are_exact_to_one_part_in_32() {
        let many = summary((1..=10_000).map(|time| time * 1000));
        assert_eq!((many.count, many.max), (10_000, 10_000_000));
        for (is, exact) in [(many.median, 5_000_000), (many.p99, 9_900_000)] {
            let off = is.abs_diff(exact);
            assert!(off <= exact / 32, "{is}");
        }
    }

    #[test]
    fn who_speaks_first_is_not_answered() {
        let mut turns = Turns::default();
        turns.spoke(Side::Resp, 10);
        assert_eq!(turns.summary(), None);
        turns.spoke(Side::Orig, 20);
        turns.spoke(Side::Resp, 15);
        assert_eq!(turns.summary().map(|times| times.max), Some(0));
    }

    #[test]
    fn every_time_has_its_bucket() {
        for time in [0, 1, 15, 16, 17, 1000, 123_456_789, 1 << 43, u64::MAX] {
            let middle = middle(bucket(time));
            let known = (16..1 << 43).contains(&time);
            assert!(!known || middle.abs_diff(time) <= time / 32, "{time}");
        }
    }
}
