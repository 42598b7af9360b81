//! Owners of the packets of a live capture.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use super::cpu_budget::CpuBudget;
use super::entries::EntryVersion;
use super::{ConnectionTable, PacketPosition};
use crate::packet::{Endpoints, Packet};
use crate::process::Owners;

/// Returns the owners of packets from the connection table, which other threads fill in.
#[derive(Debug)]
pub struct LiveOwners {
    table: Arc<ConnectionTable>,
    /// Owners by [undirected](Endpoints::undirected) endpoints.
    cache: HashMap<Endpoints, CachedOwners, RandomState>,
    /// The time that may be spent waiting for lookups.
    wait_budget: CpuBudget,
}

/// Owners of a connection, valid until its entry in the table changes.
#[derive(Debug)]
struct CachedOwners {
    /// The owners for packets in the direction of the undirected endpoints, and in the opposite
    /// direction.
    owners: [Owners; 2],
    version: EntryVersion,
}

/// Maximum time to wait for a lookup. Without the wait, the first packet would have no owners.
const LOOKUP_TIMEOUT: Duration = Duration::from_millis(5);
/// Maximum number of cached connections; beyond it, the cache is cleared.
const MAX_CACHED_CONNECTIONS: usize = 1 << 15;

impl LiveOwners {
    pub(crate) fn new(table: Arc<ConnectionTable>) -> LiveOwners {
        LiveOwners {
            table,
            cache: HashMap::default(),
            wait_budget: CpuBudget::new(Instant::now()),
        }
    }

    /// Returns the table of connections.
    pub(crate) fn connections(&self) -> &Arc<ConnectionTable> {
        &self.table
    }

    /// Returns the owners of a packet's sender (`orig`) and receiver, as far as they are
    /// identified. Looks them up if the connection has just started, or if its start was not
    /// captured, and waits for them if the budget permits.
    #[inline]
    pub(crate) fn owners(&mut self, packet: &Packet) -> Option<&Owners> {
        // Fragments after the first have no ports.
        let endpoints = packet.endpoints()?;
        let key = endpoints.undirected();
        let is_first = packet.tcp().is_some_and(|tcp| tcp.flags.is_initial_syn());
        let is_current = |cached: &CachedOwners| cached.version.is_current();
        if is_first || !self.cache.get(&key).is_some_and(is_current) {
            self.look_up(packet, endpoints, is_first);
        }
        let direction = usize::from(endpoints != key);
        let owners = &self.cache.get(&key)?.owners[direction];
        (!owners.is_empty()).then_some(owners)
    }

    #[cold]
    fn look_up(&mut self, packet: &Packet, endpoints: Endpoints, is_first: bool) {
        let (time, position) = match is_first {
            true => (packet.frame.time, PacketPosition::First),
            false => (packet.frame.time, PacketPosition::Any),
        };
        let has_both =
            |(owners, _): &(Owners, EntryVersion)| owners.orig.is_some() && owners.resp.is_some();
        let found = self
            .table
            .packet_owners(&endpoints, time, position)
            .filter(has_both);
        let found = found.or_else(|| {
            let now = Instant::now();
            let timeout = match self.wait_budget.replenish(now) {
                true => LOOKUP_TIMEOUT,
                false => Duration::ZERO,
            };
            let owners = self
                .table
                .request_and_wait(&endpoints, time, position, timeout);
            self.wait_budget.charge(now.elapsed());
            owners
        });
        if self.cache.len() >= MAX_CACHED_CONNECTIONS {
            self.cache.clear();
        }
        let key = endpoints.undirected();
        let Some((owners, version)) = found else {
            self.cache.remove(&key);
            return;
        };
        let opposite = owners.clone().swapped();
        let owners = match key == endpoints {
            true => [owners, opposite],
            false => [opposite, owners],
        };
        self.cache.insert(key, CachedOwners { owners, version });
    }
}
