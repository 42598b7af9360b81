//! Columns of requests: each entry is a field in JSON and CSV.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::body;
use crate::flow::{community_id, uid};
use crate::request::{Message, Request};
use crate::sink::rows::{Column, ColumnType, ColumnValue, optional, text};

const fn column(
    name: &'static str,
    kind: ColumnType,
    value: fn(&Request) -> ColumnValue<'_>,
) -> Column<Request> {
    Column::new(name, kind, value)
}

/// Returns a text value, absent if it is empty.
fn non_empty(value: &str) -> ColumnValue<'_> {
    match value {
        "" => ColumnValue::Absent,
        value => text(value),
    }
}

/// Returns the body if it is text.
fn body_text(message: &Message) -> ColumnValue<'_> {
    body::text_of(message).map_or(ColumnValue::Absent, non_empty)
}

/// Returns the body in base64 if it is not text.
fn body_base64(message: &Message) -> ColumnValue<'_> {
    match body::text_of(message) {
        None => text(STANDARD.encode(&message.body)),
        Some(_) => ColumnValue::Absent,
    }
}

fn left_out(message: &Message) -> ColumnValue<'_> {
    match body::left_out(message) {
        0 => ColumnValue::Absent,
        bytes => ColumnValue::Count(bytes),
    }
}

/// Number of columns with the contents of messages, which are the last ones.
const CONTENT_COLUMN_COUNT: usize = 8;

/// Returns the columns without those with the contents of messages.
pub(super) fn without_contents() -> &'static [Column<Request>] {
    COLUMNS
        .get(..COLUMNS.len() - CONTENT_COLUMN_COUNT)
        .unwrap_or_default()
}

/// All columns, in output order.
#[rustfmt::skip]
pub const COLUMNS: &[Column<Request>] = &[
    column("number", ColumnType::Count, |r| ColumnValue::Count(r.number)),
    column("flow", ColumnType::Count, |r| ColumnValue::Count(r.flow.number)),
    column("uid", ColumnType::Text, |r| text(uid(&r.flow))),
    column("community_id", ColumnType::Text, |r| text(community_id(&r.flow))),
    column("ts", ColumnType::Time, |r| ColumnValue::Time(r.time)),
    column("id.orig_h", ColumnType::Address, |r| ColumnValue::Address(r.flow.orig().ip())),
    column("id.orig_p", ColumnType::Port, |r| ColumnValue::Port(r.flow.orig().port())),
    column("id.resp_h", ColumnType::Address, |r| ColumnValue::Address(r.flow.resp().ip())),
    column("id.resp_p", ColumnType::Port, |r| ColumnValue::Port(r.flow.resp().port())),
    column("protocol", ColumnType::Text, |r| text(r.protocol)),
    column("operation", ColumnType::Text, |r| non_empty(&r.operation)),
    column("target", ColumnType::Text, |r| non_empty(&r.target)),
    column("status", ColumnType::Text, |r| optional(r.status.as_deref(), text)),
    column("outcome", ColumnType::Text, |r| text(r.outcome.name())),
    column("error", ColumnType::Text, |r| optional(r.error.as_deref(), text)),
    column("first_byte", ColumnType::Duration, |r| optional(r.first_byte(), ColumnValue::Duration)),
    column("duration", ColumnType::Duration, |r| optional(r.duration(), ColumnValue::Duration)),
    column("request_bytes", ColumnType::Count, |r| ColumnValue::Count(r.request_bytes)),
    column("answer_bytes", ColumnType::Count, |r| ColumnValue::Count(r.answer_bytes)),
    column("details", ColumnType::Details, |r| if r.details.is_empty() { ColumnValue::Absent } else { ColumnValue::Details(&r.details) }),
    column("orig_process", ColumnType::Process, |r| optional(r.owners.orig.as_deref(), ColumnValue::Process)),
    column("resp_process", ColumnType::Process, |r| optional(r.owners.resp.as_deref(), ColumnValue::Process)),
    column("request_head", ColumnType::Text, |r| non_empty(&r.request.head)),
    column("request_body", ColumnType::Text, |r| body_text(&r.request)),
    column("request_body_base64", ColumnType::Text, |r| body_base64(&r.request)),
    column("request_left_out", ColumnType::Count, |r| left_out(&r.request)),
    column("answer_head", ColumnType::Text, |r| non_empty(&r.answer.head)),
    column("answer_body", ColumnType::Text, |r| body_text(&r.answer)),
    column("answer_body_base64", ColumnType::Text, |r| body_base64(&r.answer)),
    column("answer_left_out", ColumnType::Count, |r| left_out(&r.answer)),
];
