//! Parts of conversations in the order in which they are shown: the messages of each flow, limited
//! in length, and the notes about bytes that are missing or left out.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::payload::is_text;
use super::{MessageLimit, StreamOptions};
use crate::flow::{FlowEvent, FlowEventKind, FlowId, FlowRecord, GapCause, Side};
use crate::packet::{Timestamp, UDP};
use crate::process::Owners;
use crate::request::{MessageEvent, MessagePart};

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
type Show<'a> = &'a mut dyn FnMut(&ConversationPart);

/// Turns the events of a run into the parts of conversations.
pub(super) struct PartTracker {
    /// Number of the selected flow; `None` selects all flows.
    only_flow: Option<u64>,
    limits: PartLimits,
    /// Conversations, by flow number.
    flows: HashMap<u64, Conversation, RandomState>,
    /// Sides whose bytes were left out, and the times at which these are reported at the latest.
    /// A side is at most once in it.
    notes: VecDeque<(i64, u64, Side)>,
    /// The last part, if it reported that bytes are missing.
    last_missing: Option<(u64, Side, u64)>,
}

/// Maximum lengths of messages, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartLimits {
    pub(super) text: usize,
    pub(super) binary: usize,
}

/// State of a flow.
#[derive(Debug)]
struct Conversation {
    id: FlowId,
    owners: Owners,
    protocol: Option<&'static str>,
    last_sender: Option<Side>,
    sides: [SideState; 2],
    /// Times of the last parts of both sides.
    times: [Timestamp; 2],
}

/// State of one side's current message.
#[derive(Debug, Default)]
struct SideState {
    /// Number of the message.
    message: u64,
    form: MessageForm,
    /// True if all bytes so far are binary.
    is_binary: bool,
    /// True if the body has started.
    has_body: bool,
    encoding: Option<Box<str>>,
    /// True if the head has several lines.
    has_long_head: bool,
    /// Number of bytes shown of the head.
    head_len: usize,
    /// Number of bytes shown of the body.
    body_len: usize,
    /// Offset of the next byte in the body or, without a head, in the stream.
    offset: u64,
    left_out: u64,
    undecoded: u64,
    is_note_queued: bool,
}

/// Form of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum MessageForm {
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
/// Maximum time after which bytes that were left out are reported, in nanoseconds.
const MAX_NOTE_DELAY: i64 = 1_000_000_000;

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

impl PartTracker {
    pub(super) fn new(options: &StreamOptions, max_binary_len: usize) -> PartTracker {
        PartTracker {
            only_flow: options.flow,
            limits: PartLimits::new(options.limit, max_binary_len),
            flows: HashMap::default(),
            notes: VecDeque::new(),
            last_missing: None,
        }
    }

    /// Shows a part of a message.
    pub(super) fn add_message(&mut self, event: &MessageEvent, show: Show) {
        if self.is_skipped(event.flow) {
            return;
        }
        self.advance(event.time, show);
        self.last_missing = None;
        let number = event.flow.number;
        let flow = conversation(&mut self.flows, event.flow);
        flow.protocol = Some(event.protocol);
        flow.owners = event.owners.clone();
        let side = event.side;
        if flow.last_sender.replace(side) == Some(side.other()) {
            flow.show_notes(side.other(), show);
            flow.side_mut(side.other()).end_turn();
        }
        flow.times[side as usize] = event.time;
        match event.part {
            MessagePart::Head(head) => {
                flow.start_message(side, MessageForm::Headed, show);
                flow.show_head(side, head, self.limits.text, show);
            }
            MessagePart::Encoding(encoding) => {
                flow.side_mut(side).encoding = Some(encoding.into());
            }
            MessagePart::Body(bytes) => {
                // Each datagram is a message, even an empty one.
                let form = flow.sides[side as usize].form;
                let is_new = match form {
                    MessageForm::Headed => false,
                    MessageForm::Turn => flow.id.proto() == UDP,
                    MessageForm::None | MessageForm::Unanalyzed => true,
                };
                if is_new {
                    flow.start_message(side, MessageForm::Turn, show);
                }
                flow.show_body(side, bytes, self.limits, show);
            }
            MessagePart::Unanalyzed(bytes) => {
                if flow.sides[side as usize].form != MessageForm::Unanalyzed {
                    flow.start_message(side, MessageForm::Unanalyzed, show);
                }
                flow.show_body(side, bytes, self.limits, show);
            }
            MessagePart::Missing(len) => {
                flow.side_mut(side).undecoded += len;
                self.last_missing = Some((number, side, len));
            }
        }
        let state = flow.side_mut(side);
        if state.left_out + state.undecoded > 0 && !state.is_note_queued {
            state.is_note_queued = true;
            let due = event.time.0.saturating_add(MAX_NOTE_DELAY);
            self.notes.push_back((due, number, side));
        }
    }

    /// Shows what was left out of a request and its answer, which have ended.
    pub(super) fn end_request(&mut self, id: &FlowId, show: Show) {
        // If a gap ended the request, the event of the gap follows.
        if self.last_missing.is_none()
            && let Some(flow) = self.flows.get_mut(&id.number)
        {
            for side in Side::BOTH {
                flow.show_notes(side, show);
            }
        }
    }

    /// Shows an event of a flow.
    pub(super) fn add_flow_event(&mut self, event: &FlowEvent, show: Show) {
        if self.is_skipped(event.id) {
            return;
        }
        self.advance(event.time, show);
        let missing = self.last_missing.take();
        match event.kind {
            FlowEventKind::Opened
            | FlowEventKind::Detected(_)
            | FlowEventKind::Data { .. }
            | FlowEventKind::End { .. } => {}
            FlowEventKind::Owners(owners) => {
                conversation(&mut self.flows, event.id).owners = owners.clone();
            }
            FlowEventKind::Gap {
                side, len, cause, ..
            } => {
                let flow = conversation(&mut self.flows, event.id);
                let state = flow.side_mut(side);
                if let Some((number, missing_side, missing)) = missing
                    && (number, missing_side) == (event.id.number, side)
                {
                    // The analyzer reported the same bytes.
                    state.undecoded = state.undecoded.saturating_sub(missing);
                }
                state.offset += len;
                flow.show_notes(side, show);
                flow.show(event.time, side, SidePart::Gap(len, cause), show);
            }
            FlowEventKind::Mismatch { side, offset, len } => {
                let flow = conversation(&mut self.flows, event.id);
                flow.show(event.time, side, SidePart::Mismatch { offset, len }, show);
            }
            FlowEventKind::Closed(record) => {
                let unidentified = Owners::default();
                let flow = self.flows.remove(&event.id.number);
                if let Some(mut flow) = flow {
                    for side in Side::BOTH {
                        flow.show_notes(side, show);
                    }
                    flow.show_end(event.time, record, show);
                } else {
                    show(&ConversationPart {
                        time: event.time,
                        id: event.id,
                        owners: &unidentified,
                        protocol: None,
                        content: PartContent::Closed(record),
                    });
                }
            }
        }
    }

    /// Reports the bytes that were left out until this time.
    pub(super) fn advance(&mut self, time: Timestamp, show: Show) {
        while let Some((due, number, side)) = self.notes.front().copied()
            && due <= time.0
        {
            self.notes.pop_front();
            if let Some(flow) = self.flows.get_mut(&number) {
                flow.side_mut(side).is_note_queued = false;
                flow.show_notes(side, show);
            }
        }
    }

    /// Reports all bytes that were left out.
    pub(super) fn finish(&mut self, show: Show) {
        self.advance(Timestamp(i64::MAX), show);
    }

    fn is_skipped(&self, id: &FlowId) -> bool {
        self.only_flow.is_some_and(|flow| flow != id.number)
    }
}

/// Returns the state of a flow.
fn conversation<'a>(
    flows: &'a mut HashMap<u64, Conversation, RandomState>,
    id: &FlowId,
) -> &'a mut Conversation {
    let flow = flows.entry(id.number).or_insert_with(|| Conversation {
        id: *id,
        owners: Owners::default(),
        protocol: None,
        last_sender: None,
        sides: Default::default(),
        times: [Timestamp::ABSENT; 2],
    });
    // Originator and responder may be swapped before the first data.
    flow.id = *id;
    flow
}

impl Conversation {
    fn side_mut(&mut self, side: Side) -> &mut SideState {
        &mut self.sides[side as usize]
    }

    /// Ends the side's message, and starts the next one.
    fn start_message(&mut self, side: Side, form: MessageForm, show: Show) {
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

    fn show_head(&mut self, side: Side, head: &str, limit: usize, show: Show) {
        let end = head.floor_char_boundary(limit.min(head.len()));
        let state = self.side_mut(side);
        state.head_len = end;
        state.has_long_head = head.contains('\n');
        state.left_out += (head.len() - end) as u64;
        let time = self.times[side as usize];
        self.show(time, side, SidePart::Head(&head[..end]), show);
    }

    fn show_body(&mut self, side: Side, bytes: &[u8], limits: PartLimits, show: Show) {
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
    fn show_notes(&mut self, side: Side, show: Show) {
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

    fn show(&self, time: Timestamp, side: Side, part: SidePart, show: Show) {
        let message = self.sides[side as usize].message;
        let content = PartContent::Side {
            side,
            message,
            part,
        };
        self.show_content(time, content, show);
    }

    fn show_end(&self, time: Timestamp, record: &FlowRecord, show: Show) {
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
    fn end_turn(&mut self) {
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
