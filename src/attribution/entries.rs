//! Entries of the connection table, by endpoints. If several connections used the same endpoints,
//! the times of the entries determine the connection of a packet.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::lookup_queue::LookupRequest;
use crate::packet::{Endpoints, Timestamp};
use crate::process::{Owner, Owners};

/// Maximum number of recorded connections; the oldest are evicted first.
pub(super) const MAX_CONNECTIONS: usize = 1 << 16;
/// Maximum difference between the timestamps of one packet in two captures, in nanoseconds. No
/// endpoints are reused within this time.
pub(super) const SAME_PACKET_TOLERANCE_NS: i64 = 100_000_000;
/// Maximum difference between the times of BPF events and packet timestamps, in nanoseconds.
pub(super) const BPF_TIME_TOLERANCE_NS: i64 = 1_000_000;

/// Position of a packet in its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketPosition {
    /// The first packet: earlier owners of the same endpoints belong to another connection.
    First,
    /// Any packet.
    Any,
}

/// Contents of the connection table.
#[derive(Debug, Default)]
pub(super) struct ConnectionTableState {
    /// The entries by endpoints, from the sender of the first packet to its receiver; several if
    /// the endpoints were reused, the oldest first.
    pub(super) entries: HashMap<Endpoints, Vec<ConnectionEntry>, foldhash::fast::RandomState>,
    /// The endpoints of each entry, the oldest first.
    pub(super) order: VecDeque<Endpoints>,
    /// Number of entries that are not settled.
    pub(super) pending: usize,
    /// Number of requested drains of the BPF events, and number of completed drains.
    pub(super) drains_requested: u64,
    pub(super) drains_completed: u64,
}

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
    pub(super) owners: Owners,
    /// True until the lookup is completed.
    pub(super) is_pending: bool,
    /// True if BPF has reported the connection.
    pub(super) is_from_bpf: bool,
    /// Number of changes so far, shared with those who cached the owners.
    pub(super) version: Arc<AtomicU32>,
    /// BPF evidence for the processes that had the responder's socket.
    pub(super) evidence: Vec<ResponderEvidence>,
    /// True if the responder's socket was closed by the last process that had it. Later evidence is
    /// ignored: another connection, not reported by BPF, can reuse the endpoints.
    pub(super) is_closed: bool,
}

/// BPF evidence for a process that has, or had, the responder's socket.
#[derive(Debug)]
pub(super) enum ResponderEvidence {
    /// The process read from the socket.
    Reader(Owner),
    /// The process was the last to close the socket.
    LastCloser(Owner),
}

/// Maximum number of pieces of evidence per connection.
const MAX_RESPONDER_EVIDENCE: usize = 8;

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
    fn version(&self, age: u32) -> EntryVersion {
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
            valid_from: time.0.saturating_sub(SAME_PACKET_TOLERANCE_NS),
            isn: None,
            owners: Owners::default(),
            is_pending: true,
            is_from_bpf: false,
            version: Arc::default(),
            evidence: Vec::new(),
            is_closed: false,
        }
    }

    /// Sets the responder found by a lookup, updated with the evidence so far.
    pub(super) fn set_responder(&mut self, found: Owner) {
        let evidence = self.evidence.iter();
        let owner = evidence.fold(found, |owner, evidence| owner.merge_evidence(evidence));
        self.owners.resp = Some(Arc::new(owner));
    }

    /// Adds evidence, and updates the responder if a lookup already has a result.
    pub(super) fn add_evidence(&mut self, evidence: ResponderEvidence) {
        if self.is_closed || self.evidence.len() == MAX_RESPONDER_EVIDENCE {
            return;
        }
        self.is_closed = matches!(evidence, ResponderEvidence::LastCloser(_));
        // Without a responder, the evidence is applied after the lookup.
        if let Some(responder) = &self.owners.resp {
            self.owners.resp = Some(Arc::new(responder.merge_evidence(&evidence)));
        }
        self.evidence.push(evidence);
    }
}

impl ConnectionTableState {
    /// Adds an entry. Evicts the oldest entry if there are too many.
    pub(super) fn push(&mut self, endpoints: &Endpoints, entry: ConnectionEntry) {
        // The new connection replaces an earlier one with the same endpoints.
        for endpoints in [*endpoints, endpoints.reversed()] {
            if let Some(earlier) = self.last_entry(&endpoints) {
                earlier.outdate_copies();
            }
        }
        self.entries.entry(*endpoints).or_default().push(entry);
        self.order.push_back(*endpoints);
        self.pending += 1;
        if self.order.len() > MAX_CONNECTIONS {
            self.evict_oldest();
        }
    }

    /// Returns the owners of a packet's ends, and their version.
    pub(super) fn owners(
        &self,
        endpoints: &Endpoints,
        time: Timestamp,
        position: PacketPosition,
    ) -> Option<(Owners, EntryVersion)> {
        let find = |endpoints: &Endpoints| self.entry_at(endpoints, time, position);
        let (entry, is_forward) = match (find(endpoints), find(&endpoints.reversed())) {
            (Some(forward), Some(reverse)) if forward.time < reverse.time => (reverse, false),
            (Some(forward), _) => (forward, true),
            (None, Some(reverse)) => (reverse, false),
            (None, None) => return None,
        };
        let owners = match is_forward {
            true => entry.owners.clone(),
            false => entry.owners.clone().swapped(),
        };
        // A packet of an earlier connection, captured late, does not identify later owners.
        let is_latest = [*endpoints, endpoints.reversed()].iter().all(|endpoints| {
            let last = self.last_entry(endpoints);
            last.is_none_or(|last| last.time <= entry.time)
        });
        Some((owners, entry.version(u32::from(!is_latest))))
    }

    /// Returns the last connection that had started by the time of a packet at this position.
    fn entry_at(
        &self,
        endpoints: &Endpoints,
        time: Timestamp,
        position: PacketPosition,
    ) -> Option<&ConnectionEntry> {
        let mut entries = self.entries.get(endpoints)?.iter();
        let latest = entries.rfind(|entry| entry.valid_from <= time.0)?;
        let is_match = position == PacketPosition::Any
            || time.0 <= latest.time.0.saturating_add(SAME_PACKET_TOLERANCE_NS);
        is_match.then_some(latest)
    }

    /// Returns the last connection from this source to this destination.
    pub(super) fn last_entry(&self, endpoints: &Endpoints) -> Option<&ConnectionEntry> {
        self.entries.get(endpoints)?.last()
    }

    /// True if BPF has reported the connection of a flow, or if the connection is not recorded.
    pub(super) fn is_bpf_up_to_date(&self, endpoints: &Endpoints, first: Timestamp) -> bool {
        let entry = self.entry_at(endpoints, first, PacketPosition::First);
        entry.is_none_or(|entry| entry.is_from_bpf)
    }

    /// Returns the entry of the connection in a request.
    pub(super) fn entry(&mut self, request: &LookupRequest) -> Option<&mut ConnectionEntry> {
        let entries = self.entries.get_mut(&request.endpoints)?;
        entries.iter_mut().rfind(|entry| entry.time == request.time)
    }

    fn evict_oldest(&mut self) {
        let Some(endpoints) = self.order.pop_front() else {
            return;
        };
        let Some(entries) = self.entries.get_mut(&endpoints) else {
            return;
        };
        let oldest = entries.remove(0);
        oldest.outdate_copies();
        self.pending -= usize::from(oldest.is_pending);
        if entries.is_empty() {
            self.entries.remove(&endpoints);
        }
    }
}
