//! Analyzer of all other protocols: turns, i.e. what one side sends until the other one responds.
//!
//! `send`, the number of bytes of the client, and the number of bytes of the server's answer. The
//! end of an answer is unknown: it is complete when the client sends again, when the stream ends,
//! or after [`QUIET_TIME`] without more of it. More bytes of the server are then a turn of their
//! own, without a request.

use super::analyzer::{Analyzer, AnalyzerEntry, Context, EndReason, Step};
use super::{Request, RequestOutcome};
use crate::flow::Side;
use crate::packet::{Timestamp, UDP};

/// The entry of all protocols without an analyzer. The protocol is that of the transport.
pub(super) const ENTRY: AnalyzerEntry = AnalyzerEntry {
    services: &[],
    protocol: "",
    create: || Box::new(Turns::default()),
};

/// Time without more bytes after which an answer is complete, in nanoseconds.
pub(super) const QUIET_TIME: i64 = 30_000_000;

/// Time after which a datagram is not answered together with the next one, in nanoseconds. Clients
/// repeat unanswered datagrams after a second or more.
const MAX_DATAGRAM_WAIT: i64 = 1_000_000_000;

/// The current turn of a connection.
#[derive(Debug, Default)]
pub(super) struct Turns {
    current: Option<Request>,
    /// True if bytes of the current turn are missing.
    is_cut: bool,
}

impl Turns {
    /// Reports the turn if its answer has started.
    fn finish_answer(&mut self, context: &mut Context) {
        if let Some(turn) = self.current.take_if(|turn| turn.answer_start.is_present()) {
            self.report(turn, context);
        }
    }

    /// Reports a datagram that was not answered before the client sent another one.
    fn finish_unanswered_datagram(&mut self, context: &mut Context) {
        let is_over = |turn: &mut Request| {
            let waited = context.start.0.saturating_sub(turn.request_end.0);
            !turn.answer_start.is_present() && waited >= MAX_DATAGRAM_WAIT
        };
        if context.flow.proto() == UDP
            && let Some(turn) = self.current.take_if(is_over)
        {
            self.report_incomplete(turn, EndReason::Repeated, context);
        }
    }

    /// Reports a turn with an answer.
    fn report(&mut self, mut turn: Request, context: &mut Context) {
        if turn.request_end.is_present() {
            turn.target = byte_count(turn.request_bytes);
        }
        turn.status = Some(byte_count(turn.answer_bytes).into());
        if std::mem::take(&mut self.is_cut) {
            turn.outcome = RequestOutcome::Cut;
            turn.error = Some(EndReason::Missing.outcome(true).1.into());
        } else if !turn.request_end.is_present() {
            turn.outcome = RequestOutcome::Unrequested;
        }
        context.report(turn);
    }

    /// Reports a turn without an answer.
    fn report_incomplete(&mut self, mut turn: Request, reason: EndReason, context: &mut Context) {
        turn.target = byte_count(turn.request_bytes);
        let reason = match std::mem::take(&mut self.is_cut) {
            true => EndReason::Missing,
            false => reason,
        };
        context.report_incomplete(turn, reason);
    }

    fn add(&mut self, side: Side, len: u64, context: &mut Context) {
        if side == Side::Orig {
            self.finish_answer(context);
            self.finish_unanswered_datagram(context);
        }
        let turn = self.current.get_or_insert_with(|| {
            let mut turn = context.new_request();
            turn.operation = match side {
                Side::Orig => "send".into(),
                Side::Resp => "receive".into(),
            };
            turn
        });
        match side {
            Side::Orig => turn.add_request(context.time, len),
            Side::Resp => turn.add_answer(context.start, context.time, len),
        }
    }
}

impl Analyzer for Turns {
    fn parse(&mut self, side: Side, bytes: &[u8], context: &mut Context) -> Step {
        self.add(side, bytes.len() as u64, context);
        if context.needs_contents()
            && let Some(mut turn) = self.current.take()
        {
            context.body(&mut turn, side, bytes);
            self.current = Some(turn);
        }
        Step::Consumed(bytes.len())
    }

    fn skip(&mut self, side: Side, len: u64, context: &mut Context) -> bool {
        self.add(side, len, context);
        self.is_cut = true;
        true
    }

    fn resume(&mut self, _side: Side, _bytes: &[u8], _context: &mut Context) -> bool {
        true
    }

    fn end_of_stream(&mut self, side: Side, context: &mut Context) {
        if side == Side::Resp {
            self.finish_answer(context);
        }
    }

    fn finish(&mut self, reason: EndReason, context: &mut Context) {
        self.finish_answer(context);
        if let Some(turn) = self.current.take() {
            self.report_incomplete(turn, reason, context);
        }
    }

    fn lose(&mut self, _side: Side, _reason: EndReason, _context: &mut Context) {}

    fn for_each_pending(&self, visit: &mut dyn FnMut(&Request)) {
        self.current.iter().for_each(visit);
    }

    fn quiet_since(&self) -> Option<Timestamp> {
        let turn = self.current.as_ref()?;
        turn.answer_end.is_present().then_some(turn.answer_end)
    }

    fn end_of_answer(&mut self, context: &mut Context) {
        self.finish_answer(context);
    }
}

/// Returns a number of bytes as text: `118 B`.
fn byte_count(bytes: u64) -> String {
    format!("{bytes} B")
}
