//! Clock of the flow table. It follows the packets' timestamps, and requires a second packet to
//! confirm a large jump forward.

/// Current time and the next timeout, in nanoseconds.
#[derive(Debug)]
pub(super) struct Clock {
    /// Latest accepted timestamp; it never goes backwards, although timestamps may.
    now: i64,
    /// Timestamp of a large jump forward that is not confirmed so far.
    pending_jump: Option<i64>,
    /// No timeout is due before this time.
    next_due: i64,
}

/// Effect of a timestamp on the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClockStep {
    /// The timestamp was accepted.
    Accepted,
    /// The timestamp is a large jump, and the next one decides about it.
    Pending,
    /// The timestamp confirms that the previous packet's timestamp was correct: this is the time
    /// at which that packet's flow was active.
    Confirmed(i64),
}

/// Largest jump forward, in nanoseconds, that is accepted without confirmation by the next
/// timestamp: one hour.
const MAX_CLOCK_JUMP_NS: i64 = 3600 * 1_000_000_000;

impl Default for Clock {
    fn default() -> Clock {
        Clock {
            now: i64::MIN,
            pending_jump: None,
            next_due: i64::MAX,
        }
    }
}

impl Clock {
    /// Returns the current time.
    #[inline]
    pub(super) fn now(&self) -> i64 {
        self.now
    }

    /// Returns the current time; the epoch before the first timestamp.
    pub(super) fn now_or_epoch(&self) -> i64 {
        if self.now == i64::MIN { 0 } else { self.now }
    }

    /// Returns true if a timeout may be due.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.now >= self.next_due
    }

    /// Schedules a timeout in addition to those scheduled before.
    #[inline]
    pub(super) fn schedule(&mut self, due: i64) {
        self.next_due = self.next_due.min(due);
    }

    /// Replaces all scheduled timeouts.
    pub(super) fn reschedule(&mut self, due: i64) {
        self.next_due = due;
    }

    /// Advances the clock to a timestamp.
    ///
    /// A single large jump is most likely a wrong timestamp, and would expire all flows, so a
    /// second large jump must follow. Then the earlier of the two timestamps is accepted, and also
    /// the later one, unless it is itself a large jump from the earlier one. Without flows, every
    /// jump is accepted.
    #[inline]
    pub(super) fn advance(&mut self, time: i64, has_flows: bool) -> ClockStep {
        if has_flows && is_jump(time, self.now) {
            return self.advance_by_jump(time);
        }
        self.pending_jump = None;
        self.now = self.now.max(time);
        ClockStep::Accepted
    }

    #[cold]
    fn advance_by_jump(&mut self, time: i64) -> ClockStep {
        let Some(before) = self.pending_jump.replace(time) else {
            return ClockStep::Pending;
        };
        let earlier = before.min(time);
        if is_jump(time, earlier) {
            self.now = self.now.max(earlier);
        } else {
            self.pending_jump = None;
            self.now = self.now.max(time);
        }
        ClockStep::Confirmed(earlier)
    }
}

/// Returns true if a timestamp is a jump that must be confirmed.
#[inline]
fn is_jump(time: i64, now: i64) -> bool {
    time > now.saturating_add(MAX_CLOCK_JUMP_NS)
}

#[cfg(test)]
mod tests {
    use super::ClockStep::{Accepted, Confirmed, Pending};
    use super::*;

    const HOUR: i64 = MAX_CLOCK_JUMP_NS;

    /// Asserts the step that each timestamp causes, and the time after it. Flows exist, and the
    /// clock starts at 0.
    fn assert_steps(steps: &[(i64, ClockStep, i64)]) {
        let mut clock = Clock::default();
        clock.advance(0, false);
        for (at, (time, step, now)) in steps.iter().enumerate() {
            let found = (clock.advance(*time, true), clock.now());
            assert_eq!(found, (*step, *now), "step {at} of {steps:?}");
        }
    }

    #[test]
    fn small_steps_are_accepted_and_never_go_backwards() {
        assert_steps(&[
            (HOUR, Accepted, HOUR),
            (5, Accepted, HOUR),
            (i64::MIN, Accepted, HOUR),
            (2 * HOUR, Accepted, 2 * HOUR),
        ]);
    }

    #[test]
    fn a_single_jump_is_ignored() {
        assert_steps(&[
            (HOUR + 1, Pending, 0),
            (1, Accepted, 1),
            // The jump before does not confirm this one.
            (9 * HOUR, Pending, 1),
        ]);
    }

    #[test]
    fn a_second_jump_to_about_the_same_time_confirms_the_first() {
        for (first, second) in [(5 * HOUR, 5 * HOUR + 1), (6 * HOUR, 5 * HOUR)] {
            assert_steps(&[
                (first, Pending, 0),
                (second, Confirmed(first.min(second)), second),
                (second + HOUR, Accepted, second + HOUR),
            ]);
        }
    }

    #[test]
    fn of_two_different_jumps_the_smaller_is_confirmed() {
        // The greater one remains unconfirmed, whether it comes second or first.
        assert_steps(&[
            (5 * HOUR, Pending, 0),
            (90 * HOUR, Confirmed(5 * HOUR), 5 * HOUR),
            (90 * HOUR, Confirmed(90 * HOUR), 90 * HOUR),
        ]);
        assert_steps(&[
            (90 * HOUR, Pending, 0),
            (5 * HOUR, Confirmed(5 * HOUR), 5 * HOUR),
            (5 * HOUR, Accepted, 5 * HOUR),
        ]);
    }

    #[test]
    fn without_flows_every_jump_is_accepted() {
        let mut clock = Clock::default();
        for time in [-5, 90 * HOUR, i64::MAX] {
            assert_eq!((clock.advance(time, false), clock.now()), (Accepted, time));
        }
    }

    #[test]
    fn a_timeout_is_due_at_the_earliest_scheduled_time() {
        let mut clock = Clock::default();
        clock.advance(10, false);
        assert!(!clock.is_due());
        clock.schedule(11);
        clock.schedule(20);
        assert!(!clock.is_due());
        clock.advance(11, true);
        assert!(clock.is_due());
        clock.reschedule(20);
        assert!(!clock.is_due());
    }
}
