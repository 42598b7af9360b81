//! The table's clock: it goes on with the packets' times, but for one that is too far ahead to be believed alone.

use super::FlowTable;
use crate::flow::Emit;
use crate::flow::ages::Class;
use crate::packet::Timestamp;

/// A time that is this far ahead of the clock is believed once the next one is as well, in nanoseconds: an hour.
pub const LEAP: i64 = 3600 * 1_000_000_000;

impl FlowTable {
    /// A packet has this time: the clock goes on. Returns it, or what the clock says if it has none; nanoseconds.
    #[inline(always)]
    pub(super) fn now(&mut self, time: Timestamp, emit: Emit) -> i64 {
        if !time.is_known() {
            return self.clock.max(0);
        }
        self.pass(time.0, emit);
        time.0
    }

    /// The clock goes on.
    #[inline(always)]
    pub(super) fn pass(&mut self, time: i64, emit: Emit) {
        match time < self.calm {
            true => self.clock = self.clock.max(time),
            false => self.leave_calm(time, emit),
        }
    }

    /// The clock may come to a time when something is due, or be shown one that is far ahead.
    #[cold]
    fn leave_calm(&mut self, time: i64, emit: Emit) {
        let time = match is_far_ahead(time, self.clock) {
            true => self.confirmed(time),
            false => {
                self.leap = None;
                Some(time)
            }
        };
        if let Some(time) = time {
            self.clock = self.clock.max(time);
            if self.clock >= self.due {
                self.close_due(emit);
            }
        }
        self.calm = match self.leap {
            // What comes next decides.
            Some(_) => i64::MIN,
            None => self.due.min(self.clock.saturating_add(LEAP)),
        };
    }

    /// A flow of this class was heard of just now: it is due some time.
    #[inline]
    pub(super) fn expect_end(&mut self, class: Class) {
        self.due = self.due.min(self.deadline(class, self.clock));
        self.calm = match self.due > self.clock {
            true => self.calm.min(self.due),
            false => i64::MIN,
        };
    }

    /// What a time far ahead makes of the clock, if it is the second such in a row: one alone is more likely wrong, and would let all flows
    /// go. Of two the earlier one is believed, and the other if it is not far ahead of that.
    #[cold]
    fn confirmed(&mut self, time: i64) -> Option<i64> {
        if !self.begun {
            return Some(time);
        }
        let believed = self.leap.replace(time)?.min(time);
        // The packet before was right too: its flow was heard of then.
        if let Some(last) = self.last.filter(|_| self.is_latest) {
            let flow = &mut self.flows[last as usize];
            flow.active = believed;
            self.ages.touch(flow.class, last);
        }
        if is_far_ahead(time, believed) {
            // It is alone again.
            return Some(believed);
        }
        self.leap = None;
        Some(time)
    }
}

/// Whether a time is so far ahead of a clock that it is not believed alone.
#[inline]
fn is_far_ahead(time: i64, clock: i64) -> bool {
    time > clock.saturating_add(LEAP)
}
