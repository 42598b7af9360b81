//! Conditions for `--fail-on`: flow properties that lcap reports as a failure.

use super::outcome::{ConnState, OutcomeKind};
use super::record::{FlowRecord, SideRecord};

/// A condition that a flow can meet.
#[derive(Debug)]
pub struct FlowCondition {
    /// Name on the command line.
    pub name: &'static str,
    /// Another name, which is that of the same condition for requests.
    pub alias: Option<&'static str>,
    /// Short description for the help text.
    pub description: &'static str,
    /// True if the condition can only be detected if streams are reassembled.
    pub needs_streams: bool,
    /// Returns true if a flow meets the condition.
    pub matches: fn(&FlowRecord) -> bool,
}

/// All conditions.
#[rustfmt::skip]
pub const CONDITIONS: &[FlowCondition] = &[
    condition("refused", "nothing was listening, and no other loopback address answered", |flow| flow.outcome.kind == OutcomeKind::Refused && flow.outcome.fallback.is_none()),
    FlowCondition {
        alias: Some("unanswered"),
        ..condition("no-answer", "no reply was received, or the server closed without one", |flow| matches!(flow.outcome.kind, OutcomeKind::NoAnswer | OutcomeKind::ClosedUnanswered))
    },
    condition("reset", "one side reset the connection (RST)", |flow| matches!(flow.outcome.kind, OutcomeKind::Reset(_) | OutcomeKind::GivenUp)),
    condition("half-open", "the handshake was not completed", |flow| flow.outcome.kind == OutcomeKind::HalfOpen),
    condition("half-closed", "only one side closed the connection", is_half_closed),
    condition("unclosed", "neither side closed the connection", |flow| flow.outcome.kind == OutcomeKind::Open),
    condition("retransmission", "segments were retransmitted", |flow| any_side(flow, |side| side.analysis.retrans_pkts > 0)),
    condition("out-of-order", "segments arrived out of order", |flow| any_side(flow, |side| side.analysis.ooo_pkts > 0)),
    condition("zero-window", "a receiver's buffer was full (zero window)", |flow| any_side(flow, |side| side.analysis.zero_windows > 0)),
    condition("gap", "bytes are missing from the capture, or packets were dropped", |flow| flow.dropped_pkts > 0 || any_side(flow, |side| side.missed_bytes > 0 || side.analysis.lost_pkts > 0)),
    FlowCondition {
        needs_streams: true,
        ..condition("mismatch", "retransmitted bytes differ from the originals", |flow| any_side(flow, |side| side.analysis.mismatched_bytes > 0))
    },
];

const fn condition(
    name: &'static str,
    description: &'static str,
    predicate: fn(&FlowRecord) -> bool,
) -> FlowCondition {
    FlowCondition {
        name,
        alias: None,
        description,
        needs_streams: false,
        matches: predicate,
    }
}

impl FlowCondition {
    /// Returns true if the condition has this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.name == name || self.alias == Some(name)
    }
}

fn is_half_closed(flow: &FlowRecord) -> bool {
    match flow.outcome.kind {
        OutcomeKind::HalfClosed(_) => true,
        OutcomeKind::ClosedUnanswered => flow.conn_state == ConnState::S3,
        _ => false,
    }
}

fn any_side(flow: &FlowRecord, predicate: fn(&SideRecord) -> bool) -> bool {
    flow.sides.iter().any(predicate)
}
