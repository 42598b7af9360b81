//! The wish to stop, made by a signal, a timer or a closed pipe, and heard by whoever waits for packets.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Result;

/// Asks a source to end; clones ask the same one.
#[derive(Debug, Clone)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    requested: AtomicBool,
    /// Readable once a stop was requested, so that a poll wakes.
    wakes: OwnedFd,
    waker: OwnedFd,
}

impl Stop {
    /// A stop that nobody has asked for yet.
    ///
    /// # Errors
    /// The process has no file descriptors left.
    pub fn new() -> Result<Stop> {
        let (wakes, waker) = std::io::pipe()?;
        let requested = AtomicBool::new(false);
        Ok(Stop {
            shared: Arc::new(Shared {
                requested,
                wakes: wakes.into(),
                waker: waker.into(),
            }),
        })
    }

    /// Asks the source to end: it still gives what was captured before.
    pub fn request(&self) {
        if !self.shared.requested.swap(true, Ordering::AcqRel) {
            // The pipe is empty, so one byte always fits.
            let _ = rustix::io::write(&self.shared.waker, &[0]);
        }
    }

    /// Whether somebody asked.
    pub fn is_requested(&self) -> bool {
        self.shared.requested.load(Ordering::Acquire)
    }

    /// Becomes readable when somebody asks.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.shared.wakes.as_fd()
    }
}
