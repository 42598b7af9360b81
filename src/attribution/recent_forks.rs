//! Recently forked processes: short-lived clients are among them.

use std::collections::VecDeque;

use crate::host::processes::fork_events::{ForkEvent, ForkEvents};
use crate::host::processes::{self, LastPid, ProcHandle};

/// Maximum number of recorded processes.
const MAX_RECENT_PROCESSES: usize = 256;
/// Maximum number of PIDs without a process that are checked again.
const MAX_ABSENT_PIDS: usize = 64;
/// Maximum number of PIDs that are checked in one update.
const MAX_PIDS_PER_SCAN: u32 = 1024;

/// Recently forked processes.
#[derive(Debug, Default)]
pub(super) struct RecentForks {
    /// The processes, the most recent first. Some may have exited.
    processes: VecDeque<RecentProcess>,
    /// The source of fork events, if the kernel sends them, and the received events that were not
    /// taken so far.
    fork_events: Option<ForkEvents>,
    unread_forks: Vec<ForkEvent>,
    /// The source of the last PID that the kernel assigned, if it is available, and the last PID
    /// that was processed.
    last_pid_file: Option<LastPid>,
    last_seen_pid: Option<u32>,
    /// PIDs that were assigned recently but did not belong to a process at that time: they belong
    /// to a thread, or to a process that was still being created.
    absent_pids: VecDeque<u32>,
}

/// A recently forked process.
#[derive(Debug, Clone, Copy)]
struct RecentProcess {
    pid: u32,
    /// True if it was scanned for sockets.
    is_scanned: bool,
    /// The PID of its parent, read when it is first needed.
    parent: Option<u32>,
}

impl RecentForks {
    /// Creates a list of the existing processes with the most recent PIDs.
    pub(super) fn new(fork_events: Option<ForkEvents>) -> RecentForks {
        let mut forks = RecentForks {
            fork_events,
            last_pid_file: LastPid::open().ok(),
            ..RecentForks::default()
        };
        forks.update_by_pid();
        forks
    }

    /// Returns the source of fork events, if the kernel sends them.
    pub(super) fn fork_events(&self) -> Option<&ForkEvents> {
        self.fork_events.as_ref()
    }

    /// Updates the list and takes the fork events since the last call.
    pub(super) fn take_forks(&mut self) -> Vec<ForkEvent> {
        self.update();
        std::mem::take(&mut self.unread_forks)
    }

    /// Returns the PID that the kernel assigned last, to a process or a thread.
    pub(super) fn last_pid(&self) -> Option<u32> {
        self.last_pid_file.as_ref()?.read()
    }

    /// Returns the PIDs of the recorded processes, the most recent first.
    pub(super) fn pids(&self) -> impl Iterator<Item = u32> {
        self.processes.iter().map(|process| process.pid)
    }

    /// Returns the PIDs of the processes that were scanned for sockets, or of those that were not.
    pub(super) fn pids_by_scan_state(&self, is_scanned: bool) -> impl Iterator<Item = u32> {
        let has_state = move |process: &&RecentProcess| process.is_scanned == is_scanned;
        let processes = self.processes.iter().filter(has_state);
        processes.map(|process| process.pid)
    }

    /// Returns the PIDs of those children of `parents` that were forked after the PID `since` was
    /// assigned.
    pub(super) fn children(&mut self, since: u32, parents: &[u32]) -> Vec<u32> {
        let newer = self.processes.iter_mut();
        let newer = newer.take_while(|process| process.pid > since);
        let children = newer.filter_map(|process| process.pid_if_child_of(parents));
        children.collect()
    }

    /// Returns the PIDs of those children of `parents` that were not scanned for sockets.
    pub(super) fn unscanned_children(&mut self, parents: &[u32]) -> Vec<u32> {
        let unscanned = self.processes.iter_mut();
        let unscanned = unscanned.filter(|process| !process.is_scanned);
        let children = unscanned.filter_map(|process| process.pid_if_child_of(parents));
        children.collect()
    }

    /// Marks a process as scanned for sockets, if it is in the list.
    pub(super) fn mark_scanned(&mut self, pid: u32) {
        let mut processes = self.processes.iter_mut();
        if let Some(process) = processes.find(|process| process.pid == pid) {
            process.is_scanned = true;
        }
    }

    /// Adds the processes forked since the last call.
    pub(super) fn update(&mut self) {
        let Some(fork_events) = &mut self.fork_events else {
            return self.update_by_pid();
        };
        while let Some(fork) = fork_events.try_recv() {
            self.last_seen_pid = Some(fork.pid);
            self.processes.push_front(RecentProcess {
                parent: Some(fork.parent),
                ..RecentProcess::new(fork.pid)
            });
            self.unread_forks.push(fork);
        }
        self.processes.truncate(MAX_RECENT_PROCESSES);
        if fork_events.take_overflow() {
            self.update_by_pid();
        }
        self.unread_forks.truncate(MAX_RECENT_PROCESSES);
    }

    /// Adds the processes forked since the last call, then adds and returns the PIDs that have
    /// become processes since they were last checked.
    pub(super) fn update_with_late(&mut self) -> Vec<u32> {
        self.update();
        self.add_late(processes::is_process)
    }

    fn add_late(&mut self, is_process: impl Fn(u32) -> bool) -> Vec<u32> {
        let absent = std::mem::take(&mut self.absent_pids).into_iter();
        let (late, absent): (Vec<u32>, Vec<u32>) = absent.partition(|pid| is_process(*pid));
        self.absent_pids = absent.into();
        for pid in &late {
            self.processes.push_front(RecentProcess::new(*pid));
        }
        self.processes.truncate(MAX_RECENT_PROCESSES);
        late
    }

    fn update_by_pid(&mut self) {
        if let Some(last) = self.last_pid() {
            self.add_up_to(last, processes::is_process);
        }
    }

    fn add_up_to(&mut self, last: u32, is_process: impl Fn(u32) -> bool) {
        let previous = self.last_seen_pid.replace(last);
        if previous == Some(last) {
            return;
        }
        // After the highest PID, the kernel assigns low numbers again.
        let previous = previous.filter(|previous| *previous < last);
        let oldest = last.saturating_sub(MAX_PIDS_PER_SCAN);
        let first = previous.map_or(oldest, |previous| oldest.max(previous + 1));
        for pid in first..=last {
            match is_process(pid) {
                true => self.processes.push_front(RecentProcess::new(pid)),
                false => self.absent_pids.push_front(pid),
            }
        }
        self.processes.truncate(MAX_RECENT_PROCESSES);
        self.absent_pids.truncate(MAX_ABSENT_PIDS);
    }

    /// Removes a process that has exited.
    pub(super) fn remove(&mut self, pid: u32) {
        self.processes.retain(|process| process.pid != pid);
    }
}

impl RecentProcess {
    fn new(pid: u32) -> RecentProcess {
        RecentProcess {
            pid,
            is_scanned: false,
            parent: None,
        }
    }

    /// Returns the PID if the process is a child of one of `parents`. The PID of its parent is read
    /// once.
    fn pid_if_child_of(&mut self, parents: &[u32]) -> Option<u32> {
        if self.parent.is_none() {
            let identity = ProcHandle::new(self.pid).and_then(|handle| handle.identity());
            self.parent = identity.ok().map(|identity| identity.parent);
        }
        parents.contains(&self.parent?).then_some(self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_listed_once_and_newest_first() {
        let mut forks = RecentForks::default();
        let pids = |forks: &RecentForks| forks.pids().collect::<Vec<u32>>();
        let even = |pid: u32| pid.is_multiple_of(2);
        forks.add_up_to(10, |pid| pid > 6);
        assert_eq!(pids(&forks), [10, 9, 8, 7]);
        forks.add_up_to(10, |_| true);
        forks.add_up_to(15, even);
        assert_eq!(pids(&forks), [14, 12, 10, 9, 8, 7]);
        forks.remove(9);
        // 13 was still being created.
        assert_eq!(forks.add_late(|pid| pid == 13), [13]);
        assert_eq!(pids(&forks), [13, 14, 12, 10, 8, 7]);
        assert!(forks.add_late(|pid| pid == 13).is_empty());
        forks.remove(13);
        // The kernel assigns low numbers again.
        forks.add_up_to(4, even);
        assert_eq!(pids(&forks), [4, 2, 0, 14, 12, 10, 8, 7]);
        forks.add_up_to(100_000, |_| true);
        assert_eq!(forks.pids().count(), MAX_RECENT_PROCESSES);
        assert_eq!(forks.pids().next(), Some(100_000));
        forks.mark_scanned(100_000);
        assert_eq!(
            forks.pids_by_scan_state(true).collect::<Vec<u32>>(),
            [100_000]
        );
        assert_eq!(forks.pids_by_scan_state(false).next(), Some(99_999));
    }
}
