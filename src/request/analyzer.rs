//! The interface of protocol analyzers.

use super::{Request, RequestEvent, RequestOutcome, RequestSettings};
use crate::flow::{FlowId, Side};
use crate::packet::{Timestamp, UDP};
use crate::process::Owners;

/// The analyzer of a protocol.
pub(super) struct AnalyzerEntry {
    /// Names of the [detectors](crate::detect::DETECTORS) of the protocol.
    pub services: &'static [&'static str],
    /// Value of [`Request::protocol`].
    pub protocol: &'static str,
    /// Creates an analyzer for a connection.
    pub(super) create: fn() -> Box<dyn Analyzer>,
}

impl AnalyzerEntry {
    /// Returns true for the analyzer of connections whose protocol is not detected.
    pub(super) fn is_other(&self) -> bool {
        self.services.is_empty()
    }

    /// Returns the protocol of requests over a transport protocol.
    pub(super) fn protocol_over(&self, transport: u8) -> &'static str {
        match self.protocol {
            "" if transport == UDP => "udp",
            "" => "tcp",
            protocol => protocol,
        }
    }
}

/// Analyzer of one connection: turns the streams of both sides into requests.
///
/// It is a pure function of the bytes: the requests are the same for any split of the streams into
/// segments. The caller keeps bytes that are not consumed, and passes them again with more bytes.
pub(super) trait Analyzer {
    /// Parses the bytes at the current position of a side's stream, at least one byte: one message,
    /// or a part of one.
    fn parse(&mut self, side: Side, bytes: &[u8], context: &mut Context) -> Step;

    /// Continues after `len` missing bytes at the current position of a side's stream. Returns
    /// false if the position in the protocol is lost.
    fn skip(&mut self, side: Side, len: u64, context: &mut Context) -> bool;

    /// Returns true if a message of the side starts with these bytes, which are the first ones of a
    /// segment after the position was lost, or after the side's bytes were not recognized. The
    /// analyzer then continues with them. It must be certain that no answer is assigned to another
    /// request.
    fn resume(&mut self, side: Side, bytes: &[u8], context: &mut Context) -> bool;

    /// Continues at the end of a side's stream: all of its bytes were captured.
    fn end_of_stream(&mut self, _side: Side, _context: &mut Context) {}

    /// Reports all remaining requests: the connection ended, or can no longer be analyzed.
    fn finish(&mut self, reason: EndReason, context: &mut Context);

    /// Reports the requests that cannot be matched with their answers, because the position in a
    /// side's stream is lost.
    fn lose(&mut self, side: Side, reason: EndReason, context: &mut Context);

    /// Calls `visit` with each request that waits for its answer.
    fn for_each_pending(&self, visit: &mut dyn FnMut(&Request));

    /// Returns the time of the last byte of an answer that is complete if no more of it follows
    /// within [`QUIET_TIME`](super::turns::QUIET_TIME).
    fn quiet_since(&self) -> Option<Timestamp> {
        None
    }

    /// Continues when no more of the answer has followed.
    fn end_of_answer(&mut self, _context: &mut Context) {}
}

/// Result of [`Analyzer::parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// This number of bytes, at least 1, was processed.
    Consumed(usize),
    /// The message is incomplete: at least this number of bytes, counted from the start of the
    /// message, is required. A number that is not above the number of bytes means one more byte.
    Incomplete(usize),
    /// The bytes are not a message of this protocol: the position is lost.
    Unrecognized,
    /// From these bytes on, both streams contain another protocol or encrypted data, which is not
    /// analyzed.
    Opaque,
}

/// Reason for the end of a connection's analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndReason {
    /// The connection was closed, or its last packet was long ago.
    Closed,
    /// A side reset the connection.
    Reset,
    /// The client sent another datagram.
    Repeated,
    /// The capture ended, or the flow was evicted.
    Capture,
    /// Packets were dropped before they were captured: those of an answer can be among them.
    Dropped,
    /// Bytes are missing in the capture.
    Missing,
    /// Bytes are not a message of the protocol.
    Unrecognized,
    /// A limit of memory is reached.
    Limit,
    /// The answer cannot be determined.
    Uncertain,
}

/// Error of a request whose answer cannot be determined.
pub(super) const UNCERTAIN_ORDER: &str = "the order of the answers is uncertain";

impl EndReason {
    /// Returns the outcome and the error of a request without a complete answer.
    pub(super) fn outcome(self, has_answer: bool) -> (RequestOutcome, &'static str) {
        use RequestOutcome::{Cut, Unanswered};
        match (self, has_answer) {
            (EndReason::Closed, false) => (Unanswered, "the connection ended without an answer"),
            (EndReason::Closed, true) => (Cut, "the connection ended within the answer"),
            (EndReason::Reset, false) => (Unanswered, "the connection was reset without an answer"),
            (EndReason::Reset, true) => (Cut, "the connection was reset within the answer"),
            (EndReason::Repeated, _) => (Unanswered, "no answer before the next datagram"),
            (EndReason::Capture, _) => (Cut, "the capture ended before the end of the answer"),
            (EndReason::Dropped, _) => (Cut, "packets were dropped by the capture"),
            (EndReason::Missing, _) => (Cut, "bytes are missing in the capture"),
            (EndReason::Unrecognized, _) => (Cut, "bytes that are not valid in the protocol"),
            (EndReason::Uncertain, _) => (Cut, UNCERTAIN_ORDER),
            (EndReason::Limit, _) => (Cut, "a memory limit of lcap was reached"),
        }
    }
}

/// Inputs of an analyzer in addition to the bytes, and the callback for its reports.
pub(super) struct Context<'a> {
    pub(super) settings: &'a RequestSettings,
    pub(super) flow: &'a FlowId,
    pub(super) owners: &'a Owners,
    pub(super) protocol: &'static str,
    /// True if messages can precede the first bytes that an analyzer received: the first answer can
    /// then belong to an earlier request.
    pub(super) is_late: bool,
    /// Time of the first of the bytes.
    pub(super) start: Timestamp,
    /// Time of the last of the bytes.
    pub(super) time: Timestamp,
    /// Time at which requests without an answer end if they are reported now.
    pub(super) end: Timestamp,
    /// Number of the last reported request.
    pub(super) last_number: &'a mut u64,
    /// Number of bytes that all connections buffer.
    pub(super) buffered_bytes: &'a mut u64,
    pub(super) emit: &'a mut dyn FnMut(RequestEvent),
}

impl Context<'_> {
    /// Returns a request whose first byte is the first of the bytes.
    pub(super) fn new_request(&self) -> Request {
        Request::new(*self.flow, self.start)
    }

    /// Returns true if the contents of messages are required.
    pub(super) fn needs_contents(&self) -> bool {
        self.settings.needs_contents()
    }

    /// Counts bytes of memory that a connection uses from now on.
    pub(super) fn allocate(&mut self, bytes: u64) {
        *self.buffered_bytes += bytes;
    }

    /// Counts bytes of memory that a connection no longer uses.
    pub(super) fn free(&mut self, bytes: u64) {
        *self.buffered_bytes = self.buffered_bytes.saturating_sub(bytes);
    }

    /// Returns true if the limit of memory is exceeded.
    pub(super) fn is_memory_full(&self) -> bool {
        *self.buffered_bytes > self.settings.max_buffered_bytes
    }

    /// Reports a request whose outcome is set.
    pub(super) fn report(&mut self, mut request: Request) {
        self.free(request.request.len() + request.answer.len());
        *self.last_number += 1;
        request.number = *self.last_number;
        request.end = match request.answer_end.is_present() {
            true => request.answer_end,
            false => self.end,
        };
        request.protocol = self.protocol;
        request.owners = self.owners.clone();
        (self.emit)(RequestEvent::Request(&request));
    }

    /// Reports a request without a complete answer.
    pub(super) fn report_incomplete(&mut self, mut request: Request, reason: EndReason) {
        let (outcome, error) = reason.outcome(request.answer_start.is_present());
        request.outcome = outcome;
        request.error = Some(error.into());
        request.answer_end = Timestamp::ABSENT;
        self.report(request);
    }
}
