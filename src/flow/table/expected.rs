//! What packets to come will look at, asked for in time. A system uses the ports of connections again after it has used all others, and
//! until then nobody looks at the flow that had them, nor at those beside it.

use super::FlowTable;
use crate::flow::key::{FlowKey, Kind};
use crate::flow::recent::{self, Hint};
use crate::memory::prefetch;
use crate::packet::Brief;

impl FlowTable {
    /// A packet of this flow comes soon.
    #[inline]
    pub fn expect(&mut self, brief: &Brief) {
        let (key, _) = FlowKey::of_brief(brief, Kind::TwoWay);
        let hash = self.places.hash(&key);
        self.places.ask_for(hash);
        self.expected.push(hash);
    }

    /// What tells [`ask_for`](Self::ask_for) of which flow a packet is.
    #[inline(always)]
    pub fn hint(brief: &Brief) -> Hint {
        recent::hint(brief.spread())
    }

    /// One of the next few packets is of this flow, if packets were of it lately.
    #[inline(always)]
    pub fn ask_for(&self, hint: Hint) {
        let at = self.recent.likely(hint);
        if let Some(flow) = self.flows.get(at as usize) {
            prefetch(flow);
        }
    }

    /// Asks for what is kept of all flows that are [expected](Self::expect): one after the other, where each step needs what the one before it
    /// has asked for.
    pub fn ask_for_expected(&mut self) {
        let places = &self.places;
        let found = |hash: &u32| {
            places
                .likely(*hash)
                .and_then(|at| self.flows.get(at as usize))
        };
        self.expected.iter().filter_map(found).for_each(prefetch);
        for flow in self.expected.iter().filter_map(found) {
            flow.watch.ask_for();
        }
        self.expected.clear();
    }
}
