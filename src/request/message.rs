//! Contents of requests and answers: a head of text lines, and a body.

use super::analyzer::Context;
use super::{Request, RequestEvent, message_of};
use crate::flow::{FlowId, Side};
use crate::packet::Timestamp;
use crate::process::Owners;

/// Contents of one side of a request, decoded: of HTTP, the head and the body without its
/// content-encoding; of other protocols, a line for each message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Text lines, separated by LF.
    pub head: String,
    /// Body.
    pub body: Vec<u8>,
    /// Number of bytes of the body, and of the head, that were left out because they exceed the
    /// limit or are missing in the capture.
    pub left_out: u64,
}

/// A part of a message, in the order in which the parts were sent.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(feature = "cli"),
    allow(dead_code, reason = "only output formats read it")
)]
pub struct MessageEvent<'a> {
    /// Flow that carries the message.
    pub flow: &'a FlowId,
    /// Owners of both ends of the flow.
    pub owners: &'a Owners,
    /// Protocol of the flow, as in [`Request::protocol`].
    pub protocol: &'static str,
    /// Time of the last packet of the part.
    pub time: Timestamp,
    /// Sender.
    pub side: Side,
    /// Contents.
    pub part: MessagePart<'a>,
}

/// Contents of a part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessagePart<'a> {
    /// A new message: its text lines, separated by LF.
    Head(&'a str),
    /// The next bytes of the body of the side's last message.
    Body(&'a [u8]),
    /// The body of the side's last message is decoded from this content-encoding.
    Encoding(&'a str),
    /// This number of bytes is missing in the capture, or cannot be decoded.
    Missing(u64),
    /// Bytes that are not analyzed: the position in the protocol is lost, the message is
    /// incomplete, or the connection changed to another protocol.
    Unanalyzed(&'a [u8]),
}

impl Message {
    /// Returns the number of bytes of the head and the body.
    pub(super) fn len(&self) -> u64 {
        (self.head.len() + self.body.len()) as u64
    }
}

impl Context<'_> {
    /// Adds the head of a message to the request, and emits it. Call it only if
    /// [`needs_contents`](Context::needs_contents).
    pub(super) fn head(&mut self, request: &mut Request, side: Side, head: &str) {
        let limit = self.settings.body_limit;
        let message = message_of(request, side);
        if limit > 0 {
            let separator = usize::from(!message.head.is_empty());
            let space = match self.is_memory_full() {
                true => 0,
                false => limit.saturating_sub(message.head.len() + separator),
            };
            let end = head.floor_char_boundary(space.min(head.len()));
            let before = message.head.len();
            if end > 0 && separator > 0 {
                message.head.push('\n');
            }
            message.head.push_str(&head[..end]);
            message.left_out += (head.len() - end) as u64;
            let added = message.head.len() - before;
            self.allocate(added as u64);
        }
        self.emit_part(side, MessagePart::Head(head));
    }

    /// Adds decoded bytes to the body of the last message.
    pub(super) fn body(&mut self, request: &mut Request, side: Side, bytes: &[u8]) {
        let limit = self.settings.body_limit;
        let message = message_of(request, side);
        if limit > 0 {
            let space = match self.is_memory_full() {
                true => 0,
                false => limit.saturating_sub(message.body.len()).min(bytes.len()),
            };
            message.body.extend_from_slice(&bytes[..space]);
            message.left_out += (bytes.len() - space) as u64;
            self.allocate(space as u64);
        }
        self.emit_part(side, MessagePart::Body(bytes));
    }

    /// Records that bytes of the last message are missing, or cannot be decoded.
    pub(super) fn missing(&mut self, request: &mut Request, side: Side, len: u64) {
        message_of(request, side).left_out += len;
        self.emit_part(side, MessagePart::Missing(len));
    }

    /// Reports that the body of the last message is decoded from a content-encoding.
    pub(super) fn encoding(&mut self, side: Side, encoding: &str) {
        self.emit_part(side, MessagePart::Encoding(encoding));
    }

    /// Emits a part that belongs to no request, or whose request is of no interest.
    pub(super) fn emit_part(&mut self, side: Side, part: MessagePart) {
        if self.settings.has_messages {
            let event = MessageEvent {
                flow: self.flow,
                owners: self.owners,
                protocol: self.protocol,
                time: self.time,
                side,
                part,
            };
            (self.emit)(RequestEvent::Message(&event));
        }
    }
}
