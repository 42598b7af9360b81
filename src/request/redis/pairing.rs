//! Assignment of replies to commands.

use super::super::analyzer::Context;
use super::super::pending::NextRequest;
use super::expected::{AnswerForm, ExpectedAnswer};
use super::first_reply::FirstReply;
use super::reply::{RedisReply, error_code};
use super::report::{
    report_answered, report_confirmed, report_message, report_rejected, report_unrequested,
};
use super::subscriptions::{SubscriptionKind, Subscriptions};
use super::{EndReason, RedisAnalyzer};
use crate::flow::Side;

/// Certainty of the assignment of later replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    Certain,
    /// Certain if no other reply follows.
    Held,
    /// The client pipelines, and the position in the order of the replies is not in the capture.
    Pipelined,
    /// No more replies can be assigned.
    Lost,
}

impl RedisAnalyzer {
    /// Applies a complete reply.
    pub(super) fn receive(&mut self, reply: &RedisReply, context: &mut Context) -> Certainty {
        if self.is_message(reply) {
            report_message(reply, context);
            return Certainty::Certain;
        }
        if self.monitor.is_line(reply) {
            self.monitor.add_line(reply, context);
            return Certainty::Certain;
        }
        self.replies_while_lost += 1;
        if self.ends_confirmations(reply) {
            self.finish_confirmations(context);
        }
        if self.first_reply.ends_with_next_reply() {
            self.reject_reply(context);
            report_unrequested(reply, context);
            return Certainty::Pipelined;
        }
        let Some(expected) = self.expected.next() else {
            return self.receive_unexpected(reply, context);
        };
        if let AnswerForm::Confirmations(kind, _) = expected.form
            && SubscriptionKind::of(reply.message_kind()) == Some(kind)
        {
            self.confirm(kind, reply, context);
            return Certainty::Certain;
        }
        if !self.can_answer(&expected, reply) {
            report_unrequested(reply, context);
            return Certainty::Lost;
        }
        if self.first_reply.is_uncertain() && expected.form.can_be_any_reply() {
            if self.is_for_single_command(reply) {
                return Certainty::Held;
            }
            report_unrequested(reply, context);
            return Certainty::Pipelined;
        }
        self.answer(expected, reply, context);
        Certainty::Certain
    }

    /// Returns true for a message that answers no command.
    fn is_message(&self, reply: &RedisReply) -> bool {
        let next = self.expected.next().map(|expected| expected.form);
        let kind = SubscriptionKind::of(reply.message_kind());
        let is_confirmation = matches!((next, kind), (Some(AnswerForm::Confirmations(next, _)), Some(kind)) if next == kind);
        let is_subscriber = matches!(next, None | Some(AnswerForm::Confirmations(..)))
            || self.subscriptions.is_active();
        match (reply.kind, reply.message_kind(), reply.items) {
            (b'>', ..) => !is_confirmation,
            (b'*', b"MESSAGE" | b"SMESSAGE", Some(3)) | (b'*', b"PMESSAGE", Some(4)) => {
                is_subscriber
            }
            // A server ends subscriptions of shards that it no longer has.
            (b'*', b"SUNSUBSCRIBE", Some(3)) => !is_confirmation && self.subscriptions.is_active(),
            _ => false,
        }
    }

    /// Returns true if the reply shows that the next command, which ended all subscriptions, has
    /// had its last confirmation.
    fn ends_confirmations(&self, reply: &RedisReply) -> bool {
        match self.expected.next().map(|expected| expected.form) {
            Some(AnswerForm::Confirmations(kind, None)) => {
                self.confirmed > 0 && SubscriptionKind::of(reply.message_kind()) != Some(kind)
            }
            _ => false,
        }
    }

    /// Returns true if the reply can be the next answer.
    fn can_answer(&self, expected: &ExpectedAnswer, reply: &RedisReply) -> bool {
        let error = reply.error();
        // The server can have rejected a command that disables answers.
        let can_be_rejection = matches!(error.map(error_code), Some("ERR" | "NOAUTH" | "NOPERM"));
        match expected.form {
            _ if expected.is_after_silence && can_be_rejection => false,
            AnswerForm::ReplyOn => error.is_some() || reply.simple_string() == Some("OK"),
            AnswerForm::Confirmations(..) => error.is_some() && self.confirmed == 0,
            _ => true,
        }
    }

    /// Assigns a reply to the next command.
    pub(super) fn answer(
        &mut self,
        expected: ExpectedAnswer,
        reply: &RedisReply,
        context: &mut Context,
    ) {
        self.expected.pop();
        let request = self.pending.pop(context);
        let text = reply.simple_string();
        let (is_ok, is_reset) = (text == Some("OK"), text == Some("RESET"));
        let database = self.database;
        match expected.form {
            AnswerForm::Monitor if is_ok => {
                self.monitor.start(request, reply, context);
                return;
            }
            AnswerForm::Replication => self.is_replication = reply.error().is_none(),
            AnswerForm::Select(number) if is_ok => self.database = number,
            AnswerForm::Exec { selects: true } => self.database = None,
            AnswerForm::Reset if is_reset => {
                self.monitor.finish(EndReason::Closed, context);
                self.subscriptions = Subscriptions::default();
                self.database = Some(0);
            }
            _ => {}
        }
        if let Some(request) = request {
            report_answered(request, &expected, database, reply, context);
        }
    }

    /// Applies a confirmation of the next command.
    fn confirm(&mut self, kind: SubscriptionKind, reply: &RedisReply, context: &mut Context) {
        let total = reply
            .elements
            .get(2)
            .and_then(|total| total.text.parse().ok());
        if let Some(total) = total {
            self.subscriptions.confirm(kind, total);
        }
        self.confirmed += 1;
        if let NextRequest::Pending(request) = self.pending.next() {
            request.add_answer(reply.start, reply.end, reply.len);
            if reply.is_damaged {
                request.outcome = super::RequestOutcome::Cut;
            }
            if context.needs_contents() {
                context.head(request, Side::Resp, reply.text.text());
            }
        }
        let is_last = match self.expected.next().map(|expected| expected.form) {
            Some(AnswerForm::Confirmations(_, Some(count))) => self.confirmed >= count,
            _ => self.subscriptions.has_none(kind),
        };
        if is_last {
            self.finish_confirmations(context);
        }
    }

    /// Reports the next command if all of its confirmations can have arrived.
    pub(super) fn finish_confirmations(&mut self, context: &mut Context) {
        let Some(AnswerForm::Confirmations(_, count)) =
            self.expected.next().map(|expected| expected.form)
        else {
            return;
        };
        if self.confirmed == 0 || self.confirmed < count.unwrap_or(0) {
            return;
        }
        self.expected.pop();
        let confirmed = std::mem::take(&mut self.confirmed);
        if let Some(request) = self.pending.pop(context) {
            report_confirmed(request, confirmed, context);
        }
    }

    /// Applies a reply although no command waits for one.
    fn receive_unexpected(&mut self, reply: &RedisReply, context: &mut Context) -> Certainty {
        // The server responds to an invalid command before its end, and closes the connection.
        let is_rejection = reply
            .error()
            .is_some_and(|error| error.starts_with("ERR Protocol error"));
        if is_rejection && let Some(command) = self.commands.command.take() {
            report_rejected(*command, reply, context);
            return Certainty::Certain;
        }
        if let Some(command) = &mut self.commands.command {
            command.is_doubtful = true;
        } else if self.first_reply.is_certain() && self.lost[Side::Orig as usize].is_none() {
            self.unmatched = (self.unmatched.0 + 1, Some(reply.start));
        }
        report_unrequested(reply, context);
        match self.client.is_after_silence {
            true => Certainty::Lost,
            false => Certainty::Certain,
        }
    }

    /// Returns true if a reply belongs to the only command that was sent before it, unless others
    /// were sent before the capture.
    pub(super) fn is_for_single_command(&self, reply: &RedisReply) -> bool {
        let mut commands = self.pending.iter();
        let is_after = commands
            .next()
            .is_some_and(|command| command.request_end <= reply.start);
        is_after && self.expected.len() == 1 && !self.has_pipelined
    }

    /// Assigns the held reply to its command if the client's next bytes were sent after it.
    pub(super) fn end_held_reply(&mut self, context: &mut Context) {
        match self.first_reply.held_until() {
            Some(time) if context.start < time => {
                self.reject_reply(context);
                self.first_reply = FirstReply::Pipelined;
            }
            Some(_) => self.accept_reply(context),
            None => {}
        }
    }

    /// Assigns the held reply to its command.
    pub(super) fn accept_reply(&mut self, context: &mut Context) {
        if let Some(reply) = self.first_reply.take_held(FirstReply::Certain)
            && let Some(expected) = self.expected.next()
        {
            self.answer(expected, &reply, context);
        }
    }

    /// Reports the held reply and its command separately.
    pub(super) fn reject_reply(&mut self, context: &mut Context) {
        if let Some(reply) = self.first_reply.take_held(FirstReply::Uncertain) {
            report_unrequested(&reply, context);
            self.pending.finish(EndReason::Uncertain, context);
            self.expected.clear();
        }
    }

    /// Ends the assignment of replies to commands.
    pub(super) fn stop_pairing(&mut self, context: &mut Context) {
        self.has_pipelined = true;
        self.lost[Side::Resp as usize].get_or_insert(EndReason::Uncertain);
        self.reject_reply(context);
        self.pending.finish(EndReason::Uncertain, context);
        self.expected.clear();
        self.count_memory(context);
    }
}
