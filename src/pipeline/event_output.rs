//! Output of the events of a run, with the requests of flows.

#[cfg(feature = "live")]
use super::flow_owners::FlowOwners;
use super::output::Output;
#[cfg(feature = "cli")]
use super::run_requests::RunRequests;
#[cfg(feature = "cli")]
use super::run_selection::RunSelection;
use super::totals::Totals;
use crate::error::Error;
use crate::event::Event;
use crate::flow::FlowEvent;
#[cfg(feature = "live")]
use crate::flow::FlowEventKind;
use crate::packet::{Packet, Timestamp};
use crate::request::{RequestEvent, RequestTable};

/// Passes events to an output until it fails, and keeps its error. The error is a field and not a
/// return value, so that no `Result` is moved per frame.
pub(super) struct EventOutput<'r, 's> {
    pub(super) output: &'r mut Output<'s>,
    #[cfg(feature = "live")]
    pub(super) flow_owners: Option<FlowOwners>,
    pub(super) requests: Option<RequestTable>,
    #[cfg(feature = "cli")]
    pub(super) run_requests: RunRequests,
    #[cfg(feature = "cli")]
    pub(super) run: Option<RunSelection>,
    pub(super) error: Option<Error>,
}

impl EventOutput<'_, '_> {
    #[inline]
    pub(super) fn is_accepting(&self) -> bool {
        self.error.is_none() && self.output.is_accepting()
    }

    #[inline]
    pub(super) fn packet(&mut self, packet: &Packet) {
        if let Err(error) = self.output.packet(packet) {
            self.error = Some(error);
        }
    }

    pub(super) fn flow(&mut self, event: &FlowEvent) {
        #[cfg(feature = "live")]
        let completed = self
            .flow_owners
            .as_mut()
            .and_then(|owners| owners.complete(event));
        #[cfg(feature = "live")]
        let event = &FlowEvent {
            kind: completed.as_ref().map_or(event.kind, FlowEventKind::Closed),
            ..*event
        };
        // The requests of a flow precede its end.
        self.with_requests(|requests, emit| requests.follow(event, emit));
        #[cfg(feature = "cli")]
        if let (Some(run), FlowEventKind::Closed(record)) = (&self.run, event.kind) {
            let is_excluded = run.excludes(event.id, record);
            let held = self.run_requests.take(event.id.number, &record.owners);
            if is_excluded {
                return;
            }
            self.report_held(held);
        }
        self.handle(Event::Flow(event));
    }

    /// Reports the requests that are complete by this time.
    pub(super) fn advance_requests(&mut self, time: Timestamp, totals: &Totals) {
        #[cfg(feature = "cli")]
        self.report_decided();
        self.with_requests(|requests, emit| {
            requests.advance(time, emit);
            totals.update_pending_requests(requests, time);
        });
    }

    /// Calls `action` with the table of requests, if there is one, and a callback that passes its
    /// events to the output.
    #[inline]
    pub(super) fn with_requests(
        &mut self,
        action: impl FnOnce(&mut RequestTable, &mut dyn FnMut(RequestEvent)),
    ) {
        let Some(mut requests) = self.requests.take() else {
            return;
        };
        action(&mut requests, &mut |event| {
            self.request(event);
        });
        self.requests = Some(requests);
    }

    #[cfg(not(feature = "cli"))]
    pub(super) fn request(&mut self, event: RequestEvent) {
        self.handle(Event::Request(event));
    }

    pub(super) fn handle(&mut self, event: Event) {
        if self.error.is_none() {
            self.error = self.output.handle(event).err();
        }
    }
}
