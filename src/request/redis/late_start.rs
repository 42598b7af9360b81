//! Pairing of the first reply after a late start of the capture.
//!
//! The first captured reply can be the answer of a command before the capture, if the client
//! pipelines. It is therefore held until the client sends the next command, no more bytes follow
//! for a while, or the connection ends. If another reply follows instead, or if other commands were
//! sent before the reply, the client pipelines: no reply can be assigned in the rest of the
//! connection.

use super::reply::RedisReply;
use super::report::report_unrequested;
use super::{EndReason, RedisAnalyzer};
use crate::flow::Side;
use crate::packet::Timestamp;
use crate::request::analyzer::Context;

/// Progress until the first reply is paired with its command.
#[derive(Default)]
pub(super) enum LateStart {
    /// No bytes were received.
    #[default]
    Unknown,
    /// The order is certain: the start was captured, or a reply was paired.
    Certain,
    /// No reply to a captured command was received.
    Uncertain,
    /// This reply is that of the captured command, if the connection continues so.
    Held(Box<RedisReply>),
    /// The client pipelines: no reply can be assigned.
    Pipelined,
}

impl LateStart {
    /// Records whether the start of the connection was captured.
    pub(super) fn start(&mut self, context: &Context) {
        if matches!(self, LateStart::Unknown) {
            *self = match context.is_late {
                true => LateStart::Uncertain,
                false => LateStart::Certain,
            };
        }
    }

    pub(super) fn is_certain(&self) -> bool {
        matches!(self, LateStart::Certain)
    }

    pub(super) fn is_uncertain(&self) -> bool {
        matches!(self, LateStart::Uncertain)
    }

    /// Returns true if another reply shows that the client pipelines, or if that was shown before.
    pub(super) fn ends_with_next_reply(&self) -> bool {
        matches!(self, LateStart::Held(_) | LateStart::Pipelined)
    }

    /// Returns the time of the last byte of the reply that is held.
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        match self {
            LateStart::Held(reply) => Some(reply.end),
            _ => None,
        }
    }

    /// Returns the number of bytes of memory.
    pub(super) fn memory(&self) -> usize {
        match self {
            LateStart::Held(reply) => reply.memory(),
            _ => 0,
        }
    }

    /// Removes the reply that is held.
    fn take_held(&mut self, next: LateStart) -> Option<Box<RedisReply>> {
        match std::mem::take(self) {
            LateStart::Held(reply) => {
                *self = next;
                Some(reply)
            }
            other => {
                *self = other;
                None
            }
        }
    }
}

impl RedisAnalyzer {
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
        match self.late_start.held_until() {
            Some(time) if context.start < time => {
                self.reject_reply(context);
                self.late_start = LateStart::Pipelined;
            }
            Some(_) => self.accept_reply(context),
            None => {}
        }
    }

    /// Assigns the held reply to its command.
    pub(super) fn accept_reply(&mut self, context: &mut Context) {
        if let Some(reply) = self.late_start.take_held(LateStart::Certain)
            && let Some(expected) = self.expected.next()
        {
            self.answer(expected, &reply, context);
        }
    }

    /// Reports the held reply and its command separately.
    pub(super) fn reject_reply(&mut self, context: &mut Context) {
        if let Some(reply) = self.late_start.take_held(LateStart::Uncertain) {
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
