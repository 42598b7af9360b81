//! Detection of requests of one shape that are repeated in a row on one connection, e.g. a query
//! for each row of another query (N+1 queries).

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::Request;
use super::postgresql::UNKNOWN_STATEMENT;
use crate::flow::FlowId;
use crate::packet::Timestamp;

/// Minimum number of requests in a row that are reported.
const MIN_REPEATED_REQUESTS: u64 = 5;
/// Maximum time from an answer to the next request of a row, in nanoseconds.
const MAX_PAUSE: i64 = 1_000_000_000;
/// Maximum number of connections that are tracked. Above this limit, those that have paused are
/// removed, and if there are none, requests on further connections are not counted.
const MAX_CONNECTIONS: usize = 100_000;

/// Counts requests of one shape that follow each other on one connection.
///
/// A request continues a row if it has the shape of the previous request of its connection, and was
/// sent within a second after the end of its answer. Pipelined requests form no row: they do not
/// wait for each other. An HTTP request whose target is that of the previous one is not counted, so
/// that polling is not a row. Messages of PostgreSQL that execute nothing, e.g. to prepare a
/// statement, do not end a row. Turns of unknown protocols and executions of statements whose text
/// is unknown form no rows.
#[derive(Debug, Clone)]
pub struct RepeatDetector {
    /// Rows by the number of the flow.
    rows: HashMap<u64, Row, RandomState>,
    /// Time from which on connections that have paused can be removed.
    next_cleanup: i64,
    worst: Option<RepeatedRequests>,
    /// Buffer for shapes.
    shape: String,
}

impl Default for RepeatDetector {
    fn default() -> RepeatDetector {
        RepeatDetector {
            rows: HashMap::default(),
            next_cleanup: i64::MIN,
            worst: None,
            shape: String::new(),
        }
    }
}

/// The row of requests at the end of a connection.
#[derive(Debug, Clone)]
struct Row {
    /// Hash of the protocol and the shape.
    shape_hash: u64,
    /// Hash of the last target.
    target_hash: u64,
    /// Number of the first request.
    first_number: u64,
    count: u64,
    /// Time of the last byte of the last answer.
    answer_end: Timestamp,
}

/// Requests of one shape in a row on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatedRequests {
    /// Protocol, as in [`Request::protocol`].
    pub protocol: &'static str,
    /// [Shape](Request::shape) of the requests.
    pub shape: String,
    /// Number of requests.
    pub count: u64,
    /// Number of the first request.
    pub first_number: u64,
    /// Flow that carries the requests.
    pub flow: FlowId,
}

impl RepeatDetector {
    /// Adds a request. Returns the length of the row that it continues: 1 for the first request
    /// of a row, and 0 for a request that is not counted.
    pub fn add(&mut self, request: &Request) -> u64 {
        let flow = request.flow.number;
        match role(request) {
            Role::Request => {}
            Role::Preparation => return 0,
            Role::Unknown => {
                self.rows.remove(&flow);
                return 0;
            }
        }
        if self.rows.len() >= MAX_CONNECTIONS
            && !self.rows.contains_key(&flow)
            && !self.remove_paused(request.time)
        {
            return 0;
        }
        self.shape.clear();
        request.write_shape(&mut self.shape);
        let hasher = self.rows.hasher();
        let shape_hash = hasher.hash_one((request.protocol, &self.shape));
        let target_hash = hasher.hash_one(&request.target);
        let row = self.rows.entry(flow).or_insert_with(|| Row {
            shape_hash,
            target_hash,
            first_number: 0,
            count: 0,
            answer_end: Timestamp::ABSENT,
        });
        if row.count == 0 || row.shape_hash != shape_hash || !row.is_continued_at(request.time) {
            row.first_number = request.number;
            row.count = 0;
        }
        let is_counted =
            row.count == 0 || request.protocol != "http" || row.target_hash != target_hash;
        row.count += u64::from(is_counted);
        row.shape_hash = shape_hash;
        row.target_hash = target_hash;
        row.answer_end = request.answer_end;
        let (first_number, count) = (row.first_number, row.count);
        self.update_worst(request, first_number, count);
        if is_counted { count } else { 0 }
    }

    /// Removes the connections whose rows have ended by this time, at most once per [`MAX_PAUSE`].
    /// Returns true if there is space for another connection.
    fn remove_paused(&mut self, time: Timestamp) -> bool {
        if time.0 >= self.next_cleanup {
            self.next_cleanup = time.0.saturating_add(MAX_PAUSE);
            self.rows.retain(|_, row| {
                row.answer_end.is_present() && time.0.saturating_sub(row.answer_end.0) <= MAX_PAUSE
            });
        }
        self.rows.len() < MAX_CONNECTIONS
    }

    /// Returns the longest row, the first one of several; `None` below `MIN_REPEATED_REQUESTS`.
    pub fn worst(&self) -> Option<&RepeatedRequests> {
        self.worst.as_ref()
    }

    fn update_worst(&mut self, request: &Request, first_number: u64, count: u64) {
        let is_worst = match &self.worst {
            Some(worst) => count > worst.count,
            None => count >= MIN_REPEATED_REQUESTS,
        };
        if !is_worst {
            return;
        }
        match &mut self.worst {
            Some(worst) if worst.first_number == first_number => worst.count = count,
            worst => {
                *worst = Some(RepeatedRequests {
                    protocol: request.protocol,
                    shape: self.shape.clone(),
                    count,
                    first_number,
                    flow: request.flow,
                });
            }
        }
    }
}

/// Meaning of a request for the row at the end of its connection.
enum Role {
    /// The request continues the row, or starts another one.
    Request,
    /// The request executes nothing, and does not end the row.
    Preparation,
    /// It is unknown whether requests of its shape are for similar objects.
    Unknown,
}

fn role(request: &Request) -> Role {
    match (request.protocol, &*request.operation) {
        ("tcp" | "udp", _) | (_, "") => Role::Unknown,
        ("postgresql", "PREPARE" | "BIND" | "DESCRIBE" | "CLOSE") => Role::Preparation,
        ("postgresql", _) if request.target == UNKNOWN_STATEMENT => Role::Unknown,
        _ => Role::Request,
    }
}

impl Row {
    /// Returns true if a request at this time follows the last answer.
    fn is_continued_at(&self, time: Timestamp) -> bool {
        let pause = time.0.saturating_sub(self.answer_end.0);
        self.answer_end.is_present() && (0..=MAX_PAUSE).contains(&pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::TCP;
    use crate::request::tests::flow_id;

    const MILLISECOND: i64 = 1_000_000;

    /// Passes requests to a detector, each with its protocol, operation and target, a pause before
    /// it in milliseconds, and 1 ms for its answer. Returns the lengths of their rows.
    fn lengths(
        detector: &mut RepeatDetector,
        requests: &[(&'static str, &'static str, String, i64)],
    ) -> Vec<u64> {
        let flow = FlowId {
            number: 3,
            ..flow_id(TCP)
        };
        let mut now = 0;
        let lengths = requests.iter().enumerate();
        let lengths = lengths.map(|(at, (protocol, operation, target, pause))| {
            now += pause * MILLISECOND;
            let time = Timestamp(now);
            now += MILLISECOND;
            detector.add(&Request {
                number: at as u64 + 1,
                protocol,
                operation: (*operation).into(),
                target: target.clone(),
                answer_end: Timestamp(now),
                ..Request::new(flow, time)
            })
        });
        lengths.collect()
    }

    fn query(id: u32) -> (&'static str, &'static str, String, i64) {
        let statement = format!("SELECT * FROM price WHERE item = {id}");
        ("postgresql", "SELECT", statement, 1)
    }

    fn begin() -> (&'static str, &'static str, String, i64) {
        ("postgresql", "BEGIN", "BEGIN".to_owned(), 1)
    }

    #[test]
    fn requests_of_one_shape_in_a_row_are_counted() {
        let mut detector = RepeatDetector::default();
        let requests = [
            vec![begin()],
            (1..=6).map(query).collect(),
            vec![begin()],
            (1..=5).map(query).collect(),
        ]
        .concat();
        assert_eq!(
            lengths(&mut detector, &requests),
            [1, 1, 2, 3, 4, 5, 6, 1, 1, 2, 3, 4, 5]
        );
        let worst = detector.worst().expect("a row of 6");
        assert_eq!((worst.count, worst.first_number), (6, 2));
        assert_eq!(worst.shape, "SELECT * FROM price WHERE item = ?");
    }

    #[test]
    fn short_rows_are_not_reported() {
        let mut detector = RepeatDetector::default();
        lengths(&mut detector, &[1, 2, 3, 4].map(query));
        assert_eq!(detector.worst(), None);
    }

    #[test]
    fn polling_pauses_and_pipelines_are_not_repetition() {
        let get = |target: &str, pause| ("http", "GET", target.to_owned(), pause);
        for (requests, expected) in [
            // One target.
            (vec![get("/health", 1); 3], vec![1, 0, 0]),
            (
                vec![get("/a/1", 1), get("/a/1", 1), get("/a/2", 1)],
                vec![1, 0, 2],
            ),
            // Longer than a second after the answer.
            (
                vec![get("/a/1", 1), get("/a/2", 1000), get("/a/3", 1001)],
                vec![1, 2, 1],
            ),
            // Before the answer.
            (
                vec![get("/a/1", 1), get("/a/2", -1), get("/a/3", 1)],
                vec![1, 1, 2],
            ),
            (vec![("tcp", "send", "1 B".to_owned(), 1); 3], vec![0, 0, 0]),
        ] {
            assert_eq!(lengths(&mut RepeatDetector::default(), &requests), expected);
        }
    }

    #[test]
    fn the_number_of_connections_is_limited() {
        let mut detector = RepeatDetector::default();
        let mut add = |flow: usize, time: i64| {
            let id = FlowId {
                number: flow as u64,
                ..flow_id(TCP)
            };
            detector.add(&Request {
                protocol: "redis",
                operation: "GET".into(),
                answer_end: Timestamp(time),
                ..Request::new(id, Timestamp(time))
            })
        };
        for flow in 0..MAX_CONNECTIONS {
            assert_eq!(add(flow, 0), 1);
        }
        assert_eq!(add(MAX_CONNECTIONS, MAX_PAUSE), 0);
        assert_eq!(add(7, MAX_PAUSE), 2);
        assert_eq!(add(MAX_CONNECTIONS, 2 * MAX_PAUSE), 1);
        assert_eq!(detector.rows.len(), 2);
    }
}
