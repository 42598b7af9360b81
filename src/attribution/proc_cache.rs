//! Cache of processes and their sockets, filled by scans of /proc.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::proc_worker::ProcWorker;
use super::recent_forks::RecentForks;
use crate::host::processes::ProcHandle;
use crate::host::processes::fork_events::{ForkEvent, ForkEvents};
use crate::host::proxies;
use crate::process::{Process, ProcessIdentity, RunMembership};

/// Processes that were scanned, and the sockets seen in the scans.
#[derive(Debug)]
pub(super) struct ProcCache {
    /// Recently forked processes.
    pub(super) recent_forks: RecentForks,
    /// Descriptions by PID. A different start time means a different process; a different name
    /// means a different program.
    processes: HashMap<u32, Arc<Process>>,
    /// Holders of sockets that were seen in scans for other sockets: PID and descriptor by inode.
    seen_sockets: HashMap<u32, (u32, u32)>,
    /// Descriptors of the sockets that were found, by inode.
    descriptors: HashMap<u32, u32>,
    /// Descriptor of the last socket that was found: similar processes usually have their sockets
    /// at the same descriptor.
    usual_descriptor: u32,
    /// Holders pinned by the last scan.
    pinned: Vec<SocketHolder>,
    /// Holders found by scans immediately after fork(2), the most recent first.
    fork_snapshots: VecDeque<SocketHolder>,
    pub(super) worker: ProcWorker,
}

/// A process that has, or had, a socket. Its /proc directory is open until its details are read, so
/// that it can exit in the meantime.
#[derive(Debug)]
pub(super) struct SocketHolder {
    pub(super) process: Arc<Process>,
    /// The descriptor and the inode of the socket.
    pub(super) descriptor: u32,
    inode: u32,
}

/// The first descriptor after the standard ones.
const FIRST_NONSTANDARD_DESCRIPTOR: u32 = 3;
/// Maximum number of cached sockets that were seen in scans for other sockets.
const MAX_SEEN_SOCKETS: usize = 4096;
/// Maximum number of other sockets that a scan of one process caches; beyond it, the scan stops
/// once it has found the socket.
const MAX_SCANNED_SOCKETS: usize = 16;
/// Maximum number of holders found after fork(2).
const MAX_FORK_SNAPSHOTS: usize = 256;
/// Maximum number of cached descriptions.
const MAX_CACHED_PROCESSES: usize = 4096;

impl ProcCache {
    pub(super) fn new(worker: ProcWorker, fork_events: Option<ForkEvents>) -> ProcCache {
        ProcCache {
            recent_forks: RecentForks::new(fork_events),
            processes: HashMap::new(),
            seen_sockets: HashMap::new(),
            descriptors: HashMap::new(),
            usual_descriptor: FIRST_NONSTANDARD_DESCRIPTOR,
            pinned: Vec::new(),
            fork_snapshots: VecDeque::new(),
            worker,
        }
    }

    /// Scans a process for the socket with this inode.
    ///
    /// # Errors
    /// The process has exited, or its descriptors cannot be read for lack of permission.
    pub(super) fn holder(&mut self, pid: u32, inode: u32) -> io::Result<Option<SocketHolder>> {
        let handle = ProcHandle::new(pid).inspect_err(|_| self.recent_forks.remove(pid))?;
        self.recent_forks.mark_scanned(pid);
        let (mut found, mut count) = (None, 0);
        self.clear_if_full();
        handle.for_each_socket(|descriptor, other| {
            count += 1;
            if other == inode {
                found = found.or(Some(descriptor));
            } else if count <= MAX_SCANNED_SOCKETS {
                self.seen_sockets.insert(other, (pid, descriptor));
            }
            // The other sockets of a client are likely to be looked up soon; a server can have too
            // many to cache.
            match found.is_some() && count > MAX_SCANNED_SOCKETS {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        let pin = |descriptor| self.pin(handle, descriptor, inode);
        let holder = found.map(pin).transpose()?;
        Ok(holder.map(|holder| self.cache_descriptor(holder)))
    }

    /// Returns the first of these processes that has the socket at the usual descriptor.
    pub(super) fn usual_holder(&mut self, pids: &[u32], inode: u32) -> Option<SocketHolder> {
        self.clear_if_full();
        let mut pids = pids.iter();
        let holder = pids.find_map(|&pid| self.pin_if_holder(pid, &[inode]))?;
        Some(self.cache_descriptor(holder))
    }

    /// Pins those of the processes `pids` that have any of the sockets `inodes` at the usual
    /// descriptor. This is done before all slower lookups, during which other processes can exit.
    pub(super) fn pin_holders(&mut self, pids: &[u32], inodes: impl Iterator<Item = u32>) {
        self.clear_if_full();
        self.pinned.clear();
        let inodes: Vec<u32> = inodes.filter(|inode| *inode != 0).collect();
        for &pid in pids {
            if self.pinned.len() == inodes.len() {
                break;
            }
            let pinned = self.pin_if_holder(pid, &inodes);
            self.pinned.extend(pinned);
        }
    }

    /// Pins a process if it has one of these sockets at the usual descriptor. Caches any other
    /// socket at that descriptor.
    fn pin_if_holder(&mut self, pid: u32, inodes: &[u32]) -> Option<SocketHolder> {
        let descriptor = self.usual_descriptor;
        let Ok(handle) = ProcHandle::new(pid) else {
            self.recent_forks.remove(pid);
            return None;
        };
        let inode = handle.socket_inode(descriptor)?;
        if !inodes.contains(&inode) {
            self.seen_sockets.insert(inode, (pid, descriptor));
            self.recent_forks.mark_scanned(pid);
            return None;
        }
        self.pin(handle, descriptor, inode).ok()
    }

    /// Scans a process immediately after fork(2). Returns false if it has exited, has no sockets,
    /// or is not a child of the parent in the event.
    pub(super) fn snapshot_fork(&mut self, fork: &ForkEvent) -> bool {
        let Ok(handle) = ProcHandle::new(fork.pid) else {
            return false;
        };
        let usual = self.usual_descriptor;
        let mut sockets: Vec<(u32, u32)> = Vec::new();
        sockets.extend(handle.socket_inode(usual).map(|inode| (usual, inode)));
        if sockets.is_empty() {
            // There is no usual descriptor so far, or this process does not use it.
            let _ = handle.for_each_socket(|descriptor, inode| {
                sockets.push((descriptor, inode));
                match sockets.len() < MAX_SCANNED_SOCKETS {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            });
        }
        let Ok(identity) = handle.identity_in_run(self.worker.run) else {
            return false;
        };
        if sockets.is_empty() || identity.parent != fork.parent {
            return false;
        }
        let process = self.describe(handle, identity);
        for (descriptor, inode) in sockets {
            self.fork_snapshots.push_front(SocketHolder {
                process: Arc::clone(&process),
                descriptor,
                inode,
            });
        }
        self.fork_snapshots.truncate(MAX_FORK_SNAPSHOTS);
        true
    }

    /// Returns the process that was pinned with this socket, or had it immediately after fork(2).
    pub(super) fn pinned_holder(&mut self, inode: u32) -> Option<SocketHolder> {
        let is_holder = |holder: &SocketHolder| holder.inode == inode;
        let holder = if let Some(at) = self.pinned.iter().position(is_holder) {
            self.pinned.swap_remove(at)
        } else {
            // Each socket of a snapshot is used once: later checks inspect the process again.
            let at = self.fork_snapshots.iter().position(is_holder)?;
            self.fork_snapshots.remove(at)?
        };
        Some(self.cache_descriptor(holder))
    }

    fn clear_if_full(&mut self) {
        if self.seen_sockets.len() > MAX_SEEN_SOCKETS {
            self.seen_sockets.clear();
        }
        if self.descriptors.len() > MAX_SEEN_SOCKETS {
            self.descriptors.clear();
        }
    }

    /// Returns a process if it has the socket at this descriptor: one check instead of one per
    /// descriptor. A process that inherits a socket has it at the same descriptor.
    pub(super) fn holder_at(
        &mut self,
        pid: u32,
        descriptor: u32,
        inode: u32,
    ) -> Option<SocketHolder> {
        let handle = ProcHandle::new(pid).ok()?;
        if handle.socket_inode(descriptor)? != inode {
            return None;
        }
        let holder = self.pin(handle, descriptor, inode).ok()?;
        Some(self.cache_descriptor(holder))
    }

    /// Sets the descriptor at which the last socket was found; similar processes are likely to use
    /// it, too.
    pub(super) fn set_usual_descriptor(&mut self, descriptor: u32) {
        self.usual_descriptor = descriptor;
    }

    /// Returns the descriptor at which the socket was found.
    pub(super) fn descriptor(&self, inode: u32) -> Option<u32> {
        self.descriptors.get(&inode).copied()
    }

    /// Pins a process that has just been seen with a socket at this descriptor.
    fn pin(&mut self, handle: ProcHandle, descriptor: u32, inode: u32) -> io::Result<SocketHolder> {
        let identity = handle.identity_in_run(self.worker.run)?;
        Ok(SocketHolder {
            process: self.describe(handle, identity),
            descriptor,
            inode,
        })
    }

    fn cache_descriptor(&mut self, holder: SocketHolder) -> SocketHolder {
        self.descriptors.insert(holder.inode, holder.descriptor);
        holder
    }

    /// Returns the process in which a scan for another socket found this socket, if it still has
    /// it.
    pub(super) fn seen_holder(&mut self, inode: u32) -> Option<SocketHolder> {
        let (pid, descriptor) = self.seen_sockets.remove(&inode)?;
        self.holder_at(pid, descriptor, inode)
    }

    fn describe(&mut self, handle: ProcHandle, identity: ProcessIdentity) -> Arc<Process> {
        if let Some(cached) = self.processes.get(&identity.pid)
            && cached.start_time == identity.start_time
            && cached.comm == identity.comm
            // Unknown, because an ancestor exited during the lookup.
            && (cached.run == identity.run || identity.run == RunMembership::Unknown)
        {
            return Arc::clone(cached);
        }
        // The directory stays open until the details are read; if the process exits before that,
        // they remain unknown.
        let process = Arc::new(Process::with_lazy_details(identity, move |identity| {
            proxies::with_target(handle.read_details(&identity))
        }));
        self.worker.describe(&process);
        if self.processes.len() >= MAX_CACHED_PROCESSES {
            self.processes.clear();
        }
        self.processes.insert(process.pid, Arc::clone(&process));
        process
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::link::{self, Sender};
    use crate::host::processes::priority::UsualPriority;
    use std::net::UdpSocket;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::process::{Command, Stdio};

    fn socket() -> (UdpSocket, u32) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let inode = rustix::fs::fstat(&socket).expect("its inode").st_ino;
        (socket, inode as u32)
    }

    fn worker() -> ProcWorker {
        let (_, socket) = link::pair().expect("sockets");
        let (answers, _) = Sender::new::<()>(socket).expect("a waker");
        let stop = crate::source::Stop::new().expect("a pipe");
        let priority = UsualPriority::before_raise();
        ProcWorker::start(&answers, stop, None, priority)
            .expect("a thread")
            .0
    }

    #[test]
    fn holder_is_found_with_its_descriptor() {
        let ((socket, inode), (_other, other_inode)) = (socket(), socket());
        let own_pid = std::process::id();
        let mut cache = ProcCache::new(worker(), None);
        let found = cache.holder(own_pid, inode).expect("an answer");
        let found = found.expect("this process");
        assert_eq!(found.process.pid, own_pid);
        assert_eq!(found.descriptor, socket.as_raw_fd() as u32);
        assert_eq!(cache.descriptor(inode), Some(found.descriptor));
        cache.set_usual_descriptor(found.descriptor);
        assert!(cache.usual_holder(&[own_pid], inode).is_some());
        assert!(cache.holder_at(own_pid, found.descriptor, inode).is_some());
        assert!(
            cache
                .holder_at(own_pid, found.descriptor, other_inode)
                .is_none()
        );
        // The scan cached the other socket, unless there were too many sockets.
        let seen = cache.seen_holder(other_inode);
        assert!(seen.is_none_or(|seen| seen.process.pid == own_pid));
        drop(socket);
        assert!(cache.holder_at(own_pid, found.descriptor, inode).is_none());
    }

    #[test]
    fn pinned_process_is_described_after_it_exits() {
        let (socket, inode) = socket();
        let input = Stdio::from(OwnedFd::from(socket));
        let child = Command::new("sleep").arg("60").stdin(input).spawn();
        let mut child = child.expect("sleep");
        let (mut cache, own_pid) = (ProcCache::new(worker(), None), std::process::id());
        assert!(
            cache
                .recent_forks
                .children(0, &[own_pid])
                .contains(&child.id())
        );
        assert!(
            cache
                .recent_forks
                .unscanned_children(&[own_pid])
                .contains(&child.id())
        );
        cache.usual_descriptor = 0;
        cache.pin_holders(&[child.id()], [inode, 0].into_iter());
        child.kill().expect("a running process");
        child.wait().expect("an exit status");
        let pinned = cache.pinned_holder(inode).expect("the pinned process");
        assert_eq!(
            (pinned.process.pid, pinned.process.parent),
            (child.id(), own_pid)
        );
        assert_eq!(pinned.process.name(), "sleep");
        assert!(cache.pinned_holder(inode).is_none());
    }
}
