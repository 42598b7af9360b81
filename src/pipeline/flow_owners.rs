//! Owners of the flows of a live capture, which are final only when a flow ends.

use std::sync::Arc;
use std::time::Duration;

use super::Attribution;
use crate::attribution::{ConnectionTable, PacketPosition};
use crate::flow::{FlowEndReason, FlowEvent, FlowEventKind, FlowRecord, OutcomeKind};
use crate::packet::{TCP, UDP};
use crate::process::{Evidence, Owner, Owners};

/// Adds the owners of both ends to each flow that ends.
pub(super) struct FlowOwners {
    connections: Arc<ConnectionTable>,
    /// True after the wait for pending lookups at the end of the capture.
    settled: bool,
}

/// Maximum wait for pending lookups when a flow ends or the capture ends.
pub(super) const LOOKUP_SETTLE_TIMEOUT: Duration = Duration::from_millis(200);

impl FlowOwners {
    /// Returns the owners of flows of a live capture; `None` for other captures.
    pub(super) fn new(attribution: &Attribution) -> Option<FlowOwners> {
        attribution.connections().map(|connections| FlowOwners {
            connections: Arc::clone(connections),
            settled: false,
        })
    }

    /// Returns the record of a flow that ends, with the owners that are identified by now; `None`
    /// if the event is to be passed on as it is.
    pub(super) fn complete(&mut self, event: &FlowEvent) -> Option<FlowRecord> {
        let endpoints = event.id.endpoints;
        let record = match event.kind {
            // ICMP messages have owners, but no socket that could be looked up.
            FlowEventKind::Opened { .. } if ![TCP, UDP].contains(&endpoints.proto()) => {
                return None;
            }
            FlowEventKind::Opened { .. } => {
                // Required for UDP flows, and for TCP connections established before the capture.
                self.connections
                    .request_lookup(&endpoints, event.time, PacketPosition::First);
                return None;
            }
            FlowEventKind::Closed(record) => record,
            _ => return None,
        };
        if record.end_reason == FlowEndReason::Capture
            && !std::mem::replace(&mut self.settled, true)
        {
            self.connections.wait_until_settled(LOOKUP_SETTLE_TIMEOUT);
        }
        if record.end_reason != FlowEndReason::Capture && event.due.is_none() {
            // The flow was closed without the usual delay because a new connection reuses its
            // addresses and ports: events of the old connection may still be queued.
            self.connections.wait_for_flow_events(
                &endpoints,
                record.first_time,
                LOOKUP_SETTLE_TIMEOUT,
            );
        }
        let found = self
            .connections
            .flow_owners(&endpoints, record.first_time)?;
        let mut owners = match endpoints.proto() {
            // Each datagram has its owners.
            UDP => Owners {
                orig: better(record.owners.orig.clone(), found.orig),
                resp: better(record.owners.resp.clone(), found.resp),
            },
            _ => found,
        };
        // The lookup found no listener, but the connection was not refused: the responder had
        // exited before the lookup.
        if let Some(owner) = &owners.resp
            && owner.evidence == Evidence::Nobody
            && record.outcome.kind != OutcomeKind::Refused
        {
            owners.resp = Some(Arc::new(Owner {
                evidence: Evidence::Gone,
                ..Owner::clone(owner)
            }));
        }
        let mut completed = FlowRecord {
            owners,
            ..record.clone()
        };
        self.check_fallback(&mut completed);
        Some(completed)
    }

    /// Removes the fallback of a refused flow if it is a connection of another process.
    fn check_fallback(&self, record: &mut FlowRecord) {
        let Some(fallback) = record.outcome.fallback else {
            return;
        };
        let answered = self
            .connections
            .flow_owners(&fallback.endpoints, fallback.first_time);
        if let (Some(client), Some(other)) = (&record.owners.orig, answered.and_then(|it| it.orig))
            && !client.may_be_same_process(&other)
        {
            record.outcome.fallback = None;
        }
    }
}

/// Returns the better of two owners of an end: that of its datagrams, and that of a lookup. A
/// socket is better than its absence, e.g. after a firewall has rejected a datagram.
fn better(datagrams: Option<Arc<Owner>>, found: Option<Arc<Owner>>) -> Option<Arc<Owner>> {
    match (&datagrams, &found) {
        (Some(owner), _) if owner.has_socket() => datagrams,
        (_, Some(owner)) if owner.has_socket() => found,
        (Some(owner), _) if owner.evidence.is_certain() => datagrams,
        _ => found.or(datagrams),
    }
}
