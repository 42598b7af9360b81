//! Flows in another order than that in which they end, or only the first of them.

use std::cmp::Reverse;

use crate::error::Result;
use crate::flow::{FlowEvent, FlowRecord, What};
use crate::sink::{Needs, Sink};

/// An order of flows.
#[derive(Debug)]
pub struct Order {
    /// Its name, for `--sort`.
    pub name: &'static str,
    /// What stands first, in a few words.
    pub about: &'static str,
    /// What is compared: the least stands first.
    key: fn(&FlowRecord) -> Key,
}

/// Numbers that are compared one after the other; the largest stands first where it is reversed.
type Key = (Reverse<u64>, i64);

/// Every order; the first is the one that `--top` takes where none is given.
pub const ORDERS: &[Order] = &[
    Order {
        name: "bytes",
        about: "the most data first",
        key: |flow| largest(flow, flow.both(|side| side.bytes)),
    },
    Order {
        name: "packets",
        about: "the most packets first",
        key: |flow| largest(flow, flow.both(|side| side.traffic.pkts)),
    },
    Order {
        name: "duration",
        about: "the longest first",
        key: |flow| largest(flow, flow.duration.0.max(0) as u64),
    },
    Order {
        name: "response",
        about: "the slowest answers first",
        key: |flow| largest(flow, flow.response_times.map_or(0, |times| times.median)),
    },
    Order {
        name: "retransmissions",
        about: "the most retransmissions first",
        key: |flow| {
            largest(
                flow,
                flow.both(|side| u64::from(side.analysis.retrans_pkts)),
            )
        },
    },
    Order {
        name: "start",
        about: "the earliest first",
        key: |flow| (Reverse(0), flow.id.number as i64),
    },
];

/// Equals stand in the order of their numbers.
fn largest(flow: &FlowRecord, value: u64) -> Key {
    (Reverse(value), flow.id.number as i64)
}

/// Keeps flows back until all are there.
pub struct Ranked {
    inner: Box<dyn Sink>,
    order: &'static Order,
    top: usize,
    flows: Vec<FlowRecord>,
}

impl Ranked {
    /// The first `top` flows in this order go to `inner`, at the end.
    pub fn new(inner: Box<dyn Sink>, order: &'static Order, top: Option<usize>) -> Ranked {
        Ranked {
            inner,
            order,
            top: top.unwrap_or(usize::MAX),
            flows: Vec::new(),
        }
    }

    fn sort(&mut self) {
        let key = self.order.key;
        self.flows.sort_by_cached_key(key);
        self.flows.truncate(self.top);
    }
}

impl Sink for Ranked {
    fn flow(&mut self, event: &FlowEvent) -> Result<()> {
        if let What::Closed(record) = event.what {
            self.flows.push(record.clone());
            // No more than twice as many as are wanted.
            if self.flows.len() > self.top.saturating_mul(2).max(1000) {
                self.sort();
            }
        }
        Ok(())
    }

    fn needs(&self) -> Needs {
        self.inner.needs().max(Needs::Flows)
    }

    fn finish(&mut self) -> Result<()> {
        self.sort();
        for record in std::mem::take(&mut self.flows) {
            self.inner.flow(&FlowEvent {
                id: &record.id,
                time: record.first,
                due: None,
                what: What::Closed(&record),
            })?;
        }
        self.inner.finish()
    }
}
