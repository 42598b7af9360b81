//! How much of a processor may be spent on looking owners up: what is looked at must not be slowed down by who looks.

use std::time::{Duration, Instant};

/// What may be spent at once, after a while in which nothing was.
const MOST: Duration = Duration::from_millis(500);
/// One in so many parts of the time that goes by may be spent, while there is little to look up and while there is much.
const SHARES: [u32; 2] = [3, 12];
/// There is much to look up if less than this goes by from one to the next.
const MUCH: Duration = Duration::from_millis(1);
/// How fast that is noticed: one in so many parts of what is new counts.
const SMOOTHING: u32 = 16;

/// A processor's time that a thread may spend, which grows as time goes by.
#[derive(Debug)]
pub(super) struct Allowance {
    left: Duration,
    /// What was spent beyond that.
    debt: Duration,
    /// How much of this thread's time was counted.
    counted: Duration,
    /// When it was last added to.
    since: Instant,
    /// How long it is from one thing to be done to the next, and when the last one was.
    apart: Duration,
    asked: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Allowance {
        Allowance {
            left: MOST,
            debt: Duration::ZERO,
            counted: own_time(),
            since: now,
            apart: MUCH * 2,
            asked: now,
        }
    }

    /// Does something, if there is time left for it, and counts what of this thread's time that took, and what else it did since the last time.
    pub(super) fn spend<T>(&mut self, act: impl FnOnce() -> T) -> Option<T> {
        if !self.is_left(Instant::now()) {
            return None;
        }
        let done = act();
        let before = std::mem::replace(&mut self.counted, own_time());
        self.pay(self.counted.saturating_sub(before));
        Some(done)
    }

    /// Something is there to be done, whether there is time for it or not.
    pub(super) fn count(&mut self, now: Instant) {
        let apart = now.saturating_duration_since(std::mem::replace(&mut self.asked, now));
        // A long silence is no more than a short one.
        let apart = apart.min(MUCH * SMOOTHING);
        self.apart = self.apart * (SMOOTHING - 1) / SMOOTHING + apart / SMOOTHING;
    }

    /// Whether there is much to do.
    pub(super) fn is_much(&self) -> bool {
        self.apart < MUCH
    }

    /// Whether there is time left.
    pub(super) fn is_left(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        self.since = now;
        let share = SHARES[usize::from(self.is_much())];
        let earned = passed / share;
        self.left = (self.left + earned.saturating_sub(self.debt)).min(MOST);
        self.debt = self.debt.saturating_sub(earned);
        !self.left.is_zero()
    }

    /// Takes off what was spent.
    pub(super) fn pay(&mut self, spent: Duration) {
        self.debt += spent.saturating_sub(self.left);
        self.left = self.left.saturating_sub(spent);
    }
}

/// How long this thread has been on a processor. Time in which it waited for one is no cost.
fn own_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Has a thread that is woken again and again take together what comes: to be woken costs more than what is done then.
#[derive(Debug)]
pub(super) struct Gathering {
    /// When it began to work last.
    since: Instant,
}

/// Who is woken more often than this waits for as long.
const TOGETHER: Duration = Duration::from_millis(1);

impl Gathering {
    pub(super) fn new(now: Instant) -> Gathering {
        Gathering { since: now }
    }

    /// Waits for more, if the last time was just now.
    pub(super) fn wait(&mut self) {
        if self.since.elapsed() < TOGETHER {
            std::thread::sleep(TOGETHER);
        }
        self.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_paid_for_and_a_flood_is_not() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let (step, cost) = (Duration::from_micros(200), Duration::from_micros(100));
        let mut paid = 0;
        let mut now = start;
        for _ in 0..100_000 {
            if allowance.is_left(now) {
                paid += 1;
                allowance.pay(cost);
            }
            now += step;
        }
        // 20 s went by: what was there at the beginning, and a part of that.
        let bought = (MOST + Duration::from_secs(20) / SHARES[0]).as_micros() / cost.as_micros();
        assert!(
            (bought - 10..bought + 10).contains(&paid),
            "{paid} {bought}"
        );
        assert!(allowance.is_left(now + Duration::from_secs(60)));
        assert_eq!(allowance.left, MOST);
    }

    #[test]
    fn a_flood_gets_a_smaller_share() {
        let start = Instant::now();
        for (gap, share) in [(MUCH * 4, SHARES[0]), (MUCH / 4, SHARES[1])] {
            let mut allowance = Allowance::new(start);
            let mut now = start;
            for _ in 0..1000 {
                now += gap;
                allowance.count(now);
            }
            allowance.is_left(now);
            allowance.pay(MOST);
            now += MOST;
            assert!(allowance.is_left(now));
            assert_eq!(allowance.left, MOST / share);
        }
    }

    #[test]
    fn work_is_paid_for_and_sleep_is_not() {
        let mut allowance = Allowance::new(Instant::now());
        let nap = Duration::from_millis(30);
        assert!(allowance.spend(|| std::thread::sleep(nap)).is_some());
        assert!(allowance.left > MOST - nap / 3, "{allowance:?}");
        allowance.pay(MOST * 2);
        assert!(allowance.spend(|| panic!("nothing is left")).is_none());
    }
}
