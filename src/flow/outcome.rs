//! Outcome of a flow: Zeek's `conn_state`, and a short description with its evidence.
//!
//! Both are derived from the packets of the two sides and their final states (Zeek,
//! scripts/base/protocols/conn/main.zeek; RFC 9293 section 3.6).

mod texts;

pub use texts::{OutcomeEvidence, OutcomeWithDrops};

use std::fmt;

use super::side::Side;
use super::tracked_side::EndpointState;
use crate::error::count_noun;
use crate::packet::{Endpoints, TCP, TimeDelta, Timestamp, UDP};

/// Reason why a flow was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlowEndReason {
    /// Both sides closed the connection, or one reset it.
    Closed,
    /// No packet arrived within the idle timeout.
    Idle,
    /// Another flow started with the same addresses and ports.
    Reused,
    /// The capture ended.
    Capture,
    /// The table was full, and this was the least recently active flow.
    Evicted,
}

/// State of a connection at its end (Zeek's `conn_state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnState {
    /// Connection attempt, no reply. UDP: only the originator sent datagrams.
    S0,
    /// Established, not terminated.
    S1,
    /// Established, closed by both sides. UDP: both sides sent datagrams.
    SF,
    /// Connection attempt rejected.
    Rej,
    /// Established, closed by the originator only.
    S2,
    /// Established, closed by the responder only.
    S3,
    /// Established, reset by the originator.
    RstO,
    /// Reset by the responder.
    RstR,
    /// The originator sent a SYN and then a RST, without an answer between them.
    RstOS0,
    /// The responder sent a SYN-ACK and then a RST; no SYN was captured.
    RstRH,
    /// The originator sent a SYN and a FIN, without a reply.
    SH,
    /// The responder sent a SYN-ACK and a FIN; no SYN was captured. UDP: only the responder sent
    /// datagrams.
    Shr,
    /// Anything else: mostly a connection whose start was not captured.
    Oth,
}

impl ConnState {
    /// Returns Zeek's name of the state.
    pub fn name(self) -> &'static str {
        match self {
            ConnState::S0 => "S0",
            ConnState::S1 => "S1",
            ConnState::SF => "SF",
            ConnState::Rej => "REJ",
            ConnState::S2 => "S2",
            ConnState::S3 => "S3",
            ConnState::RstO => "RSTO",
            ConnState::RstR => "RSTR",
            ConnState::RstOS0 => "RSTOS0",
            ConnState::RstRH => "RSTRH",
            ConnState::SH => "SH",
            ConnState::Shr => "SHR",
            ConnState::Oth => "OTH",
        }
    }
}

/// Facts that determine the outcome.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutcomeInput<'a> {
    pub(super) proto: u8,
    pub(super) orig: SideSummary,
    pub(super) resp: SideSummary,
    /// History letters.
    pub(super) history: &'a [u8],
    /// Time from the first packet to the one that ended the flow.
    pub(super) ended_after: TimeDelta,
    /// Time from the first packet to the last.
    pub(super) duration: TimeDelta,
    /// True if ICMP reported the responder's port as unreachable.
    pub(super) is_port_unreachable: bool,
    /// True if both ends are one socket, which receives what it sends.
    pub(super) is_self_connection: bool,
    /// Number of packets that were dropped while the flow existed.
    pub(super) dropped_pkts: u64,
    pub(super) end_reason: FlowEndReason,
}

/// Facts about one side.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SideSummary {
    pub(super) state: EndpointState,
    pub(super) pkts: u64,
    pub(super) bytes: u64,
    pub(super) syn_ack_seen: bool,
}

/// Returns Zeek's `conn_state`.
pub(super) fn conn_state(input: &OutcomeInput) -> ConnState {
    match input.proto {
        TCP => tcp_conn_state(input),
        UDP => match (input.orig.pkts > 0, input.resp.pkts > 0) {
            (true, false) if input.is_self_connection => ConnState::SF,
            (true, true) => ConnState::SF,
            (true, false) => ConnState::S0,
            (false, true) => ConnState::Shr,
            (false, false) => ConnState::Oth,
        },
        _ => ConnState::Oth,
    }
}

fn tcp_conn_state(input: &OutcomeInput) -> ConnState {
    use EndpointState::{Closed, Established, Inactive, Partial, Reset, SynAckSent, SynSent};
    let no_data = input.orig.bytes == 0 && input.resp.bytes == 0;
    match (input.orig.state, input.resp.state) {
        (SynSent | SynAckSent, Reset) => ConnState::Rej,
        (Reset, Reset) if no_data => ConnState::Rej,
        (Inactive | Partial, Reset) => ConnState::RstRH,
        (_, Reset) => ConnState::RstR,
        (Reset, Inactive | Partial) if is_syn_then_rst(input.history) => ConnState::RstOS0,
        (Reset, Inactive | Partial) => ConnState::Oth,
        (Reset, _) => ConnState::RstO,
        (Closed, Closed) => ConnState::SF,
        (Closed, Inactive | Partial) => ConnState::SH,
        (Closed, _) => ConnState::S2,
        (Inactive | Partial, Closed) => ConnState::Shr,
        (_, Closed) => ConnState::S3,
        (SynSent, Inactive) => ConnState::S0,
        (Established, Established) => ConnState::S1,
        _ => ConnState::Oth,
    }
}

/// Returns true if the originator sent a SYN and later a RST, without any of the history letters
/// HAFGIQ between them.
fn is_syn_then_rst(history: &[u8]) -> bool {
    let [b'S', rest @ ..] = history.strip_prefix(b"^").unwrap_or(history) else {
        return false;
    };
    let reset = rest.iter().position(|&letter| letter == b'R');
    reset.is_some_and(|at| !has_any(&rest[..at], b"HAFGIQ"))
}

fn has_any(history: &[u8], letters: &[u8]) -> bool {
    history.iter().any(|letter| letters.contains(letter))
}

/// Outcome of a flow. Its `Display` form is a short phrase: `reset by the server after 12 ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Type of outcome.
    pub kind: OutcomeKind,
    /// Of a refused connection to a loopback address: the connection that reached the same port at
    /// the loopback address of the other family instead.
    pub fallback: Option<Fallback>,
    proto: u8,
    end_reason: FlowEndReason,
    is_port_unreachable: bool,
    is_self_connection: bool,
    dropped_pkts: u64,
    pkts: [u64; 2],
    ended_after: TimeDelta,
    duration: TimeDelta,
}

/// A connection that a client opened within a second after a refusal. Clients try the addresses of
/// a name one after the other (RFC 8305, Happy Eyeballs), so the refusal is no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// Endpoints, directed from the client to the server.
    pub endpoints: Endpoints,
    /// Timestamp of the first packet.
    pub first_time: Timestamp,
}

/// Types of outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    /// Closed by both sides, or datagrams in both directions.
    Normal,
    /// Still open when the flow was reported.
    Open,
    /// Closed by this side only.
    HalfClosed(Side),
    /// No socket was listening.
    Refused,
    /// The client sent data, and the server closed the connection first, without any data.
    ClosedUnanswered,
    /// No reply.
    NoAnswer,
    /// The SYN-ACK was never acknowledged.
    HalfOpen,
    /// Reset by this side.
    Reset(Side),
    /// The client reset the connection attempt before any reply.
    GivenUp,
    /// The start was not captured, and the captured packets do not show how the flow ended.
    Midstream,
    /// Packets were dropped while the flow existed, and no captured packet shows how it ended: its
    /// start, its end or a reply may be among them.
    Incomplete,
}

/// Returns the outcome, with the values that its text and evidence contain.
pub(super) fn outcome(input: &OutcomeInput, state: ConnState) -> Outcome {
    Outcome {
        kind: match outcome_kind(input, state) {
            kind if input.dropped_pkts > 0 && is_based_on_absence(kind, input.proto) => {
                OutcomeKind::Incomplete
            }
            kind => kind,
        },
        fallback: None,
        proto: input.proto,
        end_reason: input.end_reason,
        is_port_unreachable: input.is_port_unreachable,
        is_self_connection: input.is_self_connection,
        dropped_pkts: input.dropped_pkts,
        pkts: [input.orig.pkts, input.resp.pkts],
        ended_after: input.ended_after,
        duration: input.duration,
    }
}

fn outcome_kind(input: &OutcomeInput, state: ConnState) -> OutcomeKind {
    let has_syn_ack = input.resp.syn_ack_seen || input.orig.syn_ack_seen;
    if input.is_port_unreachable && input.resp.pkts == 0 {
        return OutcomeKind::Refused;
    }
    if is_closed_unanswered(input, state) {
        return OutcomeKind::ClosedUnanswered;
    }
    match state {
        ConnState::SF => OutcomeKind::Normal,
        ConnState::Rej if has_syn_ack => OutcomeKind::Reset(Side::Resp),
        ConnState::Rej => OutcomeKind::Refused,
        ConnState::RstOS0 => OutcomeKind::GivenUp,
        ConnState::SH if input.resp.pkts > 0 => OutcomeKind::HalfClosed(Side::Orig),
        ConnState::S0 | ConnState::SH => OutcomeKind::NoAnswer,
        ConnState::RstR | ConnState::RstRH => OutcomeKind::Reset(Side::Resp),
        ConnState::RstO => OutcomeKind::Reset(Side::Orig),
        ConnState::S2 => OutcomeKind::HalfClosed(Side::Orig),
        ConnState::S3 | ConnState::Shr if input.proto == TCP => OutcomeKind::HalfClosed(Side::Resp),
        ConnState::S1 if !has_any(input.history, b"AD") => OutcomeKind::HalfOpen,
        ConnState::S1 => OutcomeKind::Open,
        ConnState::Oth if input.orig.state == EndpointState::Reset => {
            OutcomeKind::Reset(Side::Orig)
        }
        _ => OutcomeKind::Midstream,
    }
}

/// Returns true if the server closed a connection first, without an answer to the client's data. If
/// the client closes first, it does not expect an answer.
fn is_closed_unanswered(input: &OutcomeInput, state: ConnState) -> bool {
    let position = |letter| input.history.iter().position(|other| *other == letter);
    let is_closed_by_server_first = match (position(b'f'), position(b'F')) {
        (Some(resp), Some(orig)) => resp < orig,
        (resp, _) => resp.is_some(),
    };
    input.proto == TCP
        && matches!(state, ConnState::SF | ConnState::S3)
        && input.resp.syn_ack_seen
        && input.orig.bytes > 0
        && input.resp.bytes == 0
        && position(b'd').is_none()
        && !input.is_self_connection
        && is_closed_by_server_first
}

/// Returns true for outcomes that are concluded from packets that were not captured.
fn is_based_on_absence(kind: OutcomeKind, proto: u8) -> bool {
    match kind {
        OutcomeKind::Open
        | OutcomeKind::HalfClosed(_)
        | OutcomeKind::ClosedUnanswered
        | OutcomeKind::NoAnswer
        | OutcomeKind::HalfOpen => true,
        // ICMP messages always have this outcome.
        OutcomeKind::Midstream => [TCP, UDP].contains(&proto),
        OutcomeKind::Normal
        | OutcomeKind::Refused
        | OutcomeKind::Reset(_)
        | OutcomeKind::GivenUp
        | OutcomeKind::Incomplete => false,
    }
}

impl Outcome {
    /// Returns the evidence for the outcome: `SYN, then RST after 14 µs`.
    pub fn evidence(&self) -> OutcomeEvidence<'_> {
        OutcomeEvidence(self)
    }

    /// Returns the outcome and, if packets were dropped, their number: `closed normally, possibly
    /// incomplete: 3 packets dropped meanwhile`.
    pub fn with_drops(&self) -> OutcomeWithDrops<'_> {
        OutcomeWithDrops(self)
    }

    fn drops(&self) -> String {
        format!(
            "{} dropped meanwhile",
            count_noun(self.dropped_pkts, "packet")
        )
    }

    /// Returns the text of the outcome; `None` if the text contains a value.
    pub fn fixed_text(&self) -> Option<&'static str> {
        Some(match self.kind {
            OutcomeKind::Normal if self.proto == TCP => "closed normally",
            OutcomeKind::Normal if self.is_self_connection => "sent to itself",
            OutcomeKind::Normal => "answered",
            OutcomeKind::Open => match self.end_reason {
                FlowEndReason::Idle => "open but idle",
                FlowEndReason::Reused => "superseded (ports reused)",
                FlowEndReason::Evicted => "open when evicted (flow limit reached)",
                FlowEndReason::Closed | FlowEndReason::Capture => "still open",
            },
            OutcomeKind::HalfClosed(Side::Orig) => "closed by the client only",
            OutcomeKind::HalfClosed(Side::Resp) => "closed by the server only",
            OutcomeKind::Refused if self.fallback.is_some() => return None,
            OutcomeKind::Refused => "refused: nothing was listening",
            OutcomeKind::ClosedUnanswered => "closed without an answer",
            OutcomeKind::NoAnswer => "no answer",
            OutcomeKind::HalfOpen => "half open",
            OutcomeKind::Reset(_) | OutcomeKind::GivenUp => return None,
            OutcomeKind::Midstream if self.proto == TCP => "started before the capture",
            OutcomeKind::Midstream if self.proto == UDP => "only answers seen",
            OutcomeKind::Midstream => "messages seen",
            OutcomeKind::Incomplete => "possibly incomplete",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let after = self.ended_after;
        match (self.fixed_text(), self.kind) {
            (Some(text), _) => f.write_str(text),
            (None, OutcomeKind::Refused) => match self.fallback {
                Some(answered) => write!(f, "refused; {} answered", answered.endpoints.dst().ip()),
                None => f.write_str("refused"),
            },
            (None, OutcomeKind::Reset(side)) => {
                write!(f, "reset by the {} after {after}", side.role())
            }
            (None, _) => write!(f, "abandoned by the client after {after}"),
        }
    }
}

#[cfg(test)]
mod tests;
