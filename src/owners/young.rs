//! Processes that have begun lately: among them are the clients that end soon.

use std::collections::VecDeque;

use crate::host::processes;

/// So many are remembered.
const MOST: usize = 256;
/// No more numbers are tried at once.
const AT_ONCE: u32 = 1024;

/// Processes that have begun lately.
#[derive(Debug, Default)]
pub(super) struct Young {
    /// Their numbers, the last one first. Some have ended.
    pub(super) pids: VecDeque<u32>,
    /// The number that had been given away last when this was looked at.
    last: Option<u32>,
}

impl Young {
    /// Adds who has begun since this was called last.
    pub(super) fn look(&mut self) {
        if let Some(last) = processes::last_pid() {
            self.add(last, processes::is_process);
        }
    }

    fn add(&mut self, last: u32, is_process: impl Fn(u32) -> bool) {
        let before = self.last.replace(last);
        if before == Some(last) {
            return;
        }
        // They begin again with low ones after the highest.
        let first = before
            .filter(|before| *before < last)
            .map_or(last.saturating_sub(AT_ONCE), |before| before + 1);
        let first = first.max(last.saturating_sub(AT_ONCE));
        for pid in (first..=last).filter(|pid| is_process(*pid)) {
            self.pids.push_front(pid);
        }
        self.pids.truncate(MOST);
    }

    /// Forgets who has ended.
    pub(super) fn forget(&mut self, pid: u32) {
        self.pids.retain(|young| *young != pid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_seen_once_and_the_last_is_first() {
        let mut young = Young::default();
        let even = |pid: u32| pid.is_multiple_of(2);
        young.add(10, |pid| pid > 6);
        assert_eq!(young.pids, [10, 9, 8, 7]);
        young.add(10, |_| true);
        young.add(15, even);
        assert_eq!(young.pids, [14, 12, 10, 9, 8, 7]);
        young.forget(9);
        // The numbers begin again.
        young.add(4, even);
        assert_eq!(young.pids, [4, 2, 0, 14, 12, 10, 8, 7]);
        young.add(100_000, |_| true);
        assert_eq!(young.pids.len(), MOST);
        assert_eq!(young.pids.front(), Some(&100_000));
    }
}
