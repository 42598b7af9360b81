//! Prefetching of the flows of packets that will be processed soon. A system reuses a connection's
//! ports only after it has used all others; by then the flow that had these ports, and its
//! neighbours in memory, are no longer in the CPU cache.

use super::FlowTable;
use crate::flow::key::{Directionality, FlowKey};
use crate::flow::recent::{self, Hint};
use crate::flow::tracked_flow::TrackedFlow;
use crate::packet::Brief;
use crate::prefetch::prefetch;

impl FlowTable {
    /// Announces a packet that will be processed after the packets already announced.
    #[inline]
    pub fn expect(&mut self, brief: &Brief) {
        let (key, _) = FlowKey::from_brief(brief, Directionality::TwoWay);
        let hash = self.index.hash(&key);
        self.index.prefetch(hash);
        self.expected.push(hash);
    }

    /// Returns the hint with which [`prefetch`](Self::prefetch) guesses a packet's flow.
    #[inline(always)]
    pub fn hint(brief: &Brief) -> Hint {
        recent::hint(brief.spread())
    }

    /// Prefetches the flow of one of the next packets, if the flow was active recently.
    #[inline(always)]
    pub fn prefetch(&self, hint: Hint) {
        let at = self.cache.likely(hint);
        if let Some(flow) = self.flows.get(at as usize) {
            prefetch(flow);
        }
    }

    /// Prefetches the flow with this index among the [announced](Self::expect) flows, and the
    /// service attributes of an earlier one, which are reachable only through that flow.
    #[inline]
    pub fn prefetch_expected(&self, index: usize) {
        if let Some(flow) = self.expected_flow(index) {
            prefetch(flow);
        }
        if let Some(flow) = index.checked_sub(2).and_then(|at| self.expected_flow(at)) {
            flow.detection.prefetch();
        }
    }

    /// Clears the announced flows.
    pub fn clear_expected(&mut self) {
        self.expected.clear();
    }

    fn expected_flow(&self, index: usize) -> Option<&TrackedFlow> {
        let at = self.index.likely(*self.expected.get(index)?)?;
        self.flows.get(at as usize)
    }
}
