//! Reader of BPF socket events, which identify the processes at the ends of connections.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};

use super::connection_table::{ConnectionTable, LookupStatus};
use super::cpu_budget::WakeupCoalescer;
use super::datagrams::ReceiveCall;
use super::lookup_queue::Waker;
use super::now;
use super::syn_filter::SynFilter;
use super::task_cache::TaskCache;
use crate::host::processes::priority::{TimeSlice, raise_priority};
use crate::host::sockets::sock_diag::SockDiag;
use crate::host::sockets::socket_events::{SocketEvent, SocketEventKind, SocketEvents};
use crate::packet::{Endpoints, TCP, UDP};
use crate::process::{Evidence, Owner};
use crate::source::Stop;

/// Records the events in the table until a stop is requested.
pub(super) fn run(
    mut recorder: EventRecorder,
    mut events: SocketEvents,
    mut syn_filter: SynFilter,
    drain_waker: &Waker,
    stop: &Stop,
) {
    raise_priority(TimeSlice::Default);
    let mut coalescer = WakeupCoalescer::new(Instant::now());
    let table = recorder.table;
    let mut previous_drain = now();
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
        // precede earlier requests are read now. Later ones are read after those requests are
        // completed: under steady traffic the ring is never empty.
        drain_waker.reset();
        let drains = table.drains_requested();
        let drain = now();
        while let Some(event) = events.try_recv() {
            recorder.record(&event, &mut syn_filter);
            if event.time >= drain {
                break;
            }
        }
        table.set_lost_events(events.lost(), previous_drain);
        previous_drain = drain;
        table.complete_drains(drains);
    }
}

/// Records events in the table of connections.
pub(super) struct EventRecorder<'a> {
    table: &'a Arc<ConnectionTable>,
    /// Finds the listening sockets; `None` if the device is not the loopback. Then no process is
    /// certain: a packet can also come from another namespace or machine with these addresses.
    listeners: Option<&'a SockDiag>,
    tasks: TaskCache,
    /// The PID of the process that reads /proc for lcap.
    own_pid: u32,
}

impl<'a> EventRecorder<'a> {
    pub(super) fn new(
        table: &'a Arc<ConnectionTable>,
        listeners: Option<&'a SockDiag>,
        own_pid: u32,
    ) -> EventRecorder<'a> {
        EventRecorder {
            table,
            listeners,
            tasks: TaskCache::new(Arc::clone(table.processes())),
            own_pid,
        }
    }

    fn record(&mut self, event: &SocketEvent, syn_filter: &mut SynFilter) {
        let socket = |proto| Endpoints::new(event.local, event.remote, proto);
        // The loopback device of another namespace.
        if event.is_foreign && event.remote.ip().is_loopback() {
            return;
        }
        match event.kind {
            SocketEventKind::Connected | SocketEventKind::ConnectFailed => {
                if syn_filter.matches(&socket(TCP)) {
                    self.record_connect_result(event, &socket(TCP));
                }
            }
            // While lcap scans /proc, it briefly holds each socket, and can be the last process to
            // close it.
            SocketEventKind::Closed if event.task.pid == self.own_pid => {}
            SocketEventKind::Closed => {
                let owner = self.owner(event);
                self.table
                    .record_last_closer(&socket(TCP), event.time, owner);
            }
            SocketEventKind::Read | SocketEventKind::Written => {
                let owner = self.owner(event);
                let times = [event.since, event.time];
                self.table.record_use(&socket(TCP), times, owner);
            }
            SocketEventKind::DatagramSent => {
                let owner = self.owner(event);
                self.table
                    .record_datagram_sent(socket(UDP), event.time, owner);
            }
            SocketEventKind::DatagramReceived => {
                let owner = Arc::new(self.owner(event));
                self.table.record_datagram_received(ReceiveCall {
                    time: event.time,
                    local: event.local,
                    remote: event.remote,
                    len: event.len,
                    owner,
                });
            }
        }
    }

    /// Records the originator of a connect(2) that was answered or that failed.
    fn record_connect_result(&mut self, event: &SocketEvent, endpoints: &Endpoints) {
        let client = self.owner(event);
        let times = [event.since, event.time];
        let (request, status) = self.table.record_bpf_originator(endpoints, times, client);
        if event.kind == SocketEventKind::ConnectFailed
            && let Some(listeners) = self.listeners
            && listeners.listener_for(endpoints).is_none()
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

    fn owner(&mut self, event: &SocketEvent) -> Owner {
        let task = &event.task;
        let cached = self.tasks.cached(task);
        let process = cached.unwrap_or_else(|| self.tasks.describe(task));
        let evidence = match event.kind {
            _ if self.listeners.is_none() => Evidence::Holds,
            SocketEventKind::Connected | SocketEventKind::ConnectFailed => Evidence::Opened,
            SocketEventKind::Written | SocketEventKind::DatagramSent => Evidence::Sent,
            SocketEventKind::Read => Evidence::Reads,
            // A receive call does not identify the datagram that it received.
            SocketEventKind::Closed | SocketEventKind::DatagramReceived => Evidence::Holds,
        };
        Owner {
            processes: vec![process],
            ..Owner::unknown(evidence, Some(task.uid))
        }
    }
}
