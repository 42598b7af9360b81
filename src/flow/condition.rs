//! What a flow may be that none should be: what checks fail on.

use super::outcome::Verdict;
use super::record::{FlowRecord, SideRecord};

/// Something that a flow can be.
#[derive(Debug)]
pub struct Condition {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Whether it can only be seen where streams are put together.
    pub needs_streams: bool,
    /// Whether a flow is it.
    pub holds: fn(&FlowRecord) -> bool,
}

/// Every condition.
#[rustfmt::skip]
pub const CONDITIONS: &[Condition] = &[
    condition("refused", "nothing was listening", |flow| flow.outcome.verdict == Verdict::Refused),
    condition("no-answer", "nobody answered", |flow| flow.outcome.verdict == Verdict::NoAnswer),
    condition("reset", "one side ended it with a RST", |flow| matches!(flow.outcome.verdict, Verdict::Reset(_) | Verdict::GivenUp)),
    condition("half-open", "the handshake was not finished", |flow| flow.outcome.verdict == Verdict::HalfOpen),
    condition("half-closed", "only one side closed it", |flow| matches!(flow.outcome.verdict, Verdict::HalfClosed(_))),
    condition("unclosed", "it was still open at the end", |flow| flow.outcome.verdict == Verdict::Open),
    condition("retransmission", "something was sent again", |flow| any(flow, |side| side.analysis.retrans_pkts > 0)),
    condition("out-of-order", "segments came in another order than they were sent", |flow| any(flow, |side| side.analysis.ooo_pkts > 0)),
    condition("zero-window", "a receiver did not read for so long that it could take no more", |flow| any(flow, |side| side.analysis.zero_windows > 0)),
    condition("gap", "bytes were not captured", |flow| any(flow, |side| side.missed_bytes > 0 || side.analysis.lost_pkts > 0)),
    Condition {
        needs_streams: true,
        ..condition("mismatch", "bytes were sent again, and were others", |flow| any(flow, |side| side.analysis.mismatched_bytes > 0))
    },
];

const fn condition(
    name: &'static str,
    about: &'static str,
    holds: fn(&FlowRecord) -> bool,
) -> Condition {
    Condition {
        name,
        about,
        needs_streams: false,
        holds,
    }
}

fn any(flow: &FlowRecord, holds: fn(&SideRecord) -> bool) -> bool {
    flow.sides.iter().any(holds)
}
