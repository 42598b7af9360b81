//! How a flow ended: Zeek's `conn_state`, and the same in words that a developer understands, with what they rest on.
//!
//! Both are functions of what the two sides did (Zeek, scripts/base/protocols/conn/main.zeek; RFC 9293 section 3.6).

use std::fmt;

use super::half::State;
use super::key::Side;
use super::record::End;
use crate::packet::{Span, TCP, UDP};

/// How far a connection came (Zeek's `conn_state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnState {
    /// An attempt without an answer; UDP: only the originator spoke.
    S0,
    /// Established, not ended.
    S1,
    /// Established and closed by both; UDP: both spoke.
    SF,
    /// The attempt was rejected.
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
    /// The responder sent a SYN-ACK and then a RST; no SYN was seen.
    RstRH,
    /// The originator sent a SYN and a FIN, without an answer.
    SH,
    /// The responder sent a SYN-ACK and a FIN, no SYN was seen; UDP: only the responder spoke.
    Shr,
    /// Everything else: mostly a connection whose begin was not captured.
    Oth,
}

impl ConnState {
    /// As Zeek writes it.
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

/// What the two sides did, as far as it decides how the flow ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends<'a> {
    pub(super) proto: u8,
    pub(super) orig: Did,
    pub(super) resp: Did,
    /// The letters of what happened.
    pub(super) history: &'a [u8],
    /// From the first packet to the one that ended it.
    pub(super) ended_after: Span,
    /// From the first packet to the last.
    pub(super) lasted: Span,
    /// ICMP said that nobody listens at the responder's port.
    pub(super) unreachable: bool,
    pub(super) end: End,
}

/// What one side did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Did {
    pub(super) state: State,
    pub(super) pkts: u64,
    pub(super) bytes: u64,
    pub(super) syn_ack: bool,
}

/// Zeek's `conn_state`.
pub(super) fn conn_state(ends: &Ends) -> ConnState {
    match ends.proto {
        TCP => tcp_state(ends),
        UDP => match (ends.orig.pkts > 0, ends.resp.pkts > 0) {
            (true, true) => ConnState::SF,
            (true, false) => ConnState::S0,
            (false, true) => ConnState::Shr,
            (false, false) => ConnState::Oth,
        },
        _ => ConnState::Oth,
    }
}

fn tcp_state(ends: &Ends) -> ConnState {
    use State::{Closed, Established, Inactive, Partial, Reset, SynAckSent, SynSent};
    let nothing = ends.orig.bytes == 0 && ends.resp.bytes == 0;
    match (ends.orig.state, ends.resp.state) {
        (SynSent | SynAckSent, Reset) => ConnState::Rej,
        (Reset, Reset) if nothing => ConnState::Rej,
        (Inactive | Partial, Reset) => ConnState::RstRH,
        (_, Reset) => ConnState::RstR,
        (Reset, Inactive | Partial) if gave_up(ends.history) => ConnState::RstOS0,
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

/// Whether the originator sent a SYN and later a RST, with nothing else of its own between them.
fn gave_up(history: &[u8]) -> bool {
    let [b'S', rest @ ..] = history.strip_prefix(b"^").unwrap_or(history) else {
        return false;
    };
    let reset = rest.iter().position(|&letter| letter == b'R');
    reset.is_some_and(|at| !has_any(&rest[..at], b"HAFGIQ"))
}

fn has_any(history: &[u8], letters: &[u8]) -> bool {
    history.iter().any(|letter| letters.contains(letter))
}

/// How a flow ended. Shown it is in words: `reset by the server after 12 ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What it comes to.
    pub verdict: Verdict,
    proto: u8,
    end: End,
    unreachable: bool,
    pkts: [u64; 2],
    ended_after: Span,
    lasted: Span,
}

/// What a flow's end comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Both sides closed it; or the datagrams were answered.
    Normal,
    /// It had not ended.
    Open,
    /// Only this side closed it.
    HalfClosed(Side),
    /// Nobody listened.
    Refused,
    /// Nobody answered.
    NoAnswer,
    /// The SYN was answered, and the answer never acknowledged.
    HalfOpen,
    /// This side reset it.
    Reset(Side),
    /// The client gave up before there was an answer.
    GivenUp,
    /// Its begin was not captured, and what was says not how it ended.
    Midstream,
}

/// The verdict, with what its words and what it rests on need.
pub(super) fn outcome(ends: &Ends, state: ConnState) -> Outcome {
    Outcome {
        verdict: verdict(ends, state),
        proto: ends.proto,
        end: ends.end,
        unreachable: ends.unreachable,
        pkts: [ends.orig.pkts, ends.resp.pkts],
        ended_after: ends.ended_after,
        lasted: ends.lasted,
    }
}

fn verdict(ends: &Ends, state: ConnState) -> Verdict {
    let answered = ends.resp.syn_ack || ends.orig.syn_ack;
    if ends.unreachable && ends.resp.pkts == 0 {
        return Verdict::Refused;
    }
    match state {
        ConnState::SF => Verdict::Normal,
        ConnState::Rej if answered => Verdict::Reset(Side::Resp),
        ConnState::Rej => Verdict::Refused,
        ConnState::RstOS0 => Verdict::GivenUp,
        ConnState::SH if ends.resp.pkts > 0 => Verdict::HalfClosed(Side::Orig),
        ConnState::S0 | ConnState::SH => Verdict::NoAnswer,
        ConnState::RstR | ConnState::RstRH => Verdict::Reset(Side::Resp),
        ConnState::RstO => Verdict::Reset(Side::Orig),
        ConnState::S2 => Verdict::HalfClosed(Side::Orig),
        ConnState::S3 | ConnState::Shr if ends.proto == TCP => Verdict::HalfClosed(Side::Resp),
        ConnState::S1 if !has_any(ends.history, b"AD") => Verdict::HalfOpen,
        ConnState::S1 => Verdict::Open,
        ConnState::Oth if ends.orig.state == State::Reset => Verdict::Reset(Side::Orig),
        _ => Verdict::Midstream,
    }
}

impl Outcome {
    /// What was seen that says so: `SYN, then RST after 14 µs`.
    pub fn evidence(&self) -> Evidence<'_> {
        Evidence(self)
    }

    /// How it is shown, where that depends on nothing that was measured.
    pub fn words(&self) -> Option<&'static str> {
        Some(match self.verdict {
            Verdict::Normal if self.proto == TCP => "closed normally",
            Verdict::Normal => "answered",
            Verdict::Open => match self.end {
                End::Idle => "open, and silent",
                End::Reused => "left open, and its ports used again",
                End::Evicted => "open, and not followed any further",
                End::Closed | End::Capture => "still open",
            },
            Verdict::HalfClosed(Side::Orig) => "closed by the client only",
            Verdict::HalfClosed(Side::Resp) => "closed by the server only",
            Verdict::Refused => "refused: nothing was listening",
            Verdict::NoAnswer => "no answer",
            Verdict::HalfOpen => "half open",
            Verdict::Reset(_) | Verdict::GivenUp => return None,
            Verdict::Midstream if self.proto == TCP => "begin not seen",
            Verdict::Midstream if self.proto == UDP => "only answers seen",
            Verdict::Midstream => "seen",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let after = self.ended_after;
        match (self.words(), self.verdict) {
            (Some(words), _) => f.write_str(words),
            (None, Verdict::Reset(side)) => write!(f, "reset by the {} after {after}", side.role()),
            (None, _) => write!(f, "given up by the client after {after}"),
        }
    }
}

/// What an outcome rests on, to be shown.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a>(&'a Outcome);

impl fmt::Display for Evidence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Evidence(ends) = self;
        let verdict = ends.verdict;
        let [orig_pkts, resp_pkts] = ends.pkts;
        let is_tcp = ends.proto == TCP;
        match verdict {
            Verdict::Normal if is_tcp => f.write_str("FIN from both sides"),
            Verdict::Normal => f.write_str("datagrams from both sides"),
            Verdict::Open => f.write_str("handshake, neither FIN nor RST"),
            Verdict::HalfClosed(side) => {
                write!(f, "FIN from the {} only", side.role())
            }
            Verdict::Refused if ends.unreachable => f.write_str("ICMP: port unreachable"),
            Verdict::Refused => write!(f, "SYN, then RST after {}", ends.ended_after),
            Verdict::NoAnswer if is_tcp => {
                let plural = if orig_pkts == 1 { "" } else { "s" };
                write!(
                    f,
                    "{} packet{plural} in {}, and none back",
                    orig_pkts, ends.lasted
                )
            }
            Verdict::NoAnswer => f.write_str("no datagram back"),
            Verdict::HalfOpen => f.write_str("SYN and SYN-ACK, no ACK"),
            Verdict::Reset(side) => write!(f, "RST from the {}", side.role()),
            Verdict::GivenUp => f.write_str("SYN, then RST from the client, and no answer"),
            Verdict::Midstream if is_tcp => f.write_str("no handshake"),
            Verdict::Midstream if ends.proto == UDP => {
                f.write_str("datagrams from the server only")
            }
            Verdict::Midstream => {
                let count = orig_pkts + resp_pkts;
                write!(f, "{count} message{}", if count == 1 { "" } else { "s" })
            }
        }
    }
}

#[cfg(test)]
mod tests;
