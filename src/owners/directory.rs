//! What is known of the ends of connections, shared by who looks them up and who shows them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{How, Owner, Owners};
use crate::packet::{Timestamp, Tuple};

/// The most connections that are remembered; the oldest are forgotten first.
const MOST: usize = 1 << 16;
/// So many questions may wait. Who cannot be asked about in time is not asked about at all.
const QUESTIONS: usize = 1 << 14;
/// Two captures stamp the same packet at most this far apart, in nanoseconds. No tuple is used again so soon.
const SAME: i64 = 100_000_000;

/// Connections and their owners.
#[derive(Debug)]
pub struct Directory {
    shared: Mutex<Shared>,
    settled: Condvar,
    questions: SyncSender<Question>,
    /// How many events there was no room for.
    untold: AtomicU64,
}

/// A connection whose ends are to be looked up: the tuple goes from the originator to the responder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) tuple: Tuple,
    /// When its first packet came.
    pub(super) time: Timestamp,
    /// Whether only the responder is of interest, whose listener is known.
    pub(super) is_begun: bool,
}

#[derive(Debug, Default)]
struct Shared {
    /// By who sent the first packet to whom; a tuple that was used several times has several entries, the oldest first.
    entries: HashMap<Tuple, Vec<Entry>, foldhash::fast::RandomState>,
    order: VecDeque<Tuple>,
    /// How many are not settled.
    pending: usize,
}

#[derive(Debug)]
struct Entry {
    time: Timestamp,
    /// The first SYN's sequence number, where one was seen.
    isn: Option<u32>,
    owners: Owners,
    is_pending: bool,
    /// Whether the kernel has told of it.
    is_told: bool,
    /// Who let go of the responder's end, while it is not known who listens.
    last: Option<Owner>,
    /// Whether that was taken into account. Another connection that nobody told of may use the same ends.
    is_over: bool,
}

/// Whether somebody was asked to look a connection up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Already,
    NotYet,
}

impl Directory {
    /// An empty one, and what is asked of who looks up.
    pub(super) fn new() -> (Arc<Directory>, Receiver<Question>) {
        let (questions, asked) = sync_channel(QUESTIONS);
        let directory = Directory {
            shared: Mutex::default(),
            settled: Condvar::new(),
            questions,
            untold: AtomicU64::new(0),
        };
        (Arc::new(directory), asked)
    }

    /// The owners of a packet's ends, as far as they are known: the sender's and the receiver's. The time is that of any of the connection's
    /// packets.
    pub fn of_packet(&self, tuple: &Tuple, time: Timestamp) -> Option<Owners> {
        self.lock().of_packet(tuple, time)
    }

    /// The owners of a flow that began at this time.
    pub fn of_flow(&self, tuple: &Tuple, first: Timestamp) -> Option<Owners> {
        let shared = self.lock();
        let found = |tuple: &Tuple| {
            let entries = shared.entries.get(tuple)?;
            let nearest = entries
                .iter()
                .min_by_key(|entry| entry.time.0.abs_diff(first.0))?;
            let is_same = nearest.time.0.abs_diff(first.0) <= SAME as u64;
            is_same.then(|| nearest.owners.clone())
        };
        found(tuple).or_else(|| found(&tuple.reversed()).map(Owners::swapped))
    }

    /// Has the ends of a connection looked up whose begin nobody saw, unless that is done already.
    pub fn ask(&self, tuple: &Tuple, time: Timestamp) {
        if self.of_packet(tuple, time).is_none() && self.begin(tuple, time, None) {
            self.inquire(Question {
                tuple: *tuple,
                time,
                is_begun: false,
            });
        }
    }

    /// The owners of a packet's ends, which are asked for if need be; waits at most this long until something is known of both.
    pub(super) fn answer(
        &self,
        tuple: &Tuple,
        time: Timestamp,
        at_most: Duration,
    ) -> Option<Owners> {
        self.ask(tuple, time);
        let until = Instant::now() + at_most;
        let mut shared = self.lock();
        loop {
            let owners = shared.of_packet(tuple, time);
            let is_enough = |owners: &Owners| owners.orig.is_some() && owners.resp.is_some();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || owners.as_ref().is_some_and(is_enough) {
                return owners;
            }
            let waited = self.settled.wait_timeout(shared, left);
            shared = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until nothing is being looked up, at most this long.
    pub fn settle(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut shared = self.lock();
        while shared.pending > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.settled.wait_timeout(shared, left);
            shared = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Notes a connection that begins; false if it is known already.
    pub(super) fn begin(&self, tuple: &Tuple, time: Timestamp, isn: Option<u32>) -> bool {
        let mut shared = self.lock();
        let entries = shared.entries.entry(*tuple).or_default();
        // A SYN that is sent again.
        if isn.is_some() && entries.last().is_some_and(|last| last.isn == isn) {
            return false;
        }
        entries.push(Entry {
            time,
            isn,
            owners: Owners::default(),
            is_pending: true,
            is_told: false,
            last: None,
            is_over: false,
        });
        shared.order.push_back(*tuple);
        shared.pending += 1;
        if shared.order.len() > MOST {
            shared.forget_oldest();
        }
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
        let is_between = |time: Timestamp| (from.0 - SAME..=to.0 + SAME).contains(&time.0);
        let last = self.last(tuple).map(|(question, _)| question);
        let (question, asked) = match last.filter(|question| is_between(question.time)) {
            Some(question) => (question, Asked::Already),
            None => {
                self.begin(tuple, to, None);
                let question = Question {
                    tuple: *tuple,
                    time: to,
                    is_begun: true,
                };
                (question, Asked::NotYet)
            }
        };
        self.change(&question, |entry| {
            entry.is_told = true;
            entry.owners.orig = Some(Arc::new(originator));
        });
        (question, asked)
    }

    /// The connection that used this tuple last, and its owners.
    pub(super) fn last(&self, tuple: &Tuple) -> Option<(Question, Owners)> {
        let shared = self.lock();
        let entry = shared.entries.get(tuple)?.last()?;
        let question = Question {
            tuple: *tuple,
            time: entry.time,
            is_begun: true,
        };
        Some((question, entry.owners.clone()))
    }

    /// Has somebody look it up.
    pub(super) fn inquire(&self, question: Question) {
        if self.questions.try_send(question).is_err() {
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
        self.change(question, |entry| entry.owners.resp = Some(Arc::new(owner)));
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
                entry.owners.resp = Some(Arc::new(owner));
            }
        });
        self.settled.notify_all();
    }

    /// Notes who the responder of a connection may be, unless it is known better.
    pub(super) fn responder_at_least(&self, question: &Question, owner: Owner) {
        self.change(question, |entry| {
            let known = entry.owners.resp.as_ref();
            if known.is_none_or(|known| known.processes.is_empty()) {
                entry.owners.resp = Some(Arc::new(owner));
            }
        });
        self.is_over(question);
    }

    /// Notes who let go of the responder's end: nothing better will be found out.
    pub(super) fn responder_let_go(&self, question: &Question, owner: Owner) {
        self.change(question, |entry| {
            if !entry.is_over {
                entry.last = Some(owner);
            }
        });
        self.is_over(question);
    }

    /// Puts together who listens and who let go, once both are known.
    fn is_over(&self, question: &Question) {
        let mut is_settled = false;
        self.change(question, |entry| {
            if let (Some(known), Some(last)) = (&entry.owners.resp, &entry.last) {
                entry.owners.resp = Some(Arc::new(known.as_last_had_by(last)));
                (entry.last, entry.is_over) = (None, true);
                is_settled = true;
            }
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
            let missed = Arc::new(Owner::unknown(How::Missed, None));
            entry.owners.orig.get_or_insert_with(|| Arc::clone(&missed));
            entry.owners.resp.get_or_insert(missed);
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

impl Shared {
    fn of_packet(&self, tuple: &Tuple, time: Timestamp) -> Option<Owners> {
        let found = |tuple: &Tuple| {
            let entries = self.entries.get(tuple)?;
            // The one that had begun by then.
            let begun = entries
                .iter()
                .rfind(|entry| entry.time.0 <= time.0.saturating_add(SAME));
            begun.map(|entry| (entry.time, entry.owners.clone()))
        };
        let ways = (found(tuple), found(&tuple.reversed()));
        Some(match ways {
            (Some((one, _)), Some((other, owners))) if one < other => owners.swapped(),
            (Some((_, owners)), _) => owners,
            (None, Some((_, owners))) => owners.swapped(),
            (None, None) => return None,
        })
    }

    fn entry(&mut self, question: &Question) -> Option<&mut Entry> {
        let entries = self.entries.get_mut(&question.tuple)?;
        entries
            .iter_mut()
            .rfind(|entry| entry.time == question.time)
    }

    fn forget_oldest(&mut self) {
        let Some(tuple) = self.order.pop_front() else {
            return;
        };
        let Some(entries) = self.entries.get_mut(&tuple) else {
            return;
        };
        let oldest = entries.remove(0);
        self.pending -= usize::from(oldest.is_pending);
        if entries.is_empty() {
            self.entries.remove(&tuple);
        }
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
