//! Clock of the flow table. It follows the packets' timestamps, and requires a second packet to
//! confirm a large jump forward.

use super::FlowTable;
use crate::flow::Emit;
use crate::flow::idle_lists::TimeoutClass;
use crate::packet::Timestamp;

/// Largest jump forward, in nanoseconds, that is accepted without confirmation by the next
/// timestamp: one hour.
pub const MAX_CLOCK_JUMP_NS: i64 = 3600 * 1_000_000_000;

impl FlowTable {
    /// Advances the clock to a packet's timestamp. Returns the timestamp, or the clock's time if
    /// the packet has none; nanoseconds.
    #[inline(always)]
    pub(super) fn advance_to_packet(&mut self, time: Timestamp, emit: Emit) -> i64 {
        if !time.is_present() {
            return self.clock.max(0);
        }
        self.advance(time.0, emit);
        time.0
    }

    /// Advances the clock.
    #[inline(always)]
    pub(super) fn advance(&mut self, time: i64, emit: Emit) {
        match time < self.quiet_until {
            true => self.clock = self.clock.max(time),
            false => self.advance_slow(time, emit),
        }
    }

    /// Advances the clock to a time at which a timeout may be due, or which is a large jump.
    #[cold]
    fn advance_slow(&mut self, time: i64, emit: Emit) {
        let time = match is_clock_jump(time, self.clock) {
            true => self.confirm_jump(time),
            false => {
                self.pending_jump = None;
                Some(time)
            }
        };
        if let Some(time) = time {
            self.clock = self.clock.max(time);
            if self.clock >= self.next_due {
                self.close_due(emit);
            }
        }
        self.quiet_until = match self.pending_jump {
            // The next timestamp confirms or rejects the jump.
            Some(_) => i64::MIN,
            None => self
                .next_due
                .min(self.clock.saturating_add(MAX_CLOCK_JUMP_NS)),
        };
    }

    /// Schedules the timeout of a flow of this class that is active now.
    #[inline]
    pub(super) fn schedule_timeout(&mut self, class: TimeoutClass) {
        self.next_due = self.next_due.min(self.deadline(class, self.clock));
        self.quiet_until = match self.next_due > self.clock {
            true => self.quiet_until.min(self.next_due),
            false => i64::MIN,
        };
    }

    /// Returns the time to which the clock is set after a large jump; `None` if the jump is not
    /// confirmed. A single large jump is most likely a wrong timestamp, and would expire all flows,
    /// so a second large jump must follow. Then the earlier of the two timestamps is accepted, and
    /// also the later one, unless it is itself a large jump from the earlier one.
    #[cold]
    fn confirm_jump(&mut self, time: i64) -> Option<i64> {
        if !self.has_seen_flow {
            return Some(time);
        }
        let accepted = self.pending_jump.replace(time)?.min(time);
        // The previous packet's timestamp was correct: its flow was active at that time.
        if let Some(last) = self.last_flow.filter(|_| self.is_last_flow_current) {
            let flow = &mut self.flows[last as usize];
            flow.last_active = accepted;
            self.idle_lists.touch(flow.timeout_class, last);
        }
        if is_clock_jump(time, accepted) {
            // The later timestamp is itself a large jump.
            return Some(accepted);
        }
        self.pending_jump = None;
        Some(time)
    }
}

/// Returns true if a timestamp is a jump that must be confirmed.
#[inline]
fn is_clock_jump(time: i64, clock: i64) -> bool {
    time > clock.saturating_add(MAX_CLOCK_JUMP_NS)
}
