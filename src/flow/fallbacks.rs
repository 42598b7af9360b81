//! Refused connections to a loopback address whose client then reached the same port at the
//! loopback address of the other family, e.g. a server that listens only on 127.0.0.1.
//!
//! Clients try the addresses of a name one after the other (RFC 8305, Happy Eyeballs), and
//! `localhost` has two of them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::idle_lists::TimeoutClass;
use super::outcome::Fallback;
use super::tracked_flow::TrackedFlow;
use super::tracked_side::EndpointState;
use crate::packet::{Endpoints, TCP};
use crate::process::Owner;

/// Maximum time from the refusal to the start of the answered connection, in nanoseconds.
const MAX_DELAY_NS: i64 = 1_000_000_000;
/// Maximum number of refused connections that are kept; of more, the oldest ones are failures.
const MAX_REFUSALS: usize = 256;

/// The latest refused connections to loopback addresses, in the order of their refusals.
#[derive(Debug, Default)]
pub(super) struct Fallbacks(VecDeque<Refusal>);

#[derive(Debug)]
struct Refusal {
    flow_number: u64,
    endpoints: Endpoints,
    /// Time of the refusal.
    time: i64,
    answered: Option<(Fallback, Option<Arc<Owner>>)>,
}

impl Fallbacks {
    /// Records that a flow has entered this class: that its connection was refused, or answered.
    pub(super) fn record(&mut self, flow: &TrackedFlow, class: TimeoutClass) {
        let endpoints = &flow.id.endpoints;
        if endpoints.proto() != TCP || !endpoints.dst().ip().is_loopback() {
            return;
        }
        let resp = &flow.sides[1];
        match class {
            TimeoutClass::Ended if resp.state == EndpointState::Reset && !resp.syn_ack_seen => {
                if self.0.len() >= MAX_REFUSALS {
                    self.0.pop_front();
                }
                self.0.push_back(Refusal {
                    flow_number: flow.id.number,
                    endpoints: *endpoints,
                    time: flow.last_time,
                    answered: None,
                });
            }
            TimeoutClass::Open if resp.syn_ack_seen => self.record_answer(flow),
            _ => {}
        }
    }

    fn record_answer(&mut self, flow: &TrackedFlow) {
        let endpoints = &flow.id.endpoints;
        let earliest = flow.id.first_time.0.saturating_sub(MAX_DELAY_NS);
        let recent = self.0.iter_mut().rev();
        for refusal in recent.take_while(|refusal| refusal.time >= earliest) {
            if refusal.answered.is_none()
                && refusal.endpoints.dst_port() == endpoints.dst_port()
                && refusal.endpoints.is_ipv4() != endpoints.is_ipv4()
            {
                let fallback = Fallback {
                    endpoints: *endpoints,
                    first_time: flow.id.first_time,
                };
                refusal.answered = Some((fallback, flow.owners().orig));
            }
        }
    }

    /// Removes a refused flow that is reported, and returns the connection that was answered
    /// instead, if there is one of the same process or of an unknown process.
    pub(super) fn take(&mut self, flow: &TrackedFlow) -> Option<Fallback> {
        let at = self.position(flow.id.number)?;
        let (fallback, client) = self.0.remove(at)?.answered?;
        let is_same_client = match (flow.owners().orig, client) {
            (Some(refused), Some(answered)) => refused.may_be_same_process(&answered),
            _ => true,
        };
        is_same_client.then_some(fallback)
    }

    fn position(&self, flow_number: u64) -> Option<usize> {
        let mut refusals = self.0.iter();
        refusals.position(|refusal| refusal.flow_number == flow_number)
    }
}
