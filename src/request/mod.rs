//! Requests with their answers, from the streams of flows: one protocol per file, in
//! [`registry::ANALYZERS`].
//!
//! [`RequestTable`] receives the events of a [`FlowTable`](crate::flow::FlowTable). It detects the
//! protocol of each flow from its content, and passes the bytes to the analyzer of that protocol. A
//! flow of any other protocol is divided into turns: what one side sends until the other one
//! responds. Pure: the only clock is the packets' timestamps, and there is no I/O.
//!
//! Memory is bounded by [`RequestSettings`]. Missing bytes never assign an answer to another
//! request: an analyzer continues only where it can determine its position in the protocol.

mod analyzer;
mod connection;
mod detail;
mod groups;
mod http;
mod message;
mod opening;
mod pending;
mod postgresql;
mod redis;
mod registry;
mod repeats;
mod shape;
mod stream_buffer;
mod table;
mod turns;

pub use detail::{Detail, Details};
pub use groups::{RequestGroup, RequestGroups};
pub use message::{Message, MessageEvent, MessagePart};
pub use repeats::{RepeatDetector, RepeatedRequests};
pub use table::{RequestCounts, RequestTable};

use std::borrow::Cow;

use crate::flow::{FlowId, Side};
use crate::packet::{TimeDelta, Timestamp};
use crate::process::Owners;

/// A request and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Number of the request, from 1, in the order in which requests are reported: when the answer
    /// is complete.
    pub number: u64,
    /// Flow that carries the request.
    pub flow: FlowId,
    /// Protocol: the name in the table of analyzers, or `tcp` or `udp`.
    pub protocol: &'static str,
    /// Kind of request, in the protocol's own words: `GET`, `SELECT`, `send`. Empty if it is
    /// unknown.
    pub operation: Cow<'static, str>,
    /// Object of the request: a path, a statement, a key, a number of bytes. Empty if there is none
    /// or it is unknown.
    pub target: String,
    /// Status of the answer as the protocol writes it: `200`, `00000`, `OK`. `None` if there is no
    /// answer, or its status is not in the capture.
    pub status: Option<Cow<'static, str>>,
    /// Result of the request.
    pub outcome: RequestOutcome,
    /// Reason for an outcome other than [`Ok`](RequestOutcome::Ok): the server's error message, or
    /// what is missing.
    pub error: Option<Cow<'static, str>>,
    /// Time of the first byte of the request; of the answer if the request was not captured.
    pub time: Timestamp,
    /// Time of the last byte of the request; absent if it was not captured.
    pub request_end: Timestamp,
    /// Time of the first byte of the answer; absent if there is none.
    pub answer_start: Timestamp,
    /// Time of the last byte of the answer; absent if it was not captured.
    pub answer_end: Timestamp,
    /// Time at which the request ended: that of its last packet, or of the packet or timeout after
    /// which no more of its answer is expected.
    pub end: Timestamp,
    /// Length of the request in bytes, as sent.
    pub request_bytes: u64,
    /// Length of the answer in bytes, as sent.
    pub answer_bytes: u64,
    /// Values that only this protocol has.
    pub details: Details,
    /// Processes at both ends; `orig` is the client's.
    pub owners: Owners,
    /// Contents of the request, up to [`RequestSettings::body_limit`].
    pub request: Message,
    /// Contents of the answer, up to [`RequestSettings::body_limit`].
    pub answer: Message,
}

/// Result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestOutcome {
    /// The answer reports success, or the protocol reports no result.
    Ok,
    /// The answer reports an error: HTTP 4xx and 5xx, an SQLSTATE error, `-ERR`.
    Error,
    /// The connection ended without an answer.
    Unanswered,
    /// The request of this answer was not captured.
    Unrequested,
    /// Bytes of the request or the answer are missing, or the capture ended before the answer.
    Cut,
    /// The client cancelled the request.
    Cancelled,
}

impl RequestOutcome {
    /// All outcomes.
    pub const ALL: [RequestOutcome; 6] = [
        RequestOutcome::Ok,
        RequestOutcome::Error,
        RequestOutcome::Unanswered,
        RequestOutcome::Unrequested,
        RequestOutcome::Cut,
        RequestOutcome::Cancelled,
    ];

    /// Returns the name in reports: `ok`, `error`, `unanswered`, `unrequested`, `cut`, `cancelled`.
    pub fn name(self) -> &'static str {
        match self {
            RequestOutcome::Ok => "ok",
            RequestOutcome::Error => "error",
            RequestOutcome::Unanswered => "unanswered",
            RequestOutcome::Unrequested => "unrequested",
            RequestOutcome::Cut => "cut",
            RequestOutcome::Cancelled => "cancelled",
        }
    }
}

impl Request {
    /// Returns an empty request of a flow, whose first byte has this time.
    fn new(flow: FlowId, time: Timestamp) -> Request {
        Request {
            number: 0,
            flow,
            protocol: "",
            operation: Cow::Borrowed(""),
            target: String::new(),
            status: None,
            outcome: RequestOutcome::Ok,
            error: None,
            time,
            request_end: Timestamp::ABSENT,
            answer_start: Timestamp::ABSENT,
            answer_end: Timestamp::ABSENT,
            end: Timestamp::ABSENT,
            request_bytes: 0,
            answer_bytes: 0,
            details: Details::default(),
            owners: Owners::default(),
            request: Message::default(),
            answer: Message::default(),
        }
    }

    /// Returns the time from the last byte of the request to the first byte of the answer; `None`
    /// if one of them was not captured. An answer that started before the end of the request took
    /// no time.
    pub fn first_byte(&self) -> Option<TimeDelta> {
        self.after_request(self.answer_start)
    }

    /// Returns the time from the last byte of the request to the last byte of the answer; `None`
    /// if one of them was not captured.
    pub fn duration(&self) -> Option<TimeDelta> {
        self.after_request(self.answer_end)
    }

    /// Returns the [duration](Self::duration) or, without a complete answer, the time from the last
    /// byte of the request until its [end](Self::end): the answer took longer than this, if there
    /// was one. `None` if the request was not captured.
    pub fn waiting_time(&self) -> Option<TimeDelta> {
        self.duration().or_else(|| self.after_request(self.end))
    }

    fn after_request(&self, time: Timestamp) -> Option<TimeDelta> {
        let is_captured = self.request_end.is_present() && time.is_present();
        is_captured.then(|| TimeDelta(time.0.saturating_sub(self.request_end.0).max(0)))
    }

    /// Counts bytes of the answer, the first and the last of which have these times.
    fn add_answer(&mut self, start: Timestamp, end: Timestamp, len: u64) {
        if !self.answer_start.is_present() {
            self.answer_start = start;
        }
        self.answer_end = end;
        self.answer_bytes += len;
    }

    /// Adds the answer of another request, which has only an answer.
    fn adopt_answer(&mut self, answer: Request) {
        self.status = answer.status;
        if self.outcome != RequestOutcome::Cut {
            self.outcome = answer.outcome;
            self.error = answer.error;
        }
        self.answer_start = answer.answer_start;
        self.answer_end = answer.answer_end;
        self.answer_bytes += answer.answer_bytes;
        self.details.extend(answer.details);
        self.answer = answer.answer;
    }

    /// Counts bytes of the request, the last of which has this time.
    fn add_request(&mut self, end: Timestamp, len: u64) {
        self.request_end = end;
        self.request_bytes += len;
    }

    /// Returns the number of bytes of memory that the request uses, approximately, without its
    /// messages.
    fn memory(&self) -> u64 {
        let texts = self.operation.len() + self.target.len() + self.details.memory();
        (size_of::<Request>() + texts) as u64
    }
}

/// An event of a [`RequestTable`].
#[derive(Debug, Clone, Copy)]
pub enum RequestEvent<'a> {
    /// A request ended: its answer is complete, or it will have none.
    Request(&'a Request),
    /// A part of a message; only if [`RequestSettings::has_messages`].
    #[cfg_attr(
        not(feature = "cli"),
        allow(dead_code, reason = "only output formats read it")
    )]
    Message(&'a MessageEvent<'a>),
}

/// Settings of request tracking, including its memory limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestSettings {
    /// Maximum number of bytes of the head and of the body of each message that are kept in its
    /// [`Request`]; 0 keeps none.
    pub body_limit: usize,
    /// True if the parts of messages are emitted as events.
    pub has_messages: bool,
    /// Maximum number of requests of one connection that wait for their answers. Above this limit,
    /// the oldest one is reported as [`Cut`](RequestOutcome::Cut).
    pub max_pending: usize,
    /// Maximum length of an incomplete message that is buffered, in bytes. Analyzers keep the
    /// parts that they report, and no more, of messages that can be longer.
    pub max_message_len: usize,
    /// Maximum number of bytes that all connections together buffer. Above this limit, a
    /// connection that must buffer more is no longer analyzed.
    pub max_buffered_bytes: u64,
}

impl Default for RequestSettings {
    fn default() -> RequestSettings {
        RequestSettings {
            body_limit: 0,
            has_messages: false,
            max_pending: 10_000,
            max_message_len: 1 << 20,
            max_buffered_bytes: 256 << 20,
        }
    }
}

impl RequestSettings {
    /// Returns true if analyzers must decode the contents of messages.
    fn needs_contents(&self) -> bool {
        self.has_messages || self.body_limit > 0
    }
}

/// Maximum length of a text in a [`Request`] in bytes.
const MAX_TEXT_LEN: usize = 16 << 10;

/// Returns captured bytes as text, up to [`MAX_TEXT_LEN`]; longer text ends in `…`. Bytes that are
/// not UTF-8 become U+FFFD.
fn text(bytes: &[u8]) -> String {
    match bytes.get(..MAX_TEXT_LEN) {
        Some(start) if start.len() < bytes.len() => {
            // A partial character at the end is not an invalid one.
            let partial = match std::str::from_utf8(start) {
                Err(error) if error.error_len().is_none() => start.len() - error.valid_up_to(),
                _ => 0,
            };
            let mut text = String::from_utf8_lossy(&start[..start.len() - partial]).into_owned();
            text.push('…');
            text
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Returns the side's message of a request.
fn message_of(request: &mut Request, side: Side) -> &mut Message {
    match side {
        Side::Orig => &mut request.request,
        Side::Resp => &mut request.answer,
    }
}

#[cfg(test)]
mod tests;
