//! Pairing of the first answer after a late start of the capture.
//!
//! The first captured answer can belong to a request before the capture, if the client pipelines.
//! It is therefore held, apart from its request, until the client sends the next one, no more bytes
//! follow for a while, or the connection ends. If another answer follows instead, or if the request
//! did not end before its answer, or others followed it, the client pipelines: no answer can be
//! assigned in the rest of the connection.

use super::exchanges::Exchanges;
use super::{Http, status};
use crate::flow::Side;
use crate::packet::Timestamp;
use crate::request::analyzer::{Context, EndReason, Step};
use crate::request::{Request, RequestOutcome};

/// Progress until the first answer is paired with its request.
#[derive(Default)]
pub(super) enum FirstAnswer {
    /// No bytes were received.
    #[default]
    Unknown,
    /// The order is certain: the start was captured, or an answer was paired.
    Certain,
    /// No answer to a captured request has started.
    Uncertain,
    /// The current answer is that of the captured request, if the connection continues so.
    Answering,
    /// This answer is complete.
    Held(Box<Request>),
    /// The client pipelines: no answer can be assigned.
    Pipelined,
}

impl FirstAnswer {
    /// Records whether the start of the connection was captured.
    pub(super) fn start(&mut self, context: &Context) {
        if matches!(self, FirstAnswer::Unknown) {
            *self = match context.is_late {
                true => FirstAnswer::Uncertain,
                false => FirstAnswer::Certain,
            };
        }
    }

    pub(super) fn is_uncertain(&self) -> bool {
        matches!(self, FirstAnswer::Uncertain)
    }

    pub(super) fn is_certain(&self) -> bool {
        matches!(self, FirstAnswer::Certain)
    }

    /// Returns true if another answer shows that the client pipelines, or if that was shown before.
    pub(super) fn ends_with_next_answer(&self) -> bool {
        matches!(self, FirstAnswer::Held(_) | FirstAnswer::Pipelined)
    }

    pub(super) fn is_answering(&self) -> bool {
        matches!(self, FirstAnswer::Answering)
    }

    /// Returns the time of the last byte of the answer that is held.
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        match self {
            FirstAnswer::Held(answer) => Some(answer.answer_end),
            _ => None,
        }
    }

    /// Assigns the current or the held answer to the request. Returns the time of the last byte of
    /// a complete one.
    pub(super) fn accept(
        &mut self,
        exchanges: &mut Exchanges,
        context: &mut Context,
    ) -> Option<Timestamp> {
        match std::mem::take(self) {
            FirstAnswer::Held(answer) => {
                let end = answer.answer_end;
                *self = FirstAnswer::Certain;
                exchanges.complete(*answer, context);
                Some(end)
            }
            FirstAnswer::Answering => {
                *self = FirstAnswer::Certain;
                exchanges.adopt_unrequested();
                None
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// Reports the held answer as one without a request. Returns true if an answer was held, or is
    /// being received.
    pub(super) fn reject(&mut self, context: &mut Context) -> bool {
        match std::mem::take(self) {
            FirstAnswer::Held(mut answer) => {
                *self = FirstAnswer::Uncertain;
                if answer.outcome != RequestOutcome::Cut {
                    answer.outcome = RequestOutcome::Unrequested;
                }
                context.report(*answer);
                true
            }
            FirstAnswer::Answering => {
                *self = FirstAnswer::Uncertain;
                true
            }
            other => {
                *self = other;
                false
            }
        }
    }
}

impl Http {
    /// Starts an answer. Returns false if it cannot be assigned.
    pub(super) fn start_answer(&mut self, code: u16, context: &mut Context) -> bool {
        if self.first_answer.is_uncertain() && self.exchanges.expected() > 0 {
            let is_request_complete = self.bodies[Side::Orig as usize].is_none()
                && self.exchanges.has_single_request_by(context.start);
            if !is_request_complete {
                return false;
            }
            let answer = context.new_request();
            self.exchanges.start_separate_answer(answer);
            self.first_answer = FirstAnswer::Answering;
            self.can_be_head_answer = true;
            return true;
        }
        self.exchanges.start_answer(|| {
            let mut request = context.new_request();
            request.outcome = RequestOutcome::Unrequested;
            request
        });
        if self.exchanges.is_unrequested() {
            self.can_be_head_answer = true;
            self.resync.start_unrequested(context.start);
            if self.first_answer.is_certain() && code != status::REQUEST_TIMEOUT {
                self.resync.count_unmatched();
            }
        }
        true
    }

    /// Assigns the held answer to its request if the client's next bytes were sent after it.
    pub(super) fn end_held_answer(&mut self, context: &mut Context) {
        match self.first_answer.held_until() {
            Some(time) if context.start < time => {
                self.reject_answer(context);
                self.first_answer = FirstAnswer::Pipelined;
            }
            Some(_) => self.accept_answer(context),
            None => {}
        }
    }

    /// Assigns the first answer to the first request, unless others were sent before its end.
    pub(super) fn accept_answer(&mut self, context: &mut Context) {
        let is_first = self.first_answer.is_answering() || self.first_answer.held_until().is_some();
        if is_first && self.exchanges.expected() > 1 {
            self.reject_answer(context);
            self.first_answer = FirstAnswer::Pipelined;
            return;
        }
        if let Some(time) = self.first_answer.accept(&mut self.exchanges, context) {
            self.resync.end_answer(&self.exchanges, time);
        }
    }

    /// Reports the first answer and all requests, if it is not certain that it belongs to the first
    /// one.
    pub(super) fn reject_answer(&mut self, context: &mut Context) {
        if self.first_answer.reject(context) {
            self.exchanges.finish(EndReason::Uncertain, context);
        }
    }

    /// Ends the assignment of answers to requests.
    pub(super) fn stop_pairing(&mut self, context: &mut Context) -> Step {
        self.reject_answer(context);
        self.exchanges.finish(EndReason::Uncertain, context);
        self.resync.stop(context);
        Step::Unrecognized
    }
}
