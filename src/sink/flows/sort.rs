//! Sort orders of flows (`--sort`).

use crate::flow::FlowRecord;
use crate::sink::rows::RowOrder;

/// All sort orders; the first is the default of `--top`.
pub const FLOW_ORDERS: &[RowOrder<FlowRecord>] = &[
    RowOrder {
        name: "bytes",
        about: "most bytes first",
        key: |flow| flow.sum_sides(|side| side.bytes),
    },
    RowOrder {
        name: "packets",
        about: "most packets first",
        key: |flow| flow.sum_sides(|side| side.traffic.pkts),
    },
    RowOrder {
        name: "duration",
        about: "longest first",
        key: |flow| flow.duration.0.max(0) as u64,
    },
    RowOrder {
        name: "response",
        about: "slowest response first",
        key: |flow| flow.response_times.map_or(0, |times| times.max),
    },
    RowOrder {
        name: "retransmissions",
        about: "most retransmissions first",
        key: |flow| flow.sum_sides(|side| u64::from(side.analysis.retrans_pkts)),
    },
    RowOrder {
        name: "start",
        about: "earliest first",
        key: |_| 0,
    },
];
