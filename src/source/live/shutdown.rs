//! Shutdown of a live capture without loss: accept packets in flight, then stop accepting, then
//! drain the ring.

use std::time::{Duration, Instant};

/// Time after a stop request during which packets are still accepted: a connection's last
/// acknowledgement is often still in flight.
pub(super) const GRACE_PERIOD: Duration = Duration::from_millis(40);
/// Once the kernel has stopped accepting, the ring counts as empty if no packet is read for this
/// long: longer than the kernel retains a block that is not full.
pub(super) const RING_DRAIN_TIMEOUT: Duration = Duration::from_millis(25);

/// Progress of a shutdown.
#[derive(Debug)]
pub(super) struct Shutdown {
    phase: ShutdownPhase,
    /// Time at which the capture stops without a request.
    deadline: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum ShutdownPhase {
    Running,
    /// Packets are accepted until this time.
    Grace(Instant),
    /// The kernel accepts no more packets; the ring last returned one at this time.
    Draining(Instant),
}

/// The next action of the capture loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShutdownStep {
    /// Wait for packets for this long, or without a limit.
    Wait(Option<Duration>),
    /// Make the kernel accept no more packets, and continue.
    StopAccepting,
    /// The ring is empty.
    Finished,
}

impl Shutdown {
    pub(super) fn new(deadline: Option<Instant>) -> Shutdown {
        Shutdown {
            phase: ShutdownPhase::Running,
            deadline,
        }
    }

    /// True until a stop is requested or the deadline has passed.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase, ShutdownPhase::Running)
    }

    /// Records that a read of the ring at `read_at` returned packets.
    pub(super) fn record_packets(&mut self, read_at: Instant) {
        if let ShutdownPhase::Draining(last_packet) = &mut self.phase {
            *last_packet = read_at;
        }
    }

    /// Advances the shutdown and returns the next action. `ring_read_at` is the time of the last
    /// read of the ring, `stop_requested` is true once a stop was requested.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        ring_read_at: Instant,
        stop_requested: bool,
    ) -> ShutdownStep {
        if self.is_running() && (stop_requested || self.deadline.is_some_and(|at| now >= at)) {
            self.phase = ShutdownPhase::Grace(now + GRACE_PERIOD);
        }
        match self.phase {
            ShutdownPhase::Running => ShutdownStep::Wait(self.deadline.map(|at| at - now)),
            ShutdownPhase::Grace(until) if now < until => ShutdownStep::Wait(Some(until - now)),
            ShutdownPhase::Grace(_) => {
                self.phase = ShutdownPhase::Draining(now);
                ShutdownStep::StopAccepting
            }
            // The time of the last read counts, not `now`: time that passed without a read does not
            // show that the ring is empty.
            ShutdownPhase::Draining(last_packet)
                if ring_read_at >= last_packet + RING_DRAIN_TIMEOUT =>
            {
                ShutdownStep::Finished
            }
            ShutdownPhase::Draining(last_packet) => ShutdownStep::Wait(Some(
                (last_packet + RING_DRAIN_TIMEOUT).saturating_duration_since(now),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GRACE_PERIOD, RING_DRAIN_TIMEOUT, Shutdown, ShutdownStep};
    use std::time::{Duration, Instant};

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn stop_request_passes_through_grace_and_draining() {
        let start = Instant::now();
        let mut shutdown = Shutdown::new(None);
        assert_eq!(
            shutdown.advance(start, start, false),
            ShutdownStep::Wait(None)
        );
        assert_eq!(
            shutdown.advance(start, start, true),
            ShutdownStep::Wait(Some(GRACE_PERIOD))
        );
        let closed = start + GRACE_PERIOD;
        assert_eq!(
            shutdown.advance(closed, start, true),
            ShutdownStep::StopAccepting
        );
        assert_eq!(
            shutdown.advance(closed, closed, true),
            ShutdownStep::Wait(Some(RING_DRAIN_TIMEOUT))
        );
        // A packet extends the draining.
        let last_packet = closed + RING_DRAIN_TIMEOUT - MILLISECOND;
        shutdown.record_packets(last_packet);
        let later = closed + RING_DRAIN_TIMEOUT;
        let wait = ShutdownStep::Wait(Some(RING_DRAIN_TIMEOUT - MILLISECOND));
        assert_eq!(shutdown.advance(later, later, true), wait);
        let end = last_packet + RING_DRAIN_TIMEOUT;
        assert_eq!(shutdown.advance(end, end, true), ShutdownStep::Finished);
    }

    #[test]
    fn draining_does_not_finish_without_a_ring_read() {
        let start = Instant::now();
        let mut shutdown = Shutdown::new(Some(start));
        let closed = start + GRACE_PERIOD;
        shutdown.advance(start, start, false);
        assert_eq!(
            shutdown.advance(closed, start, false),
            ShutdownStep::StopAccepting
        );
        let late = closed + RING_DRAIN_TIMEOUT * 9;
        assert_eq!(
            shutdown.advance(late, closed, false),
            ShutdownStep::Wait(Some(Duration::ZERO))
        );
        assert_eq!(shutdown.advance(late, late, false), ShutdownStep::Finished);
    }

    #[test]
    fn deadline_starts_the_shutdown() {
        let start = Instant::now();
        let mut shutdown = Shutdown::new(Some(start + GRACE_PERIOD));
        assert_eq!(
            shutdown.advance(start, start, false),
            ShutdownStep::Wait(Some(GRACE_PERIOD))
        );
        assert!(shutdown.is_running());
        shutdown.advance(start + GRACE_PERIOD, start, false);
        assert!(!shutdown.is_running());
    }
}
