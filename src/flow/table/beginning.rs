//! How flows begin: with a packet that is of none that is followed.

use super::FlowTable;
use crate::flow::key::{End, FlowKey};
use crate::flow::seen::is_answer;
use crate::flow::tracked::Tracked;
use crate::flow::{Emit, FlowEvent, What};
use crate::packet::{Brief, Timestamp};

impl FlowTable {
    /// A flow begins; returns where it stands.
    #[cold]
    pub(super) fn open(
        &mut self,
        hash: u32,
        (key, end): (FlowKey, End),
        brief: &Brief,
        time: i64,
        emit: Emit,
    ) -> u32 {
        if self.places.len() >= self.settings.max_flows as usize {
            self.evict(emit);
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.flows.push(Tracked::default());
            self.flows.len() as u32 - 1
        });
        self.begin(at, (key, end), brief, time, emit);
        self.places.insert(hash, at);
        self.peaks.flows = self.peaks.flows.max(self.places.len() as u64);
        at
    }

    /// A flow begins with this packet in a place where none is.
    #[inline]
    pub(super) fn begin(
        &mut self,
        at: u32,
        (key, end): (FlowKey, End),
        brief: &Brief,
        time: i64,
        emit: Emit,
    ) {
        self.counts.opened += 1;
        let flow = &mut self.flows[at as usize];
        flow.begin(key, end, self.counts.opened, time);
        flow.first_frame = brief.frame.number;
        if is_answer(brief) {
            flow.flip();
        }
        flow.active = self.clock;
        flow.class = flow.class_now();
        emit(FlowEvent {
            id: &flow.id(),
            time: Timestamp(time),
            due: None,
            what: What::Opened,
        });
        // It is due some time.
        let class = flow.class;
        self.ages.add(class, at);
        self.expect_end(class);
    }
}
