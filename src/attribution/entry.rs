//! A connection in the connection table: its owners over time, and its version.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::packet::Timestamp;
use crate::process::{Evidence, Owner, Owners};

/// Maximum number of earlier users of one end of a connection; beyond it, the first ones are
/// removed.
const MAX_EARLIER_USERS: usize = 256;

/// Maximum difference between the times of a SYN in two captures, in nanoseconds. The kernel notes
/// the time of a TCP segment anew for each of them, one immediately after the other.
const SYN_TIME_TOLERANCE_NS: i64 = 1_000_000;

/// A connection and its owners.
#[derive(Debug)]
pub(super) struct ConnectionEntry {
    /// The time of the connection's first packet, or the closest time available. Together with the
    /// endpoints, this time identifies the entry.
    pub(super) time: Timestamp,
    /// The earliest possible time of the connection's packets, in nanoseconds.
    pub(super) valid_from: i64,
    /// The sequence number of the initial SYN, if it was captured.
    pub(super) isn: Option<u32>,
    /// The current owners.
    pub(super) owners: Owners,
    /// The processes that used the originator's and the responder's socket before the current
    /// owner, each with the time of its last use, in nanoseconds.
    earlier: [Vec<(i64, Arc<Owner>)>; 2],
    /// True for each end whose owner BPF has reported, so that lookups do not change it.
    pub(super) is_reported: [bool; 2],
    /// True until the lookup is completed.
    pub(super) is_pending: bool,
    /// Number of changes so far, shared with those who cached the owners.
    pub(super) version: Arc<AtomicU32>,
    /// The last process that had the responder's socket, if BPF has reported its end. Later uses
    /// are ignored: another connection, not reported by BPF, can reuse the endpoints.
    last_closer: Option<Owner>,
}

/// Version of a connection's owners, which shows whether a copy of them is current.
#[derive(Debug)]
pub(super) struct EntryVersion {
    current: Arc<AtomicU32>,
    seen: u32,
}

impl EntryVersion {
    /// True if neither the owners nor the connection that uses the endpoints have changed.
    #[inline]
    pub(super) fn is_current(&self) -> bool {
        self.current.load(Relaxed) == self.seen
    }
}

impl ConnectionEntry {
    /// Returns the version of a copy of the owners; `age` is 0 if the copy is current.
    pub(super) fn version(&self, age: u32) -> EntryVersion {
        EntryVersion {
            current: Arc::clone(&self.version),
            seen: self.version.load(Relaxed).wrapping_sub(age),
        }
    }

    /// Marks all copies of the owners as outdated. Called while the table is locked.
    pub(super) fn outdate_copies(&self) {
        self.version.fetch_add(1, Relaxed);
    }

    /// Creates an entry for a connection whose first captured packet has this time.
    pub(super) fn new(time: Timestamp) -> ConnectionEntry {
        ConnectionEntry {
            time,
            valid_from: time.0,
            isn: None,
            owners: Owners::default(),
            earlier: Default::default(),
            is_reported: [false; 2],
            is_pending: true,
            version: Arc::default(),
            last_closer: None,
        }
    }

    /// Records that the entry comes from a SYN with this sequence number, in another capture.
    pub(super) fn set_isn(&mut self, isn: u32) {
        self.isn = Some(isn);
        self.valid_from = self.time.0.saturating_sub(SYN_TIME_TOLERANCE_NS);
    }

    /// Returns the latest possible time of the first packet, in nanoseconds.
    pub(super) fn starts_by(&self) -> i64 {
        match self.isn {
            Some(_) => self.time.0.saturating_add(SYN_TIME_TOLERANCE_NS),
            None => self.time.0,
        }
    }

    /// Sets the responder found by a lookup, unless BPF has reported it.
    pub(super) fn set_responder(&mut self, found: Owner) {
        if !self.is_reported[1] {
            let owner = match &self.last_closer {
                Some(closer) => found.merge_last_closer(closer),
                None => found,
            };
            self.owners.resp = Some(Arc::new(owner));
        }
    }

    /// Records that a process uses the socket of an end, which another process used until `since`;
    /// absent if none did.
    pub(super) fn record_use(&mut self, end: usize, since: Timestamp, user: Owner) {
        if self.is_closed() {
            return;
        }
        let current = match end {
            0 => &mut self.owners.orig,
            _ => &mut self.owners.resp,
        };
        if let Some(previous) = current.replace(Arc::new(user))
            && self.is_reported[end]
            && since.is_present()
        {
            self.push_earlier(end, since, previous);
        }
        self.is_reported[end] = true;
    }

    fn push_earlier(&mut self, end: usize, until: Timestamp, user: Arc<Owner>) {
        let earlier = &mut self.earlier[end];
        if earlier.len() >= MAX_EARLIER_USERS {
            earlier.remove(0);
        }
        earlier.push((until.0, user));
    }

    /// Records that events were lost: another process may use the sockets from this time on.
    pub(super) fn record_lost_events(&mut self, time: Timestamp) {
        for end in 0..2 {
            let current = match end {
                0 => &mut self.owners.orig,
                _ => &mut self.owners.resp,
            };
            if let Some(user) = current
                && self.is_reported[end]
                && user.evidence.is_certain()
            {
                let doubtful = Arc::new(Owner {
                    evidence: Evidence::Holds,
                    ..Owner::clone(user)
                });
                let user = std::mem::replace(user, doubtful);
                self.push_earlier(end, time, user);
            }
        }
        self.outdate_copies();
    }

    /// Completes the lookup without a result for the ends that are not identified.
    pub(super) fn mark_not_looked_up(&mut self) {
        let originator = &mut self.owners.orig;
        originator.get_or_insert_with(|| Arc::new(Owner::not_looked_up()));
        if self.owners.resp.is_none() {
            self.set_responder(Owner::not_looked_up());
        }
        self.is_pending = false;
    }

    /// Records the last process that had the socket of an end, and that the socket is closed.
    pub(super) fn record_last_closer(&mut self, end: usize, closer: Owner) {
        if self.is_closed() {
            return;
        }
        if end == 0 {
            let current = self.owners.orig.as_ref();
            if current.is_none_or(|owner| owner.processes.is_empty()) {
                self.owners.orig = Some(Arc::new(closer));
            }
            return;
        }
        // Without a responder, the closer is merged after the lookup.
        if let Some(responder) = &self.owners.resp
            && !self.is_reported[1]
        {
            self.owners.resp = Some(Arc::new(responder.merge_last_closer(&closer)));
        }
        self.last_closer = Some(closer);
    }

    /// True if the responder's socket was closed by the last process that had it.
    pub(super) fn is_closed(&self) -> bool {
        self.last_closer.is_some()
    }

    /// Changes the entry. The lookup ends if no better result can follow; returns true if it was
    /// pending and has ended.
    pub(super) fn update(&mut self, change: impl FnOnce(&mut ConnectionEntry)) -> bool {
        let was_pending = self.is_pending;
        change(self);
        self.outdate_copies();
        let is_final =
            self.is_reported == [true; 2] || self.is_closed() && self.owners.resp.is_some();
        self.is_pending &= !is_final;
        was_pending && !self.is_pending
    }

    /// Returns the owners at the time of a packet, and true if they are the current ones.
    pub(super) fn owners_at(&self, time: Timestamp) -> (Owners, bool) {
        let earlier = |end: usize| {
            let users = &self.earlier[end];
            users.iter().find(|(until, _)| time.0 <= *until)
        };
        let (orig, resp) = (earlier(0), earlier(1));
        let is_current = orig.is_none() && resp.is_none();
        let owner = |found: Option<&(i64, Arc<Owner>)>, current: &Option<Arc<Owner>>| {
            found.map_or_else(|| current.clone(), |(_, owner)| Some(Arc::clone(owner)))
        };
        let owners = Owners {
            orig: owner(orig, &self.owners.orig),
            resp: owner(resp, &self.owners.resp),
        };
        (owners, is_current)
    }

    /// Returns the owners of the whole connection: the current ones, and the processes that used
    /// its sockets before.
    pub(super) fn all_owners(&self) -> Owners {
        let merge = |current: &Option<Arc<Owner>>, earlier: &[(i64, Arc<Owner>)]| {
            let mut owner = Arc::clone(current.as_ref()?);
            for (_, user) in earlier.iter().rev() {
                owner = Arc::new(owner.followed_by(user));
            }
            Some(owner)
        };
        Owners {
            orig: merge(&self.owners.orig, &self.earlier[0]),
            resp: merge(&self.owners.resp, &self.earlier[1]),
        }
    }

    /// Forgets the owners that were looked up after this time, at which another connection with the
    /// same endpoints started: they can be those of the other connection.
    pub(super) fn forget_lookups_since(&mut self, time: Timestamp) {
        let ends = [&mut self.owners.orig, &mut self.owners.resp];
        for (owner, is_reported) in ends.into_iter().zip(self.is_reported) {
            if let Some(found) = owner
                && !is_reported
                && found.lookup_time >= time
            {
                *found = Arc::new(Owner::unknown(Evidence::Gone, None));
            }
        }
    }
}
