//! Lookup of the processes at one end of a connection: the kernel is queried for the socket, and
//! /proc for the processes that have it.
//!
//! A scan of all descriptors of all processes takes a third of a millisecond on an idle machine,
//! and longer on a busy one. So the likely candidates are checked first: recently forked processes,
//! and those that had a socket in an earlier lookup.

mod search;

use std::collections::VecDeque;
use std::sync::Arc;

use super::proc_cache::ProcCache;
use super::proc_worker::ProcWorker;
use crate::host::processes::fork_events::ForkEvents;
use crate::host::sockets::sock_diag::SockDiag;
use crate::host::sockets::sock_diag::{SocketInfo, SocketState};
use crate::packet::{Endpoints, TCP};
use crate::process::{Evidence, Owner, Process};

/// Looks up the processes at the ends of connections.
#[derive(Debug)]
pub(super) struct SocketResolver {
    sock_diag: SockDiag,
    /// The effective user ID of this process.
    own_uid: u32,
    /// Processes that had a socket in an earlier lookup, the most recent first.
    recent_holders: VecDeque<u32>,
    proc_cache: ProcCache,
}

/// Result of a lookup of the responder.
pub(super) enum ResponderLookup {
    /// The owner of the responder's socket, or the reason why it is unknown.
    Owner(Owner),
    /// The owner of the listening socket: no process has accepted the connection.
    NotAccepted(Owner),
    /// The owner of the listening socket: the kernel has no socket for the connection.
    NoConnection(Owner),
}

/// Processes that are searched for a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SearchScope {
    /// Only the likely candidates: during a scan of all processes, ten other clients can start and
    /// exit.
    Candidates,
    /// The likely candidates, and all processes if none of them has the socket.
    FirstHolder,
    /// The listeners, and those of their children that were forked after this PID was assigned: a
    /// socket inherited by fork(2) has the same descriptor.
    ForkedSince(u32),
    /// All processes that were started after this PID was assigned, at any descriptor.
    StartedSince(u32),
}

impl SocketResolver {
    /// Creates a resolver with an empty cache.
    pub(super) fn new(
        sock_diag: SockDiag,
        worker: ProcWorker,
        fork_events: Option<ForkEvents>,
    ) -> SocketResolver {
        SocketResolver {
            sock_diag,
            own_uid: rustix::process::geteuid().as_raw(),
            recent_holders: VecDeque::new(),
            proc_cache: ProcCache::new(worker, fork_events),
        }
    }

    /// Looks up the owner of a connection's originator.
    pub(super) fn originator(&mut self, endpoints: &Endpoints) -> Owner {
        let found = self.socket(endpoints);
        let found = self.originator_among_candidates(endpoints, found);
        found.unwrap_or_else(|socket| {
            let mut owner = self.scan_all_processes(&socket);
            let processes = &mut owner.processes;
            let pids: Vec<u32> = processes.iter().map(|process| process.pid).collect();
            processes.retain(|process| !pids.contains(&process.parent));
            owner
        })
    }

    /// Looks up the originators of several connections among the likely candidates. Returns `None`
    /// for each connection that requires a full scan, because the scan would delay the others too
    /// much. The state that can disappear soonest is read first.
    pub(super) fn originators_among_candidates(
        &mut self,
        connections: &[Endpoints],
    ) -> Vec<Option<Owner>> {
        let sockets = connections.iter().map(|endpoints| self.socket(endpoints));
        let sockets: Vec<Option<SocketInfo>> = sockets.collect();
        let inodes = sockets.iter().flatten().map(|socket| socket.inode);
        let forks = &mut self.proc_cache.recent_forks;
        forks.update();
        let unscanned: Vec<u32> = forks.pids_by_scan_state(false).collect();
        self.proc_cache.pin_holders(&unscanned, inodes);
        let lookups = connections.iter().zip(sockets);
        let owners =
            lookups.map(|(endpoints, found)| self.originator_among_candidates(endpoints, found));
        owners.map(Result::ok).collect()
    }

    /// Returns the socket at the `endpoints.src()` end of a connection.
    pub(super) fn socket(&self, endpoints: &Endpoints) -> Option<SocketInfo> {
        let found = self
            .sock_diag
            .find(endpoints.proto(), endpoints.src(), endpoints.dst());
        let is_own = |socket: &SocketInfo| socket.has_addresses(endpoints.src(), endpoints.dst());
        found.ok().flatten().filter(is_own)
    }

    /// Looks up the originator among the likely candidates. The error is the socket, if it still
    /// exists but none of the candidates has it.
    fn originator_among_candidates(
        &mut self,
        endpoints: &Endpoints,
        found: Option<SocketInfo>,
    ) -> Result<Owner, SocketInfo> {
        let gone = Ok(Owner::unknown(
            Evidence::Gone,
            found.as_ref().map(|socket| socket.uid),
        ));
        let Some(socket) = found.filter(|socket| socket.inode != 0) else {
            return gone;
        };
        let Some(mut creator) = self.holder_among_candidates(endpoints, socket.inode) else {
            return match self.has_socket(endpoints, socket.inode) {
                true => Err(socket),
                false => gone,
            };
        };
        self.proc_cache.set_usual_descriptor(creator.descriptor);
        // A forked process has all descriptors of its parent until it executes another program.
        while let Some(parent) = self.parent_holder(&creator, socket.inode) {
            creator = parent;
        }
        Ok(self.owner_from_holders(vec![creator], &socket))
    }

    fn still_exists(&self, socket: &SocketInfo) -> bool {
        let found = self
            .sock_diag
            .find(socket.proto, socket.local, socket.remote);
        found.is_ok_and(|found| found.is_some_and(|found| found.inode == socket.inode))
    }

    /// True if the socket at `endpoints.src()` still exists and has this inode.
    fn has_socket(&self, endpoints: &Endpoints, inode: u32) -> bool {
        let socket = self.socket(endpoints);
        socket.is_some_and(|socket| socket.inode == inode)
    }

    /// Looks up the responder of a connection for the first time. The connection can still be
    /// passed on to another process later.
    pub(super) fn initial_responder(&mut self, endpoints: &Endpoints, scope: SearchScope) -> Owner {
        let listeners = self.listening_owner(endpoints).map(|owner| owner.processes);
        let listeners = listeners.unwrap_or_default();
        match self.responder(endpoints, None, &listeners, scope) {
            ResponderLookup::Owner(mut owner) => {
                if endpoints.proto() == TCP && owner.evidence == Evidence::Holds {
                    owner.evidence = Evidence::Acceptor;
                }
                owner
            }
            ResponderLookup::NotAccepted(owner) | ResponderLookup::NoConnection(owner) => owner,
        }
    }

    /// Pins the recent, unscanned children of these processes that have any of these sockets,
    /// before slower lookups.
    pub(super) fn pin_children<'a>(
        &mut self,
        parents: &[u32],
        sockets: impl Iterator<Item = &'a SocketInfo>,
    ) {
        let forks = &mut self.proc_cache.recent_forks;
        forks.update();
        let children = forks.unscanned_children(parents);
        self.proc_cache
            .pin_holders(&children, sockets.map(|socket| socket.inode));
    }

    /// Returns the source of fork events, if the kernel sends them.
    pub(super) fn fork_events(&self) -> Option<&ForkEvents> {
        self.proc_cache.recent_forks.fork_events()
    }

    /// Scans each newly forked process whose parent listens or is relevant. Returns the parents of
    /// the scanned processes that have sockets.
    pub(super) fn snapshot_forks(&mut self, is_relevant: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut parents = Vec::new();
        for fork in self.proc_cache.recent_forks.take_forks() {
            let (worker, parent) = (&self.proc_cache.worker, fork.parent);
            if (is_relevant(parent) || worker.is_listening(parent))
                && self.proc_cache.snapshot_fork(&fork)
            {
                parents.push(fork.parent);
            }
        }
        parents
    }

    /// Looks up the responder of a connection. The listening processes are checked first, then the
    /// other processes in the scope. `socket` is the responder's socket if it was already looked
    /// up.
    pub(super) fn responder(
        &mut self,
        endpoints: &Endpoints,
        socket: Option<SocketInfo>,
        listeners: &[Arc<Process>],
        scope: SearchScope,
    ) -> ResponderLookup {
        let (proto, local, remote) = (endpoints.proto(), endpoints.dst(), endpoints.src());
        let find = |local, remote| self.sock_diag.find(proto, local, remote).ok().flatten();
        let Some(socket) = socket.or_else(|| find(local, remote)) else {
            // A refused client has no socket either; after a connection, one of its ends has a
            // socket in TIME_WAIT for a while.
            let other = find(remote, local);
            let was_connected = other.is_some_and(|socket| {
                socket.has_addresses(remote, local) && socket.state != SocketState::SynSent
            });
            let evidence = if was_connected {
                Evidence::Gone
            } else {
                Evidence::Nobody
            };
            return ResponderLookup::Owner(Owner::unknown(evidence, None));
        };
        if socket.state == SocketState::Listening && socket.local.port() == local.port() {
            return ResponderLookup::NoConnection(self.listener(&socket));
        }
        if !socket.has_addresses(local, remote) {
            return ResponderLookup::Owner(Owner::unknown(Evidence::Nobody, None));
        }
        if socket.inode != 0 {
            let owner = self.acceptor(endpoints, &socket, listeners, scope);
            if proto != TCP || owner.evidence != Evidence::Gone {
                return ResponderLookup::Owner(owner);
            }
        }
        // No process has accepted the connection so far, or it is already closed.
        let listener = self.listening_owner(endpoints);
        ResponderLookup::NotAccepted(
            listener.unwrap_or_else(|| Owner::unknown(Evidence::Gone, None)),
        )
    }

    /// Returns the processes in `previous` that still have a socket that they shared through
    /// fork(2); `None` if the descriptor of the socket is no longer cached.
    pub(super) fn remaining_holders(
        &mut self,
        previous: &[Arc<Process>],
        inode: u32,
    ) -> Option<Vec<Arc<Process>>> {
        let descriptor = self.proc_cache.descriptor(inode)?;
        let holders = previous.iter().filter_map(|process| {
            let holder = self.proc_cache.holder_at(process.pid, descriptor, inode)?;
            Some(holder.process).filter(|holder| holder.is_same(process))
        });
        Some(holders.collect())
    }

    /// Returns the owner of the listening socket for a connection, accepted or not.
    pub(super) fn listening_owner(&mut self, endpoints: &Endpoints) -> Option<Owner> {
        let socket = self.sock_diag.listener_for(endpoints)?;
        Some(self.listener(&socket))
    }

    /// True if there is a listening socket for a connection.
    pub(super) fn has_listener(&self, endpoints: &Endpoints) -> bool {
        self.sock_diag.listener_for(endpoints).is_some()
    }

    /// Returns the PID that the kernel assigned last, to a process or a thread.
    pub(super) fn last_pid(&self) -> Option<u32> {
        self.proc_cache.recent_forks.last_pid()
    }

    /// Returns the owner of a listening socket, from the cache if possible.
    fn listener(&mut self, socket: &SocketInfo) -> Owner {
        if let Some(owner) = self.proc_cache.worker.listener(socket) {
            return owner;
        }
        let mut owner = self.scan_all_processes(socket);
        if owner.evidence == Evidence::Holds {
            owner.evidence = Evidence::Listener;
        }
        self.proc_cache.worker.cache_listener(socket.inode, &owner);
        owner
    }
}
