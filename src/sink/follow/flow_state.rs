//! State of one flow's conversation: the current message of each side, and its limits.

use super::MessageLimit;
use super::part::{BodyPart, ConversationPart, PartContent, Show, SidePart};
use super::payload::is_text;
use crate::flow::{FlowId, FlowRecord, Side};
use crate::packet::Timestamp;
use crate::process::Owners;

/// Maximum lengths of messages, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartLimits {
    pub(super) text: usize,
    pub(super) binary: usize,
}

/// State of a flow.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) id: FlowId,
    pub(super) owners: Owners,
    pub(super) protocol: Option<&'static str>,
    pub(super) last_sender: Option<Side>,
    pub(super) sides: [SideState; 2],
    /// Times of the last parts of both sides.
    pub(super) times: [Timestamp; 2],
}

/// State of one side's current message.
#[derive(Debug, Default)]
pub(super) struct SideState {
    /// Number of the message.
    pub(super) message: u64,
    pub(super) form: MessageForm,
    /// True if all bytes so far are binary.
    pub(super) is_binary: bool,
    /// True if the body has started.
    pub(super) has_body: bool,
    pub(super) encoding: Option<Box<str>>,
    /// True if the head has several lines.
    pub(super) has_long_head: bool,
    /// Number of bytes shown of the head.
    pub(super) head_len: usize,
    /// Number of bytes shown of the body.
    pub(super) body_len: usize,
    /// Offset of the next byte in the body or, without a head, in the stream.
    pub(super) offset: u64,
    pub(super) left_out: u64,
    pub(super) undecoded: u64,
    pub(super) is_note_queued: bool,
}

/// Form of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum MessageForm {
    /// No message has started.
    #[default]
    None,
    /// A head, and possibly a body.
    Headed,
    /// The bytes of one turn, or a datagram.
    Turn,
    /// Bytes that are not analyzed.
    Unanalyzed,
}

/// Maximum length of the shown beginning of a message, in bytes.
const MAX_BEGINNING_LEN: usize = 4096;

impl PartLimits {
    /// Returns the limits of an output that shows at most `max_binary_len` bytes of binary data.
    pub(super) fn new(limit: MessageLimit, max_binary_len: usize) -> PartLimits {
        match limit {
            MessageLimit::Full => PartLimits {
                text: usize::MAX,
                binary: usize::MAX,
            },
            MessageLimit::Beginning => PartLimits {
                text: MAX_BEGINNING_LEN,
                binary: max_binary_len.min(MAX_BEGINNING_LEN),
            },
        }
    }
}

impl Conversation {
    pub(super) fn side_mut(&mut self, side: Side) -> &mut SideState {
        &mut self.sides[side as usize]
    }

    /// Ends the side's message, and starts the next one.
    pub(super) fn start_message(&mut self, side: Side, form: MessageForm, show: Show) {
        self.show_notes(side, show);
        let state = self.side_mut(side);
        let is_headed = form == MessageForm::Headed || state.form == MessageForm::Headed;
        *state = SideState {
            message: state.message + 1,
            form,
            offset: if is_headed { 0 } else { state.offset },
            is_note_queued: state.is_note_queued,
            ..SideState::default()
        };
    }

    pub(super) fn show_head(&mut self, side: Side, head: &str, limit: usize, show: Show) {
        let end = head.floor_char_boundary(limit.min(head.len()));
        let state = self.side_mut(side);
        state.head_len = end;
        state.has_long_head = head.contains('\n');
        state.left_out += (head.len() - end) as u64;
        let time = self.times[side as usize];
        self.show(time, side, SidePart::Head(&head[..end]), show);
    }

    pub(super) fn show_body(&mut self, side: Side, bytes: &[u8], limits: PartLimits, show: Show) {
        let state = self.side_mut(side);
        let text_space = limits.text.saturating_sub(state.head_len + state.body_len);
        state.is_binary |= !is_text(&bytes[..text_space.min(bytes.len())]);
        let space = match state.is_binary {
            true => limits.binary.saturating_sub(state.body_len).min(text_space),
            false => text_space,
        };
        let len = match bytes.len() > space {
            true if state.is_binary => space,
            true => floor_char_boundary(bytes, space),
            false => bytes.len(),
        };
        let offset = state.offset;
        state.offset += bytes.len() as u64;
        state.left_out += (bytes.len() - len) as u64;
        state.body_len = match len < bytes.len() {
            // Nothing is shown after bytes that were left out.
            true => limits.text,
            false => state.body_len + len,
        };
        let is_first = !std::mem::replace(&mut state.has_body, true);
        if len == 0 && !bytes.is_empty() {
            return;
        }
        let state = &self.sides[side as usize];
        let part = SidePart::Body(BodyPart {
            bytes: &bytes[..len],
            is_text: !state.is_binary,
            offset,
            encoding: state.encoding.as_deref(),
            is_first,
            has_long_head: state.has_long_head,
        });
        self.show(self.times[side as usize], side, part, show);
    }

    /// Shows the numbers of bytes that were left out or not decoded.
    pub(super) fn show_notes(&mut self, side: Side, show: Show) {
        let time = self.times[side as usize];
        let state = self.side_mut(side);
        let undecoded = std::mem::take(&mut state.undecoded);
        let left_out = std::mem::take(&mut state.left_out);
        if undecoded > 0 {
            self.show(time, side, SidePart::Undecoded(undecoded), show);
        }
        if left_out > 0 {
            self.show(time, side, SidePart::LeftOut(left_out), show);
        }
    }

    pub(super) fn show(&self, time: Timestamp, side: Side, part: SidePart, show: Show) {
        let message = self.sides[side as usize].message;
        let content = PartContent::Side {
            side,
            message,
            part,
        };
        self.show_content(time, content, show);
    }

    pub(super) fn show_end(&self, time: Timestamp, record: &FlowRecord, show: Show) {
        self.show_content(time, PartContent::Closed(record), show);
    }

    fn show_content(&self, time: Timestamp, content: PartContent, show: Show) {
        show(&ConversationPart {
            time,
            id: &self.id,
            owners: &self.owners,
            protocol: self.protocol,
            content,
        });
    }
}

impl SideState {
    /// Ends a message that ends when the other side sends.
    pub(super) fn end_turn(&mut self) {
        if self.form == MessageForm::Turn || self.form == MessageForm::Unanalyzed {
            self.form = MessageForm::None;
        }
    }
}

/// Returns the position of the last character of UTF-8 text that starts at `end` or before.
fn floor_char_boundary(bytes: &[u8], end: usize) -> usize {
    const MAX_CHARACTER_LEN: usize = 4;
    let is_continuation = |at: usize| bytes.get(at).is_some_and(|octet| octet & 0xc0 == 0x80);
    let start = end.saturating_sub(MAX_CHARACTER_LEN - 1);
    let boundary = (start..=end).rev().find(|&at| !is_continuation(at));
    boundary.unwrap_or(end)
}
