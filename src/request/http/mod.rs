//! Analyzer of HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112).
//!
//! The operation is the method, the target is the request target as sent, the status is the status
//! code. The outcome is `error` for 4xx and 5xx, and the error is the reason phrase. Details:
//!
//! | name | value |
//! |---|---|
//! | `host` | `Host` of the request |
//! | `status_code` | status code, as a number |
//! | `content_type` | `Content-Type` of the answer |
//! | `content_encoding` | `Content-Encoding` of the answer |
//! | `interim` | number of interim answers (1xx) before the answer |
//! | `events` | number of Server-Sent Events; absent if the body cannot be decoded |
//!
//! The bytes of interim answers count as bytes of the answer, but the answer starts with its final
//! head. A protocol upgrade (101) and a successful CONNECT end HTTP: the rest is not analyzed.
//!
//! # Missing bytes
//!
//! Answers have no identification, only an order. Therefore:
//!
//! - Bytes that are missing inside a body whose end is determined are skipped, and the request is
//!   reported as cut. If bytes are missing elsewhere, the position of that side is lost.
//! - If the position in the requests is lost, the answers to the captured requests still follow in
//!   order; further answers are unrequested. If the position in the answers is lost, all requests
//!   that wait for one are reported as cut.
//! - Both continue only where [`resync`] is certain.
//! - An answer whose request was not captured can be one to HEAD: it has no body if the next bytes
//!   are a status line.
//!
//! # Limits
//!
//! A head has at most 64 KiB and 256 header lines. Of each message, every coding is decoded to at
//! most [`MAX_DECODED_LEN`](decoder::MAX_DECODED_LEN). If decoding stops there, at the limit of a
//! body, or because of an error, the encoded length of the whole body is counted as missing; after
//! an error, a request keeps nothing of the body.

mod body;
mod chunked;
mod coding;
mod content;
mod decoder;
mod events;
mod exchanges;
mod fields;
mod first_answer;
mod head;
mod resync;
mod status;
mod summary;

#[cfg(test)]
mod tests;

use super::analyzer::{Analyzer, AnalyzerEntry, Context, EndReason, Step};
use super::detail::Detail;
use super::message::MessagePart;
use super::{Request, text};
use crate::flow::Side;
use crate::packet::Timestamp;
use body::{Body, BodyStep};
use content::Content;
use exchanges::{AnswerMethod, Exchanges};
use fields::BodyLength;
use first_answer::FirstAnswer;
use head::{HeadSearch, ParsedHead, StartLine, head_text};
use resync::Resync;
use summary::{mark_cut, set_answer, set_text};

/// The entry of HTTP/1. A WebSocket connection starts with an HTTP request.
pub(super) const ENTRY: AnalyzerEntry = AnalyzerEntry {
    services: &["http", "websocket"],
    protocol: "http",
    create: || Box::new(Http::default()),
};

/// Length that shows whether bytes are a status line.
const STATUS_LINE_START_LEN: usize = 13;

/// A connection.
#[derive(Default)]
struct Http {
    exchanges: Exchanges,
    searches: [HeadSearch; 2],
    bodies: [Option<Body>; 2],
    /// True if the answer whose body starts next can be one to a HEAD request.
    can_be_head_answer: bool,
    /// Time of the first byte of an incomplete head of an answer.
    answer_start: Option<Timestamp>,
    /// True if both streams contain another protocol from here on.
    is_tunnel: bool,
    resync: Resync,
    first_answer: FirstAnswer,
}

impl Analyzer for Http {
    fn parse(&mut self, side: Side, bytes: &[u8], context: &mut Context) -> Step {
        if self.is_tunnel {
            return Step::Opaque;
        }
        self.first_answer.start(context);
        self.resync.add_bytes(side, context);
        if side == Side::Orig {
            self.end_held_answer(context);
        }
        if self.bodies[side as usize].is_some() {
            return self.parse_body(side, bytes, context);
        }
        // Empty lines before a head are not part of it (RFC 9112 section 2.2).
        if !self.searches[side as usize].has_started() && matches!(bytes[0], b'\r' | b'\n') {
            let lines = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n'));
            return Step::Consumed(lines.count());
        }
        match side {
            Side::Orig if self.exchanges.ends_with_connect() => Step::Incomplete(bytes.len() + 1),
            Side::Orig => self.parse_request(bytes, context),
            Side::Resp => self.parse_answer(bytes, context),
        }
    }

    fn skip(&mut self, side: Side, len: u64, context: &mut Context) -> bool {
        let is_uncertain = side == Side::Resp && self.can_be_head_answer;
        let request = self.exchanges.current(side);
        let Some(body) = self.bodies[side as usize]
            .as_mut()
            .filter(|_| !is_uncertain)
        else {
            return false;
        };
        if !body.skip(len, request, context) {
            return false;
        }
        let is_complete = body.is_complete();
        if let Some(request) = self.exchanges.current(side) {
            add_bytes(request, side, len, context);
            mark_cut(request);
        }
        if is_complete {
            self.complete_body(side, context);
        }
        true
    }

    fn resume(&mut self, side: Side, bytes: &[u8], context: &mut Context) -> bool {
        match side {
            Side::Orig => self.resync.resume_requests(&self.exchanges, bytes, context),
            Side::Resp => self
                .resync
                .resume_answers(&mut self.exchanges, bytes, context),
        }
    }

    fn end_of_stream(&mut self, side: Side, context: &mut Context) {
        let body = self.bodies[side as usize].as_ref();
        if side == Side::Resp && body.is_some_and(Body::ends_with_stream) {
            self.complete_body(side, context);
        }
    }

    fn finish(&mut self, reason: EndReason, context: &mut Context) {
        self.close_body(Side::Orig, context);
        self.close_body(Side::Resp, context);
        self.accept_answer(context);
        if let Some(start) = self.answer_start.take()
            && let Some(request) = self.exchanges.current(Side::Resp)
        {
            request.answer_start = start;
        }
        let reason = self.resync.lost_answers().unwrap_or(reason);
        self.exchanges.finish(reason, context);
    }

    fn lose(&mut self, side: Side, reason: EndReason, context: &mut Context) {
        if side == Side::Resp || self.first_answer.held_until().is_some() {
            self.reject_answer(context);
        }
        self.resync.lose(side, reason, context);
        self.searches[side as usize] = HeadSearch::default();
        match side {
            Side::Orig => {
                if self.bodies[Side::Orig as usize].is_some()
                    && let Some(request) = self.exchanges.current(Side::Orig)
                {
                    mark_cut(request);
                }
                self.close_body(Side::Orig, context);
            }
            Side::Resp => {
                let has_started = self.bodies[Side::Resp as usize].is_some()
                    || self.answer_start.take().is_some();
                self.can_be_head_answer = false;
                self.close_body(Side::Resp, context);
                match reason {
                    // Requests can have been captured after the missing bytes.
                    EndReason::Missing if !self.exchanges.has_reported() => {
                        self.exchanges.cut(u64::from(has_started), reason, context);
                    }
                    _ => self.exchanges.finish(reason, context),
                }
            }
        }
    }

    fn for_each_pending(&self, visit: &mut dyn FnMut(&Request)) {
        self.exchanges.iter().for_each(visit);
    }

    fn quiet_since(&self) -> Option<Timestamp> {
        self.first_answer.held_until()
    }

    fn end_of_answer(&mut self, context: &mut Context) {
        self.accept_answer(context);
    }
}

impl Http {
    fn parse_request(&mut self, bytes: &[u8], context: &mut Context) -> Step {
        let mut unfolded = Vec::new();
        let head = match self.searches[Side::Orig as usize].parse(Side::Orig, bytes, &mut unfolded)
        {
            ParsedHead::Complete(head) => head,
            ParsedHead::Incomplete => return Step::Incomplete(bytes.len() + 1),
            ParsedHead::Invalid => return Step::Unrecognized,
        };
        let StartLine::Request { method, target } = head.start else {
            return Step::Unrecognized;
        };
        let Some(length) = head.fields.request_length() else {
            return Step::Unrecognized;
        };
        let mut request = context.new_request();
        request.operation = status::method_text(method);
        request.target = text(target);
        set_text(&mut request, "host", head.fields.host);
        request.add_request(context.time, head.len as u64);
        if context.needs_contents() {
            context.head(&mut request, Side::Orig, &head_text(&bytes[..head.len]));
        }
        self.resync.start_request();
        let content = Content::new(&head.fields, Side::Orig, context);
        self.bodies[Side::Orig as usize] = Body::new(length, content);
        // The last answer without a request can be its own.
        if self.exchanges.expected() == 0 && self.resync.match_earlier_answer(context.start) {
            context.report_incomplete(request, EndReason::Uncertain);
            return Step::Consumed(head.len);
        }
        let method = AnswerMethod::of(method);
        if !self.exchanges.push(request, method, context) {
            return Step::Unrecognized;
        }
        Step::Consumed(head.len)
    }

    fn parse_answer(&mut self, bytes: &[u8], context: &mut Context) -> Step {
        if self.first_answer.ends_with_next_answer() {
            return self.stop_pairing(context);
        }
        let mut unfolded = Vec::new();
        let head = match self.searches[Side::Resp as usize].parse(Side::Resp, bytes, &mut unfolded)
        {
            ParsedHead::Complete(head) => head,
            ParsedHead::Incomplete => {
                self.answer_start = Some(context.start);
                return Step::Incomplete(bytes.len() + 1);
            }
            ParsedHead::Invalid => return Step::Unrecognized,
        };
        self.answer_start = None;
        let StartLine::Status { code, reason } = head.start else {
            return Step::Unrecognized;
        };
        let text = context
            .needs_contents()
            .then(|| head_text(&bytes[..head.len]));
        if code < 200 && code != 101 {
            self.add_interim(head.len, text, context);
            return Step::Consumed(head.len);
        }
        let method = self.exchanges.next_method();
        if !self.start_answer(code, context) {
            return self.stop_pairing(context);
        }
        match (self.exchanges.current(Side::Resp), text) {
            (Some(request), text) => {
                request.add_answer(context.start, context.time, head.len as u64);
                set_answer(request, code, reason, &head.fields);
                if let Some(text) = text {
                    context.head(request, Side::Resp, &text);
                }
            }
            (None, Some(text)) => context.emit_part(Side::Resp, MessagePart::Head(&text)),
            (None, None) => {}
        }
        let is_success = (200..300).contains(&code);
        self.is_tunnel = code == 101 || method == AnswerMethod::Connect && is_success;
        let length = match (code, method) {
            (204 | 304, _) | (_, AnswerMethod::Head) => BodyLength::Bytes(0),
            _ if self.is_tunnel => BodyLength::Bytes(0),
            _ => head.fields.answer_length(),
        };
        let content = Content::new(&head.fields, Side::Resp, context);
        self.bodies[Side::Resp as usize] = Body::new(length, content);
        if self.bodies[Side::Resp as usize].is_none() {
            self.complete_answer(context);
        }
        Step::Consumed(head.len)
    }

    /// Adds an interim answer to the request that waits for the final one.
    fn add_interim(&mut self, len: usize, text: Option<String>, context: &mut Context) {
        if let Some(request) = self.exchanges.current(Side::Resp) {
            request.answer_bytes += len as u64;
            let count = request.details.get("interim").and_then(Detail::as_count);
            let count = Detail::Count(count.unwrap_or(0) + 1);
            request.details.set("interim", count);
        }
        if let Some(text) = text {
            context.emit_part(Side::Resp, MessagePart::Head(&text));
        }
    }

    fn parse_body(&mut self, side: Side, bytes: &[u8], context: &mut Context) -> Step {
        let request = self.exchanges.current(side);
        let Some(body) = &mut self.bodies[side as usize] else {
            return Step::Unrecognized;
        };
        if side == Side::Resp && self.can_be_head_answer {
            let start = &bytes[..bytes.len().min(STATUS_LINE_START_LEN)];
            if head::starts_like_status_line(start) && !body.is_shorter_than(STATUS_LINE_START_LEN)
            {
                if start.len() < STATUS_LINE_START_LEN {
                    return Step::Incomplete(STATUS_LINE_START_LEN);
                }
                self.bodies[side as usize] = None;
                self.report_answer(context);
                return self.parse_answer(bytes, context);
            }
            self.can_be_head_answer = false;
        }
        let (used, is_end) = match body.parse(bytes, request, context) {
            BodyStep::Continue(used) => (used, false),
            BodyStep::End(used) => (used, true),
            BodyStep::Invalid => return Step::Unrecognized,
        };
        if let Some(request) = self.exchanges.current(side) {
            add_bytes(request, side, used as u64, context);
        }
        if is_end {
            self.complete_body(side, context);
        }
        Step::Consumed(used)
    }

    /// Ends a complete body, and with it the message.
    fn complete_body(&mut self, side: Side, context: &mut Context) {
        if let Some(body) = self.bodies[side as usize].take() {
            body.complete(self.exchanges.current(side), context);
        }
        if side == Side::Resp {
            self.complete_answer(context);
        }
    }

    /// Ends an answer that is complete.
    fn complete_answer(&mut self, context: &mut Context) {
        self.report_answer(context);
        if self.first_answer.held_until().is_none() {
            self.resync.end_answer(&self.exchanges, context.time);
        }
    }

    /// Reports the request of an answer.
    fn report_answer(&mut self, context: &mut Context) {
        self.can_be_head_answer = false;
        let Some(request) = self.exchanges.pop(context) else {
            return;
        };
        match self.first_answer.is_answering() {
            true => self.first_answer = FirstAnswer::Held(Box::new(request)),
            false => context.report(request),
        }
    }

    /// Ends a body, complete or not.
    fn close_body(&mut self, side: Side, context: &mut Context) {
        if let Some(body) = self.bodies[side as usize].take() {
            body.close(self.exchanges.current(side), context);
        }
    }
}

/// Counts bytes of a message that has started.
fn add_bytes(request: &mut Request, side: Side, len: u64, context: &Context) {
    match side {
        Side::Orig => request.add_request(context.time, len),
        Side::Resp => request.add_answer(context.start, context.time, len),
    }
}
