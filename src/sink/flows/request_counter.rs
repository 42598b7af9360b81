//! Counter of the requests on each flow, for `lcap flows --requests`.

use std::collections::HashMap;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;

use crate::error::Result;
use crate::flow::{FlowEvent, FlowEventKind, FlowRecord, FlowRequests};
use crate::printable;
use crate::request::{RequestEvent, RequestOutcome};
use crate::sink::{CONTINUE, Event, Requirement, Sink};

/// Maximum length of a status, in characters.
const MAX_STATUS_CHARS: usize = 40;

/// Sink that passes events on, and adds the requests to the records of their flows.
pub struct RequestCounter {
    inner: Box<dyn Sink>,
    /// Requests of open flows, by flow number.
    flows: HashMap<u64, FlowRequests, RandomState>,
}

impl RequestCounter {
    /// Returns a sink that passes flows with their requests on to `inner`.
    pub fn new(inner: Box<dyn Sink>) -> RequestCounter {
        RequestCounter {
            inner,
            flows: HashMap::default(),
        }
    }
}

impl Sink for RequestCounter {
    fn requires(&self) -> Requirement {
        self.inner.requires().max(Requirement::Streams)
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        match event {
            Event::Request(RequestEvent::Request(request)) => {
                let requests = self.flows.entry(request.flow.number).or_default();
                add(requests, request.outcome, request.status.as_deref());
            }
            Event::Flow(event) => {
                if let FlowEventKind::Closed(record) = event.kind {
                    let requests = self.flows.remove(&event.id.number).unwrap_or_default();
                    let record = FlowRecord {
                        requests: Some(Box::new(requests)),
                        ..record.clone()
                    };
                    return self.inner.handle(Event::Flow(&FlowEvent {
                        kind: FlowEventKind::Closed(&record),
                        ..*event
                    }));
                }
            }
            Event::Packet(_) | Event::Request(_) | Event::Dropped(_) | Event::Tick(_) => {
                return self.inner.handle(event);
            }
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.inner.finish()
    }
}

/// Adds a request with this outcome and status to those of its flow.
fn add(requests: &mut FlowRequests, outcome: RequestOutcome, status: Option<&str>) {
    requests.count += 1;
    let is_error = match outcome {
        RequestOutcome::Error | RequestOutcome::Unanswered => true,
        RequestOutcome::Ok
        | RequestOutcome::Unrequested
        | RequestOutcome::Cut
        | RequestOutcome::Cancelled => false,
    };
    requests.errors += u64::from(is_error);
    if is_error
        && let Some(status) = status
        && is_worse(status, requests.worst_status.as_deref())
    {
        let status: String = status.chars().take(MAX_STATUS_CHARS).collect();
        requests.worst_status = Some(printable::line(&status).into());
    }
}

/// Returns true if a status is worse than the worst one so far.
fn is_worse(status: &str, worst: Option<&str>) -> bool {
    let Some(worst) = worst else {
        return true;
    };
    match (status.parse::<u32>(), worst.parse::<u32>()) {
        (Ok(status), Ok(worst)) => status > worst,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_number_is_the_worst_status() {
        let mut requests = FlowRequests::default();
        for (status, outcome) in [
            (Some("200"), RequestOutcome::Ok),
            (Some("404"), RequestOutcome::Error),
            (Some("503"), RequestOutcome::Error),
            (Some("500"), RequestOutcome::Error),
            (None, RequestOutcome::Unanswered),
            (Some("999"), RequestOutcome::Cut),
        ] {
            add(&mut requests, outcome, status);
        }
        assert_eq!((requests.count, requests.errors), (6, 4));
        assert_eq!(requests.worst_status.as_deref(), Some("503"));
        let hostile = Some("E\u{202e}\n");
        let mut requests = FlowRequests::default();
        add(&mut requests, RequestOutcome::Error, hostile);
        assert_eq!(requests.worst_status.as_deref(), Some("E\u{fffd}\\n"));
        assert!(!is_worse("23505", Some("42P01")) && is_worse("42P01", None));
    }
}
