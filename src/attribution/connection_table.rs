//! Owners of connections, shared between the threads that look them up and the packet loop.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::datagrams::{Datagrams, ReceiveCall};
use super::described_processes::DescribedProcesses;
use super::entries::{ConnectionTableState, PacketPosition};
use super::entry::{ConnectionEntry, EntryVersion};
use super::link::Sender;
use super::lookup_queue::{LookupRequest, LookupTarget, Waker};
use super::messages::Request;
use super::now;
use crate::packet::{Endpoints, TCP, Timestamp};
use crate::process::{Owner, Owners};

/// Connections and their owners.
#[derive(Debug)]
pub struct ConnectionTable {
    state: Mutex<ConnectionTableState>,
    datagrams: Mutex<Datagrams>,
    pub(super) changed: Condvar,
    pub(super) requests: Arc<Sender<Request>>,
    processes: Arc<DescribedProcesses>,
    /// The error that ended the lookups.
    lookup_error: OnceLock<String>,
    /// Number of connection events that were lost because the BPF ring was full.
    lost_events: AtomicU64,
    /// Wakes the reader of BPF events; unset if there is no reader.
    drain_waker: OnceLock<Arc<Waker>>,
}

/// State of a connection's lookup at the time when BPF reports its originator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LookupStatus {
    /// A lookup was already requested.
    Requested,
    /// No lookup was requested so far.
    NotRequested,
}

impl ConnectionTable {
    /// Returns an empty table that sends its requests to `requests`.
    pub(super) fn new(requests: Arc<Sender<Request>>) -> Arc<ConnectionTable> {
        let processes = Arc::new(DescribedProcesses::new(Arc::clone(&requests)));
        Arc::new(ConnectionTable {
            state: Mutex::default(),
            datagrams: Mutex::default(),
            changed: Condvar::new(),
            requests,
            processes,
            lookup_error: OnceLock::new(),
            lost_events: AtomicU64::new(0),
            drain_waker: OnceLock::new(),
        })
    }

    /// Returns the processes that own the ends of connections.
    pub(super) fn processes(&self) -> &Arc<DescribedProcesses> {
        &self.processes
    }

    /// Returns the owners of a packet's sender and receiver, as far as they are identified.
    pub(super) fn packet_owners(
        &self,
        endpoints: &Endpoints,
        time: Timestamp,
        position: PacketPosition,
    ) -> Option<(Owners, EntryVersion)> {
        self.lock().owners(endpoints, time, position)
    }

    /// Returns the owners of a flow that started at this time.
    pub fn flow_owners(&self, endpoints: &Endpoints, first: Timestamp) -> Option<Owners> {
        self.lock().flow_owners(endpoints, first)
    }

    /// Requests a lookup of both ends of a connection whose start was not captured, unless the
    /// connection is already recorded.
    pub fn request_lookup(&self, endpoints: &Endpoints, time: Timestamp, position: PacketPosition) {
        let mut state = self.lock();
        if state.owners(endpoints, time, position).is_some() {
            return;
        }
        state.push(endpoints, ConnectionEntry::new(time));
        drop(state);
        self.enqueue_lookup(LookupRequest::new(endpoints, time, LookupTarget::Both));
    }

    /// Returns the owners of a packet's ends, after requesting them if necessary. Waits until both
    /// are looked up, or until the timeout.
    pub(super) fn request_and_wait(
        &self,
        endpoints: &Endpoints,
        time: Timestamp,
        position: PacketPosition,
        timeout: Duration,
    ) -> Option<(Owners, EntryVersion)> {
        self.request_lookup(endpoints, time, position);
        let state = self.wait_until(self.lock(), timeout, |state| {
            let owners = state.owners(endpoints, time, position);
            owners.is_some_and(|(owners, _)| owners.orig.is_some() && owners.resp.is_some())
        });
        state.owners(endpoints, time, position)
    }

    /// Waits until a condition is met, or until the timeout.
    fn wait_until<'a>(
        &self,
        state: MutexGuard<'a, ConnectionTableState>,
        timeout: Duration,
        is_met: impl Fn(&ConnectionTableState) -> bool,
    ) -> MutexGuard<'a, ConnectionTableState> {
        let result = self
            .changed
            .wait_timeout_while(state, timeout, |state| !is_met(state));
        result.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until all BPF events so far are recorded, or until the timeout. Returns the time up to
    /// which events are recorded, which is the end of time without BPF events; `None` after a
    /// timeout.
    pub(super) fn drain_bpf_events(&self, timeout: Duration) -> Option<Timestamp> {
        let Some(waker) = self.drain_waker.get() else {
            return Some(Timestamp(i64::MAX));
        };
        let time = now();
        let mut state = self.lock();
        state.drains_requested += 1;
        let requested = state.drains_requested;
        waker.wake();
        let is_complete = |state: &ConnectionTableState| state.drains_completed >= requested;
        is_complete(&self.wait_until(state, timeout, is_complete)).then_some(time)
    }

    /// Returns the waker that is used when a drain of the BPF events is requested.
    ///
    /// # Errors
    /// The limit on file descriptors is reached.
    pub(super) fn open_drain_waker(&self) -> io::Result<Arc<Waker>> {
        let waker = Arc::new(Waker::new()?);
        Ok(Arc::clone(self.drain_waker.get_or_init(|| waker)))
    }

    /// Returns the number of drains requested so far.
    pub(super) fn drains_requested(&self) -> u64 {
        self.lock().drains_requested
    }

    /// Marks this number of drains as completed.
    pub(super) fn complete_drains(&self, drains: u64) {
        let previous = std::mem::replace(&mut self.lock().drains_completed, drains);
        if previous < drains {
            self.changed.notify_all();
        }
    }

    /// Waits for the BPF events of a flow that ended before they were recorded, or until the
    /// timeout.
    pub fn wait_for_flow_events(&self, endpoints: &Endpoints, first: Timestamp, timeout: Duration) {
        if endpoints.proto() == TCP && !self.lock().is_bpf_up_to_date(endpoints, first) {
            self.drain_bpf_events(timeout);
        }
    }

    /// Waits until no lookups are pending, or until the timeout.
    pub fn wait_until_settled(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        self.drain_bpf_events(timeout);
        let remaining = deadline.saturating_duration_since(Instant::now());
        drop(self.wait_until(self.lock(), remaining, |state| state.pending == 0));
    }

    /// Records a connection whose SYN has this sequence number. Returns false if the connection is
    /// already recorded.
    pub(super) fn record_syn(&self, endpoints: &Endpoints, time: Timestamp, isn: u32) -> bool {
        let mut state = self.lock();
        // A retransmitted SYN has the same sequence number.
        let last = state.last_entry(endpoints);
        if last.is_some_and(|last| last.isn == Some(isn)) {
            return false;
        }
        let mut entry = ConnectionEntry::new(time);
        entry.set_isn(isn);
        state.push(endpoints, entry);
        true
    }

    /// Records the originator of a connection that BPF reports. The first packet was sent between
    /// the two times. An earlier lookup request remains valid. Returns a request that the caller
    /// can enqueue if no lookup was requested so far.
    pub(super) fn record_bpf_originator(
        &self,
        endpoints: &Endpoints,
        [from, to]: [Timestamp; 2],
        originator: Owner,
    ) -> (LookupRequest, LookupStatus) {
        let mut state = self.lock();
        let entries = state.entries.get_mut(endpoints).into_iter().flatten();
        let existing = entries
            .rev()
            .find(|entry| !entry.is_reported[0] && (from..=to).contains(&entry.time));
        let mut new = ConnectionEntry::new(to);
        let status = match existing {
            Some(_) => LookupStatus::Requested,
            None => LookupStatus::NotRequested,
        };
        let entry = existing.unwrap_or(&mut new);
        entry.valid_from = from.0;
        entry.record_use(0, Timestamp::ABSENT, originator);
        entry.outdate_copies();
        let request = LookupRequest::new(endpoints, entry.time, LookupTarget::Responder);
        if status == LookupStatus::NotRequested {
            state.push(endpoints, new);
        }
        (request, status)
    }

    /// Records that a process uses a TCP socket with these endpoints, from its local to its remote
    /// end, at a time. Another process used it until `since`; absent if none did.
    pub(super) fn record_use(
        &self,
        socket: &Endpoints,
        [since, time]: [Timestamp; 2],
        user: Owner,
    ) {
        let mut user = Some(user);
        let is_found = self.update_socket(socket, time, |entry, end| {
            if let Some(user) = user.take() {
                entry.record_use(end, since, user);
            }
        });
        let Some(user) = user.filter(|_| !is_found) else {
            return;
        };
        // The connection was established before the capture.
        let mut entry = ConnectionEntry::new(time);
        entry.valid_from = i64::MIN;
        entry.record_use(0, Timestamp::ABSENT, user);
        self.lock().push(socket, entry);
        self.enqueue_lookup(LookupRequest::new(socket, time, LookupTarget::Both));
    }

    /// Records the last process that had a TCP socket with these endpoints.
    pub(super) fn record_last_closer(&self, socket: &Endpoints, time: Timestamp, closer: Owner) {
        self.update_socket(socket, time, |entry, end| {
            entry.record_last_closer(end, closer);
        });
    }

    /// Updates the entry of the connection that had a socket at a time. Returns false if there is
    /// none.
    fn update_socket(
        &self,
        socket: &Endpoints,
        time: Timestamp,
        update: impl FnOnce(&mut ConnectionEntry, usize),
    ) -> bool {
        let mut state = self.lock();
        let Some((entry, end)) = state.connection_of_socket(socket, time) else {
            return false;
        };
        let is_completed = entry.update(|entry| update(entry, end));
        let time = entry.time;
        state.pending -= usize::from(is_completed);
        drop(state);
        self.changed.notify_all();
        if is_completed {
            let endpoints = if end == 0 { *socket } else { socket.reversed() };
            self.end_lookup(LookupRequest::new(
                &endpoints,
                time,
                LookupTarget::Responder,
            ));
        }
        true
    }

    /// Records the sender of a UDP datagram, by the time of its packet.
    pub(super) fn record_datagram_sent(&self, endpoints: Endpoints, time: Timestamp, owner: Owner) {
        self.lock_datagrams()
            .record_sent(endpoints, time, Arc::new(owner));
    }

    /// Records a call that received a UDP datagram.
    pub(super) fn record_datagram_received(&self, call: ReceiveCall) {
        self.lock_datagrams().record_received(call);
    }

    /// Returns the sender and the receiver of a UDP datagram with a payload of this length, as far
    /// as BPF has reported them.
    pub(super) fn datagram_owners(
        &self,
        endpoints: &Endpoints,
        time: Timestamp,
        len: u32,
    ) -> Owners {
        let mut datagrams = self.lock_datagrams();
        Owners {
            orig: datagrams.sender(endpoints, time),
            resp: datagrams.receiver(endpoints, time, len),
        }
    }

    /// Sets the number of events that were lost because the BPF ring was full; the last ones were
    /// lost after `since`.
    pub(super) fn set_lost_events(&self, count: u64, since: Timestamp) {
        if self.lost_events.swap(count, Relaxed) < count {
            self.lock().record_lost_events(since);
        }
    }

    /// Records the error that ended the lookups; the first one counts.
    pub(super) fn set_lookup_error(&self, error: String) {
        self.lookup_error.get_or_init(|| error);
    }

    /// Returns the error that ended the lookups before the end of the capture, if any.
    #[cfg(feature = "cli")]
    pub fn lookup_error(&self) -> Option<String> {
        self.lookup_error.get().cloned()
    }

    /// Returns the number of connection events that were lost because the BPF ring was full.
    #[cfg(feature = "cli")]
    pub fn lost_events(&self) -> u64 {
        self.lost_events.load(Relaxed)
    }

    fn lock_datagrams(&self) -> MutexGuard<'_, Datagrams> {
        self.datagrams
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ConnectionTableState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "connection_table_tests.rs"]
mod tests;
