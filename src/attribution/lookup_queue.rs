//! Queue of lookup requests whose receiver can wait for another file descriptor at the same time.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use serde::{Deserialize, Serialize};

use crate::packet::{Endpoints, Timestamp};

/// Maximum number of queued requests; beyond it, requests are rejected, because their lookup would
/// be too late.
pub(super) const MAX_QUEUED_LOOKUPS: usize = 1 << 14;

/// A request to look up the ends of a connection. The endpoints are directed from the
/// originator to the responder.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct LookupRequest {
    pub(super) endpoints: Endpoints,
    /// The time of the connection's first packet.
    pub(super) time: Timestamp,
    pub(super) target: LookupTarget,
}

impl LookupRequest {
    pub(super) fn new(
        endpoints: &Endpoints,
        time: Timestamp,
        target: LookupTarget,
    ) -> LookupRequest {
        LookupRequest {
            endpoints: *endpoints,
            time,
            target,
        }
    }
}

/// The ends to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum LookupTarget {
    /// The originator, by a scan of all processes: none of the likely candidates has its socket.
    Originator,
    /// The responder.
    Responder,
    /// Both ends of a connection whose start was not captured.
    Both,
}

/// A counter that wakes a thread from poll(2): its descriptor is readable unless it is 0.
#[derive(Debug)]
pub(super) struct Waker(OwnedFd);

impl Waker {
    /// # Errors
    /// The limit on file descriptors is reached.
    pub(super) fn new() -> io::Result<Waker> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Waker(eventfd(0, flags)?))
    }

    pub(super) fn wake(&self) {
        // At the maximum, a wake-up is already pending.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Resets the counter: later wake-ups make the descriptor readable again.
    pub(super) fn reset(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The queue, shared by the senders and one receiver.
#[derive(Debug)]
pub(super) struct LookupQueue {
    requests: Mutex<VecDeque<LookupRequest>>,
    waker: Waker,
}

impl LookupQueue {
    /// Creates an empty queue.
    ///
    /// # Errors
    /// The limit on file descriptors is reached.
    pub(super) fn new() -> io::Result<Arc<LookupQueue>> {
        Ok(Arc::new(LookupQueue {
            requests: Mutex::default(),
            waker: Waker::new()?,
        }))
    }

    /// Enqueues a request. Returns false if the queue is full or the receiver was dropped.
    pub(super) fn send(self: &Arc<LookupQueue>, request: LookupRequest) -> bool {
        let is_receiver_gone = Arc::strong_count(self) == 1;
        let mut requests = self.lock();
        if is_receiver_gone || requests.len() >= MAX_QUEUED_LOOKUPS {
            return false;
        }
        requests.push_back(request);
        // The receiver takes all requests after one wake-up.
        if requests.len() == 1 {
            self.waker.wake();
        }
        true
    }

    /// Waits until there is a request, the other file descriptor is readable, or the timeout
    /// expires.
    pub(super) fn wait(&self, other: Option<BorrowedFd>, timeout: Duration) {
        let own = self.waker.as_fd();
        let mut poll_fds =
            [own, other.unwrap_or(own)].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let _ = poll(&mut poll_fds, Timespec::try_from(timeout).ok().as_ref());
    }

    /// Removes and returns all queued requests.
    pub(super) fn take(&self) -> VecDeque<LookupRequest> {
        // A request that is sent after this point wakes the receiver again, or is taken below.
        self.waker.reset();
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<LookupRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
