//! What is known of the ends of connections, shared by who looks them up and who shows them.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::entries::{Entry, Had, Shared, TOLD, Which};
use super::questions::{self, Asks, Questions};
use super::{Owner, Owners};
use crate::packet::{TCP, Timestamp, Tuple};

/// Connections and their owners.
#[derive(Debug)]
pub struct Directory {
    shared: Mutex<Shared>,
    settled: Condvar,
    asks: Asks,
    /// How many events there was no room for.
    untold: AtomicU64,
    /// Wakes who notes what the kernel tells, where it does.
    wakes: OnceLock<PipeWriter>,
}

/// A connection whose ends are to be looked up: the tuple goes from the originator to the responder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) tuple: Tuple,
    /// When its first packet came.
    pub(super) time: Timestamp,
    pub(super) about: About,
}

/// Whose end is to be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// The originator's, who is none of those who probably have it.
    Originator,
    /// The responder's.
    Responder,
    /// Both ends of a connection that nobody saw begin.
    Both,
}

/// Whether somebody was asked to look a connection up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Already,
    NotYet,
}

impl Directory {
    /// An empty one, and what is asked of who looks up.
    ///
    /// # Errors
    /// There are no more descriptors.
    pub(super) fn new() -> io::Result<(Arc<Directory>, Questions)> {
        let (asks, questions) = questions::channel()?;
        let directory = Directory {
            shared: Mutex::default(),
            settled: Condvar::new(),
            asks,
            untold: AtomicU64::new(0),
            wakes: OnceLock::new(),
        };
        Ok((Arc::new(directory), questions))
    }

    /// The owners of a packet's ends, as far as they are known: the sender's and the receiver's.
    pub fn of_packet(&self, tuple: &Tuple, time: Timestamp, which: Which) -> Option<Owners> {
        self.lock().of(tuple, time, which)
    }

    /// The owners of a flow that began at this time.
    pub fn of_flow(&self, tuple: &Tuple, first: Timestamp) -> Option<Owners> {
        self.lock().of(tuple, first, Which::First)
    }

    /// Has the ends of a connection looked up whose begin nobody saw, unless that is done already.
    pub fn ask(&self, tuple: &Tuple, time: Timestamp, which: Which) {
        let mut shared = self.lock();
        if shared.of(tuple, time, which).is_some() {
            return;
        }
        shared.push(tuple, Entry::new(time));
        drop(shared);
        self.inquire(Question {
            tuple: *tuple,
            time,
            about: About::Both,
        });
    }

    /// The owners of a packet's ends, which are asked for if need be; waits at most this long until something is known of both.
    pub(super) fn answer(
        &self,
        tuple: &Tuple,
        time: Timestamp,
        which: Which,
        at_most: Duration,
    ) -> Option<Owners> {
        self.ask(tuple, time, which);
        let shared = self.wait(self.lock(), at_most, |shared| {
            let owners = shared.of(tuple, time, which);
            owners.is_some_and(|owners| owners.orig.is_some() && owners.resp.is_some())
        });
        shared.of(tuple, time, which)
    }

    /// Waits until something is so, at most this long.
    fn wait<'a>(
        &self,
        shared: MutexGuard<'a, Shared>,
        at_most: Duration,
        is_so: impl Fn(&Shared) -> bool,
    ) -> MutexGuard<'a, Shared> {
        let waited = self
            .settled
            .wait_timeout_while(shared, at_most, |shared| !is_so(shared));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Has all that the kernel has told noted; waits at most this long.
    fn catch_up(&self, at_most: Duration) {
        let Some(mut wakes) = self.wakes.get() else {
            return;
        };
        let mut shared = self.lock();
        shared.wanted += 1;
        let wanted = shared.wanted;
        // Where the pipe is full, whoever reads it has been woken already.
        let _ = wakes.write(&[0]);
        drop(self.wait(shared, at_most, |shared| shared.fulfilled >= wanted));
    }

    /// The end that is woken when somebody wants to have noted what was told.
    ///
    /// # Errors
    /// There are no more descriptors.
    pub(super) fn listen(&self) -> io::Result<PipeReader> {
        let (reader, writer) = io::pipe()?;
        for end in [reader.as_fd(), writer.as_fd()] {
            rustix::io::ioctl_fionbio(end, true)?;
        }
        let _ = self.wakes.set(writer);
        Ok(reader)
    }

    /// How often somebody wanted that by now.
    pub(super) fn wishes(&self) -> u64 {
        self.lock().wanted
    }

    /// These wishes were fulfilled.
    pub(super) fn fulfil(&self, wishes: u64) {
        let before = std::mem::replace(&mut self.lock().fulfilled, wishes);
        if before < wishes {
            self.settled.notify_all();
        }
    }

    /// Waits for what the kernel has told of a flow that ends sooner than usual, at most this long.
    pub fn settle_flow(&self, tuple: &Tuple, first: Timestamp, at_most: Duration) {
        if tuple.proto == TCP && !self.lock().is_told(tuple, first) {
            self.catch_up(at_most);
        }
    }

    /// Waits until nothing is being looked up, at most this long.
    pub fn settle(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        self.catch_up(at_most);
        let left = until.saturating_duration_since(Instant::now());
        drop(self.wait(self.lock(), left, |shared| shared.pending == 0));
    }

    /// Notes a connection that begins with a SYN of this sequence number; false if it is known already.
    pub(super) fn begin(&self, tuple: &Tuple, time: Timestamp, isn: u32) -> bool {
        let mut shared = self.lock();
        // A SYN that is sent again.
        let last = shared.entries.get(tuple).and_then(|all| all.last());
        if last.is_some_and(|last| last.isn == Some(isn)) {
            return false;
        }
        let entry = Entry {
            isn: Some(isn),
            ..Entry::new(time)
        };
        shared.push(tuple, entry);
        true
    }

    /// Notes who began a connection that the kernel tells of, which somebody may have asked about already: then that question stands, else there
    /// is none yet. Its first packet came between the two times.
    pub(super) fn is_told_of(
        &self,
        tuple: &Tuple,
        [from, to]: [Timestamp; 2],
        originator: Owner,
    ) -> (Question, Asked) {
        let mut shared = self.lock();
        let between = from.0 - TOLD..=to.0 + TOLD;
        let entries = shared.entries.get_mut(tuple).into_iter().flatten();
        let was_asked = entries
            .rev()
            .find(|entry| !entry.is_told && between.contains(&entry.time.0));
        let (time, asked) = match was_asked {
            Some(entry) => {
                (entry.is_told, entry.from) = (true, *between.start());
                entry.owners.orig = Some(Arc::new(originator));
                (entry.time, Asked::Already)
            }
            None => {
                let mut entry = Entry::new(to);
                (entry.is_told, entry.from) = (true, *between.start());
                entry.owners.orig = Some(Arc::new(originator));
                shared.push(tuple, entry);
                (to, Asked::NotYet)
            }
        };
        let question = Question {
            tuple: *tuple,
            time,
            about: About::Responder,
        };
        (question, asked)
    }

    /// The connection that used this tuple last, and its owners.
    pub(super) fn last(&self, tuple: &Tuple) -> Option<(Question, Owners)> {
        let shared = self.lock();
        let entry = shared.entries.get(tuple)?.last()?;
        let question = Question {
            tuple: *tuple,
            time: entry.time,
            about: About::Responder,
        };
        Some((question, entry.owners.clone()))
    }

    /// Has somebody look it up.
    pub(super) fn inquire(&self, question: Question) {
        if !self.asks.ask(question) {
            self.is_missed(&question);
        }
    }

    /// Notes who the originator of a connection is, unless the kernel has told that.
    pub(super) fn originator(&self, question: &Question, owner: Owner) {
        self.change(question, |entry| {
            if !entry.is_told {
                entry.owners.orig = Some(Arc::new(owner));
            }
        });
    }

    /// Notes who the responder of a connection is.
    pub(super) fn responder(&self, question: &Question, owner: Owner) {
        self.change(question, |entry| entry.responder(owner));
        self.settled.notify_all();
    }

    /// Whether more may be found out about a connection.
    pub(super) fn is_pending(&self, question: &Question) -> bool {
        let mut shared = self.lock();
        shared.entry(question).is_some_and(|entry| entry.is_pending)
    }

    /// How many connections are being looked up.
    pub(super) fn pending(&self) -> usize {
        self.lock().pending
    }

    /// Notes who the responder of a connection is, unless that was found out for good meanwhile.
    pub(super) fn responder_so_far(&self, question: &Question, owner: Owner) {
        self.change(question, |entry| {
            if entry.is_pending {
                entry.responder(owner);
            }
        });
        self.settled.notify_all();
    }

    /// Notes who the responder of a connection may be, unless it is known better.
    pub(super) fn responder_at_least(&self, question: &Question, owner: Owner) {
        self.change(question, |entry| {
            let known = entry.owners.resp.as_ref();
            if known.is_none_or(|known| known.processes.is_empty()) {
                entry.responder(owner);
            }
        });
        self.is_over(question);
    }

    /// Notes what the kernel has told of who has the responder's end.
    pub(super) fn responder_had(&self, question: &Question, had: Had) {
        self.change(question, |entry| entry.responder_had(had));
        self.is_over(question);
    }

    /// Nothing better will be found out once it is known who listens and who let go.
    fn is_over(&self, question: &Question) {
        let mut is_settled = false;
        self.change(question, |entry| {
            is_settled = entry.is_over && entry.owners.resp.is_some();
        });
        if is_settled {
            self.is_settled(question);
        }
        self.settled.notify_all();
    }

    /// Who was noted as the responder.
    pub(super) fn known_responder(&self, question: &Question) -> Option<Arc<Owner>> {
        let mut shared = self.lock();
        shared.entry(question)?.owners.resp.clone()
    }

    /// The kernel had no room to tell of so many changes.
    pub(super) fn is_untold(&self, count: u64) {
        self.untold.store(count, Relaxed);
    }

    /// How many changes of connections the kernel had no room to tell of.
    pub fn untold(&self) -> u64 {
        self.untold.load(Relaxed)
    }

    /// Nothing better will be found out about a connection.
    pub(super) fn is_settled(&self, question: &Question) {
        let mut shared = self.lock();
        let was = shared
            .entry(question)
            .map(|entry| std::mem::take(&mut entry.is_pending));
        if was == Some(true) {
            shared.pending -= 1;
            self.settled.notify_all();
        }
    }

    /// There was no time to look a connection up.
    pub(super) fn is_missed(&self, question: &Question) {
        self.change(question, |entry| {
            entry
                .owners
                .orig
                .get_or_insert_with(|| Arc::new(Owner::missed()));
            if entry.owners.resp.is_none() {
                entry.responder(Owner::missed());
            }
        });
        self.is_over(question);
        self.is_settled(question);
    }

    fn change(&self, question: &Question, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.lock().entry(question) {
            change(entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
