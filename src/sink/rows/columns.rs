//! Columns of records, with typed values.

use std::borrow::Cow;
use std::io::Write;
use std::net::IpAddr;

use crate::detect::ServiceAttributes;
use crate::packet::{TimeDelta, Timestamp};
use crate::process::Owner;
use crate::request::Details;
use crate::sink::json::{JsonValue, details};

/// A reported field of a record.
pub struct Column<R> {
    /// Name of the field; that of a flow is the name in Zeek's conn.log if the field is in it.
    pub name: &'static str,
    /// Type of the values.
    pub kind: ColumnType,
    /// True if the field is also in Zeek's conn.log.
    pub in_conn_log: bool,
    /// Returns the value of the field in a record.
    pub value: fn(&R) -> ColumnValue<'_>,
}

impl<R> Column<R> {
    /// Returns a column that is not in conn.log.
    pub(in crate::sink) const fn new(
        name: &'static str,
        kind: ColumnType,
        value: fn(&R) -> ColumnValue<'_>,
    ) -> Column<R> {
        Column {
            name,
            kind,
            in_conn_log: false,
            value,
        }
    }
}

/// Type of a column's values. Any column can also have [`ColumnValue::Absent`] and
/// [`ColumnValue::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Non-negative integer of up to 64 bits.
    Count,
    /// Point in time, in nanoseconds since 1970-01-01 UTC.
    Time,
    /// Signed duration in nanoseconds.
    Duration,
    /// IPv4 or IPv6 address.
    Address,
    /// Port of TCP or UDP; ICMP: message type or code.
    Port,
    /// UTF-8 text.
    Text,
    /// Attributes of a service: names and values, both text.
    Attributes,
    /// Details of a request: names and typed values.
    Details,
    /// Processes at one end, with the evidence for them.
    Process,
}

/// Value of a field.
#[derive(Clone)]
pub enum ColumnValue<'a> {
    /// The field does not apply to the record.
    Absent,
    /// The value cannot be determined, because packets were dropped.
    Unknown,
    /// Non-negative integer.
    Count(u64),
    /// Point in time.
    Time(Timestamp),
    /// Duration.
    Duration(TimeDelta),
    /// IP address.
    Address(IpAddr),
    /// Port.
    Port(u16),
    /// Text.
    Text(Cow<'a, str>),
    /// Attributes of a service: names and values.
    Attributes(&'a ServiceAttributes),
    /// Details of a request: names and typed values.
    Details(&'a Details),
    /// Processes at one end.
    Process(&'a Owner),
}

/// Returns a text value.
pub(in crate::sink) fn text<'a>(text: impl Into<Cow<'a, str>>) -> ColumnValue<'a> {
    ColumnValue::Text(text.into())
}

/// Returns a value that can be absent.
pub(in crate::sink) fn optional<'a, T>(
    value: Option<T>,
    wrap: fn(T) -> ColumnValue<'a>,
) -> ColumnValue<'a> {
    value.map_or(ColumnValue::Absent, wrap)
}

/// Writes a value as text without escapes: times and durations in seconds with nine decimals,
/// details as JSON, and nothing for an absent or unknown value.
pub(in crate::sink) fn write_text(out: &mut Vec<u8>, value: &ColumnValue) {
    // Writing to a Vec cannot fail.
    let _ = match value {
        ColumnValue::Absent | ColumnValue::Unknown => Ok(()),
        ColumnValue::Count(count) => write!(out, "{count}"),
        ColumnValue::Time(time) if !time.is_present() => write_seconds(out, 0),
        ColumnValue::Time(time) => write_seconds(out, time.0),
        ColumnValue::Duration(span) => write_seconds(out, span.0),
        ColumnValue::Address(ip) => write!(out, "{ip}"),
        ColumnValue::Port(port) => write!(out, "{port}"),
        ColumnValue::Text(text) => out.write_all(text.as_bytes()),
        ColumnValue::Attributes(attributes) => write!(out, "{attributes}"),
        ColumnValue::Details(values) => {
            details(values).write(out);
            Ok(())
        }
        ColumnValue::Process(owner) => write!(out, "{owner}"),
    };
}

/// Writes nanoseconds as seconds: `0.000014000`.
fn write_seconds(out: &mut Vec<u8>, nanos: i64) -> std::io::Result<()> {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let (seconds, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    write!(out, "{sign}{seconds}.{nanos:09}")
}
