//! Questions on their way to who answers them, who may wait for something else beside them.

use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::directory::Question;

/// So many questions may wait. Who cannot be asked about in time is not asked about at all.
pub(super) const MOST: usize = 1 << 14;

/// Asks.
#[derive(Debug)]
pub(super) struct Asks {
    waiting: Waiting,
    bell: PipeWriter,
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Questions {
    waiting: Waiting,
    bell: PipeReader,
}

/// Those that nobody has taken.
#[derive(Debug, Clone, Default)]
struct Waiting(Arc<Mutex<VecDeque<Question>>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Question>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Both ends.
///
/// # Errors
/// There are no more descriptors.
pub(super) fn channel() -> io::Result<(Asks, Questions)> {
    let (heard, bell) = io::pipe()?;
    for end in [heard.as_fd(), bell.as_fd()] {
        rustix::io::ioctl_fionbio(end, true)?;
    }
    let waiting = Waiting::default();
    let asks = Asks {
        waiting: waiting.clone(),
        bell,
    };
    let questions = Questions {
        waiting,
        bell: heard,
    };
    Ok((asks, questions))
}

impl Asks {
    /// Asks something; false if too many questions wait, or nobody answers any more.
    pub(super) fn ask(&self, question: Question) -> bool {
        let is_alone = Arc::strong_count(&self.waiting.0) == 1;
        let mut waiting = self.waiting.lock();
        if is_alone || waiting.len() >= MOST {
            return false;
        }
        waiting.push_back(question);
        let is_first = waiting.len() == 1;
        drop(waiting);
        // Who takes the first takes all.
        if is_first {
            // Where the pipe is full, whoever reads it has been woken already.
            let _ = (&self.bell).write(&[0]);
        }
        true
    }
}

impl Questions {
    /// Waits at most this long until something is asked, or there is something to read beside that.
    pub(super) fn wait(&self, beside: Option<BorrowedFd>, at_most: Duration) {
        let ends = [Some(self.bell.as_fd()), beside];
        let mut all = ends
            .map(|end| PollFd::from_borrowed_fd(end.unwrap_or(self.bell.as_fd()), PollFlags::IN));
        let _ = poll(&mut all, Timespec::try_from(at_most).ok().as_ref());
    }

    /// All that was asked.
    pub(super) fn take(&self) -> VecDeque<Question> {
        // Whatever is asked from here on rings it again, or is among those.
        while (&self.bell).read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
        std::mem::take(&mut self.waiting.lock())
    }
}
