//! Start of flows: packets that belong to no tracked flow.

use super::FlowTable;
use crate::flow::input::is_response;
use crate::flow::key::{FlowKey, KeyEnd};
use crate::flow::tracked_flow::TrackedFlow;
use crate::flow::{Emit, FlowEvent, FlowEventKind};
use crate::packet::{Brief, Timestamp};

impl FlowTable {
    /// Starts a flow in a new slot; returns the slot.
    #[cold]
    pub(super) fn open(
        &mut self,
        hash: u32,
        (key, end): (FlowKey, KeyEnd),
        brief: &Brief,
        time: i64,
        emit: Emit,
    ) -> u32 {
        if self.index.len() >= self.settings.max_flows as usize {
            self.evict(emit);
        }
        let at = self.free_slots.pop().unwrap_or_else(|| {
            self.flows.push(TrackedFlow::default());
            self.flows.len() as u32 - 1
        });
        self.start_flow(at, (key, end), brief, time, emit);
        self.index.insert(hash, at);
        self.peaks.flows = self.peaks.flows.max(self.index.len() as u64);
        at
    }

    /// Starts a flow with this packet in an unused slot.
    #[inline]
    pub(super) fn start_flow(
        &mut self,
        at: u32,
        (key, end): (FlowKey, KeyEnd),
        brief: &Brief,
        time: i64,
        emit: Emit,
    ) {
        self.counts.opened += 1;
        let flow = &mut self.flows[at as usize];
        flow.start(key, end, self.counts.opened, time);
        flow.first_frame = brief.frame.number;
        if is_response(brief) {
            flow.flip();
        }
        flow.last_active = self.clock;
        flow.timeout_class = flow.current_timeout_class();
        emit(FlowEvent {
            id: &flow.id(),
            time: Timestamp(time),
            due: None,
            kind: FlowEventKind::Opened,
        });
        let class = flow.timeout_class;
        self.idle_lists.push(class, at);
        self.schedule_timeout(class);
    }
}
