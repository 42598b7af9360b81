//! A part of a conversation, as it is shown.

use crate::flow::{FlowId, FlowRecord, GapCause, Side};
use crate::packet::Timestamp;
use crate::process::Owners;

/// A part of a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConversationPart<'a> {
    /// Time of the last packet of the part.
    pub(super) time: Timestamp,
    pub(super) id: &'a FlowId,
    pub(super) owners: &'a Owners,
    /// Protocol; `None` before the first message.
    pub(super) protocol: Option<&'static str>,
    pub(super) content: PartContent<'a>,
}

/// Contents of a part.
#[derive(Debug, Clone, Copy)]
pub(super) enum PartContent<'a> {
    /// Contents of a message, or bytes that are missing in a stream.
    Side {
        side: Side,
        /// Number of the message among those of its side, from 1; 0 before the first one.
        message: u64,
        part: SidePart<'a>,
    },
    /// The flow ended.
    Closed(&'a FlowRecord),
}

/// Contents that one side sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum SidePart<'a> {
    /// Text lines with which a message starts.
    Head(&'a str),
    /// Bytes of the body, or of a message without a head; none for an empty datagram.
    Body(BodyPart<'a>),
    /// Bytes of the message that exceed the limit and were not shown since the last part.
    LeftOut(u64),
    /// Bytes of the message that are missing or cannot be decoded, since the last part.
    Undecoded(u64),
    /// Bytes of the stream that were not captured.
    Gap(u64, GapCause),
    /// Bytes at an offset of the stream that were retransmitted with other contents.
    Mismatch { offset: u64, len: u64 },
}

/// Bytes of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyPart<'a> {
    pub(super) bytes: &'a [u8],
    /// True if all bytes of the message so far are readable text.
    pub(super) is_text: bool,
    /// Offset in the body or, without a head, in the stream.
    pub(super) offset: u64,
    /// Content-encoding from which the body was decoded.
    pub(super) encoding: Option<&'a str>,
    /// True for the first part of the body.
    pub(super) is_first: bool,
    /// True if the message has a head of several lines.
    pub(super) has_long_head: bool,
}

/// Callback that shows a part.
pub(super) type Show<'a> = &'a mut dyn FnMut(&ConversationPart);
