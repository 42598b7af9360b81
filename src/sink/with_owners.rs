//! Decorator that adds the processes at both ends to the flows of a live capture.

use std::sync::Arc;
use std::time::Duration;

use super::{Requirement, Sink};
use crate::attribution::{ConnectionTable, PacketPosition};
use crate::error::Result;
use crate::flow::{FlowEndReason, FlowEvent, FlowEventKind, FlowId, FlowRecord, OutcomeKind};
use crate::packet::{Packet, Tuple};
use crate::process::{Match, Owner};

/// Sink that adds owners to each closed flow and passes all events on to another sink.
pub struct WithOwners<'a> {
    sink: Box<dyn Sink + 'a>,
    connections: Arc<ConnectionTable>,
    /// True after the wait for pending lookups at the end of the capture.
    settled: bool,
}

/// Maximum wait for pending lookups when a flow ends or the capture ends.
const LOOKUP_SETTLE_TIMEOUT: Duration = Duration::from_millis(200);

impl<'a> WithOwners<'a> {
    /// Returns a decorator that reads the owners from `connections`.
    pub fn new(sink: Box<dyn Sink + 'a>, connections: Arc<ConnectionTable>) -> WithOwners<'a> {
        WithOwners {
            sink,
            connections,
            settled: false,
        }
    }
}

impl Sink for WithOwners<'_> {
    fn handle_packet(&mut self, packet: &Packet) -> Result<()> {
        self.sink.handle_packet(packet)
    }

    fn handle_flow(&mut self, event: &FlowEvent) -> Result<()> {
        let tuple = tuple(event.id);
        let record = match event.kind {
            FlowEventKind::Opened => {
                // Required for UDP flows, and for TCP connections established before the capture.
                self.connections
                    .request_lookup(&tuple, event.time, PacketPosition::First);
                return self.sink.handle_flow(event);
            }
            FlowEventKind::Closed(record) => record,
            FlowEventKind::Owners(_)
            | FlowEventKind::Data { .. }
            | FlowEventKind::Gap { .. }
            | FlowEventKind::Mismatch { .. } => {
                return self.sink.handle_flow(event);
            }
        };
        if record.end_reason == FlowEndReason::Capture
            && !std::mem::replace(&mut self.settled, true)
        {
            self.connections.wait_until_settled(LOOKUP_SETTLE_TIMEOUT);
        }
        if record.end_reason != FlowEndReason::Capture && event.due.is_none() {
            // The flow was closed without the usual delay because a new connection reuses its
            // addresses and ports: events of the old connection may still be queued.
            self.connections
                .wait_for_flow_events(&tuple, record.first_time, LOOKUP_SETTLE_TIMEOUT);
        }
        let Some(mut owners) = self.connections.flow_owners(&tuple, record.first_time) else {
            return self.sink.handle_flow(event);
        };
        // The lookup found no listener, but the connection was not refused: the responder had
        // exited before the lookup.
        if let Some(owner) = &owners.resp
            && owner.matched == Match::NoListener
            && record.outcome.kind != OutcomeKind::Refused
        {
            owners.resp = Some(Arc::new(Owner {
                matched: Match::Exited,
                ..Owner::clone(owner)
            }));
        }
        let record = FlowRecord {
            owners,
            ..record.clone()
        };
        self.sink.handle_flow(&FlowEvent {
            kind: FlowEventKind::Closed(&record),
            ..*event
        })
    }

    fn requires(&self) -> Requirement {
        self.sink.requires()
    }

    fn can_finish_early(&self) -> bool {
        self.sink.can_finish_early()
    }

    fn is_independent(&self) -> bool {
        self.sink.is_independent()
    }

    fn should_continue(&self) -> bool {
        self.sink.should_continue()
    }

    fn handle_idle(&mut self) -> Result<()> {
        self.sink.handle_idle()
    }

    fn flush(&mut self) -> Result<()> {
        self.sink.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.sink.finish()
    }
}

fn tuple(id: &FlowId) -> Tuple {
    Tuple {
        src: id.orig(),
        dst: id.resp(),
        proto: id.proto(),
    }
}
