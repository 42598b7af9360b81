//! How flows end: the ones that are due, the quietest where there are too many, all that are left when the capture is over.

use super::FlowTable;
use crate::flow::ages::{Ages, Class};
use crate::flow::record::End;
use crate::flow::{Emit, FlowEvent, What, speech};
use crate::packet::Timestamp;

/// How long flows are waited for, in nanoseconds; what has ended is waited for as long as the settings say.
///
/// A SYN is sent again after 1, 2, 4 … 64 s (tcp(7), `tcp_syn_retries`). Zeek gives up earlier, at 5 s, and gives connected ones 5
/// minutes; here an idle connection is kept for as long as one may be before keep-alives (`tcp_keepalive_time`) are sent on it.
const OPENING_PATIENCE: i64 = 130_000_000_000;
const OPEN_PATIENCE: i64 = 7200 * 1_000_000_000;
const DATAGRAM_PATIENCE: i64 = 60_000_000_000;

impl FlowTable {
    /// Tells the end of every flow that is left, in the order of their numbers: the capture is over.
    pub fn finish(&mut self, emit: Emit) {
        self.places.clear();
        self.last = None;
        let mut left: Vec<(u64, usize)> = self
            .flows
            .iter()
            .enumerate()
            .map(|(at, flow)| (flow.number, at))
            .filter(|(number, _)| *number > 0)
            .collect();
        // Most stand in that order already.
        left.sort();
        for (_, at) in left {
            self.report(at as u32, End::Capture, None, emit);
        }
        self.flows.clear();
        self.free.clear();
        self.ages = Ages::default();
        self.due = i64::MAX;
        self.calm = i64::MIN;
        self.fragments.give_up_all();
    }

    /// When a flow of a class that was last heard of at this time is waited for no longer.
    pub(super) fn deadline(&self, class: Class, active: i64) -> i64 {
        active.saturating_add(match class {
            Class::Opening => OPENING_PATIENCE,
            Class::Open => OPEN_PATIENCE,
            Class::Ended => self.settings.linger,
            Class::Datagrams => DATAGRAM_PATIENCE,
        })
    }

    /// Closes what is due: in the order in which it became so, and what did at the same time in the order of the flows' numbers.
    #[cold]
    pub(super) fn close_due(&mut self, emit: Emit) {
        let (mut due_flows, mut next) = (Vec::new(), i64::MAX);
        for class in Class::ALL {
            while let Some(at) = self.ages.oldest(class) {
                let flow = &self.flows[at as usize];
                let due = self.deadline(class, flow.active);
                if due > self.clock {
                    next = next.min(due);
                    break;
                }
                due_flows.push((due, flow.number, at));
                self.ages.remove(class, at);
            }
        }
        due_flows.sort_unstable();
        for (due, _, at) in due_flows {
            let end = match self.flows[at as usize].class {
                Class::Ended => End::Closed,
                _ => End::Idle,
            };
            self.forget(at, end, Some(Timestamp(due)), emit);
        }
        self.due = next;
    }

    /// Lets the flow go that was quiet for the longest time.
    #[cold]
    pub(super) fn evict(&mut self, emit: Emit) {
        let oldest = Class::ALL
            .into_iter()
            .filter_map(|class| self.ages.oldest(class));
        let quietest = oldest.min_by_key(|&at| {
            let flow = &self.flows[at as usize];
            (flow.active, flow.number)
        });
        if let Some(at) = quietest {
            // What had ended is only no longer waited for.
            self.counts.evicted += u64::from(self.flows[at as usize].class != Class::Ended);
            self.close(at, End::Evicted, emit);
        }
    }

    /// Reports a flow and forgets it.
    fn close(&mut self, at: u32, end: End, emit: Emit) {
        self.ages.remove(self.flows[at as usize].class, at);
        self.forget(at, end, None, emit);
    }

    /// Reports a flow and forgets it; among the ages it stands no more.
    fn forget(&mut self, at: u32, end: End, due: Option<Timestamp>, emit: Emit) {
        let hash = self.places.hash(&self.flows[at as usize].key);
        self.places.remove(hash, at);
        if self.last == Some(at) {
            self.last = None;
        }
        self.free.push(at);
        self.report(at, end, due, emit);
    }

    /// Reports a flow whose place another one takes, with the same ends.
    pub(super) fn give_way(&mut self, at: u32, emit: Emit) {
        self.ages.remove(self.flows[at as usize].class, at);
        self.report(at, End::Reused, None, emit);
    }

    /// Reports a flow and gives back what it holds; its place waits for the next flow.
    fn report(&mut self, at: u32, end: End, due: Option<Timestamp>, emit: Emit) {
        let flow = &mut self.flows[at as usize];
        self.held -= flow.held();
        speech::finish(flow, self.settings.bounds(0), emit);
        let end = match (end, flow.class) {
            // Whatever makes it be reported now: it had ended.
            (End::Capture | End::Evicted | End::Reused, Class::Ended) => End::Closed,
            (end, _) => end,
        };
        let record = flow.record(end);
        let time = flow.active;
        flow.release();
        emit(FlowEvent {
            id: &record.id,
            time: Timestamp(time),
            due,
            what: What::Closed(&record),
        });
    }
}
