//! Columns of groups of requests: each entry is a field in JSON and CSV.

use crate::packet::TimeDelta;
use crate::request::RequestGroup;
use crate::sink::rows::{ColumnType, ColumnValue, RowColumn, text};
use crate::time::durations::DurationSummary;

const fn column(
    name: &'static str,
    kind: ColumnType,
    value: fn(&RequestGroup) -> ColumnValue<'_>,
) -> RowColumn<RequestGroup> {
    RowColumn::new(name, kind, value)
}

/// Returns a number of nanoseconds as a duration.
pub(super) fn duration(nanos: u64) -> TimeDelta {
    TimeDelta(i64::try_from(nanos).unwrap_or(i64::MAX))
}

fn quantile(group: &RequestGroup, select: fn(&DurationSummary) -> u64) -> ColumnValue<'static> {
    match group.durations() {
        Some(summary) => ColumnValue::Duration(duration(select(&summary))),
        None => ColumnValue::Absent,
    }
}

/// Returns a text value, absent if it is empty.
fn non_empty(value: &str) -> ColumnValue<'_> {
    match value {
        "" => ColumnValue::Absent,
        value => text(value),
    }
}

/// All columns, in output order.
#[rustfmt::skip]
pub(super) const GROUP_COLUMNS: &[RowColumn<RequestGroup>] = &[
    column("shape", ColumnType::Text, |g| text(g.shape())),
    column("protocol", ColumnType::Text, |g| non_empty(g.protocol)),
    column("operation", ColumnType::Text, |g| non_empty(&g.operation)),
    column("count", ColumnType::Count, |g| ColumnValue::Count(g.count)),
    column("errors", ColumnType::Count, |g| ColumnValue::Count(g.errors)),
    column("unanswered", ColumnType::Count, |g| ColumnValue::Count(g.unanswered)),
    column("median", ColumnType::Duration, |g| quantile(g, |times| times.median)),
    column("p99", ColumnType::Duration, |g| quantile(g, |times| times.p99)),
    column("max", ColumnType::Duration, |g| quantile(g, |times| times.max)),
    column("total", ColumnType::Duration, |g| ColumnValue::Duration(duration(g.total))),
    column("request_bytes", ColumnType::Count, |g| ColumnValue::Count(g.request_bytes)),
    column("answer_bytes", ColumnType::Count, |g| ColumnValue::Count(g.answer_bytes)),
];
