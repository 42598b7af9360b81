//! Search for the processes that have a socket: first among the likely candidates, then in all of
//! /proc.

use std::io;
use std::sync::Arc;

use super::{SearchScope, SocketResolver};
use crate::attribution::proc_cache::SocketHolder;
use crate::host::processes::{self, ProcHandle};
use crate::host::sockets::sock_diag::SocketInfo;
use crate::packet::Endpoints;
use crate::process::{Evidence, Owner, Process, RunMembership};

/// Number of the most recent holders that are checked before recently forked processes that were
/// already scanned.
const PRIORITY_HOLDER_COUNT: usize = 2;
/// Maximum number of recorded recent holders.
const MAX_RECENT_HOLDERS: usize = 32;

impl SocketResolver {
    /// Checks the likely candidates for a newly created socket, in this order: recently forked
    /// processes that were not scanned so far, because most of them create a socket; the latest
    /// holders, because some processes create one socket after another; other recent processes; and
    /// earlier holders.
    pub(super) fn holder_among_candidates(
        &mut self,
        endpoints: &Endpoints,
        inode: u32,
    ) -> Option<SocketHolder> {
        let pinned = self.proc_cache.pinned_holder(inode);
        if let Some(holder) = pinned.or_else(|| self.proc_cache.seen_holder(inode)) {
            return Some(holder);
        }
        let late = self.proc_cache.recent_forks.update_with_late();
        if let Some(holder) = self.proc_cache.usual_holder(&late, inode) {
            return Some(holder);
        }
        // A check of all candidates takes long enough for other clients to exit, and is useless
        // after the socket is closed.
        if !self.has_socket(endpoints, inode) {
            return None;
        }
        let (forks, holders) = (&self.proc_cache.recent_forks, &self.recent_holders);
        let holder_pids = || holders.iter().copied();
        let scanned = forks.pids_by_scan_state(true);
        let mut candidates: Vec<u32> = forks.pids_by_scan_state(false).collect();
        candidates.extend(holder_pids().take(PRIORITY_HOLDER_COUNT));
        candidates.extend(scanned.filter(|pid| !holders.contains(pid)));
        candidates.extend(holder_pids().skip(PRIORITY_HOLDER_COUNT));
        if let Some(holder) = self.proc_cache.usual_holder(&candidates, inode) {
            return Some(holder);
        }
        // A scan of all descriptors takes long, and is useless after the socket is closed.
        candidates.into_iter().find_map(|pid| {
            let is_open = self.has_socket(endpoints, inode);
            let check = || self.proc_cache.holder(pid, inode).ok().flatten();
            is_open.then(check).flatten()
        })
    }

    /// Returns the parent of a process that has a socket, if the parent has it, too.
    pub(super) fn parent_holder(
        &mut self,
        child: &SocketHolder,
        inode: u32,
    ) -> Option<SocketHolder> {
        let parent = child.process.parent;
        self.proc_cache.holder_at(parent, child.descriptor, inode)
    }

    /// Returns the owner of an accepted socket: the processes that have it.
    pub(super) fn acceptor(
        &mut self,
        endpoints: &Endpoints,
        socket: &SocketInfo,
        listeners: &[Arc<Process>],
        scope: SearchScope,
    ) -> Owner {
        let inode = socket.inode;
        let listeners: Vec<u32> = listeners.iter().map(|process| process.pid).collect();
        let forks = &mut self.proc_cache.recent_forks;
        forks.update();
        let forks: Vec<u32> = match scope {
            // The sockets of forked processes were recorded immediately after fork(2).
            SearchScope::ForkedSince(_) if forks.fork_events().is_some() => Vec::new(),
            SearchScope::ForkedSince(since) => forks.children(since, &listeners),
            SearchScope::StartedSince(since) => {
                forks.pids().take_while(|pid| *pid > since).collect()
            }
            SearchScope::Candidates | SearchScope::FirstHolder => forks.children(0, &listeners),
        };
        let cached = self.proc_cache.descriptor(inode);
        let mut found: Vec<SocketHolder> = Vec::new();
        match (scope, cached) {
            (SearchScope::ForkedSince(_), Some(descriptor)) => {
                let mut check = |pid: &u32| self.proc_cache.holder_at(*pid, descriptor, inode);
                found.extend(listeners.iter().chain(&forks).filter_map(&mut check));
                found.extend(self.proc_cache.pinned_holder(inode));
            }
            (SearchScope::StartedSince(_), _) => {}
            _ => {
                let cache = &mut self.proc_cache;
                let candidate = cache.pinned_holder(inode);
                let candidate = candidate.or_else(|| cache.seen_holder(inode));
                let candidate = candidate.or_else(|| cache.usual_holder(&listeners, inode));
                found.extend(candidate.or_else(|| cache.usual_holder(&forks, inode)));
            }
        }
        // A scan of all descriptors takes long, and is useless after the socket is closed.
        if found.is_empty() && !self.has_socket(&endpoints.reversed(), inode) {
            return Owner::unknown(Evidence::Gone, Some(socket.uid));
        }
        let mut check = |pid: &u32| self.proc_cache.holder(*pid, inode).ok().flatten();
        if found.is_empty() {
            found.extend(listeners.iter().filter_map(&mut check));
            if found.is_empty() || matches!(scope, SearchScope::StartedSince(_)) {
                found.extend(forks.iter().filter_map(&mut check));
            }
        }
        if let Some(first) = found.first() {
            self.proc_cache.set_usual_descriptor(first.descriptor);
        }
        // The parent from which a child inherited the socket can still have it.
        let mut at = 0;
        while let Some(child) = found.get(at) {
            let parent = child.process.parent;
            if !found.iter().any(|holder| holder.process.pid == parent) {
                let parent = self.parent_holder(&found[at], socket.inode);
                found.extend(parent);
            }
            at += 1;
        }
        match scope {
            _ if !found.is_empty() => self.owner_from_holders(found, socket),
            SearchScope::Candidates | SearchScope::ForkedSince(_) => {
                Owner::unknown(Evidence::Gone, Some(socket.uid))
            }
            SearchScope::FirstHolder | SearchScope::StartedSince(_) => {
                self.scan_all_processes(socket)
            }
        }
    }

    /// Searches all processes for a socket.
    pub(super) fn scan_all_processes(&mut self, socket: &SocketInfo) -> Owner {
        let mut found = Vec::new();
        // Processes that can have the socket, but whose descriptors cannot be read.
        let mut hidden = Vec::new();
        let run = self.proc_cache.worker.run;
        for pid in processes::all_pids() {
            match self.proc_cache.holder(pid, socket.inode) {
                Ok(holder) => found.extend(holder),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    let identity =
                        ProcHandle::new(pid).and_then(|handle| handle.identity_in_run(run));
                    let identity = identity.ok();
                    hidden.extend(identity.filter(|identity| identity.uid == socket.uid));
                }
                // The process has exited.
                Err(_) => {}
            }
        }
        match found.is_empty() {
            true if !hidden.is_empty() => Owner {
                hidden_run: match hidden
                    .iter()
                    .all(|process| process.run == RunMembership::Other)
                {
                    true => RunMembership::Other,
                    false => RunMembership::Unknown,
                },
                ..Owner::unknown(Evidence::NotPermitted, Some(socket.uid))
            },
            // Under hidepid (proc(5)), or in a container, not even the process is visible.
            true if socket.uid != self.own_uid && self.still_exists(socket) => {
                Owner::unknown(Evidence::NotPermitted, Some(socket.uid))
            }
            true => Owner::unknown(Evidence::Gone, Some(socket.uid)),
            false => self.owner_from_holders(found, socket),
        }
    }

    /// Returns the owner of a socket with these holders, and records them as recent holders.
    pub(super) fn owner_from_holders(
        &mut self,
        found: Vec<SocketHolder>,
        socket: &SocketInfo,
    ) -> Owner {
        let mut found: Vec<Arc<Process>> = found.into_iter().map(|holder| holder.process).collect();
        found.sort_unstable_by_key(|process| process.pid);
        found.dedup_by_key(|process| process.pid);
        for process in &found {
            self.recent_holders.retain(|pid| *pid != process.pid);
            self.recent_holders.push_front(process.pid);
        }
        self.recent_holders.truncate(MAX_RECENT_HOLDERS);
        Owner {
            processes: found,
            ..Owner::unknown(Evidence::Holds, Some(socket.uid))
        }
    }
}
