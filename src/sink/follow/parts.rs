//! Parts of conversations in the order in which they are shown: the messages of each flow, limited
//! in length, and the notes about bytes that are missing or left out.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::StreamOptions;
use super::flow_state::{Conversation, MessageForm, PartLimits};
use super::part::{ConversationPart, PartContent, Show, SidePart};
use crate::flow::{FlowEvent, FlowEventKind, FlowId, Side};
use crate::packet::{Timestamp, UDP};
use crate::process::Owners;
use crate::request::{MessageEvent, MessagePart};

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

/// Maximum time after which bytes that were left out are reported, in nanoseconds.
const MAX_NOTE_DELAY: i64 = 1_000_000_000;

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
            FlowEventKind::Opened { .. }
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
