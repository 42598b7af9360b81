//! How much of a processor may be spent on looking owners up: what is looked at must not be slowed down by who looks.

use std::time::{Duration, Instant};

/// What may be spent at once, after a while in which nothing was.
const MOST: Duration = Duration::from_secs(2);
/// One in so many parts of the time that goes by may be spent.
const SHARE: u32 = 12;

/// Time that may be spent, which grows as time goes by.
#[derive(Debug)]
pub(super) struct Allowance {
    left: Duration,
    /// What was spent beyond that.
    debt: Duration,
    /// When it was last added to.
    since: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Allowance {
        Allowance {
            left: MOST,
            debt: Duration::ZERO,
            since: now,
        }
    }

    /// Whether anything is left.
    pub(super) fn is_left(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        self.since = now;
        let earned = passed / SHARE;
        self.left = (self.left + earned.saturating_sub(self.debt)).min(MOST);
        self.debt = self.debt.saturating_sub(earned);
        !self.left.is_zero()
    }

    /// Spends what went by since then.
    pub(super) fn spend(&mut self, since: Instant, now: Instant) {
        let spent = now.saturating_duration_since(since);
        self.debt += spent.saturating_sub(self.left);
        self.left = self.left.saturating_sub(spent);
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
                allowance.spend(now, now + cost);
            }
            now += step;
        }
        // 20 s went by: what was there at the beginning, and a twelfth of that.
        let bought = (MOST + Duration::from_secs(20) / SHARE).as_micros() / cost.as_micros();
        assert!(
            (bought - 10..bought + 10).contains(&paid),
            "{paid} {bought}"
        );
        assert!(allowance.is_left(now + Duration::from_secs(60)));
        assert_eq!(allowance.left, MOST);
    }
}
