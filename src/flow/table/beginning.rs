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
        let flow = self.begin((key, end), brief, time, emit);
        let at = match self.free.pop() {
            Some(at) => {
                self.flows[at as usize] = flow;
                at
            }
            None => {
                self.flows.push(flow);
                self.flows.len() as u32 - 1
            }
        };
        self.places.insert(hash, at);
        self.peaks.flows = self.peaks.flows.max(self.places.len() as u64);
        self.wait_for(at);
        at
    }

    /// A flow that begins with this packet.
    #[inline]
    pub(super) fn begin(
        &mut self,
        (key, end): (FlowKey, End),
        brief: &Brief,
        time: i64,
        emit: Emit,
    ) -> Tracked {
        self.counts.opened += 1;
        let mut flow = Tracked::new(key, end, self.counts.opened, time);
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
        flow
    }

    /// A flow stands here from now on, and is due some time.
    #[inline]
    pub(super) fn wait_for(&mut self, at: u32) {
        let class = self.flows[at as usize].class;
        self.ages.add(class, at);
        self.due = self.due.min(self.deadline(class, self.clock));
    }
}
