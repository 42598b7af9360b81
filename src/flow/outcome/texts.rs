//! Outcomes with the number of dropped packets, and their evidence, as texts.

use std::fmt;

use super::{Outcome, OutcomeKind};
use crate::packet::{TCP, UDP};

/// Outcome with the number of dropped packets; formatted with `Display`.
#[derive(Debug, Clone, Copy)]
pub struct OutcomeWithDrops<'a>(pub(super) &'a Outcome);

impl fmt::Display for OutcomeWithDrops<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let OutcomeWithDrops(outcome) = self;
        match (outcome.kind, outcome.dropped_pkts) {
            (OutcomeKind::Incomplete, _) => write!(f, "{outcome}: {}", outcome.drops()),
            (_, 0) => write!(f, "{outcome}"),
            _ => write!(f, "{outcome}, possibly incomplete: {}", outcome.drops()),
        }
    }
}

/// Evidence for an outcome; formatted with `Display`.
#[derive(Debug, Clone, Copy)]
pub struct OutcomeEvidence<'a>(pub(super) &'a Outcome);

impl fmt::Display for OutcomeEvidence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let OutcomeEvidence(outcome) = self;
        let [orig_pkts, resp_pkts] = outcome.pkts;
        let is_tcp = outcome.proto == TCP;
        match outcome.kind {
            OutcomeKind::Normal if outcome.is_self_connection => {
                let last = if is_tcp { "FIN" } else { "datagrams" };
                write!(f, "{last} from the socket to itself")
            }
            OutcomeKind::Normal if is_tcp => f.write_str("FIN from both sides"),
            OutcomeKind::Normal => f.write_str("datagrams from both sides"),
            OutcomeKind::Open => f.write_str("handshake, no FIN or RST"),
            OutcomeKind::HalfClosed(side) => {
                write!(f, "FIN from the {} only", side.role())
            }
            OutcomeKind::Refused if outcome.is_port_unreachable => {
                f.write_str("ICMP: port unreachable")
            }
            OutcomeKind::Refused => write!(f, "SYN, then RST after {}", outcome.ended_after),
            OutcomeKind::ClosedUnanswered => {
                f.write_str("FIN from the server first, and no data from it")
            }
            OutcomeKind::NoAnswer if is_tcp => {
                let plural = if orig_pkts == 1 { "" } else { "s" };
                write!(
                    f,
                    "{orig_pkts} packet{plural} in {}, no reply",
                    outcome.duration
                )
            }
            OutcomeKind::NoAnswer => f.write_str("no datagram in reply"),
            OutcomeKind::HalfOpen => f.write_str("SYN and SYN-ACK, no ACK"),
            OutcomeKind::Reset(side) => write!(f, "RST from the {}", side.role()),
            OutcomeKind::GivenUp => f.write_str("SYN, then RST from the client, no reply"),
            OutcomeKind::Incomplete => f.write_str(&outcome.drops()),
            OutcomeKind::Midstream if is_tcp => f.write_str("no handshake seen"),
            OutcomeKind::Midstream if outcome.proto == UDP => {
                f.write_str("datagrams from the server only")
            }
            OutcomeKind::Midstream => {
                let count = orig_pkts + resp_pkts;
                write!(f, "{count} message{}", if count == 1 { "" } else { "s" })
            }
        }
    }
}
