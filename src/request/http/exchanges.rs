//! Requests of a connection that wait for their answers, with what determines the answers' length.

use crate::flow::Side;
use crate::packet::Timestamp;
use crate::request::Request;
use crate::request::analyzer::{Context, EndReason};
use crate::request::pending::{NextRequest, PendingRequests};
use std::collections::VecDeque;

/// Requests that wait for their answers, and the answer whose request was not captured.
#[derive(Default)]
pub(super) struct Exchanges {
    pending: PendingRequests,
    /// Methods of all expected answers, as runs: also of requests that were already reported.
    methods: VecDeque<(AnswerMethod, u64)>,
    /// The current answer if its request was not captured.
    unrequested: Option<Box<Request>>,
}

/// Method of a request, as far as it determines the length of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerMethod {
    Head,
    Connect,
    Other,
}

impl AnswerMethod {
    pub(super) fn of(method: &[u8]) -> AnswerMethod {
        match method {
            b"HEAD" => AnswerMethod::Head,
            b"CONNECT" => AnswerMethod::Connect,
            _ => AnswerMethod::Other,
        }
    }
}

impl Exchanges {
    /// Adds a request. Returns false if the methods change too often to be remembered.
    pub(super) fn push(
        &mut self,
        request: Request,
        method: AnswerMethod,
        context: &mut Context,
    ) -> bool {
        let runs = self.methods.len();
        match self.methods.back_mut() {
            Some((last, count)) if *last == method => *count += 1,
            _ if runs > context.settings.max_pending => return false,
            _ => self.methods.push_back((method, 1)),
        }
        self.pending.push(request, context);
        true
    }

    /// Returns the number of answers that are expected.
    pub(super) fn expected(&self) -> u64 {
        self.pending.len()
    }

    /// Returns true if the answer to the last request decides whether HTTP continues.
    pub(super) fn ends_with_connect(&self) -> bool {
        matches!(self.methods.back(), Some((AnswerMethod::Connect, _)))
    }

    /// Returns the method of the request of the next answer.
    pub(super) fn next_method(&self) -> AnswerMethod {
        self.methods
            .front()
            .map_or(AnswerMethod::Other, |(method, _)| *method)
    }

    /// Starts an answer. If its request was not captured, `create` returns a request for it.
    pub(super) fn start_answer(&mut self, create: impl FnOnce() -> Request) {
        if matches!(self.pending.next(), NextRequest::NotCaptured) {
            self.unrequested = Some(Box::new(create()));
        }
    }

    /// Starts an answer that is kept apart from its request.
    pub(super) fn start_separate_answer(&mut self, answer: Request) {
        self.unrequested = Some(Box::new(answer));
    }

    /// Returns true if the next answer belongs to the only request that waits for one, which ended
    /// by this time.
    pub(super) fn has_single_request_by(&self, time: Timestamp) -> bool {
        let mut requests = self.iter();
        let ended = requests.next().map(|request| request.request_end <= time);
        ended == Some(true) && requests.next().is_none() && !self.has_reported()
    }

    /// Assigns the current answer, which was kept apart, to its request.
    pub(super) fn adopt_unrequested(&mut self) {
        if let Some(answer) = self.unrequested.take()
            && let Some(request) = self.current(Side::Resp)
        {
            request.adopt_answer(*answer);
        }
    }

    /// Reports the next request with its answer, which was kept apart.
    pub(super) fn complete(&mut self, answer: Request, context: &mut Context) {
        if let Some(mut request) = self.pop(context) {
            request.adopt_answer(answer);
            context.report(request);
        }
    }

    /// Returns true if the request of the current answer was not captured.
    pub(super) fn is_unrequested(&self) -> bool {
        self.unrequested.is_some()
    }

    /// Returns the request that the side's current message belongs to; `None` if it was already
    /// reported.
    pub(super) fn current(&mut self, side: Side) -> Option<&mut Request> {
        match (side, &mut self.unrequested) {
            (Side::Orig, _) => self.pending.last_mut(),
            (Side::Resp, Some(request)) => Some(request),
            (Side::Resp, None) => match self.pending.next() {
                NextRequest::Pending(request) => Some(request),
                NextRequest::Reported | NextRequest::NotCaptured => None,
            },
        }
    }

    /// Removes the request of the current answer; returns `None` if it was already reported.
    pub(super) fn pop(&mut self, context: &mut Context) -> Option<Request> {
        if let Some(request) = self.unrequested.take() {
            return Some(*request);
        }
        if let Some((_, count)) = self.methods.front_mut() {
            *count -= 1;
            if *count == 0 {
                self.methods.pop_front();
            }
        }
        self.pending.pop(context)
    }

    /// Returns the number of captured requests that were sent by this time and wait for an answer.
    pub(super) fn sent_until(&self, time: Timestamp) -> u64 {
        let sent = self.iter().take_while(|request| request.time <= time);
        sent.count() as u64
    }

    /// Returns true if the request of the next answer was sent by this time, or was already
    /// reported.
    pub(super) fn is_next_sent_by(&self, time: Timestamp) -> bool {
        let next = self.iter().next();
        match self.has_reported() {
            true => true,
            false => next.is_some_and(|request| request.time <= time),
        }
    }

    /// Returns true if an answer is expected to a request that was already reported.
    pub(super) fn has_reported(&self) -> bool {
        self.pending.has_reported()
    }

    /// Reports the first requests, of this number, as incomplete.
    pub(super) fn cut(&mut self, count: u64, reason: EndReason, context: &mut Context) {
        for _ in 0..count {
            if let Some(request) = self.pop(context) {
                context.report_incomplete(request, reason);
            }
        }
    }

    /// Reports all requests.
    pub(super) fn finish(&mut self, reason: EndReason, context: &mut Context) {
        if let Some(request) = self.unrequested.take() {
            context.report_incomplete(*request, reason);
        }
        self.methods.clear();
        self.pending.finish(reason, context);
    }

    /// Returns the requests that were not reported, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.pending.iter()
    }
}
