//! CPU budget for attribution: lookups must not slow down the observed processes.

use std::time::{Duration, Instant};

/// Maximum CPU time that accumulates while idle and can then be spent without a pause.
const MAX_BURST: Duration = Duration::from_millis(500);
/// Divisors of the elapsed time that determine the CPU time to add to the budget: while tasks are
/// infrequent, and while they are frequent.
const CPU_SHARE_DIVISORS: [u32; 2] = [3, 12];
/// Tasks are frequent if the mean interval between them is shorter than this.
const BUSY_INTERVAL: Duration = Duration::from_millis(1);
/// Smoothing of the moving average: a new interval has the weight 1/`SMOOTHING_FACTOR`.
const SMOOTHING_FACTOR: u32 = 16;

/// CPU time that a thread may spend. It grows as time elapses.
#[derive(Debug)]
pub(super) struct CpuBudget {
    /// CPU time that is available, in nanoseconds; negative after more was spent.
    available_ns: i64,
    /// CPU time of this thread that is accounted for.
    counted_cpu_time: Duration,
    /// Time of the last replenishment.
    replenished_at: Instant,
    /// Moving average of the interval between tasks, and the time of the last task.
    mean_interval: Duration,
    last_task_at: Instant,
}

impl CpuBudget {
    pub(super) fn new(now: Instant) -> CpuBudget {
        CpuBudget {
            available_ns: nanos(MAX_BURST),
            counted_cpu_time: thread_cpu_time(),
            replenished_at: now,
            mean_interval: BUSY_INTERVAL * 2,
            last_task_at: now,
        }
    }

    /// Does work if the budget permits, and charges the CPU time that this thread has used since
    /// the last call, including the work. Returns `None` if the budget is exhausted.
    pub(super) fn spend<T>(&mut self, work: impl FnOnce() -> T) -> Option<T> {
        if !self.replenish(Instant::now()) {
            return None;
        }
        let result = work();
        let previous = std::mem::replace(&mut self.counted_cpu_time, thread_cpu_time());
        self.charge(self.counted_cpu_time.saturating_sub(previous));
        Some(result)
    }

    /// Records the arrival of a task, whether there is a budget for it or not.
    pub(super) fn record_task(&mut self, now: Instant) {
        let interval =
            now.saturating_duration_since(std::mem::replace(&mut self.last_task_at, now));
        // A long idle period counts only up to this limit.
        let interval = interval.min(BUSY_INTERVAL * SMOOTHING_FACTOR);
        self.mean_interval = self.mean_interval * (SMOOTHING_FACTOR - 1) / SMOOTHING_FACTOR
            + interval / SMOOTHING_FACTOR;
    }

    /// True if tasks are frequent: the mean interval is shorter than [`BUSY_INTERVAL`].
    pub(super) fn is_busy(&self) -> bool {
        self.mean_interval < BUSY_INTERVAL
    }

    /// Adds the thread's share of the time since the last call. Returns true if any budget is left.
    pub(super) fn replenish(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.replenished_at);
        self.replenished_at = now;
        let divisor = CPU_SHARE_DIVISORS[usize::from(self.is_busy())];
        let available_ns = self.available_ns.saturating_add(nanos(elapsed / divisor));
        self.available_ns = available_ns.min(nanos(MAX_BURST));
        self.available_ns > 0
    }

    /// Charges time that was spent.
    pub(super) fn charge(&mut self, spent: Duration) {
        self.available_ns = self.available_ns.saturating_sub(nanos(spent));
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Returns the CPU time of this thread. Time spent waiting for a processor does not count.
fn thread_cpu_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Coalesces the wake-ups of a thread: a wake-up costs more than the work that follows it.
#[derive(Debug)]
pub(super) struct WakeupCoalescer {
    /// Time of the last wake-up.
    last_wakeup: Instant,
}

/// A thread that is woken again within this interval sleeps for the same duration.
const COALESCE_INTERVAL: Duration = Duration::from_millis(1);

impl WakeupCoalescer {
    pub(super) fn new(now: Instant) -> WakeupCoalescer {
        WakeupCoalescer { last_wakeup: now }
    }

    /// Waits for more events if the last wake-up was recent.
    pub(super) fn wait(&mut self) {
        if self.last_wakeup.elapsed() < COALESCE_INTERVAL {
            std::thread::sleep(COALESCE_INTERVAL);
        }
        self.last_wakeup = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_is_served_and_flood_is_throttled() {
        let start = Instant::now();
        let mut budget = CpuBudget::new(start);
        let (step, cost) = (Duration::from_micros(200), Duration::from_micros(100));
        let mut served = 0;
        let mut now = start;
        for _ in 0..100_000 {
            if budget.replenish(now) {
                served += 1;
                budget.charge(cost);
            }
            now += step;
        }
        // 20 s elapsed: the initial budget and a share of that time.
        let expected = (MAX_BURST + Duration::from_secs(20) / CPU_SHARE_DIVISORS[0]).as_micros()
            / cost.as_micros();
        assert!(
            (expected - 10..expected + 10).contains(&served),
            "{served} {expected}"
        );
        assert!(budget.replenish(now + Duration::from_secs(60)));
        assert_eq!(budget.available_ns, nanos(MAX_BURST));
    }

    #[test]
    fn flood_gets_a_smaller_share() {
        let start = Instant::now();
        for (interval, divisor) in [
            (BUSY_INTERVAL * 4, CPU_SHARE_DIVISORS[0]),
            (BUSY_INTERVAL / 4, CPU_SHARE_DIVISORS[1]),
        ] {
            let mut budget = CpuBudget::new(start);
            let mut now = start;
            for _ in 0..1000 {
                now += interval;
                budget.record_task(now);
            }
            budget.replenish(now);
            budget.charge(MAX_BURST);
            now += MAX_BURST;
            assert!(budget.replenish(now));
            assert_eq!(budget.available_ns, nanos(MAX_BURST / divisor));
        }
    }

    #[test]
    fn cpu_time_is_charged_and_sleep_is_not() {
        let mut budget = CpuBudget::new(Instant::now());
        let pause = Duration::from_millis(30);
        assert!(budget.spend(|| std::thread::sleep(pause)).is_some());
        assert!(
            budget.available_ns > nanos(MAX_BURST - pause / 3),
            "{budget:?}"
        );
        budget.charge(MAX_BURST * 2);
        assert!(budget.spend(|| panic!("the budget is exhausted")).is_none());
    }
}
