//! Request tracking of one connection: detection of its protocol, then analysis of its streams.

use super::analyzer::{Analyzer, AnalyzerEntry, Context, EndReason};
use super::opening::{BufferedOpening, Remaining};
use super::stream_buffer::{FeedResult, StreamBuffer};
use super::{MessagePart, RequestSettings, registry};
use crate::flow::Side;
use crate::packet::{TCP, Timestamp};
use crate::process::Owners;

/// A connection, or a flow of datagrams.
pub(super) struct Connection {
    pub(super) owners: Owners,
    stage: Stage,
    /// Incomplete messages of both sides.
    buffers: [StreamBuffer; 2],
    /// True for a side whose position in the protocol is lost.
    is_lost: [bool; 2],
    /// True for a side whose stream has ended.
    is_ended: [bool; 2],
    /// True if messages can precede the first bytes that the current analyzer received.
    is_late: bool,
    /// Sender of the last bytes.
    last_sender: Option<Side>,
    /// Number of attempts to detect the protocol.
    attempts: u8,
    /// Number of bytes that were not analyzed.
    pub(super) unanalyzed_bytes: u64,
    /// Bytes of memory that are counted for the opening and the buffers.
    counted_memory: u64,
    /// True if the connection is in the table's queue of quiet connections.
    pub(super) is_queued: bool,
}

enum Stage {
    /// The protocol is not detected. Earlier turns, if any, were those of an unrecognized protocol.
    Detecting(BufferedOpening, Option<Box<dyn Analyzer>>),
    Analyzing(&'static AnalyzerEntry, Box<dyn Analyzer>),
    /// The rest is not analyzed.
    Stopped,
}

/// Maximum number of attempts to detect a protocol, each at the start of a turn of the client: the
/// capture can have started within a message.
const MAX_ATTEMPTS: u8 = 8;

impl Default for Connection {
    fn default() -> Connection {
        Connection {
            owners: Owners::default(),
            stage: Stage::Detecting(BufferedOpening::default(), None),
            buffers: Default::default(),
            is_lost: [false; 2],
            is_ended: [false; 2],
            is_late: false,
            last_sender: None,
            attempts: 1,
            unanalyzed_bytes: 0,
            counted_memory: 0,
            is_queued: false,
        }
    }
}

impl Connection {
    /// Returns a connection that was opened before its first packet.
    pub(super) fn late() -> Connection {
        Connection {
            stage: Stage::Detecting(BufferedOpening::late(), None),
            is_late: true,
            ..Connection::default()
        }
    }

    /// Adds the next bytes of a side's stream, which have the time of the context.
    pub(super) fn data(&mut self, side: Side, bytes: &[u8], context: &mut Context) {
        let is_new_turn = side == Side::Orig && self.last_sender == Some(Side::Resp);
        self.last_sender = Some(side);
        if matches!(&self.stage, Stage::Detecting(opening, _) if opening.is_turn_of_other(side)) {
            self.try_to_detect(Remaining::NextTurns, context);
        }
        if is_new_turn {
            self.detect_again(context);
        }
        match &mut self.stage {
            Stage::Detecting(opening, _) => {
                opening.push(side, bytes, context.time);
                self.try_to_detect(Remaining::Turn, context);
            }
            Stage::Analyzing(..) | Stage::Stopped => self.analyze(side, bytes, context),
        }
        self.count_memory(context);
    }

    /// Continues after missing bytes of a side's stream.
    pub(super) fn gap(&mut self, side: Side, len: u64, context: &mut Context) {
        self.try_to_detect(Remaining::Nothing, context);
        let buffered = self.buffers[side as usize].take();
        let at = side as usize;
        if let Stage::Analyzing(entry, analyzer) = &mut self.stage
            && !self.is_lost[at]
        {
            enter(entry, self.is_late, context);
            if !buffered.is_empty() {
                context.emit_part(side, MessagePart::Unanalyzed(&buffered));
            }
            let buffered = buffered.len() as u64;
            if !analyzer.skip(side, buffered + len, context) {
                self.unanalyzed_bytes += buffered;
                self.is_lost[at] = true;
                analyzer.lose(side, EndReason::Missing, context);
            }
        }
        self.count_memory(context);
    }

    /// Continues at the end of a side's stream.
    pub(super) fn end_of_stream(&mut self, side: Side, context: &mut Context) {
        self.is_ended[side as usize] = true;
        if side == Side::Resp {
            self.try_to_detect(Remaining::Nothing, context);
        }
        if let Stage::Analyzing(entry, analyzer) = &mut self.stage
            && !self.is_lost[side as usize]
            && self.buffers[side as usize].len() == 0
        {
            enter(entry, self.is_late, context);
            analyzer.end_of_stream(side, context);
        }
    }

    /// Returns true if both streams have ended, and all of their requests are reported.
    pub(super) fn is_complete(&self) -> bool {
        let mut has_pending = false;
        match &self.stage {
            Stage::Detecting(opening, turns) => has_pending = opening.len() > 0 || turns.is_some(),
            Stage::Analyzing(_, analyzer) => {
                analyzer.for_each_pending(&mut |_| has_pending = true);
            }
            Stage::Stopped => {}
        }
        let is_buffering = self.buffers.iter().any(|buffer| buffer.len() > 0);
        self.is_ended == [true; 2] && !is_buffering && !has_pending
    }

    /// Reports all remaining requests.
    pub(super) fn finish(&mut self, reason: EndReason, context: &mut Context) {
        self.try_to_detect(Remaining::Nothing, context);
        if let Stage::Analyzing(entry, analyzer) = &mut self.stage {
            enter(entry, self.is_late, context);
            analyzer.finish(reason, context);
            for side in Side::BOTH {
                let rest = self.buffers[side as usize].take();
                if !rest.is_empty() {
                    context.emit_part(side, MessagePart::Unanalyzed(&rest));
                }
            }
        }
        self.stop();
        self.count_memory(context);
    }

    /// Returns the time of the last byte of an answer, or of an opening, that is complete if no
    /// more follows.
    pub(super) fn quiet_since(&self, settings: &RequestSettings) -> Option<Timestamp> {
        match &self.stage {
            Stage::Detecting(opening, _) => opening.quiet_since(settings),
            Stage::Analyzing(_, analyzer) => analyzer.quiet_since(),
            Stage::Stopped => None,
        }
    }

    /// Continues when no more of the answer has followed.
    pub(super) fn end_of_answer(&mut self, context: &mut Context) {
        self.try_to_detect(Remaining::Nothing, context);
        if let Stage::Analyzing(entry, analyzer) = &mut self.stage {
            enter(entry, self.is_late, context);
            analyzer.end_of_answer(context);
        }
        self.count_memory(context);
    }

    /// Returns the number of requests that have waited for an answer since this time or longer.
    pub(super) fn pending_since(&self, time: Timestamp) -> u64 {
        let mut count = 0;
        match &self.stage {
            // The bytes of the client so far count as one request.
            Stage::Detecting(opening, _) => count += u64::from(opening.is_unanswered_since(time)),
            Stage::Analyzing(_, analyzer) => analyzer.for_each_pending(&mut |request| {
                count += u64::from(request.time <= time && !request.answer_start.is_present());
            }),
            Stage::Stopped => {}
        }
        count
    }

    /// Starts another attempt to detect an unrecognized protocol, at the start of a client's turn.
    fn detect_again(&mut self, context: &mut Context) {
        if self.attempts >= MAX_ATTEMPTS || context.flow.proto() != TCP {
            return;
        }
        if matches!(&self.stage, Stage::Analyzing(entry, _) if entry.is_other())
            && let Stage::Analyzing(entry, mut turns) =
                std::mem::replace(&mut self.stage, Stage::Stopped)
        {
            // The answer of the last turn is complete.
            context.protocol = entry.protocol_over(context.flow.proto());
            turns.end_of_stream(Side::Resp, context);
            self.attempts += 1;
            self.stage = Stage::Detecting(BufferedOpening::default(), Some(turns));
        }
    }

    /// Detects the protocol if possible, and analyzes the bytes so far.
    fn try_to_detect(&mut self, remaining: Remaining, context: &mut Context) {
        let Stage::Detecting(opening, _) = &mut self.stage else {
            return;
        };
        if opening.len() == 0 && opening.quiet_since(context.settings).is_none() {
            return;
        }
        let Some(entry) = opening.analyzer(context.flow.proto(), remaining) else {
            return;
        };
        let Stage::Detecting(opening, turns) = std::mem::replace(&mut self.stage, Stage::Stopped)
        else {
            return;
        };
        let analyzer = match turns {
            Some(turns) if entry.is_other() => turns,
            Some(mut turns) => {
                context.protocol = registry::OTHER.protocol_over(context.flow.proto());
                turns.end_of_stream(Side::Resp, context);
                turns.finish(EndReason::Closed, context);
                self.is_late = true;
                (entry.create)()
            }
            None => (entry.create)(),
        };
        self.stage = Stage::Analyzing(entry, analyzer);
        let time = context.time;
        opening.for_each_segment(|segment, bytes| {
            context.time = segment.time;
            self.analyze(segment.side, bytes, context);
        });
        context.time = time;
    }

    fn analyze(&mut self, side: Side, bytes: &[u8], context: &mut Context) {
        let at = side as usize;
        let Stage::Analyzing(entry, analyzer) = &mut self.stage else {
            context.protocol = registry::OTHER.protocol_over(context.flow.proto());
            self.unanalyzed_bytes += bytes.len() as u64;
            context.emit_part(side, MessagePart::Unanalyzed(bytes));
            return;
        };
        enter(entry, self.is_late, context);
        if bytes.is_empty() {
            context.emit_part(side, MessagePart::Body(bytes));
            return;
        }
        if self.is_lost[at] {
            if !analyzer.resume(side, bytes, context) {
                self.unanalyzed_bytes += bytes.len() as u64;
                context.emit_part(side, MessagePart::Unanalyzed(bytes));
                return;
            }
            self.is_lost[at] = false;
        }
        let result = self.buffers[at].feed(analyzer.as_mut(), side, bytes, context);
        let reason = match result {
            FeedResult::Continue if !context.is_memory_full() => return,
            FeedResult::Unrecognized => EndReason::Unrecognized,
            FeedResult::Opaque => {
                analyzer.finish(EndReason::Closed, context);
                for side in Side::BOTH {
                    self.discard_buffer(side, context);
                }
                self.stop();
                return;
            }
            FeedResult::Continue if self.buffers[at].len() == 0 => return,
            FeedResult::TooLong | FeedResult::Continue => EndReason::Limit,
        };
        self.is_lost[at] = true;
        analyzer.lose(side, reason, context);
        self.discard_buffer(side, context);
    }

    /// Removes the bytes that a side's buffer contains, which are not analyzed.
    fn discard_buffer(&mut self, side: Side, context: &mut Context) {
        let bytes = self.buffers[side as usize].take();
        self.unanalyzed_bytes += bytes.len() as u64;
        if !bytes.is_empty() {
            context.emit_part(side, MessagePart::Unanalyzed(&bytes));
        }
    }

    /// Ends the analysis, and frees its memory.
    fn stop(&mut self) {
        self.stage = Stage::Stopped;
        self.buffers = Default::default();
    }

    /// Counts the memory of the opening and the buffers.
    fn count_memory(&mut self, context: &mut Context) {
        let opening = match &self.stage {
            Stage::Detecting(opening, _) => opening.len(),
            _ => 0,
        };
        let buffers: usize = self.buffers.iter().map(StreamBuffer::len).sum();
        let memory = (opening + buffers) as u64;
        context.free(self.counted_memory);
        context.allocate(memory);
        self.counted_memory = memory;
    }
}

/// Sets the values of a context for a call of this analyzer with bytes of the context's time.
fn enter(entry: &AnalyzerEntry, is_late: bool, context: &mut Context) {
    context.protocol = entry.protocol_over(context.flow.proto());
    context.is_late = is_late;
    context.start = context.time;
}
