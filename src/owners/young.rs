//! Processes that have begun lately: among them are the clients that end soon.

use std::collections::VecDeque;

use crate::host::births::{Birth, Births};
use crate::host::processes::{self, Held, LastPid};

/// So many are remembered.
const MOST: usize = 256;
/// So many numbers are tried once more.
const ABSENT: usize = 64;
/// No more numbers are tried at once.
const AT_ONCE: u32 = 1024;

/// Processes that have begun lately.
#[derive(Debug, Default)]
pub(super) struct Young {
    /// The last one first. Some have ended.
    processes: VecDeque<Newcomer>,
    /// Where the kernel tells of each, and those that nobody has looked at since.
    births: Option<Births>,
    born: Vec<Birth>,
    /// Where it tells which number it gave away last, and the last one that is known of.
    given: Option<LastPid>,
    last: Option<u32>,
    /// Numbers that were given away lately and were no process's then: a thread's, or that of a process that was just being made.
    absent: VecDeque<u32>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
struct Newcomer {
    pid: u32,
    /// Whether it was asked before what sockets it has.
    was_asked: bool,
    /// Whose child it was when that was asked.
    parent: Option<u32>,
}

impl Young {
    /// Everybody who has begun before, and is there, is among them, as far as so many are remembered.
    pub(super) fn new(births: Option<Births>) -> Young {
        let mut young = Young {
            births,
            given: LastPid::open().ok(),
            ..Young::default()
        };
        young.look_by_number();
        young
    }

    /// Where the kernel tells of each.
    pub(super) fn births(&self) -> Option<&Births> {
        self.births.as_ref()
    }

    /// Those that it has told of since this was asked last.
    pub(super) fn take_born(&mut self) -> Vec<Birth> {
        self.look();
        std::mem::take(&mut self.born)
    }

    /// The number that the kernel gave away last, to a process or a thread.
    pub(super) fn last_pid(&self) -> Option<u32> {
        self.given.as_ref()?.get()
    }

    /// Their numbers, the last one first.
    pub(super) fn pids(&self) -> impl Iterator<Item = u32> {
        self.processes.iter().map(|process| process.pid)
    }

    /// The same of those who were asked before what sockets they have, or were not.
    pub(super) fn pids_if(&self, was_asked: bool) -> impl Iterator<Item = u32> {
        let those = move |process: &&Newcomer| process.was_asked == was_asked;
        self.processes
            .iter()
            .filter(those)
            .map(|process| process.pid)
    }

    /// Those that have begun after this number was given away and are children of one of these.
    pub(super) fn children(&mut self, since: u32, parents: &[u32]) -> Vec<u32> {
        let younger = self.processes.iter_mut();
        let younger = younger.take_while(|process| process.pid > since);
        let children = younger.filter_map(|process| process.is_child(parents));
        children.collect()
    }

    /// Those that were not asked before what sockets they have, and are children of one of these.
    pub(super) fn new_children(&mut self, parents: &[u32]) -> Vec<u32> {
        let new = self.processes.iter_mut();
        let new = new.filter(|process| !process.was_asked);
        let children = new.filter_map(|process| process.is_child(parents));
        children.collect()
    }

    /// One of them, perhaps, is asked what sockets it has.
    pub(super) fn is_asked(&mut self, pid: u32) {
        let mut processes = self.processes.iter_mut();
        if let Some(process) = processes.find(|process| process.pid == pid) {
            process.was_asked = true;
        }
    }

    /// Adds who has begun since this was called last.
    pub(super) fn look(&mut self) {
        let Some(births) = &mut self.births else {
            return self.look_by_number();
        };
        while let Some(birth) = births.take() {
            self.last = Some(birth.pid);
            self.processes.push_front(Newcomer {
                parent: Some(birth.parent),
                ..Newcomer::new(birth.pid)
            });
            self.born.push(birth);
        }
        self.processes.truncate(MOST);
        if births.has_lost() {
            self.look_by_number();
        }
        self.born.truncate(MOST);
    }

    /// The same, and who has become a process since.
    pub(super) fn look_again(&mut self) -> Vec<u32> {
        self.look();
        self.add_late(processes::is_process)
    }

    fn add_late(&mut self, is_process: impl Fn(u32) -> bool) -> Vec<u32> {
        let absent = std::mem::take(&mut self.absent).into_iter();
        let (late, absent): (Vec<u32>, Vec<u32>) = absent.partition(|pid| is_process(*pid));
        self.absent = absent.into();
        for pid in &late {
            self.processes.push_front(Newcomer::new(*pid));
        }
        self.processes.truncate(MOST);
        late
    }

    fn look_by_number(&mut self) {
        if let Some(last) = self.last_pid() {
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
        for pid in first..=last {
            match is_process(pid) {
                true => self.processes.push_front(Newcomer::new(pid)),
                false => self.absent.push_front(pid),
            }
        }
        self.processes.truncate(MOST);
        self.absent.truncate(ABSENT);
    }

    /// Forgets who has ended.
    pub(super) fn forget(&mut self, pid: u32) {
        self.processes.retain(|young| young.pid != pid);
    }
}

impl Newcomer {
    fn new(pid: u32) -> Newcomer {
        Newcomer {
            pid,
            was_asked: false,
            parent: None,
        }
    }

    /// Its number, if it is a child of one of these. Whose it is is asked once.
    fn is_child(&mut self, parents: &[u32]) -> Option<u32> {
        if self.parent.is_none() {
            let identity = Held::new(self.pid).and_then(|held| held.identity());
            self.parent = identity.ok().map(|identity| identity.parent);
        }
        parents.contains(&self.parent?).then_some(self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_seen_once_and_the_last_is_first() {
        let mut young = Young::default();
        let pids = |young: &Young| young.pids().collect::<Vec<u32>>();
        let even = |pid: u32| pid.is_multiple_of(2);
        young.add(10, |pid| pid > 6);
        assert_eq!(pids(&young), [10, 9, 8, 7]);
        young.add(10, |_| true);
        young.add(15, even);
        assert_eq!(pids(&young), [14, 12, 10, 9, 8, 7]);
        young.forget(9);
        // 13 was being made.
        assert_eq!(young.add_late(|pid| pid == 13), [13]);
        assert_eq!(pids(&young), [13, 14, 12, 10, 8, 7]);
        assert!(young.add_late(|pid| pid == 13).is_empty());
        young.forget(13);
        // The numbers begin again.
        young.add(4, even);
        assert_eq!(pids(&young), [4, 2, 0, 14, 12, 10, 8, 7]);
        young.add(100_000, |_| true);
        assert_eq!(young.pids().count(), MOST);
        assert_eq!(young.pids().next(), Some(100_000));
        young.is_asked(100_000);
        assert_eq!(young.pids_if(true).collect::<Vec<u32>>(), [100_000]);
        assert_eq!(young.pids_if(false).next(), Some(99_999));
    }
}
