//! Statistics of requests by shape.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::{Request, RequestOutcome};
use crate::time::durations::{DurationStatistics, DurationSummary};

/// Maximum number of shapes; requests of further shapes are one group.
const MAX_SHAPES: usize = 10_000;

/// Requests by protocol and [shape](Request::shape).
#[derive(Debug, Default)]
pub struct RequestGroups {
    /// Positions in `groups`, by protocol and shape.
    positions: HashMap<Arc<str>, usize, RandomState>,
    /// Groups, in the order of their first requests.
    groups: Vec<RequestGroup>,
    /// Requests of further shapes.
    other: Option<RequestGroup>,
    /// Buffer for keys.
    key: String,
}

/// Requests of one shape.
#[derive(Debug, Clone)]
pub struct RequestGroup {
    /// Protocol, a space, and the shape.
    key: Arc<str>,
    /// Protocol, as in [`Request::protocol`]; empty for the group of further shapes.
    pub protocol: &'static str,
    /// Operation, as in [`Request::operation`]; empty for the group of further shapes.
    pub operation: String,
    /// Number of requests.
    pub count: u64,
    /// Number of requests with the outcome [`Error`](RequestOutcome::Error).
    pub errors: u64,
    /// Number of requests with the outcome [`Unanswered`](RequestOutcome::Unanswered).
    pub unanswered: u64,
    durations: DurationStatistics,
    /// Sum of the durations of all requests, in nanoseconds.
    pub total: u64,
    /// Bytes of all requests.
    pub request_bytes: u64,
    /// Bytes of all answers.
    pub answer_bytes: u64,
}

impl RequestGroups {
    /// Adds a request to the group of its shape.
    pub fn add(&mut self, request: &Request) {
        self.key.clear();
        self.key.push_str(request.protocol);
        self.key.push(' ');
        request.write_shape(&mut self.key);
        let group = match self.positions.get(&self.key[..]) {
            Some(position) => self.groups.get_mut(*position),
            None if self.groups.len() >= MAX_SHAPES => {
                Some(self.other.get_or_insert_with(RequestGroup::other))
            }
            None => {
                let key: Arc<str> = self.key.as_str().into();
                self.positions.insert(Arc::clone(&key), self.groups.len());
                self.groups.push(RequestGroup {
                    key,
                    protocol: request.protocol,
                    operation: request.operation.clone().into_owned(),
                    ..RequestGroup::other()
                });
                self.groups.last_mut()
            }
        };
        if let Some(group) = group {
            group.add(request);
        }
    }

    /// Returns the groups in the order of their first requests; the group of further shapes is the
    /// last one.
    pub fn iter(&self) -> impl Iterator<Item = &RequestGroup> {
        self.groups.iter().chain(&self.other)
    }
}

impl RequestGroup {
    /// Returns an empty group of further shapes.
    fn other() -> RequestGroup {
        RequestGroup {
            key: " other".into(),
            protocol: "",
            operation: String::new(),
            count: 0,
            errors: 0,
            unanswered: 0,
            durations: DurationStatistics::default(),
            total: 0,
            request_bytes: 0,
            answer_bytes: 0,
        }
    }

    fn add(&mut self, request: &Request) {
        self.count += 1;
        self.errors += u64::from(request.outcome == RequestOutcome::Error);
        self.unanswered += u64::from(request.outcome == RequestOutcome::Unanswered);
        if let Some(duration) = request.duration() {
            let duration = duration.0.max(0) as u64;
            self.durations.add(duration);
            self.total = self.total.saturating_add(duration);
        }
        self.request_bytes = self.request_bytes.saturating_add(request.request_bytes);
        self.answer_bytes = self.answer_bytes.saturating_add(request.answer_bytes);
    }

    /// Returns the [shape](Request::shape) of the requests; `other` for the group of further
    /// shapes.
    pub fn shape(&self) -> &str {
        self.key.split_once(' ').map_or("", |(_, shape)| shape)
    }

    /// Returns the summary of the durations; `None` if no request has one.
    pub fn durations(&self) -> Option<DurationSummary> {
        self.durations.summary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{TCP, Timestamp};
    use crate::request::tests::flow_id;

    fn request(target: &str, duration: i64, outcome: RequestOutcome) -> Request {
        let flow = flow_id(TCP);
        Request {
            protocol: "http",
            operation: "GET".into(),
            target: target.into(),
            outcome,
            request_end: Timestamp(0),
            answer_end: match outcome {
                RequestOutcome::Unanswered => Timestamp::ABSENT,
                _ => Timestamp(duration),
            },
            request_bytes: 10,
            answer_bytes: 100,
            ..Request::new(flow, Timestamp(0))
        }
    }

    #[test]
    fn requests_are_grouped_by_shape() {
        let mut groups = RequestGroups::default();
        for (target, duration, outcome) in [
            ("/cart/1", 10, RequestOutcome::Ok),
            ("/health", 5, RequestOutcome::Ok),
            ("/cart/2", 30, RequestOutcome::Error),
            ("/cart/3", 0, RequestOutcome::Unanswered),
        ] {
            groups.add(&request(target, duration, outcome));
        }
        let rows = groups.iter().map(|group| {
            let times = group.durations().map(|times| (times.median, times.max));
            let counts = (group.count, group.errors, group.unanswered);
            (
                group.shape(),
                counts,
                times,
                group.total,
                group.answer_bytes,
            )
        });
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [
                ("GET /cart/{id}", (3, 1, 1), Some((10, 30)), 40, 300),
                ("GET /health", (1, 0, 0), Some((5, 5)), 5, 100),
            ]
        );
    }

    #[test]
    fn the_number_of_shapes_is_limited() {
        let mut groups = RequestGroups::default();
        for number in 0..MAX_SHAPES + 7 {
            groups.add(&request(&format!("/x{number}"), 1, RequestOutcome::Ok));
        }
        let groups: Vec<_> = groups.iter().collect();
        let last = groups[groups.len() - 1];
        assert_eq!(groups.len(), MAX_SHAPES + 1);
        assert_eq!((last.shape(), last.protocol, last.count), ("other", "", 7));
    }
}
