//! The connections that a directory has, by their ends: which of several that used the same ends a packet is of.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::directory::Question;
use super::{Owner, Owners};
use crate::packet::{Timestamp, Tuple};

/// The most connections that are remembered; the oldest are forgotten first.
pub(super) const MOST: usize = 1 << 16;
/// Two captures stamp the same packet at most this far apart, in nanoseconds. No tuple is used again so soon.
pub(super) const SAME: i64 = 100_000_000;
/// The same, of what the kernel tells and what packets are stamped with.
pub(super) const TOLD: i64 = 1_000_000;

/// Which of a connection's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The first: who used the same ends before is another.
    First,
    /// Any of them.
    Any,
}

/// Connections.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// By who sent the first packet to whom; a tuple that was used several times has several entries, the oldest first.
    pub(super) entries: HashMap<Tuple, Vec<Entry>, foldhash::fast::RandomState>,
    pub(super) order: VecDeque<Tuple>,
    /// How many are not settled.
    pub(super) pending: usize,
    /// How often somebody wanted to have all that the kernel has told by now, and which of these wishes were fulfilled.
    pub(super) wanted: u64,
    pub(super) fulfilled: u64,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Entry {
    /// When it began, as far as that is known: by this it is found again.
    pub(super) time: Timestamp,
    /// No packet before this time is of it.
    pub(super) from: i64,
    /// The first SYN's sequence number, where one was seen.
    pub(super) isn: Option<u32>,
    pub(super) owners: Owners,
    pub(super) is_pending: bool,
    /// Whether the kernel has told of it.
    pub(super) is_told: bool,
    /// Who had the responder's end, as the kernel has told it.
    pub(super) had: Vec<Had>,
    /// Whether its last process has let go of it. Another connection that nobody told of may use the same ends.
    pub(super) is_over: bool,
}

/// What the kernel tells of who has an end that he has not asked for.
#[derive(Debug)]
pub(super) enum Had {
    /// He has read from it.
    Read(Owner),
    /// He was the last to let go of it.
    LetGo(Owner),
}

/// So often is remembered who had an end.
const OFTEN: usize = 8;

impl Entry {
    /// Of a connection whose first packet, or the first that was seen, came at this time.
    pub(super) fn new(time: Timestamp) -> Entry {
        Entry {
            time,
            from: time.0.saturating_sub(SAME),
            isn: None,
            owners: Owners::default(),
            is_pending: true,
            is_told: false,
            had: Vec::new(),
            is_over: false,
        }
    }

    /// Notes who has the responder's end as far as that was looked up: what was told of it stands.
    pub(super) fn responder(&mut self, found: Owner) {
        let owner = self
            .had
            .iter()
            .fold(found, |owner, had| owner.as_had_by(had));
        self.owners.resp = Some(Arc::new(owner));
    }

    /// Notes what was told of who has the responder's end.
    pub(super) fn responder_had(&mut self, had: Had) {
        if self.is_over || self.had.len() == OFTEN {
            return;
        }
        self.is_over = matches!(had, Had::LetGo(_));
        // Who was not looked up yet will be.
        if let Some(known) = &self.owners.resp {
            self.owners.resp = Some(Arc::new(known.as_had_by(&had)));
        }
        self.had.push(had);
    }
}

impl Shared {
    pub(super) fn push(&mut self, tuple: &Tuple, entry: Entry) {
        self.entries.entry(*tuple).or_default().push(entry);
        self.order.push_back(*tuple);
        self.pending += 1;
        if self.order.len() > MOST {
            self.forget_oldest();
        }
    }

    /// The owners of a packet's ends.
    pub(super) fn of(&self, tuple: &Tuple, time: Timestamp, which: Which) -> Option<Owners> {
        let found = |tuple: &Tuple| {
            let entries = self.entries.get(tuple)?;
            // The one that had begun by then.
            let begun = entries.iter().rfind(|entry| entry.from <= time.0)?;
            let is_it = which == Which::Any || time.0 <= begun.time.0.saturating_add(SAME);
            is_it.then(|| (begun.time, begun.owners.clone()))
        };
        let ways = (found(tuple), found(&tuple.reversed()));
        Some(match ways {
            (Some((one, _)), Some((other, owners))) if one < other => owners.swapped(),
            (Some((_, owners)), _) => owners,
            (None, Some((_, owners))) => owners.swapped(),
            (None, None) => return None,
        })
    }

    /// Whether the kernel has told of the connection that a flow is, or nobody knows of it.
    pub(super) fn is_told(&self, tuple: &Tuple, first: Timestamp) -> bool {
        let begun = self.entries.get(tuple).and_then(|entries| {
            let found = entries.iter().rfind(|entry| entry.from <= first.0);
            found.filter(|entry| first.0 <= entry.time.0.saturating_add(SAME))
        });
        begun.is_none_or(|entry| entry.is_told)
    }

    pub(super) fn entry(&mut self, question: &Question) -> Option<&mut Entry> {
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
