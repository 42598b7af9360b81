//! Selection of requests (`--errors`, `--slower`, `--status`, `--match`).

use std::ops::ControlFlow;
use std::str::FromStr;

use super::LeftOutCount;
use crate::error::Result;
use crate::packet::TimeDelta;
use crate::request::{Request, RequestEvent, RequestOutcome};
use crate::sink::{CONTINUE, Event, Requirement, Sink};

/// Conditions of the requests to show, all of which must be met.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// True if only requests with an outcome other than [`Ok`](RequestOutcome::Ok) are shown.
    pub errors_only: bool,
    /// Minimum duration, or time that the client waited for an answer.
    pub slower: Option<TimeDelta>,
    /// Status codes, one of which the answer must have; empty for all.
    pub statuses: Vec<StatusPattern>,
    /// Text that the operation and the target must contain; ASCII letters match in either case.
    pub text: Option<String>,
}

/// A status, or a range of numeric ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusPattern {
    /// Numbers from the first to the last: `500-599`.
    Range(u64, u64),
    /// Exactly this text: `404`, `23505`, `WRONGTYPE`.
    Exact(String),
}

impl FromStr for StatusPattern {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<StatusPattern, String> {
        const REMEDY: &str = "write a status, e.g. 404 or 23505, or a range, e.g. 500-599";
        let Some((first, last)) = text.split_once('-') else {
            return match text.trim() {
                "" => Err(REMEDY.to_owned()),
                status => Ok(StatusPattern::Exact(status.to_owned())),
            };
        };
        match (number(first.trim()), number(last.trim())) {
            (Some(first), Some(last)) if first <= last => Ok(StatusPattern::Range(first, last)),
            (Some(first), Some(last)) => Err(format!("{first} is greater than {last}")),
            _ => Err(REMEDY.to_owned()),
        }
    }
}

impl StatusPattern {
    /// Returns true if the status of an answer matches.
    pub fn matches(&self, request: &Request) -> bool {
        request.status.as_deref().is_some_and(|status| match self {
            StatusPattern::Exact(text) => text == status,
            StatusPattern::Range(first, last) => {
                number(status).is_some_and(|status| (*first..=*last).contains(&status))
            }
        })
    }
}

/// Parses a number of digits only.
fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

impl RequestFilter {
    /// Returns true if all requests match.
    pub fn is_empty(&self) -> bool {
        !self.errors_only
            && self.slower.is_none()
            && self.statuses.is_empty()
            && self.text.is_none()
    }

    /// Returns true if a request meets all conditions.
    pub fn matches(&self, request: &Request) -> bool {
        let has_status = || {
            let mut statuses = self.statuses.iter();
            self.statuses.is_empty() || statuses.any(|pattern| pattern.matches(request))
        };
        let has_text = |text: &String| {
            let whole = format!("{} {}", request.operation, request.target);
            let whole = whole.to_ascii_lowercase();
            whole.contains(&text.to_ascii_lowercase())
        };
        (!self.errors_only || request.outcome != RequestOutcome::Ok)
            && self
                .slower
                .is_none_or(|limit| request.waiting_time() >= Some(limit))
            && has_status()
            && self.text.as_ref().is_none_or(has_text)
    }
}

/// Sink that passes the requests that match on, and counts the others.
pub struct FilteredRequests {
    inner: Box<dyn Sink>,
    filter: RequestFilter,
    left_out: LeftOutCount,
}

impl FilteredRequests {
    /// Returns a sink in front of `inner`.
    pub fn new(
        inner: Box<dyn Sink>,
        filter: RequestFilter,
        left_out: LeftOutCount,
    ) -> FilteredRequests {
        FilteredRequests {
            inner,
            filter,
            left_out,
        }
    }
}

impl Sink for FilteredRequests {
    fn requires(&self) -> Requirement {
        self.inner.requires()
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        if let Event::Request(RequestEvent::Request(request)) = event
            && !self.filter.matches(request)
        {
            self.left_out.increment();
            return CONTINUE;
        }
        self.inner.handle(event)
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.inner.finish()
    }
}
