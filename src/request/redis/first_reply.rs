//! Pairing of the first reply after a late start of the capture.
//!
//! The first captured reply can be the answer of a command before the capture, if the client
//! pipelines. It is therefore held until the client sends the next command, no more bytes follow
//! for a while, or the connection ends. If another reply follows instead, or if other commands were
//! sent before the reply, the client pipelines: no reply can be assigned in the rest of the
//! connection.

use super::reply::RedisReply;
use crate::packet::Timestamp;
use crate::request::analyzer::Context;

/// Progress until the first reply is paired with its command.
#[derive(Default)]
pub(super) enum FirstReply {
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

impl FirstReply {
    /// Records whether the start of the connection was captured.
    pub(super) fn start(&mut self, context: &Context) {
        if matches!(self, FirstReply::Unknown) {
            *self = match context.is_late {
                true => FirstReply::Uncertain,
                false => FirstReply::Certain,
            };
        }
    }

    pub(super) fn is_certain(&self) -> bool {
        matches!(self, FirstReply::Certain)
    }

    pub(super) fn is_uncertain(&self) -> bool {
        matches!(self, FirstReply::Uncertain)
    }

    /// Returns true if another reply shows that the client pipelines, or if that was shown before.
    pub(super) fn ends_with_next_reply(&self) -> bool {
        matches!(self, FirstReply::Held(_) | FirstReply::Pipelined)
    }

    /// Returns the time of the last byte of the reply that is held.
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        match self {
            FirstReply::Held(reply) => Some(reply.end),
            _ => None,
        }
    }

    /// Returns the number of bytes of memory.
    pub(super) fn memory(&self) -> usize {
        match self {
            FirstReply::Held(reply) => reply.memory(),
            _ => 0,
        }
    }

    /// Removes the reply that is held.
    pub(super) fn take_held(&mut self, next: FirstReply) -> Option<Box<RedisReply>> {
        match std::mem::take(self) {
            FirstReply::Held(reply) => {
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
