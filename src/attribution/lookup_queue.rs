//! Queue of lookup requests whose receiver can wait for another file descriptor at the same time.

use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::packet::{Endpoints, Timestamp};

/// Maximum number of queued requests; beyond it, requests are rejected, because their lookup would
/// be too late.
pub(super) const MAX_QUEUED_LOOKUPS: usize = 1 << 14;

/// A request to look up the ends of a connection. The endpoints are directed from the
/// originator to the responder.
#[derive(Debug, Clone, Copy)]
pub(super) struct LookupRequest {
    pub(super) endpoints: Endpoints,
    /// The time of the connection's first packet.
    pub(super) time: Timestamp,
    pub(super) target: LookupTarget,
}

/// The ends to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LookupTarget {
    /// The originator, by a scan of all processes: none of the likely candidates has its socket.
    Originator,
    /// The responder.
    Responder,
    /// Both ends of a connection whose start was not captured.
    Both,
}

/// The sending end of the queue.
#[derive(Debug)]
pub(super) struct LookupSender {
    backlog: LookupBacklog,
    wake_pipe: PipeWriter,
}

/// The receiving end of the queue.
#[derive(Debug)]
pub(super) struct LookupReceiver {
    backlog: LookupBacklog,
    wake_pipe: PipeReader,
}

/// The requests that are queued and not received so far.
#[derive(Debug, Clone, Default)]
struct LookupBacklog(Arc<Mutex<VecDeque<LookupRequest>>>);

impl LookupBacklog {
    fn lock(&self) -> MutexGuard<'_, VecDeque<LookupRequest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates a queue and returns both ends.
///
/// # Errors
/// The limit on file descriptors is reached.
pub(super) fn channel() -> io::Result<(LookupSender, LookupReceiver)> {
    let (wake_reader, wake_writer) = io::pipe()?;
    for fd in [wake_reader.as_fd(), wake_writer.as_fd()] {
        rustix::io::ioctl_fionbio(fd, true)?;
    }
    let backlog = LookupBacklog::default();
    let sender = LookupSender {
        backlog: backlog.clone(),
        wake_pipe: wake_writer,
    };
    let receiver = LookupReceiver {
        backlog,
        wake_pipe: wake_reader,
    };
    Ok((sender, receiver))
}

impl LookupSender {
    /// Enqueues a request. Returns false if the queue is full or the receiver was dropped.
    pub(super) fn send(&self, request: LookupRequest) -> bool {
        let is_receiver_gone = Arc::strong_count(&self.backlog.0) == 1;
        let mut backlog = self.backlog.lock();
        if is_receiver_gone || backlog.len() >= MAX_QUEUED_LOOKUPS {
            return false;
        }
        backlog.push_back(request);
        let is_first = backlog.len() == 1;
        drop(backlog);
        // The receiver takes all requests after one wake-up.
        if is_first {
            // If the pipe is full, a wake-up is already pending.
            let _ = (&self.wake_pipe).write(&[0]);
        }
        true
    }
}

impl LookupReceiver {
    /// Waits until there is a request, the other file descriptor is readable, or the timeout
    /// expires.
    pub(super) fn wait(&self, other: Option<BorrowedFd>, timeout: Duration) {
        let fds = [Some(self.wake_pipe.as_fd()), other];
        let mut poll_fds = fds.map(|fd| {
            PollFd::from_borrowed_fd(fd.unwrap_or(self.wake_pipe.as_fd()), PollFlags::IN)
        });
        let _ = poll(&mut poll_fds, Timespec::try_from(timeout).ok().as_ref());
    }

    /// Removes and returns all queued requests.
    pub(super) fn take(&self) -> VecDeque<LookupRequest> {
        // A request that is sent after this point wakes the receiver again, or is taken below.
        while (&self.wake_pipe)
            .read(&mut [0; 64])
            .is_ok_and(|count| count > 0)
        {}
        std::mem::take(&mut self.backlog.lock())
    }
}
