//! Pending lookups, which can still identify a responder more precisely, and the times of their
//! checks.

use std::cmp::Ordering;
use std::iter::repeat_n;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lookup_queue::{LookupRequest, LookupTarget};
use crate::process::Process;

/// Delays between the checks of a lookup.
const RETRY_DELAYS: [Duration; 9] = [
    Duration::ZERO,
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(700),
    Duration::from_millis(2),
    Duration::from_millis(7),
    Duration::from_millis(20),
    Duration::from_millis(70),
    Duration::from_millis(400),
];
/// Number and interval of the frequent checks for an accepting process when there are no BPF
/// events, because a server can finish with a connection quickly. They replace the delays in
/// [`RETRY_DELAYS`] that are at least this interval, before the index [`SLOW_RETRY_INDEX`].
const FAST_RETRIES: (usize, Duration) = (80, Duration::from_micros(250));
/// Number and interval of the checks that determine whether a process or its child keeps a
/// connection that both have.
const PARENT_CHILD_RETRIES: (usize, Duration) = (20, Duration::from_micros(30));
/// Index in [`RETRY_DELAYS`] of the first delay after the frequent checks.
const SLOW_RETRY_INDEX: usize = 5;
/// Maximum number of checks for a handoff to a child, which together take a tenth of a second: in
/// most cases a child takes over a connection within that time.
const MAX_HANDOFF_CHECKS: usize = 7;

/// The lookup of a connection whose responder can still be identified more precisely.
pub(super) struct PendingLookup {
    pub(super) request: LookupRequest,
    /// Delay between the lookup of the listener and the first check for an accepting process;
    /// `None` after that lookup, or if there is no delay.
    pub(super) accept_delay: Option<Duration>,
    /// Number of checks for an accepting process.
    pub(super) accept_checks: usize,
    /// Number of checks for a handoff since the connection was accepted, and the maximum number.
    pub(super) handoff_checks: usize,
    pub(super) max_handoff_checks: usize,
    /// True if BPF events report the accepting process.
    pub(super) has_bpf: bool,
    /// The listening processes.
    pub(super) listeners: Vec<Arc<Process>>,
    /// The processes that had the connection at the last check.
    pub(super) holders: Vec<Arc<Process>>,
    pub(super) is_accepted: bool,
    /// The inode and the UID of the responder's socket; 0 and `None` until they are determined.
    pub(super) inode: u32,
    pub(super) uid: Option<u32>,
    /// Number of checks of a process and its child that both have the connection.
    parent_child_checks: usize,
    /// The last PID that was assigned before the first check.
    pub(super) last_pid: u32,
    pub(super) due: Instant,
}

/// Reversed order of the due times: a max-heap returns the earliest first.
impl Ord for PendingLookup {
    fn cmp(&self, other: &PendingLookup) -> Ordering {
        other.due.cmp(&self.due)
    }
}

impl PartialOrd for PendingLookup {
    fn partial_cmp(&self, other: &PendingLookup) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PendingLookup {
    fn eq(&self, other: &PendingLookup) -> bool {
        self.due == other.due
    }
}

impl Eq for PendingLookup {}

impl PendingLookup {
    /// Creates a lookup without results. If the start of the connection was not captured, the first
    /// check is delayed, because BPF events for the connection can arrive in the meantime.
    pub(super) fn new(
        request: LookupRequest,
        initial_delay: Duration,
        last_pid: u32,
    ) -> PendingLookup {
        let has_bpf = !initial_delay.is_zero();
        PendingLookup {
            request,
            accept_delay: (request.target == LookupTarget::Responder && has_bpf)
                .then_some(initial_delay),
            accept_checks: 0,
            handoff_checks: 0,
            max_handoff_checks: MAX_HANDOFF_CHECKS,
            has_bpf,
            listeners: Vec::new(),
            holders: Vec::new(),
            is_accepted: false,
            inode: 0,
            uid: None,
            parent_child_checks: 0,
            last_pid,
            due: match request.target {
                LookupTarget::Both => Instant::now() + initial_delay,
                LookupTarget::Responder | LookupTarget::Originator => Instant::now(),
            },
        }
    }

    /// True if no check for an accepting process was made so far, and none is delayed.
    pub(super) fn is_first_check(&self) -> bool {
        self.accept_checks + self.handoff_checks == 0 && self.accept_delay.is_none()
    }

    /// True if a child of this process may have inherited the connection.
    pub(super) fn can_be_inherited_from(&self, pid: u32) -> bool {
        let mut processes = match self.is_accepted {
            true => self.holders.iter(),
            false => self.listeners.iter(),
        };
        processes.any(|process| process.pid == pid)
    }

    /// True if a process and its child had the connection at the last check: usually one of them is
    /// about to close it.
    pub(super) fn is_handoff_in_progress(&self) -> bool {
        let is_child =
            |child: &Arc<Process>| self.holders.iter().any(|holder| holder.pid == child.parent);
        self.parent_child_checks < PARENT_CHILD_RETRIES.0
            && self.inode != 0
            && self.holders.iter().any(is_child)
    }

    /// Schedules the next check of a parent and its child. Returns false if the maximum number of
    /// checks is reached.
    pub(super) fn schedule_parent_child_check(&mut self) -> bool {
        let (max, pause) = PARENT_CHILD_RETRIES;
        self.parent_child_checks += 1;
        self.due = Instant::now() + pause;
        self.parent_child_checks < max
    }

    /// Schedules the next check. Returns false if no checks are left.
    pub(super) fn schedule_retry(&mut self) -> bool {
        let delay = match self.is_accepted {
            true => {
                self.handoff_checks += 1;
                let delay = RETRY_DELAYS.get(self.handoff_checks);
                delay
                    .filter(|_| self.handoff_checks <= self.max_handoff_checks)
                    .copied()
            }
            false => {
                self.accept_checks += 1;
                retry_delay(self.accept_checks, !self.has_bpf)
            }
        };
        let Some(delay) = delay else {
            return false;
        };
        self.due = Instant::now() + delay;
        true
    }
}

/// Returns the delay of the next check for an accepting process.
fn retry_delay(check: usize, is_fast: bool) -> Option<Duration> {
    if !is_fast {
        return RETRY_DELAYS.get(check).copied();
    }
    let (count, pause) = FAST_RETRIES;
    let initial = RETRY_DELAYS.into_iter().take_while(|delay| *delay < pause);
    let fast = initial.chain(repeat_n(pause, count));
    fast.chain(RETRY_DELAYS.into_iter().skip(SLOW_RETRY_INDEX))
        .nth(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_without_bpf_are_frequent_at_first() {
        let delays = |fast| (1..).map_while(move |check| retry_delay(check, fast));
        assert_eq!(delays(false).collect::<Vec<Duration>>(), RETRY_DELAYS[1..]);
        let (count, pause) = FAST_RETRIES;
        let fast: Vec<Duration> = delays(true).collect();
        assert!(fast.is_sorted());
        assert_eq!(fast.iter().filter(|delay| **delay == pause).count(), count);
        assert!(fast.ends_with(&RETRY_DELAYS[SLOW_RETRY_INDEX..]));
    }
}
