//! Owners of the packets of a live capture.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use super::cpu_budget::CpuBudget;
use super::entry::EntryVersion;
use super::{ConnectionTable, PacketPosition};
use crate::decode::quoted_endpoints;
use crate::packet::{Endpoints, ICMP, ICMPV6, Packet, PacketKind, Timestamp, UDP};
use crate::process::{Evidence, Owner, Owners};

/// Returns the owners of packets from the connection table, which other threads fill in.
#[derive(Debug)]
pub struct LiveOwners {
    table: Arc<ConnectionTable>,
    /// Owners by [undirected](Endpoints::undirected) endpoints.
    cache: HashMap<Endpoints, CachedOwners, RandomState>,
    /// The endpoints and the owners of the last datagram.
    datagram: (Option<Endpoints>, Owners),
    /// The owners of the last ICMP message.
    icmp: Owners,
    /// The owner of what the kernel itself sends and receives.
    kernel: Arc<Owner>,
    /// The time up to which the BPF events are recorded.
    recorded_until: Timestamp,
    /// The time that may be spent waiting for BPF events, and for lookups. Many lookups do not use
    /// up the time for events, without which no sender is certain.
    drain_budget: CpuBudget,
    lookup_budget: CpuBudget,
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
/// Maximum time to wait for the reader of the BPF events.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(20);
/// Time of packets, in nanoseconds, for which there is no further wait after the reader was too
/// slow.
const DRAIN_RETRY_NS: i64 = 10_000_000;
/// Maximum number of cached connections; beyond it, the cache is cleared.
const MAX_CACHED_CONNECTIONS: usize = 1 << 15;

impl LiveOwners {
    pub(crate) fn new(table: Arc<ConnectionTable>) -> LiveOwners {
        LiveOwners {
            table,
            cache: HashMap::default(),
            datagram: Default::default(),
            icmp: Owners::default(),
            kernel: Arc::new(Owner::unknown(Evidence::Kernel, None)),
            recorded_until: Timestamp(i64::MIN),
            drain_budget: CpuBudget::new(Instant::now()),
            lookup_budget: CpuBudget::new(Instant::now()),
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
        if packet.frame.time > self.recorded_until {
            self.wait_for_events(packet.frame.time);
        }
        if packet.kind() == PacketKind::Icmp {
            return self.icmp_owners(packet);
        }
        // Fragments after the first have no ports.
        let endpoints = packet.endpoints()?;
        if endpoints.proto() == UDP {
            return self.datagram_owners(packet, endpoints);
        }
        self.connection_owners(packet, endpoints)
    }

    /// Waits until the BPF events up to the time of a packet are recorded, if the budget permits.
    #[cold]
    fn wait_for_events(&mut self, time: Timestamp) {
        let start = Instant::now();
        let recorded = self.drain_budget.replenish(start).then(|| {
            let recorded = self.table.drain_bpf_events(DRAIN_TIMEOUT);
            self.drain_budget.charge(start.elapsed());
            recorded
        });
        let next_try = Timestamp(time.0.saturating_add(DRAIN_RETRY_NS));
        self.recorded_until = recorded.flatten().unwrap_or(next_try);
    }

    /// Returns the owners of a datagram: those that BPF reports for exactly this datagram, or those
    /// that have the sockets now.
    fn datagram_owners(&mut self, packet: &Packet, endpoints: Endpoints) -> Option<&Owners> {
        let (time, len) = (packet.frame.time, packet.payload().len);
        let reported = self.table.datagram_owners(&endpoints, time, len);
        let owners = if reported.orig.is_some() && reported.resp.is_some() {
            reported
        } else {
            let found = self.connection_owners(packet, endpoints).cloned();
            let found = found.unwrap_or_default();
            Owners {
                orig: reported.orig.or(found.orig),
                resp: reported.resp.or(found.resp),
            }
        };
        self.datagram = (Some(endpoints), owners);
        let owners = &self.datagram.1;
        (!owners.is_empty()).then_some(owners)
    }

    /// Returns the owners of an ICMP message. The kernel itself sends errors and replies, and
    /// receives requests. It reports an error to the sender of the quoted packet.
    #[cold]
    fn icmp_owners(&mut self, packet: &Packet) -> Option<&Owners> {
        let (proto, payload) = (packet.ip_proto()?, packet.payload());
        let kernel = Some(Arc::clone(&self.kernel));
        let (orig, resp) = match (proto, *payload.bytes.first()?) {
            // Echo and timestamp replies.
            (ICMP, 0 | 14) | (ICMPV6, 129) => (kernel, None),
            // Echo and timestamp requests.
            (ICMP, 8 | 13) | (ICMPV6, 128) => (None, kernel),
            _ => {
                let quoted = quoted_endpoints(proto, payload)?;
                (kernel, self.recorded_sender(&quoted, packet.frame.time))
            }
        };
        self.icmp = Owners { orig, resp };
        Some(&self.icmp)
    }

    /// Returns the sender of a packet that was captured shortly before, if it is identified.
    fn recorded_sender(&self, endpoints: &Endpoints, time: Timestamp) -> Option<Arc<Owner>> {
        match &self.datagram {
            (Some(last), owners) if last == endpoints => owners.orig.clone(),
            _ => {
                let found = self
                    .table
                    .packet_owners(endpoints, time, PacketPosition::Any);
                found.and_then(|(owners, _)| owners.orig)
            }
        }
    }

    #[inline]
    fn connection_owners(&mut self, packet: &Packet, endpoints: Endpoints) -> Option<&Owners> {
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
            let timeout = match self.lookup_budget.replenish(now) {
                true => LOOKUP_TIMEOUT,
                false => Duration::ZERO,
            };
            let owners = self
                .table
                .request_and_wait(&endpoints, time, position, timeout);
            self.lookup_budget.charge(now.elapsed());
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
