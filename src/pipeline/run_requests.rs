//! Requests of connections of which it is undecided whether they belong to the command of `lcap
//! run`.

use std::collections::BTreeMap;

use super::event_output::EventOutput;
use crate::event::Event;
use crate::process::{Owners, RunMembership};
use crate::request::{Request, RequestEvent};

/// Maximum number of requests that are held. Above it, they are reported like the packets of
/// unknown processes.
const MAX_HELD_REQUESTS: usize = 10_000;

/// Requests that are held until their connections are decided, and the number of reported ones.
#[derive(Debug, Default)]
pub(super) struct RunRequests {
    /// Requests, by flow number.
    held: BTreeMap<u64, Vec<Request>>,
    len: usize,
    reported: u64,
}

impl RunRequests {
    /// Holds a request. Returns false if too many are held.
    pub(super) fn hold(&mut self, request: &Request) -> bool {
        if self.len >= MAX_HELD_REQUESTS {
            return false;
        }
        self.len += 1;
        let of_flow = self.held.entry(request.flow.number).or_default();
        of_flow.push(request.clone());
        true
    }

    /// Returns the first request of each flow whose requests are held.
    pub(super) fn first_of_each(&self) -> impl Iterator<Item = &Request> {
        self.held.values().filter_map(|requests| requests.first())
    }

    /// Removes the requests of a flow, and returns them with these owners of the flow.
    pub(super) fn take(&mut self, flow: u64, owners: &Owners) -> Vec<Request> {
        let mut requests = self.held.remove(&flow).unwrap_or_default();
        self.len -= requests.len();
        for request in &mut requests {
            request.owners = owners.clone();
        }
        requests
    }

    /// Returns the request with the next number of those that are reported.
    pub(super) fn number(&mut self, mut request: Request) -> Request {
        self.reported += 1;
        request.number = self.reported;
        request
    }

    /// Returns the number of reported requests.
    pub(super) fn reported(&self) -> u64 {
        self.reported
    }
}

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

#[cfg(test)]
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
    use crate::process::{Evidence, Owner, Process, ProcessDetails, ProcessIdentity};

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
        assert_eq!(events.run_requests.len, 0);
        let expected = [(1, "a"), (2, "d"), (3, "e")];
        assert_eq!(
            *rows.borrow(),
            expected.map(|(n, target)| (n, target.into()))
        );
    }
}
