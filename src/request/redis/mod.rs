//! Redis and compatible servers (Redis serialization protocol specification, RESP2 and RESP3).
//!
//! A request is a command; its target are the arguments. The status is a simple string, an integer
//! or another number as the server sends it, `nil`, the code of an error, and `OK` for strings,
//! arrays and other collections: their sizes are the details `value_bytes` and `items`. Each
//! command in a transaction is a request, whose status is `QUEUED`; EXEC's outcome is an error if
//! one of the replies in its array is one. Messages that no command requested (RESP3 push messages,
//! messages of subscribed channels) have the operation `push`, and their kind and channel as the
//! target. MONITOR is one request with its lines counted. Passwords are hidden in all values.
//!
//! Details: `arguments`, `items`, `value_bytes`, `errors` (number of errors in an array), and
//! `database` after a SELECT.

mod client_state;
mod command;
mod commands;
mod expected;
mod first_reply;
mod head;
mod keyword;
mod layout;
mod monitor;
mod pairing;
mod replies;
mod reply;
mod report;
mod secrets;
mod subscriptions;
mod text;

use super::analyzer::{Analyzer, AnalyzerEntry, Context, EndReason, Step};
use super::pending::{NextRequest, PendingRequests};
use super::{Request, RequestOutcome};
use crate::flow::Side;
use crate::packet::Timestamp;
use client_state::{ClientState, CommandAnswer};
use command::RedisCommand;
use commands::{CommandParser, is_command_head};
use expected::{AnswerForm, ExpectedAnswers};
use first_reply::FirstReply;
use monitor::Monitor;
use pairing::Certainty;
use replies::ReplyParser;
use report::{report_complete, report_partial, report_uncertain, report_unrequested};
use subscriptions::Subscriptions;

pub(super) const ENTRY: AnalyzerEntry = AnalyzerEntry {
    services: &["redis"],
    protocol: "redis",
    create: || Box::new(RedisAnalyzer::default()),
};

/// A connection.
#[derive(Default)]
struct RedisAnalyzer {
    commands: CommandParser,
    replies: ReplyParser,
    client: ClientState,
    /// Commands that wait for their answers; as many as `expected`.
    pending: PendingRequests,
    expected: ExpectedAnswers,
    /// Number of confirmations of the next command that have arrived.
    confirmed: u64,
    subscriptions: Subscriptions,
    monitor: Monitor,
    /// Selected database, if it is certain.
    database: Option<u64>,
    /// True if a replication stream follows.
    is_replication: bool,
    /// True if the client has sent bytes before the answer of its last command: the number of
    /// commands in missing bytes is then unknown.
    has_pipelined: bool,
    /// Number of replies since the last bytes of the client, while its position is lost.
    replies_while_lost: u64,
    first_reply: FirstReply,
    /// Number of replies without commands, which can be captured later, and the time of the last
    /// one.
    unmatched: (u64, Option<Timestamp>),
    /// Reasons why the positions of both sides are lost.
    lost: [Option<EndReason>; 2],
    /// Bytes of memory that are counted.
    counted_memory: u64,
}

impl Analyzer for RedisAnalyzer {
    fn parse(&mut self, side: Side, bytes: &[u8], context: &mut Context) -> Step {
        if self.is_replication {
            return Step::Opaque;
        }
        self.first_reply.start(context);
        let (step, certainty) = match side {
            Side::Orig => {
                self.end_held_reply(context);
                self.has_pipelined |= self.expected.len() > 0;
                let (step, command) = self.commands.parse(bytes, context);
                let certainty = command.map(|command| self.send(*command, context));
                (step, certainty)
            }
            Side::Resp => self.parse_reply(bytes, context),
        };
        if certainty == Some(Certainty::Pipelined) {
            self.stop_pairing(context);
            return Step::Unrecognized;
        }
        if certainty == Some(Certainty::Lost) {
            self.give_up(context);
            return Step::Opaque;
        }
        self.count_memory(context);
        step
    }

    fn skip(&mut self, side: Side, len: u64, context: &mut Context) -> bool {
        match side {
            Side::Orig => self.commands.skip(len),
            Side::Resp => self.replies.skip(len, context),
        }
    }

    fn resume(&mut self, side: Side, bytes: &[u8], context: &mut Context) -> bool {
        let is_certain = match side {
            Side::Orig => self.can_resume_commands(bytes),
            Side::Resp => self.can_resume_replies(bytes),
        };
        match side {
            _ if is_certain => self.lost[side as usize] = None,
            Side::Orig => {
                self.replies_while_lost = 0;
                self.has_pipelined |= self.expected.len() > 0;
            }
            // The rest of the answer to a command is not the start of the answer to the next one.
            Side::Resp => {
                self.report_pending(context);
                if let Some(command) = &mut self.commands.command {
                    command.is_doubtful = true;
                }
            }
        }
        self.count_memory(context);
        is_certain
    }

    fn finish(&mut self, reason: EndReason, context: &mut Context) {
        self.accept_reply(context);
        self.finish_reply(context);
        self.finish_confirmations(context);
        let lost = self.lost[Side::Resp as usize];
        self.pending.finish(lost.unwrap_or(reason), context);
        self.expected = ExpectedAnswers::default();
        if let Some(command) = self.commands.reset() {
            report_partial(*command, reason, context);
        }
        self.monitor.finish(reason, context);
        self.commands = CommandParser::default();
        self.replies = ReplyParser::default();
        self.count_memory(context);
    }

    fn lose(&mut self, side: Side, reason: EndReason, context: &mut Context) {
        self.reject_reply(context);
        self.lost[side as usize].get_or_insert(reason);
        match side {
            Side::Orig => {
                self.replies_while_lost = 0;
                // The missing bytes contain the commands.
                self.unmatched.0 = 0;
                self.has_pipelined |= self.expected.len() > 0;
                if let Some(command) = self.commands.reset() {
                    report_partial(*command, reason, context);
                }
            }
            Side::Resp => {
                self.finish_reply(context);
                self.report_pending(context);
                self.monitor.finish(reason, context);
                self.database = None;
            }
        }
        self.count_memory(context);
    }

    fn for_each_pending(&self, visit: &mut dyn FnMut(&Request)) {
        self.pending.iter().for_each(visit);
    }

    fn quiet_since(&self) -> Option<Timestamp> {
        self.first_reply.held_until()
    }

    fn end_of_answer(&mut self, context: &mut Context) {
        self.accept_reply(context);
        self.count_memory(context);
    }
}

impl RedisAnalyzer {
    fn parse_reply(&mut self, bytes: &[u8], context: &mut Context) -> (Step, Option<Certainty>) {
        if self.replies.is_at_start() {
            if self.has_no_more_answers() {
                return (Step::Opaque, None);
            }
            // A server that prepares a replication stream sends empty lines.
            let next = self.expected.next().map(|expected| expected.form);
            if bytes[0] == b'\n' && next == Some(AnswerForm::Replication) {
                return (Step::Consumed(1), None);
            }
        }
        let (step, reply) = self.replies.parse(bytes, context);
        let certainty = reply.map(|reply| match self.receive(&reply, context) {
            Certainty::Held => {
                self.first_reply = FirstReply::Held(reply);
                Certainty::Held
            }
            certainty => certainty,
        });
        (step, certainty)
    }

    /// Applies a complete command.
    fn send(&mut self, command: RedisCommand, context: &mut Context) -> Certainty {
        let answer = self.client.answer(&command);
        let (is_damaged, is_doubtful) = (command.is_damaged, command.is_doubtful);
        if is_doubtful {
            report_partial(command, EndReason::Missing, context);
            return Certainty::Certain;
        }
        let mut request = command.into_request(context);
        let is_next = self.expected.len() == 0 && matches!(answer, CommandAnswer::Expected(_));
        if is_next && self.match_earlier_reply(request.time) {
            context.report_incomplete(request, EndReason::Uncertain);
            return Certainty::Certain;
        }
        if is_damaged {
            request.outcome = RequestOutcome::Cut;
        }
        match answer {
            CommandAnswer::Expected(expected) => {
                self.expected.push(expected);
                self.pending.push(request, context);
                if self.expected.runs() > 2 * context.settings.max_pending {
                    return Certainty::Lost;
                }
                if self.has_pipelined && self.lost[Side::Resp as usize].is_some() {
                    self.report_pending(context);
                }
                Certainty::Certain
            }
            CommandAnswer::Disabled => {
                self.has_pipelined = true;
                report_complete(request, context);
                Certainty::Certain
            }
            CommandAnswer::Uncertain => {
                report_uncertain(request, context);
                Certainty::Lost
            }
        }
    }

    /// Matches an earlier reply with the next command, which started at this time. Returns true if
    /// it can be its answer: packets can be captured in another order.
    fn match_earlier_reply(&mut self, start: Timestamp) -> bool {
        let (count, time) = &mut self.unmatched;
        let is_answered = *count > 0 || *time >= Some(start);
        *count = count.saturating_sub(1);
        is_answered
    }

    /// Returns true if the client's next bytes start a command, and the answers of all earlier
    /// commands have arrived: it sends each command after the answer of the last one, and the only
    /// answer since its last bytes was that of the command in them.
    fn can_resume_commands(&self, bytes: &[u8]) -> bool {
        let is_answered = self.replies_while_lost == 1 && self.expected.len() == 0;
        !self.has_pipelined
            && is_answered
            && self.lost[Side::Resp as usize].is_none()
            && self.replies.is_at_start()
            && is_command_head(bytes)
    }

    /// Returns true if the server's next bytes are the answer of the only pending command, which
    /// was sent after the last missing bytes.
    fn can_resume_replies(&self, bytes: &[u8]) -> bool {
        !self.has_pipelined
            && self.expected.len() == 1
            && self.lost[Side::Orig as usize].is_none()
            && self.commands.is_at_start()
            && matches!(
                bytes[0],
                b'+' | b'-' | b':' | b'$' | b'*' | b'_' | b'#' | b',' | b'%' | b'~'
            )
    }

    /// Returns true if all answers that can be assigned have arrived.
    fn has_no_more_answers(&self) -> bool {
        self.lost[Side::Orig as usize].is_some()
            && self.has_pipelined
            && self.expected.len() == 0
            && !self.subscriptions.is_active()
    }

    /// Ends an incomplete reply: it counts as the answer of the next command.
    fn finish_reply(&mut self, context: &mut Context) {
        let Some(mut reply) = self.replies.reset() else {
            return;
        };
        let next = match reply.kind {
            b'>' => NextRequest::NotCaptured,
            _ => self.pending.next(),
        };
        match next {
            NextRequest::Pending(request) => {
                request.add_answer(reply.start, reply.end, reply.len);
            }
            NextRequest::Reported => {}
            NextRequest::NotCaptured => {
                reply.is_damaged = true;
                report_unrequested(&reply, context);
            }
        }
    }

    /// Reports all commands that wait for an answer, because the position of the server is lost.
    fn report_pending(&mut self, context: &mut Context) {
        let reason = self.lost[Side::Resp as usize].unwrap_or(EndReason::Missing);
        self.pending.finish(reason, context);
        self.expected.clear();
        self.confirmed = 0;
    }

    /// Reports all commands, because the order of later answers is uncertain.
    fn give_up(&mut self, context: &mut Context) {
        self.finish_confirmations(context);
        self.replies.reset();
        while self.pending.len() > 0 {
            if let Some(request) = self.pending.pop(context) {
                report_uncertain(request, context);
            }
        }
        self.expected.clear();
        if let Some(command) = self.commands.reset() {
            let request = command.into_request(context);
            report_uncertain(request, context);
        }
        self.monitor.finish(EndReason::Unrecognized, context);
        self.count_memory(context);
    }

    /// Counts the memory of incomplete commands and replies.
    fn count_memory(&mut self, context: &mut Context) {
        let memory = self.commands.memory()
            + self.replies.memory()
            + self.expected.memory()
            + self.first_reply.memory();
        context.free(self.counted_memory);
        self.counted_memory = memory as u64 + self.monitor.memory();
        context.allocate(self.counted_memory);
    }
}

#[cfg(test)]
mod tests;
