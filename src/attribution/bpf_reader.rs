//! Reader of BPF socket events, which identify the processes at the ends of connections.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::connection_table::{ConnectionTable, LookupStatus};
use super::cpu_budget::{CpuBudget, WakeupCoalescer};
use super::entries::ResponderEvidence;
use super::lookup_queue::Waker;
use super::now;
use super::syn_filter::SynFilter;
use super::task_cache::TaskCache;
use crate::host::processes::priority::{TimeSlice, raise_priority};
use crate::host::sockets::sock_diag::SockDiag;
use crate::host::sockets::socket_events::{SocketEvent, SocketEventKind, SocketEvents};
use crate::packet::{Endpoints, TCP, Timestamp};
use crate::process::{Evidence, Owner};
use crate::source::Stop;

/// Records the events in the table until a stop is requested.
pub(super) fn run(
    table: &Arc<ConnectionTable>,
    mut events: SocketEvents,
    sock_diag: &SockDiag,
    mut syn_filter: SynFilter,
    drain_waker: &Waker,
    stop: &Stop,
) {
    raise_priority(TimeSlice::Default);
    let mut budget = CpuBudget::new(Instant::now());
    let mut coalescer = WakeupCoalescer::new(Instant::now());
    let mut tasks = TaskCache::default();
    while !stop.is_requested() {
        let stop_fd = stop.fd();
        let mut poll_fds = [
            PollFd::from_borrowed_fd(events.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stop_fd.as_fd(), PollFlags::IN),
            PollFd::new(drain_waker, PollFlags::IN),
        ];
        let _ = poll(&mut poll_fds, None);
        coalescer.wait();
        // A drain request that arrives after this point wakes the thread again. The events that
        // precede earlier requests are read now.
        drain_waker.reset();
        let drains = table.drains_requested();
        let clock_offset = realtime_offset();
        while let Some(event) = events.try_recv() {
            let mut recorder = EventRecorder {
                table,
                sock_diag,
                tasks: &mut tasks,
                budget: &mut budget,
                times: [event.requested_at, event.time]
                    .map(|time| Timestamp(time.as_nanos() as i64 + clock_offset)),
            };
            match event.kind {
                // While lcap scans /proc, it briefly holds each socket, and can be the last process
                // to close it.
                SocketEventKind::Closed if event.task.pid == std::process::id() => {}
                SocketEventKind::Closed => {
                    recorder.record_evidence(&event, ResponderEvidence::LastCloser);
                }
                SocketEventKind::Read => {
                    recorder.record_evidence(&event, ResponderEvidence::Reader);
                }
                SocketEventKind::Connected | SocketEventKind::ConnectFailed
                    if syn_filter.matches(&connection_tuple(&event)) =>
                {
                    recorder.record_connect_result(&event);
                }
                SocketEventKind::Connected | SocketEventKind::ConnectFailed => {}
            }
        }
        table.complete_drains(drains);
    }
    table.set_lost_events(events.lost());
}

/// Returns the endpoints of the event's socket, from its local to its remote end. For a client's
/// socket, that is from the originator to the responder.
fn connection_tuple(event: &SocketEvent) -> Endpoints {
    Endpoints::new(event.local, event.remote, TCP)
}

/// Returns the offset from CLOCK_MONOTONIC to the clock of packet timestamps, in nanoseconds.
fn realtime_offset() -> i64 {
    use rustix::time::{ClockId, clock_gettime};
    let monotonic = || {
        let now = Duration::try_from(clock_gettime(ClockId::Monotonic));
        now.map_or(0, |now| now.as_nanos() as i64)
    };
    let sample = |_| {
        let (before, realtime, after) = (monotonic(), now().0, monotonic());
        (after - before, realtime - before)
    };
    // The thread can be preempted between two clock readings, so the sample with the shortest
    // interval is used.
    (0..3).map(sample).min().map_or(0, |(_, offset)| offset)
}

struct EventRecorder<'a> {
    table: &'a Arc<ConnectionTable>,
    sock_diag: &'a SockDiag,
    tasks: &'a mut TaskCache,
    budget: &'a mut CpuBudget,
    /// The times of the connect(2) and of the event.
    times: [Timestamp; 2],
}

impl EventRecorder<'_> {
    /// Records the originator of a connect(2) that was answered or that failed.
    fn record_connect_result(&mut self, event: &SocketEvent) {
        let endpoints = connection_tuple(event);
        let client = self.owner(event);
        let (request, status) = self
            .table
            .record_bpf_originator(&endpoints, self.times, client);
        if event.kind == SocketEventKind::ConnectFailed
            && self.sock_diag.listener_for(&endpoints).is_none()
        {
            let no_listener = Owner::unknown(Evidence::Nobody, None);
            self.table.set_fallback_responder(&request, no_listener);
            self.table.mark_settled(&request);
        } else if status == LookupStatus::NotRequested {
            // Another thread looks up the listener: the next client must be described before it
            // exits, and the lookup can take longer than that.
            self.table.enqueue_lookup(request);
        }
    }

    /// Records that a process has a socket, or had it until the event.
    fn record_evidence(
        &mut self,
        event: &SocketEvent,
        make_evidence: fn(Owner) -> ResponderEvidence,
    ) {
        let client_side = connection_tuple(event);
        if let Some((request, _)) = self.table.last_connection(&client_side.reversed()) {
            let owner = self.owner(event);
            self.table
                .add_responder_evidence(&request, make_evidence(owner));
        } else if let Some((request, owners)) = self.table.last_connection(&client_side)
            && owners.orig.is_none_or(|owner| owner.processes.is_empty())
        {
            let owner = self.owner(event);
            self.table.set_originator(&request, owner);
        }
    }

    fn owner(&mut self, event: &SocketEvent) -> Owner {
        let task = &event.task;
        let process = self.tasks.cached(task).unwrap_or_else(|| {
            let described = self.budget.spend(|| self.tasks.describe(task));
            described.unwrap_or_else(|| Arc::new(self.tasks.describe_from_event(task)))
        });
        let evidence = match event.kind {
            SocketEventKind::Connected | SocketEventKind::ConnectFailed => Evidence::Opened,
            SocketEventKind::Read => Evidence::Reads,
            SocketEventKind::Closed => Evidence::Holds,
        };
        Owner {
            processes: vec![process],
            ..Owner::unknown(evidence, Some(task.uid))
        }
    }
}
