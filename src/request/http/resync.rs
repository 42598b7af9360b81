//! Decision whether the analysis of HTTP/1 continues after the position in a stream was lost.
//!
//! An answer must never be assigned to another request. The analysis continues only if the client
//! is not seen to pipeline: to send a request before the end of the previous answer. Data that
//! waited for missing bytes is delivered late, so that its time decides, not the order of delivery:
//!
//! - Requests continue at a segment that starts with a request line, if no request waits for its
//!   answer, the server has answered what is missing, and nothing of the answers was captured later
//!   than the segment.
//! - Answers continue at a segment that starts with a status line, if it can be the answer to one
//!   request only: the only one that was sent since the last bytes of answers, or the second of two
//!   if bytes are missing, which contain the answer to the first one.
//! - A request that was captured before an unrequested answer but is delivered after it does not
//!   wait for an answer: the unrequested one can be its own. So can the next request after an
//!   unrequested answer if the start of the connection was captured and nothing is missing: packets
//!   can be captured in another order. Only 408 is sent without a request (RFC 9110 section
//!   15.5.9).

use super::exchanges::Exchanges;
use super::head::has_start_line;
use crate::flow::Side;
use crate::packet::Timestamp;
use crate::request::analyzer::{Context, EndReason};

/// State that decides which request the next answer belongs to.
#[derive(Debug, Default)]
pub(super) struct Resync {
    /// Reason for the lost position of each side.
    lost: [Option<EndReason>; 2],
    /// True if a request was sent before the end of the previous answer, or can have been.
    is_pipelined: bool,
    /// True if the server has answered more than the captured requests since the last of them.
    has_answered_more: bool,
    /// Time at which bytes of answers were declared missing, if none were seen since then.
    gap_time: Option<Timestamp>,
    /// Time of the last bytes of answers.
    answer_time: Option<Timestamp>,
    /// Time of the first byte of the last unrequested answer.
    unrequested_time: Option<Timestamp>,
    /// Number of unrequested answers whose requests can be captured later.
    unmatched_answers: u64,
}

impl Resync {
    /// Records that the position of a side was lost.
    pub(super) fn lose(&mut self, side: Side, reason: EndReason, context: &Context) {
        let reason = *self.lost[side as usize].get_or_insert(reason);
        if side == Side::Orig {
            // The missing bytes contain the requests.
            self.unmatched_answers = 0;
        } else {
            self.gap_time = (reason == EndReason::Missing).then_some(context.time);
            self.has_answered_more |= self.has_lost_requests();
        }
    }

    /// Returns the reason if the position in the answers is lost.
    pub(super) fn lost_answers(&self) -> Option<EndReason> {
        self.lost[Side::Resp as usize]
    }

    /// Records bytes of a side whose position is not lost.
    pub(super) fn add_bytes(&mut self, side: Side, context: &Context) {
        if side == Side::Resp {
            self.answer_time = Some(context.time);
        }
    }

    /// Records a request.
    pub(super) fn start_request(&mut self) {
        self.has_answered_more = false;
    }

    /// Records that no answer can be assigned to a request any more.
    pub(super) fn stop(&mut self, context: &Context) {
        self.is_pipelined = true;
        self.lose(Side::Resp, EndReason::Uncertain, context);
    }

    /// Matches an earlier answer with the next request, which started at this time. Returns true if
    /// it can be its own.
    pub(super) fn match_earlier_answer(&mut self, start: Timestamp) -> bool {
        let is_answered = self.unmatched_answers > 0 || self.unrequested_time >= Some(start);
        self.unmatched_answers = self.unmatched_answers.saturating_sub(1);
        is_answered
    }

    /// Records an answer without a captured request, which starts at this time.
    pub(super) fn start_unrequested(&mut self, start: Timestamp) {
        self.unrequested_time = Some(start);
        self.has_answered_more = true;
    }

    /// Records that the request of an unrequested answer can be captured later.
    pub(super) fn count_unmatched(&mut self) {
        self.unmatched_answers += u64::from(!self.has_lost_requests());
    }

    /// Records the end of an answer at this time.
    pub(super) fn end_answer(&mut self, exchanges: &Exchanges, time: Timestamp) {
        self.is_pipelined |= exchanges.is_next_sent_by(time);
        self.has_answered_more |= self.has_lost_requests();
    }

    /// Continues the requests if these bytes are one that the next answer belongs to.
    pub(super) fn resume_requests(
        &mut self,
        exchanges: &Exchanges,
        bytes: &[u8],
        context: &Context,
    ) -> bool {
        let is_certain = !self.is_pipelined
            && self.has_answered_more
            && exchanges.expected() == 0
            && !exchanges.is_unrequested()
            && self.answer_time < Some(context.time)
            && has_start_line(Side::Orig, bytes);
        if is_certain {
            self.lost[Side::Orig as usize] = None;
        }
        is_certain
    }

    /// Continues the answers if these bytes are the answer to the last request that was sent before
    /// them. Reports the requests that they, or the bytes before them, can be answers to.
    pub(super) fn resume_answers(
        &mut self,
        exchanges: &mut Exchanges,
        bytes: &[u8],
        context: &mut Context,
    ) -> bool {
        let reason = self.lost_answers().unwrap_or(EndReason::Missing);
        let gap_time = self.gap_time.take();
        self.answer_time = Some(context.time);
        self.has_answered_more |= self.has_lost_requests();
        let sent = exchanges.sent_until(context.time);
        let before_gap = gap_time.map_or(0, |time| exchanges.sent_until(time).min(sent));
        let is_certain = !self.is_pipelined
            && !exchanges.has_reported()
            && !self.has_lost_requests()
            && matches!((before_gap, sent - before_gap), (0 | 1, 1) | (2, 0))
            && has_start_line(Side::Resp, bytes);
        // Several requests without bytes of answers between them.
        self.is_pipelined |= !is_certain && sent > 1;
        exchanges.cut(sent - u64::from(is_certain), reason, context);
        if is_certain {
            self.lost[Side::Resp as usize] = None;
        }
        is_certain
    }

    fn has_lost_requests(&self) -> bool {
        self.lost[Side::Orig as usize].is_some()
    }
}
