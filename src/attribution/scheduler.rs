//! Scheduler of lookups: checks connections until a process has accepted them, and looks up
//! connections whose start was not captured.

use std::collections::BinaryHeap;
use std::iter::repeat;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cpu_budget::{CpuBudget, WakeupCoalescer};
use super::lookup_queue::LookupQueue;
use super::lookup_queue::LookupTarget;
use super::lookup_results::LookupResults;
use super::now;
use super::pending::PendingLookup;
use super::socket_resolver::{ResponderLookup, SearchScope, SocketResolver};
use crate::host::sockets::sock_diag::SocketInfo;
use crate::packet::TCP;
use crate::process::{Evidence, Owner, Process};

/// Time in nanoseconds after a connection's first packet by which the kernel has a socket for it.
const CONNECTION_SETUP_NS: i64 = 1_000_000;
/// Number of the handoff check from which all processes started since the request are searched.
const FULL_SCAN_FROM_CHECK: usize = 4;
/// Maximum number of checks for another handoff after the connection was passed on.
const EXTRA_HANDOFF_CHECKS: usize = 1;

/// Interval of checks for the end of the capture while there are no requests.
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Processes requests until the capture is over. With BPF, `initial_delay` precedes the check for
/// an accepting process, and the first check of a connection whose start was not captured: in the
/// meantime, BPF events for the connection can arrive. Without BPF, the delay is zero.
pub(super) fn run(
    results: &LookupResults,
    queued: &LookupQueue,
    mut resolver: SocketResolver,
    initial_delay: Duration,
    is_over: impl Fn() -> bool,
) {
    let mut queue: BinaryHeap<PendingLookup> = BinaryHeap::new();
    let mut budget = CpuBudget::new(Instant::now());
    let has_bpf = !initial_delay.is_zero();
    let mut coalescer = WakeupCoalescer::new(Instant::now());
    loop {
        let next_due = queue.peek().map(|lookup| lookup.due);
        let timeout = next_due.map_or(IDLE_POLL_INTERVAL, |due| {
            due.saturating_duration_since(Instant::now())
        });
        // Fork events matter only while a process can pass a connection on.
        let watch_forks = next_due.is_some() && budget.replenish(Instant::now());
        let fork_events = resolver.fork_events().filter(|_| watch_forks);
        queued.wait(fork_events.map(AsFd::as_fd), timeout);
        // Without BPF events, lookups are not delayed while the budget permits: sockets can only be
        // looked up while they exist.
        if has_bpf || !budget.replenish(Instant::now()) {
            coalescer.wait();
        }
        let requests = queued.take();
        if requests.is_empty() && is_over() {
            return;
        }
        let last_pid = (!requests.is_empty())
            .then(|| resolver.last_pid())
            .flatten();
        for request in requests {
            budget.record_task(Instant::now());
            if request.target == LookupTarget::Originator {
                let endpoints = &request.endpoints;
                let found = budget.spend(|| resolver.originator(endpoints));
                results.set_originator(&request, &found.unwrap_or_else(Owner::not_looked_up));
                continue;
            }
            let last_pid = last_pid.unwrap_or(u32::MAX);
            queue.push(PendingLookup::new(request, initial_delay, last_pid));
        }
        loop {
            if resolver.fork_events().is_some() {
                budget.spend(|| snapshot_forks(&mut resolver, &mut queue));
            }
            let mut due = take_due(&mut queue);
            results.flush();
            if due.is_empty() {
                break;
            }
            due.retain(|lookup| results.is_pending(&lookup.request));
            let is_busy = budget.is_busy();
            // The state that can disappear soonest is read first, for all lookups.
            budget.spend(|| {
                let first = due.iter_mut().filter(|lookup| lookup.is_first_check());
                first.for_each(|lookup| start_lookup(results, &mut resolver, lookup));
            });
            let sockets = match has_bpf {
                true => None,
                false => budget.spend(|| unaccepted_sockets(&mut resolver, &due)),
            };
            let sockets = sockets.into_iter().flatten().chain(repeat(None));
            for (mut lookup, socket) in due.into_iter().zip(sockets) {
                let check =
                    || check_responder(results, &mut resolver, &mut lookup, socket, is_busy);
                match budget.spend(check) {
                    Some(true) => queue.push(lookup),
                    None if lookup.accept_checks == 0 => {
                        results.mark_not_looked_up(&lookup.request);
                    }
                    Some(false) | None => results.mark_settled(&lookup.request),
                }
            }
        }
    }
}

/// Scans new children of the processes that can pass a connection on, before the children exit. The
/// lookups of these connections become due immediately.
fn snapshot_forks(resolver: &mut SocketResolver, queue: &mut BinaryHeap<PendingLookup>) {
    let is_relevant = |pid| queue.iter().any(|lookup| lookup.can_be_inherited_from(pid));
    let parents = resolver.snapshot_forks(is_relevant);
    if parents.is_empty() {
        return;
    }
    let now = Instant::now();
    let mut lookups = std::mem::take(queue).into_vec();
    let is_affected =
        |lookup: &&mut PendingLookup| parents.iter().any(|pid| lookup.can_be_inherited_from(*pid));
    for lookup in lookups.iter_mut().filter(is_affected) {
        lookup.due = now;
    }
    *queue = lookups.into();
}

/// Removes and returns the lookups that are due.
fn take_due(queue: &mut BinaryHeap<PendingLookup>) -> Vec<PendingLookup> {
    let now = Instant::now();
    let mut due = Vec::new();
    while queue.peek().is_some_and(|lookup| lookup.due <= now) {
        due.extend(queue.pop());
    }
    due
}

/// Returns the sockets of the connections that were not accepted at the last check, and pins the
/// children of listeners that have these sockets.
fn unaccepted_sockets(
    resolver: &mut SocketResolver,
    due: &[PendingLookup],
) -> Vec<Option<SocketInfo>> {
    let socket = |lookup: &PendingLookup| match lookup.is_accepted {
        true => None,
        false => resolver.socket(&lookup.request.endpoints.reversed()),
    };
    let sockets: Vec<Option<SocketInfo>> = due.iter().map(socket).collect();
    let listeners = due.iter().flat_map(|lookup| &lookup.listeners);
    let listeners: Vec<u32> = listeners.map(|process| process.pid).collect();
    resolver.pin_children(&listeners, sockets.iter().flatten());
    sockets
}

/// Looks up the listener and, if the start of the connection was not captured, the present owners
/// of both ends.
fn start_lookup(
    results: &LookupResults,
    resolver: &mut SocketResolver,
    lookup: &mut PendingLookup,
) {
    let (request, endpoints) = (&lookup.request, &lookup.request.endpoints);
    if request.target == LookupTarget::Both {
        let owner = resolver.originator(endpoints);
        results.set_originator(request, &owner);
        let owner = resolver.initial_responder(endpoints, SearchScope::FirstHolder);
        results.set_responder(request, gone_if_nobody(owner));
    }
    let responder = results.current_responder(request).or_else(|| {
        let listener = resolver.listening_owner(endpoints)?;
        results.set_responder(request, listener.clone());
        Some(Arc::new(listener))
    });
    lookup.listeners = responder.map_or_else(Vec::new, |responder| responder.processes.clone());
}

/// Looks up the responder again. Returns true if another check is useful.
fn check_responder(
    results: &LookupResults,
    resolver: &mut SocketResolver,
    lookup: &mut PendingLookup,
    socket: Option<SocketInfo>,
    is_busy: bool,
) -> bool {
    let request = lookup.request;
    let (request, endpoints) = (&request, &request.endpoints);
    if let Some(delay) = lookup.accept_delay.take() {
        let listener = resolver.listening_owner(endpoints);
        let owner = listener.unwrap_or_else(|| Owner::unknown(Evidence::Gone, None));
        results.set_fallback_responder(request, &owner);
        lookup.due = Instant::now() + delay;
        return true;
    }
    if lookup.is_handoff_in_progress()
        && let Some(is_useful) = check_parent_and_child(results, resolver, lookup)
    {
        return is_useful;
    }
    if let Some(socket) = &socket {
        lookup.inode = socket.inode;
    }
    let is_unaccepted = socket.as_ref().is_some_and(|socket| socket.inode == 0);
    if is_unaccepted && endpoints.proto() == TCP && !lookup.listeners.is_empty() {
        return lookup.schedule_retry();
    }
    // No process was forked since the request, so the connection was not passed on.
    if lookup.is_accepted
        && endpoints.proto() == TCP
        && resolver.last_pid() == Some(lookup.last_pid)
    {
        return lookup.schedule_retry();
    }
    let scope = match lookup.is_accepted {
        true if lookup.handoff_checks < FULL_SCAN_FROM_CHECK => {
            SearchScope::ForkedSince(lookup.last_pid)
        }
        true => SearchScope::StartedSince(lookup.last_pid),
        false if is_busy => SearchScope::Candidates,
        false => SearchScope::FirstHolder,
    };
    match resolver.responder(endpoints, socket, &lookup.listeners, scope) {
        ResponderLookup::Owner(mut owner) if !owner.processes.is_empty() => {
            let holders = owner.processes.clone();
            owner.processes.retain(|process| {
                // A forked process has all descriptors of its parent until it executes another
                // program: only a process that keeps the connection counts.
                let parent = holders.iter().find(|other| other.pid == process.parent);
                parent.is_none() || contains_process(&lookup.holders, process)
            });
            lookup.holders = holders;
            lookup.uid = owner.uid;
            let listens = |process: &Arc<Process>| contains_process(&lookup.listeners, process);
            // A listening process can pass the connection on to a child.
            let may_change = owner.processes.iter().any(listens);
            if !lookup.is_accepted && !may_change {
                lookup.max_handoff_checks = EXTRA_HANDOFF_CHECKS;
            }
            lookup.is_accepted = true;
            let evidence = responder_evidence(lookup, &owner.processes);
            results.set_responder(request, Owner { evidence, ..owner });
        }
        // The connection was closed: an earlier result remains.
        ResponderLookup::Owner(owner) if lookup.listeners.is_empty() => {
            results.set_fallback_responder(request, &gone_if_nobody(owner));
            return false;
        }
        ResponderLookup::Owner(_) => return false,
        ResponderLookup::NotAccepted(_) | ResponderLookup::NoConnection(_)
            if lookup.is_accepted =>
        {
            return false;
        }
        ResponderLookup::NotAccepted(owner) | ResponderLookup::NoConnection(owner)
            if lookup.listeners.is_empty() =>
        {
            lookup.listeners.clone_from(&owner.processes);
            results.set_responder(request, owner);
        }
        ResponderLookup::NotAccepted(_) => {}
        // The kernel would have a socket for an open connection by now: this one is closed.
        ResponderLookup::NoConnection(_) if now().0 - request.time.0 > CONNECTION_SETUP_NS => {
            return false;
        }
        ResponderLookup::NoConnection(_) => {}
    }
    lookup.schedule_retry()
}

/// Checks whether a process or its child keeps a connection that both had at the last check.
/// Returns true if another check is useful; `None` if this cannot be determined.
fn check_parent_and_child(
    results: &LookupResults,
    resolver: &mut SocketResolver,
    lookup: &mut PendingLookup,
) -> Option<bool> {
    let holders = resolver.remaining_holders(&lookup.holders, lookup.inode)?;
    let previous = lookup.holders.clone();
    let is_child =
        |process: &Arc<Process>| previous.iter().any(|other| other.pid == process.parent);
    // If only the parent still has the connection, the child may have finished with it before the
    // parent was scheduled. In this case, the parent closes it a moment later, too.
    let is_decided = holders.iter().all(is_child);
    if !is_decided && lookup.schedule_parent_child_check() {
        return Some(true);
    }
    let is_closed = holders.is_empty();
    let mut processes = if is_closed { &previous } else { &holders }.clone();
    processes.sort_by_key(|process| !is_child(process));
    let owner = Owner {
        evidence: responder_evidence(lookup, &processes),
        processes,
        ..Owner::unknown(Evidence::Holds, lookup.uid)
    };
    results.set_responder(&lookup.request, owner);
    lookup.holders = holders;
    Some(!is_closed && lookup.schedule_retry())
}

/// Returns the evidence for processes that have a connection: `Acceptor` if the protocol is TCP and
/// all of them listen, else `Holds`.
fn responder_evidence(lookup: &PendingLookup, processes: &[Arc<Process>]) -> Evidence {
    let listens = |process: &Arc<Process>| contains_process(&lookup.listeners, process);
    match lookup.request.endpoints.proto() == TCP && processes.iter().all(listens) {
        true => Evidence::Acceptor,
        false => Evidence::Holds,
    }
}

/// True if a list of processes contains this process.
fn contains_process(processes: &[Arc<Process>], process: &Process) -> bool {
    processes.iter().any(|other| other.is_same(process))
}

/// Replaces `Nobody` with `Gone`: a connection in progress had a process at its end.
fn gone_if_nobody(mut owner: Owner) -> Owner {
    if owner.evidence == Evidence::Nobody {
        owner.evidence = Evidence::Gone;
    }
    owner
}
