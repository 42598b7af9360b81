//! Lookups in progress, on the side that reads /proc, and their results, which are sent to the side
//! that records connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

use super::link::Sender;
use super::lookup_queue::{LookupQueue, LookupRequest};
use super::messages::{Answer, OwnerMessage};
use crate::packet::{Endpoints, Timestamp};
use crate::process::Owner;

/// The lookups in progress, shared by the threads that work on them.
#[derive(Debug)]
pub(super) struct LookupResults {
    answers: Arc<Sender<Answer>>,
    queue: Arc<LookupQueue>,
    pending: Mutex<HashMap<(Endpoints, Timestamp), Pending, RandomState>>,
}

/// The responder that was found so far.
type Pending = Option<Arc<Owner>>;

/// Maximum number of lookups in progress.
const MAX_PENDING: usize = 1 << 16;

impl LookupResults {
    /// Creates results that are sent to `answers`. Lookups wait in `queue`.
    pub(super) fn new(answers: Arc<Sender<Answer>>, queue: &Arc<LookupQueue>) -> LookupResults {
        LookupResults {
            answers,
            queue: Arc::clone(queue),
            pending: Mutex::default(),
        }
    }

    /// Adds a lookup. Returns false if there are too many.
    pub(super) fn add(&self, request: &LookupRequest) -> bool {
        let mut pending = self.lock();
        let is_accepted = pending.len() < MAX_PENDING;
        if is_accepted {
            pending.entry(key(request)).or_default();
        }
        drop(pending);
        if !is_accepted {
            self.answers.push(&Answer::NotLookedUp(*request));
        }
        is_accepted
    }

    /// Enqueues a lookup that was added; marks it as not looked up if the queue is full.
    pub(super) fn enqueue(&self, request: LookupRequest) {
        if !self.queue.send(request) {
            self.mark_not_looked_up(&request);
        }
    }

    /// Removes a lookup for which no better result can follow.
    pub(super) fn complete(&self, request: &LookupRequest) {
        self.lock().remove(&key(request));
    }

    /// True if a lookup can still improve the owners.
    pub(super) fn is_pending(&self, request: &LookupRequest) -> bool {
        self.lock().contains_key(&key(request))
    }

    /// Returns the number of lookups in progress.
    pub(super) fn pending_count(&self) -> usize {
        self.lock().len()
    }

    /// Returns the responder that was found so far.
    pub(super) fn current_responder(&self, request: &LookupRequest) -> Option<Arc<Owner>> {
        self.lock().get(&key(request)).cloned().flatten()
    }

    /// Reports the originator of a connection.
    pub(super) fn set_originator(&self, request: &LookupRequest, owner: &Owner) {
        let message = OwnerMessage::new(owner);
        self.answers.push(&Answer::Originator(*request, message));
    }

    /// Reports the responder of a connection.
    pub(super) fn set_responder(&self, request: &LookupRequest, owner: Owner) {
        let message = OwnerMessage::new(&owner);
        self.answers.push(&Answer::Responder(*request, message));
        if let Some(responder) = self.lock().get_mut(&key(request)) {
            *responder = Some(Arc::new(owner));
        }
    }

    /// Reports the responder of a connection, unless its processes are already identified.
    pub(super) fn set_fallback_responder(&self, request: &LookupRequest, owner: &Owner) {
        let message = OwnerMessage::new(owner);
        self.answers
            .push(&Answer::FallbackResponder(*request, message));
    }

    /// Reports that no better result will follow.
    pub(super) fn mark_settled(&self, request: &LookupRequest) {
        self.complete(request);
        self.answers.push(&Answer::Settled(*request));
    }

    /// Reports that there was no time for a lookup.
    pub(super) fn mark_not_looked_up(&self, request: &LookupRequest) {
        self.complete(request);
        self.answers.push(&Answer::NotLookedUp(*request));
    }

    /// Sends the results so far.
    pub(super) fn flush(&self) {
        self.answers.flush();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Endpoints, Timestamp), Pending, RandomState>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(request: &LookupRequest) -> (Endpoints, Timestamp) {
    (request.endpoints, request.time)
}
