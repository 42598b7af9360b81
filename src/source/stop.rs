//! Stop requests, made on a signal, a timer or a closed pipe and received by a source that waits
//! for packets.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A stop request for a source; clones share it.
#[derive(Debug, Clone)]
pub struct Stop {
    shared: Arc<StopState>,
}

#[derive(Debug)]
struct StopState {
    requested: AtomicBool,
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
        let (reader, writer) = std::io::pipe()?;
        let requested = AtomicBool::new(false);
        Ok(Stop {
            shared: Arc::new(StopState {
                requested,
                wake_reader: reader.into(),
                wake_writer: writer.into(),
            }),
        })
    }

    /// Requests that the source end after it has delivered the packets that are already captured.
    pub fn request(&self) {
        if !self.shared.requested.swap(true, Ordering::AcqRel) {
            // The pipe is empty, so one byte always fits.
            let _ = rustix::io::write(&self.shared.wake_writer, &[0]);
        }
    }

    /// True once a stop was requested.
    pub fn is_requested(&self) -> bool {
        self.shared.requested.load(Ordering::Acquire)
    }

    /// Returns a descriptor that becomes readable when a stop is requested.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.shared.wake_reader.as_fd()
    }
}
