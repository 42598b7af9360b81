//! Sort orders of groups of requests (`--group --sort`).

use crate::request::RequestGroup;
use crate::sink::rows::RowOrder;
use crate::time::durations::DurationSummary;

/// All sort orders; the first is the default.
pub const GROUP_ORDERS: &[RowOrder<RequestGroup>] = &[
    RowOrder {
        name: "total",
        about: "with --group: most time of all requests together first",
        key: |group| group.total,
    },
    RowOrder {
        name: "count",
        about: "with --group: most requests first",
        key: |group| group.count,
    },
    RowOrder {
        name: "errors",
        about: "with --group: most errors and unanswered requests first",
        key: |group| group.errors + group.unanswered,
    },
    RowOrder {
        name: "median",
        about: "with --group: slowest median first",
        key: |group| quantile(group, |times| times.median),
    },
    RowOrder {
        name: "p99",
        about: "with --group: slowest 99th percentile first",
        key: |group| quantile(group, |times| times.p99),
    },
    RowOrder {
        name: "max",
        about: "with --group: slowest request first",
        key: |group| quantile(group, |times| times.max),
    },
    RowOrder {
        name: "bytes",
        about: "with --group: most bytes of answers first",
        key: |group| group.answer_bytes,
    },
];

fn quantile(group: &RequestGroup, select: fn(&DurationSummary) -> u64) -> u64 {
    group.durations().as_ref().map_or(0, select)
}
