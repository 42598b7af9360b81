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
#[cfg(feature = "cli")]
use crate::process::RunMembership;
#[cfg(feature = "cli")]
use crate::request::Request;
use crate::request::{RequestEvent, RequestTable};

/// Passes events to an output until it fails, and keeps its error. The error is a field and not a
/// return value, so that no `Result` is moved per frame.
pub(super) struct EventOutput<'r, 's> {
    pub(super) output: &'r mut Output<'s>,
    #[cfg(feature = "live")]
    pub(super) flow_owners: Option<FlowOwners>,
    /// Boxed, because it is moved out and back for every event.
    pub(super) requests: Option<Box<RequestTable>>,
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

#[cfg(feature = "cli")]
impl EventOutput<'_, '_> {
    /// Reports a request, or a part of a message, unless its connection does not belong to the
    /// command of `lcap run`, or this is undecided.
    pub(super) fn request(&mut self, event: RequestEvent) {
        let (Some(run), RequestEvent::Request(request)) = (&self.run, &event) else {
            self.handle(Event::Request(event));
            return;
        };
        match run.membership(&request.flow, &request.owners) {
            RunMembership::Other => {}
            RunMembership::Unknown if self.run_requests.hold(request) => {}
            RunMembership::Unknown | RunMembership::Member { .. } => {
                let (flow, owners) = (request.flow.number, &request.owners);
                let mut held = self.run_requests.take(flow, owners);
                held.push(Request::clone(request));
                self.report_held(held);
            }
        }
    }

    /// Reports the requests of connections that belong to the command, and removes those of other
    /// connections.
    pub(super) fn report_decided(&mut self) {
        let Some(run) = &self.run else {
            return;
        };
        let mut decided = Vec::new();
        for request in self.run_requests.first_of_each() {
            let found = run.current_owners(&request.flow);
            let owners = found.unwrap_or_else(|| request.owners.clone());
            let membership = run.membership(&request.flow, &owners);
            if membership != RunMembership::Unknown {
                decided.push((request.flow.number, owners, membership));
            }
        }
        for (flow, owners, membership) in decided {
            let held = self.run_requests.take(flow, &owners);
            if membership != RunMembership::Other {
                self.report_held(held);
            }
        }
    }

    pub(super) fn report_held(&mut self, requests: Vec<Request>) {
        for request in requests {
            let request = self.run_requests.number(request);
            self.handle(Event::Request(RequestEvent::Request(&request)));
        }
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use std::cell::RefCell;
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use super::*;
    use crate::error::Result;
    use crate::event::{CONTINUE, Requirement, Sink};
    use crate::packet::Timestamp;
    use crate::pipeline::run_selection::RunSelection;
    use crate::pipeline::{Attribution, FlushPolicy, Output, RunCommand, open};
    use crate::process::{Evidence, Owner, Owners, Process, ProcessDetails, ProcessIdentity};

    /// Numbers and targets of the reported requests.
    struct Rows<'a>(&'a RefCell<Vec<(u64, String)>>);

    impl Sink for Rows<'_> {
        fn requires(&self) -> Requirement {
            Requirement::Streams
        }

        fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
            if let Event::Request(RequestEvent::Request(request)) = event {
                let row = (request.number, request.target.clone());
                self.0.borrow_mut().push(row);
            }
            CONTINUE
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }

        fn finish(&mut self) -> Result<()> {
            Ok(())
        }
    }

    fn owners(run: RunMembership) -> Owners {
        let identity = ProcessIdentity {
            run,
            ..ProcessIdentity::default()
        };
        let process = Process::new(identity, ProcessDetails::default());
        let owner = Some(Arc::new(Owner {
            processes: vec![Arc::new(process)],
            ..Owner::unknown(Evidence::Holds, None)
        }));
        Owners {
            orig: owner.clone(),
            resp: owner,
        }
    }

    #[test]
    fn requests_are_reported_when_their_connection_is_decided() {
        use RunMembership::{Other, Unknown};
        let member = RunMembership::Member { root: 7 };
        let request = open("fixtures/http.pcap").unwrap().requests().unwrap()[0].clone();
        let rows = RefCell::default();
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Rows(&rows))];
        let mut output = Output::new(sinks, FlushPolicy::WhenFull, None);
        let command = RunCommand {
            uid: 0,
            started_at: Timestamp(0),
        };
        let mut events = EventOutput {
            output: &mut output,
            #[cfg(feature = "live")]
            flow_owners: None,
            requests: None,
            run_requests: RunRequests::default(),
            run: Some(RunSelection::new(command, &Attribution::default())),
            error: None,
        };
        for (flow, run, target) in [
            (1, Unknown, "a"),
            (2, Unknown, "b"),
            (3, Other, "c"),
            (1, member, "d"),
            (4, member, "e"),
            (2, Other, "f"),
        ] {
            let mut request = request.clone();
            request.flow.number = flow;
            request.owners = owners(run);
            request.target = target.into();
            events.request(RequestEvent::Request(&request));
        }
        assert_eq!(events.run_requests.take(2, &owners(Other)).len(), 1);
        assert_eq!(events.run_requests.len(), 0);
        let expected = [(1, "a"), (2, "d"), (3, "e")];
        assert_eq!(
            *rows.borrow(),
            expected.map(|(n, target)| (n, target.into()))
        );
    }
}
