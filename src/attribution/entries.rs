//! Entries of the connection table, by endpoints. If several connections used the same endpoints,
//! the times of the entries determine the connection of a packet.

use std::collections::{HashMap, VecDeque};

use super::entry::{ConnectionEntry, EntryVersion};
use super::lookup_queue::LookupRequest;
use crate::packet::{Endpoints, Timestamp};
use crate::process::Owners;

/// Maximum number of recorded connections; the oldest are evicted first.
pub(super) const MAX_CONNECTIONS: usize = 1 << 16;

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

impl ConnectionTableState {
    /// Adds an entry. Evicts the oldest entry if there are too many.
    pub(super) fn push(&mut self, endpoints: &Endpoints, entry: ConnectionEntry) {
        // The new connection replaces an earlier one with the same endpoints.
        for endpoints in [*endpoints, endpoints.reversed()] {
            if let Some(earlier) = self
                .entries
                .get_mut(&endpoints)
                .and_then(|list| list.last_mut())
            {
                earlier.forget_lookups_since(entry.time);
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
        let (owners, is_current) = entry.owners_at(time);
        let owners = match is_forward {
            true if endpoints.is_self_connection() => owners.of_one_socket(),
            true => owners,
            false => owners.swapped(),
        };
        // A packet of an earlier connection, captured late, does not identify later owners.
        let is_latest = [*endpoints, endpoints.reversed()].iter().all(|endpoints| {
            let last = self.last_entry(endpoints);
            last.is_none_or(|last| last.time <= entry.time)
        });
        Some((owners, entry.version(u32::from(!is_latest || !is_current))))
    }

    /// Returns the owners of a flow that started at this time.
    pub(super) fn flow_owners(&self, endpoints: &Endpoints, first: Timestamp) -> Option<Owners> {
        let find = |endpoints: &Endpoints| self.entry_at(endpoints, first, PacketPosition::First);
        match (find(endpoints), find(&endpoints.reversed())) {
            (Some(forward), Some(reverse)) if forward.time < reverse.time => {
                Some(reverse.all_owners().swapped())
            }
            (Some(forward), _) if endpoints.is_self_connection() => {
                Some(forward.all_owners().of_one_socket())
            }
            (Some(forward), _) => Some(forward.all_owners()),
            (None, reverse) => reverse.map(|entry| entry.all_owners().swapped()),
        }
    }

    /// Returns the connection that had a socket with these endpoints, from its local to its remote
    /// end, at this time, and the end of the socket: 0 for the originator.
    pub(super) fn connection_of_socket(
        &mut self,
        socket: &Endpoints,
        time: Timestamp,
    ) -> Option<(&mut ConnectionEntry, usize)> {
        let find = |endpoints: &Endpoints| {
            let entries = self.entries.get(endpoints)?;
            let at = entries
                .iter()
                .rposition(|entry| entry.valid_from <= time.0)?;
            Some((entries[at].valid_from, at))
        };
        let (forward, reverse) = (find(socket), find(&socket.reversed()));
        let (endpoints, end) = match forward >= reverse {
            true => (*socket, 0),
            false => (socket.reversed(), 1),
        };
        let (_, at) = forward.max(reverse)?;
        Some((self.entries.get_mut(&endpoints)?.get_mut(at)?, end))
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
        let is_match = position == PacketPosition::Any || time.0 <= latest.starts_by();
        is_match.then_some(latest)
    }

    /// Returns the last connection from this source to this destination.
    pub(super) fn last_entry(&self, endpoints: &Endpoints) -> Option<&ConnectionEntry> {
        self.entries.get(endpoints)?.last()
    }

    /// Records that events were lost: from this time on, no user is certain.
    pub(super) fn record_lost_events(&mut self, since: Timestamp) {
        let entries = self.entries.values_mut().flatten();
        entries.for_each(|entry| entry.record_lost_events(since));
    }

    /// True if BPF has reported the connection of a flow, or if the connection is not recorded.
    pub(super) fn is_bpf_up_to_date(&self, endpoints: &Endpoints, first: Timestamp) -> bool {
        let entry = self.entry_at(endpoints, first, PacketPosition::First);
        entry.is_none_or(|entry| entry.is_reported[0])
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
