//! How a capture ends without losing what the kernel accepted: take what is on its way, accept no more, empty the ring.

use std::time::{Duration, Instant};

/// What arrives this long after the wish to stop is still taken: a connection's last acknowledgement is often on its way.
pub(super) const GRACE: Duration = Duration::from_millis(40);
/// A ring that gave nothing for this long after the kernel stopped accepting is empty: longer than a block is held back.
pub(super) const EMPTY: Duration = Duration::from_millis(25);

/// How far the end is.
#[derive(Debug)]
pub(super) struct Ending {
    phase: Phase,
    /// When the capture ends by itself.
    deadline: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Running,
    /// Packets are accepted until then.
    Grace(Instant),
    /// The kernel accepts no more; the ring last gave a packet at this time.
    Draining(Instant),
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on; packets may come for this long, or at any time.
    Wait(Option<Duration>),
    /// Tell the kernel to accept no more, and go on.
    Close,
    /// Everything was read.
    Over,
}

impl Ending {
    pub(super) fn new(deadline: Option<Instant>) -> Ending {
        Ending {
            phase: Phase::Running,
            deadline,
        }
    }

    /// Whether nobody has asked to stop yet, so that somebody may.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    /// The ring gave packets when it was looked at, at this time.
    pub(super) fn gave(&mut self, looked: Instant) {
        if let Phase::Draining(since) = &mut self.phase {
            *since = looked;
        }
    }

    /// Goes on; `looked` is when the ring was last looked at, `asked` whether somebody wants to stop.
    pub(super) fn advance(&mut self, now: Instant, looked: Instant, asked: bool) -> Step {
        if self.is_running() && (asked || self.deadline.is_some_and(|at| now >= at)) {
            self.phase = Phase::Grace(now + GRACE);
        }
        match self.phase {
            Phase::Running => Step::Wait(self.deadline.map(|at| at - now)),
            Phase::Grace(until) if now < until => Step::Wait(Some(until - now)),
            Phase::Grace(_) => {
                self.phase = Phase::Draining(now);
                Step::Close
            }
            // A clock that went on while nobody looked proves nothing.
            Phase::Draining(since) if looked >= since + EMPTY => Step::Over,
            Phase::Draining(since) => {
                Step::Wait(Some((since + EMPTY).saturating_duration_since(now)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EMPTY, Ending, GRACE, Step};
    use std::time::{Duration, Instant};

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn a_wish_leads_over_grace_and_draining_to_the_end() {
        let start = Instant::now();
        let mut ending = Ending::new(None);
        assert_eq!(ending.advance(start, start, false), Step::Wait(None));
        assert_eq!(ending.advance(start, start, true), Step::Wait(Some(GRACE)));
        let closed = start + GRACE;
        assert_eq!(ending.advance(closed, start, true), Step::Close);
        assert_eq!(
            ending.advance(closed, closed, true),
            Step::Wait(Some(EMPTY))
        );
        // A packet puts the end off.
        let gave = closed + EMPTY - MILLISECOND;
        ending.gave(gave);
        let later = closed + EMPTY;
        let wait = Step::Wait(Some(EMPTY - MILLISECOND));
        assert_eq!(ending.advance(later, later, true), wait);
        let end = gave + EMPTY;
        assert_eq!(ending.advance(end, end, true), Step::Over);
    }

    #[test]
    fn time_that_passes_without_a_look_at_the_ring_does_not_end_it() {
        let start = Instant::now();
        let mut ending = Ending::new(Some(start));
        let closed = start + GRACE;
        ending.advance(start, start, false);
        assert_eq!(ending.advance(closed, start, false), Step::Close);
        let late = closed + EMPTY * 9;
        assert_eq!(
            ending.advance(late, closed, false),
            Step::Wait(Some(Duration::ZERO))
        );
        assert_eq!(ending.advance(late, late, false), Step::Over);
    }

    #[test]
    fn a_deadline_is_waited_for() {
        let start = Instant::now();
        let mut ending = Ending::new(Some(start + GRACE));
        assert_eq!(ending.advance(start, start, false), Step::Wait(Some(GRACE)));
        assert!(ending.is_running());
        ending.advance(start + GRACE, start, false);
        assert!(!ending.is_running());
    }
}
