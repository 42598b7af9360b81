//! Requests for lookups, and the answers, which set the owners of connections.

use std::io;
use std::sync::Arc;

use super::connection_table::ConnectionTable;
use super::entry::ConnectionEntry;
use super::link::Receiver;
use super::lookup_queue::LookupRequest;
use super::messages::{Answer, OwnerMessage, Request};
use crate::process::Owner;

/// Applies answers to the table until the connection to the lookup service ends.
pub(super) fn run(table: &ConnectionTable, mut answers: Receiver<Request, Answer>) {
    let ended = loop {
        if let Err(error) = answers.receive(|answer| table.apply(answer)) {
            break error;
        }
    };
    table.end_lookups(&ended);
}

impl ConnectionTable {
    fn apply(&self, answer: Answer) {
        let owner = |message: OwnerMessage| {
            message.into_owner(|identity| self.processes().process(identity))
        };
        match answer {
            Answer::Started(_) => {}
            Answer::Failed(error) => self.set_lookup_error(error),
            Answer::Originator(request, message) => self.set_originator(&request, owner(message)),
            Answer::Responder(request, message) => self.set_responder(&request, owner(message)),
            Answer::FallbackResponder(request, message) => {
                // In the meantime, BPF can have reported that nothing listens.
                if self.is_pending(&request) {
                    self.set_fallback_responder(&request, owner(message));
                }
            }
            // The service has ended this lookup.
            Answer::Settled(request) => {
                self.update_entry(&request, |entry| entry.is_pending = false);
            }
            Answer::NotLookedUp(request) => self.mark_not_looked_up(&request),
            Answer::Details { number, details } => {
                self.processes().set_details(number, Some(details));
            }
        }
    }

    /// Completes all lookups: there will be no more answers.
    fn end_lookups(&self, error: &io::Error) {
        self.set_lookup_error(error.to_string());
        self.processes().close();
        let mut state = self.lock();
        for entry in state.entries.values_mut().flatten() {
            entry.update(ConnectionEntry::mark_not_looked_up);
        }
        state.pending = 0;
        drop(state);
        self.changed.notify_all();
    }

    /// Enqueues a lookup; marks the connection as not looked up if the queue is full.
    pub(super) fn enqueue_lookup(&self, request: LookupRequest) {
        if !self.requests.send(&Request::LookUp(request)) {
            self.mark_not_looked_up(&request);
        }
    }

    /// Requests lookups of the senders of SYNs. Returns false if there are too many requests.
    pub(super) fn look_up_syns(&self, requests: &[LookupRequest]) -> bool {
        self.requests.send(&Request::LookUpSyns(requests.to_vec()))
    }

    /// Sets the originator of a connection, unless BPF has reported it.
    pub(super) fn set_originator(&self, request: &LookupRequest, owner: Owner) {
        self.update_and_end(request, |entry| {
            if !entry.is_reported[0] {
                entry.owners.orig = Some(Arc::new(owner));
            }
        });
    }

    /// Sets the responder of a connection, unless its lookup has been completed in the meantime.
    pub(super) fn set_responder(&self, request: &LookupRequest, owner: Owner) {
        self.update_and_end(request, |entry| {
            if entry.is_pending {
                entry.set_responder(owner);
            }
        });
    }

    /// Sets the responder of a connection, unless its processes are already identified.
    pub(super) fn set_fallback_responder(&self, request: &LookupRequest, owner: Owner) {
        self.update_and_end(request, |entry| {
            let current = entry.owners.resp.as_ref();
            if current.is_none_or(|current| current.processes.is_empty()) {
                entry.set_responder(owner);
            }
        });
    }

    /// Completes the lookup of a connection: no better result will follow.
    pub(super) fn mark_settled(&self, request: &LookupRequest) {
        self.update_and_end(request, |entry| entry.is_pending = false);
    }

    /// Marks a connection as not looked up, because there was no time for it.
    pub(super) fn mark_not_looked_up(&self, request: &LookupRequest) {
        self.update_entry(request, ConnectionEntry::mark_not_looked_up);
    }

    /// True if the lookup of a connection can still improve its owners.
    pub(super) fn is_pending(&self, request: &LookupRequest) -> bool {
        let mut state = self.lock();
        state.entry(request).is_some_and(|entry| entry.is_pending)
    }

    /// Updates the entry of a connection, and ends its lookup if no better result can follow.
    fn update_and_end(&self, request: &LookupRequest, update: impl FnOnce(&mut ConnectionEntry)) {
        if self.update_entry(request, update) {
            self.end_lookup(*request);
        }
    }

    /// Updates the entry of a connection. Returns true if its lookup was pending and is completed
    /// now: there is a result for the responder and its socket is closed.
    fn update_entry(
        &self,
        request: &LookupRequest,
        update: impl FnOnce(&mut ConnectionEntry),
    ) -> bool {
        let mut state = self.lock();
        let Some(entry) = state.entry(request) else {
            return false;
        };
        let is_completed = entry.update(update);
        state.pending -= usize::from(is_completed);
        drop(state);
        self.changed.notify_all();
        is_completed
    }

    /// Ends a lookup that the lookup service has not ended itself.
    pub(super) fn end_lookup(&self, request: LookupRequest) {
        // If this fails, the lookup ends later.
        self.requests.send(&Request::Complete(request));
    }
}
