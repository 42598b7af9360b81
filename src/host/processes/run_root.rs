//! Descendants of `lcap run`, which are the processes of its command.

use std::io;

use super::ProcHandle;
#[cfg(feature = "cli")]
use super::all_pids;
#[cfg(feature = "cli")]
use crate::process::Process;
use crate::process::{ProcessIdentity, RunMembership};

/// This process, as the ancestor of a command and of all processes that the command starts.
///
/// The process is their subreaper (PR_SET_CHILD_SUBREAPER(2const)): if the parent of a descendant
/// exits, the kernel makes this process its parent. So the parents in /proc lead from every
/// descendant to this process, however it was started, and whatever its environment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunRoot {
    /// The PID.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    start_time: u64,
    /// The PID of a child that is not a process of the command.
    own_child: Option<u32>,
}

/// Maximum number of identities that are read to find the ancestors of a process.
const MAX_READS: usize = 256;

impl RunRoot {
    /// Makes this process the subreaper of its descendants, and returns it.
    ///
    /// # Errors
    /// /proc is not mounted, or belongs to another PID namespace.
    #[cfg(feature = "cli")]
    pub fn adopt_descendants() -> io::Result<RunRoot> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let pid = std::process::id();
        let start_time = ProcHandle::new(pid)?.identity()?.start_time;
        Ok(RunRoot {
            pid,
            start_time,
            own_child: None,
        })
    }

    /// Excludes a child of this process from the processes of the command.
    #[cfg(feature = "cli")]
    pub fn excluding(self, own_child: Option<u32>) -> RunRoot {
        RunRoot { own_child, ..self }
    }

    /// Returns the relation of a process to the command: unknown if an ancestor cannot be read.
    pub fn membership(&self, process: &ProcessIdentity) -> RunMembership {
        self.membership_by(process, |pid| ProcHandle::new(pid)?.identity())
    }

    fn membership_by(
        &self,
        process: &ProcessIdentity,
        read: impl Fn(u32) -> io::Result<ProcessIdentity>,
    ) -> RunMembership {
        let mut current = process.clone();
        for _ in 0..MAX_READS {
            if current.parent == self.pid {
                return match Some(current.pid) == self.own_child {
                    true => RunMembership::Other,
                    false => RunMembership::Member { root: self.pid },
                };
            }
            // A process is not older than its ancestors. PID 1 has no parent.
            if current.start_time < self.start_time || current.parent == 0 {
                return RunMembership::Other;
            }
            current = match read(current.parent) {
                Ok(parent) if parent.start_time <= current.start_time => parent,
                // The parent has exited, and its PID may be reused: another process adopted this
                // one.
                _ => match read(current.pid) {
                    Ok(adopted)
                        if adopted.start_time == current.start_time
                            && adopted.parent != current.parent =>
                    {
                        adopted
                    }
                    _ => return RunMembership::Unknown,
                },
            };
        }
        RunMembership::Unknown
    }

    /// Returns the processes of the command that have not exited, in ascending order of PID.
    #[cfg(feature = "cli")]
    pub fn running_members(&self) -> Vec<Process> {
        let running = all_pids().into_iter().rev().filter_map(|pid| {
            let handle = ProcHandle::new(pid).ok()?;
            let identity = handle.identity_in_run(Some(*self)).ok()?;
            let is_member = matches!(identity.run, RunMembership::Member { .. });
            (is_member && handle.state() != Some(b'Z')).then(|| handle.describe(identity))
        });
        running.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const ROOT: RunRoot = RunRoot {
        pid: 50,
        start_time: 100,
        own_child: Some(53),
    };
    const MEMBER: RunMembership = RunMembership::Member { root: 50 };

    fn process(pid: u32, parent: u32, start_time: u64) -> ProcessIdentity {
        ProcessIdentity {
            pid,
            parent,
            start_time,
            ..ProcessIdentity::default()
        }
    }

    fn find(table: &[ProcessIdentity], pid: u32) -> io::Result<ProcessIdentity> {
        let found = table.iter().find(|process| process.pid == pid);
        found.cloned().ok_or(io::ErrorKind::NotFound.into())
    }

    #[test]
    fn ancestors_determine_the_membership() {
        let table = [
            process(1, 0, 1),
            process(40, 1, 90),
            process(50, 40, 100),
            process(51, 50, 100),
            process(52, 51, 130),
            process(53, 50, 101),
            process(60, 40, 120),
            process(61, 60, 121),
            // The PID of its parent was reused.
            process(62, 63, 122),
            process(63, 50, 123),
        ];
        for (pid, expected) in [
            (51, MEMBER),
            (52, MEMBER),
            (50, RunMembership::Other),
            (53, RunMembership::Other),
            (1, RunMembership::Other),
            (61, RunMembership::Other),
            (62, RunMembership::Unknown),
        ] {
            let start = find(&table, pid).expect("a process");
            let found = ROOT.membership_by(&start, |pid| find(&table, pid));
            assert_eq!(found, expected, "{pid}");
        }
        let orphan = process(70, 71, 140);
        let found = ROOT.membership_by(&orphan, |pid| find(&table, pid));
        assert_eq!(found, RunMembership::Unknown);
    }

    #[test]
    fn process_whose_parent_exits_meanwhile_is_followed_to_its_new_parent() {
        let has_exited = Cell::new(false);
        let read = |pid| match (pid, has_exited.replace(true)) {
            (52, _) => Ok(process(52, 50, 130)),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        assert_eq!(ROOT.membership_by(&process(52, 51, 130), read), MEMBER);
    }

    #[test]
    fn endless_ancestors_are_unknown() {
        let read = |pid: u32| Ok(process(pid, pid + 1, 130));
        let found = ROOT.membership_by(&process(60, 61, 130), read);
        assert_eq!(found, RunMembership::Unknown);
    }
}
