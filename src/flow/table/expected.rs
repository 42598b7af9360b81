//! What packets to come will look at, asked for in time. A system uses the ports of connections again after it has used all others, and
//! until then nobody looks at the flow that had them, nor at those beside it.

use super::FlowTable;
use crate::flow::key::{FlowKey, Kind};
use crate::flow::recent::{self, Hint};
use crate::flow::tracked::Tracked;
use crate::memory::prefetch;
use crate::packet::Brief;

impl FlowTable {
    /// A packet of this flow comes soon, behind those of others that are expected.
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

    /// Asks for what is kept of the flow with this index among those that are [expected](Self::expect), and for what can only be asked for
    /// behind that of one before it.
    #[inline]
    pub fn ask_for_expected(&self, index: usize) {
        if let Some(flow) = self.expected(index) {
            prefetch(flow);
        }
        if let Some(flow) = index.checked_sub(2).and_then(|at| self.expected(at)) {
            flow.watch.ask_for();
        }
    }

    /// No flow is expected any more.
    pub fn expect_none(&mut self) {
        self.expected.clear();
    }

    fn expected(&self, index: usize) -> Option<&Tracked> {
        let at = self.places.likely(*self.expected.get(index)?)?;
        self.flows.get(at as usize)
    }
}
