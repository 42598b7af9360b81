//! Sorting of flows, and selection of the first ones (`--sort`, `--top`).

use std::cmp::Reverse;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::flow::{FlowEvent, FlowEventKind, FlowRecord};
use crate::sink::{CONTINUE, Event, Requirement, Sink};

/// A sort order of flows.
#[derive(Debug)]
pub struct FlowOrder {
    /// Name for `--sort`.
    pub name: &'static str,
    /// Short description for `--help`.
    pub about: &'static str,
    /// Sort key, in descending order; flows with the same key are in the order of their numbers.
    key: fn(&FlowRecord) -> u64,
}

/// All sort orders; the first is the default of `--top`.
pub const FLOW_ORDERS: &[FlowOrder] = &[
    FlowOrder {
        name: "bytes",
        about: "most bytes first",
        key: |flow| flow.sum_sides(|side| side.bytes),
    },
    FlowOrder {
        name: "packets",
        about: "most packets first",
        key: |flow| flow.sum_sides(|side| side.traffic.pkts),
    },
    FlowOrder {
        name: "duration",
        about: "longest first",
        key: |flow| flow.duration.0.max(0) as u64,
    },
    FlowOrder {
        name: "response",
        about: "slowest median response first",
        key: |flow| flow.response_times.map_or(0, |times| times.median),
    },
    FlowOrder {
        name: "retransmissions",
        about: "most retransmissions first",
        key: |flow| flow.sum_sides(|side| u64::from(side.analysis.retrans_pkts)),
    },
    FlowOrder {
        name: "start",
        about: "earliest first",
        key: |_| 0,
    },
];

/// Sink that collects flows, and passes them on in sorted order at the end.
pub struct SortedFlows {
    inner: Box<dyn Sink>,
    order: &'static FlowOrder,
    top: usize,
    flows: Vec<FlowRecord>,
}

impl SortedFlows {
    /// Returns a sink that passes the first `top` flows in this order on to `inner`, or all flows
    /// if `top` is `None`.
    pub fn new(inner: Box<dyn Sink>, order: &'static FlowOrder, top: Option<usize>) -> SortedFlows {
        SortedFlows {
            inner,
            order,
            top: top.unwrap_or(usize::MAX),
            flows: Vec::new(),
        }
    }

    fn sort(&mut self) {
        let key = self.order.key;
        self.flows
            .sort_by_cached_key(|flow| (Reverse(key(flow)), flow.id.number));
        self.flows.truncate(self.top);
    }
}

impl Sink for SortedFlows {
    fn requires(&self) -> Requirement {
        self.inner.requires().max(Requirement::Flows)
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        if let Event::Flow(event) = event
            && let FlowEventKind::Closed(record) = event.kind
        {
            self.flows.push(record.clone());
            // Limit memory: keep at most twice as many flows as requested, or 1000.
            if self.flows.len() > self.top.saturating_mul(2).max(1000) {
                self.sort();
            }
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.sort();
        for record in std::mem::take(&mut self.flows) {
            let event = FlowEvent {
                id: &record.id,
                time: record.first_time,
                due: None,
                kind: FlowEventKind::Closed(&record),
            };
            if self.inner.handle(Event::Flow(&event))?.is_break() {
                break;
            }
        }
        self.inner.finish()
    }
}
