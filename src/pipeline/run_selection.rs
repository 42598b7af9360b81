//! Selection of the packets that belong to the command of `lcap run`.

mod membership;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::flow_owners::LOOKUP_SETTLE_TIMEOUT;
use super::{Attribution, UnknownTraffic};
use crate::attribution::ConnectionTable;
use crate::decode;
use crate::flow::{FlowId, FlowRecord};
use crate::packet::{Endpoints, Packet, PacketKind, TCP, Timestamp};
use crate::process::{Owners, RunMembership};

/// The command whose packets are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunCommand {
    /// The effective user ID with which the command was started.
    pub uid: u32,
    /// The time at which the command was started: connections from before are not its own.
    pub started_at: Timestamp,
}

/// Decides for each connection whether it belongs to the command: it does if either end does. The
/// packets of a connection are kept until both ends are identified as other processes.
pub(super) struct RunSelection {
    command: RunCommand,
    connections: Option<Arc<ConnectionTable>>,
    /// The connections by [undirected](Endpoints::undirected) endpoints.
    decisions: HashMap<Endpoints, ConnectionDecision, RandomState>,
    /// The keys of `decisions`, the oldest first.
    order: VecDeque<Endpoints>,
    /// Traffic of earlier connections.
    unknown: UnknownTraffic,
}

#[derive(Debug, Clone, Copy)]
struct ConnectionDecision {
    membership: RunMembership,
    /// Source and destination of the first packet, and its time.
    endpoints: Endpoints,
    first_time: Timestamp,
    /// The sequence number of the initial SYN, if it was captured.
    isn: Option<u32>,
    /// Number of packets that were kept without a decision.
    undecided_packets: u64,
}

/// Maximum number of recorded connections; beyond it, the oldest are removed.
const MAX_CONNECTIONS: usize = 1 << 16;

impl RunSelection {
    pub(super) fn new(command: RunCommand, attribution: &Attribution) -> RunSelection {
        RunSelection {
            command,
            connections: attribution.connections().map(Arc::clone),
            decisions: HashMap::default(),
            order: VecDeque::new(),
            unknown: UnknownTraffic::default(),
        }
    }

    /// Returns true for a packet that was captured before the command was started. Its connection
    /// belongs to other processes, unless one of them passes it on to the command.
    pub(super) fn reject_early(&mut self, packet: &Packet) -> bool {
        let is_early = packet.frame.time < self.command.started_at;
        if is_early && let Some(endpoints) = connection_endpoints(packet) {
            self.decision(packet, endpoints).membership = RunMembership::Other;
        }
        is_early
    }

    /// Returns true if a packet belongs to the command, or if this is undecided.
    pub(super) fn select(&mut self, packet: &Packet) -> bool {
        let Some(endpoints) = connection_endpoints(packet) else {
            self.unknown.packets += 1;
            return true;
        };
        let uid = self.command.uid;
        let owners = packet
            .owners
            .map(|owners| membership::of_owners(owners, uid));
        let decision = self.decision(packet, endpoints);
        // The datagrams of a socket address can belong to one process after another. An ICMP error
        // belongs to the last one.
        let is_permanent = endpoints.proto() == TCP || packet.kind() == PacketKind::Icmp;
        decision.membership = match (owners.unwrap_or_default(), decision.membership) {
            (RunMembership::Unknown, RunMembership::Other) if !is_permanent => {
                RunMembership::Unknown
            }
            (RunMembership::Unknown, earlier) => earlier,
            (RunMembership::Other, RunMembership::Member { root }) if is_permanent => {
                RunMembership::Member { root }
            }
            (found, _) => found,
        };
        match decision.membership {
            RunMembership::Unknown => decision.undecided_packets += 1,
            RunMembership::Other if !is_permanent => {}
            RunMembership::Other | RunMembership::Member { .. } => decision.undecided_packets = 0,
        }
        decision.membership != RunMembership::Other
    }

    /// Returns the decision for the connection of a packet; adds it if it is new.
    fn decision(&mut self, packet: &Packet, endpoints: Endpoints) -> &mut ConnectionDecision {
        let key = endpoints.undirected();
        let is_initial_syn = |tcp: &crate::packet::Tcp| tcp.flags.is_initial_syn();
        let isn = packet.tcp().filter(is_initial_syn).map(|tcp| tcp.seq);
        let new = ConnectionDecision {
            membership: RunMembership::Unknown,
            endpoints,
            first_time: packet.frame.time,
            isn,
            undecided_packets: 0,
        };
        match self.decisions.get(&key) {
            // Another connection with the same endpoints. A retransmitted SYN has the same number.
            Some(earlier) if isn.is_some() && earlier.isn != isn => {
                let earlier = *earlier;
                self.close(&earlier);
                self.decisions.remove(&key);
            }
            Some(_) => {}
            None => self.add_key(key),
        }
        self.decisions.entry(key).or_insert(new)
    }

    fn add_key(&mut self, key: Endpoints) {
        if self.order.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.order.pop_front()
            && let Some(decision) = self.decisions.remove(&oldest)
        {
            self.close(&decision);
        }
        self.order.push_back(key);
    }

    /// Counts the packets of a connection that were kept without a decision, unless a lookup has
    /// decided in the meantime.
    fn close(&mut self, decision: &ConnectionDecision) {
        if decision.undecided_packets == 0 {
            return;
        }
        let (endpoints, first) = (&decision.endpoints, decision.first_time);
        let connections = self.connections.as_ref();
        let owners = connections.and_then(|table| table.flow_owners(endpoints, first));
        let found = owners.map(|owners| membership::of_owners(&owners, self.command.uid));
        if found.unwrap_or_default() == RunMembership::Unknown {
            self.unknown.packets += decision.undecided_packets;
            self.unknown.connections += 1;
        }
    }

    /// True if both ends of a flow that ends are other processes: its packets were kept only until
    /// this was decided.
    pub(super) fn excludes(&self, id: &FlowId, record: &FlowRecord) -> bool {
        self.membership(id, &record.owners) == RunMembership::Other
    }

    /// Returns the relation of a flow with these owners to the command.
    pub(super) fn membership(&self, id: &FlowId, owners: &Owners) -> RunMembership {
        match self.decisions.get(&id.endpoints.undirected()) {
            Some(ConnectionDecision {
                membership: member @ RunMembership::Member { .. },
                ..
            }) => *member,
            _ => membership::of_owners(owners, self.command.uid),
        }
    }

    /// Returns the owners of a flow that are identified by now.
    pub(super) fn current_owners(&self, id: &FlowId) -> Option<Owners> {
        let connections = self.connections.as_ref()?;
        connections.flow_owners(&id.endpoints, id.first_time)
    }

    /// Returns the traffic that was kept although its processes are unknown.
    pub(super) fn finish(mut self) -> UnknownTraffic {
        let decisions = std::mem::take(&mut self.decisions);
        let is_undecided = |decision: &ConnectionDecision| decision.undecided_packets > 0;
        if let Some(connections) = &self.connections
            && decisions.values().any(is_undecided)
        {
            connections.wait_until_settled(LOOKUP_SETTLE_TIMEOUT);
        }
        decisions.values().for_each(|decision| self.close(decision));
        self.unknown
    }
}

/// Returns the endpoints that identify the connection of a packet, or of the packet that an ICMP
/// error quotes. Other ICMP messages, fragments and other protocols have no ports.
fn connection_endpoints(packet: &Packet) -> Option<Endpoints> {
    let quoted = || match packet.kind() {
        PacketKind::Icmp => decode::quoted_endpoints(packet.ip_proto()?, packet.payload()),
        _ => None,
    };
    let ports = packet.endpoints().or_else(quoted);
    ports.or_else(|| packet.endpoints_with_ports([0, 0]))
}

#[cfg(test)]
#[path = "run_selection/tests.rs"]
mod tests;
