//! Stop requests, made on a signal, a timer or a closed pipe and received by a source that waits
//! for packets.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// A stop request for a source; clones share it.
#[derive(Debug, Clone)]
pub struct Stop {
    shared: Arc<StopState>,
}

#[derive(Debug)]
struct StopState {
    requested_at: OnceLock<Instant>,
    /// Time at which the source ends without a request.
    #[cfg(feature = "live")]
    deadline: OnceLock<Instant>,
    /// Readable once a stop was requested, so that poll(2) wakes up.
    wake_reader: OwnedFd,
    wake_writer: OwnedFd,
}

impl Stop {
    /// Creates a stop request that has not been made so far.
    ///
    /// # Errors
    /// The process has no file descriptors left.
    #[cfg(feature = "live")]
    pub fn new() -> crate::error::Result<Stop> {
        let (reader, writer) =
            std::io::pipe().map_err(crate::error::Error::file("cannot create", "a pipe"))?;
        Ok(Stop {
            shared: Arc::new(StopState {
                requested_at: OnceLock::new(),
                deadline: OnceLock::new(),
                wake_reader: reader.into(),
                wake_writer: writer.into(),
            }),
        })
    }

    /// Requests that the source end after it has delivered the packets that are already captured.
    pub fn request(&self) {
        if self.shared.requested_at.set(Instant::now()).is_ok() {
            // The pipe is empty, so one byte always fits.
            let _ = rustix::io::write(&self.shared.wake_writer, &[0]);
        }
    }

    /// True once a stop was requested.
    pub fn is_requested(&self) -> bool {
        self.shared.requested_at.get().is_some()
    }

    /// Records the time at which the source ends without a request; only the first one counts.
    #[cfg(feature = "live")]
    pub(crate) fn set_deadline(&self, at: Instant) {
        let _ = self.shared.deadline.set(at);
    }

    /// Returns the time of the first request or of the deadline, whichever is earlier.
    #[cfg(feature = "cli")]
    pub(crate) fn time(&self) -> Option<Instant> {
        let (requested, deadline) = (&self.shared.requested_at, &self.shared.deadline);
        requested
            .get()
            .into_iter()
            .chain(deadline.get())
            .min()
            .copied()
    }

    /// Returns a descriptor that becomes readable when a stop is requested.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.shared.wake_reader.as_fd()
    }
}
