//! Flows as comma-separated values with a head line (RFC 4180): every column; what a flow does not have is empty.

use super::{COLUMNS, Rows, Value, Writer, seconds, seconds_since_epoch};
use crate::flow::FlowRecord;
use crate::packet::Timestamp;
use crate::sink::{Format, Open, number};

/// CSV's row of the formats.
pub(in crate::sink) const FORMAT: Format = Format {
    name: "csv",
    extension: "csv",
    about: "comma-separated values, with a head line",
    open: Open::Flows(|writer, _| Box::new(Writer::new(writer, Records))),
};

struct Records;

/// How many bytes a record mostly has at most.
const RECORD: usize = 1 << 10;

impl Rows for Records {
    fn fresh(&self) -> Box<dyn Rows> {
        Box::new(Records)
    }

    fn before_number(&self) -> Option<&'static [u8]> {
        Some(b"")
    }

    fn begin(&mut self, _first: Option<Timestamp>, out: &mut Vec<u8>) {
        record(out, COLUMNS.len(), |at, field| {
            field.extend_from_slice(COLUMNS[at].name.as_bytes());
        });
    }

    fn row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        record(out, COLUMNS.len(), |at, field| {
            write(field, &(COLUMNS[at].value)(flow));
        });
    }
}

/// Writes a record of so many fields, each written by `write`.
fn record(out: &mut Vec<u8>, count: usize, write: impl Fn(usize, &mut Vec<u8>)) {
    // As large as a record mostly is: it is made anew for every record.
    let mut records = csv::WriterBuilder::new()
        .buffer_capacity(RECORD)
        .from_writer(out);
    let mut field = Vec::new();
    for at in 0..count {
        field.clear();
        write(at, &mut field);
        // Writing to a Vec cannot fail.
        let _ = records.write_field(&field);
    }
    let _ = records.write_record(None::<&[u8]>);
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Absent => {}
        Value::Count(count) => number::decimal64(out, *count),
        Value::Time(time) => seconds_since_epoch(out, *time),
        Value::Span(span) => seconds(out, *span),
        Value::Address(ip) => out.extend_from_slice(ip.to_string().as_bytes()),
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Owned(text) => out.extend_from_slice(text.as_bytes()),
        Value::Shown(text) => out.extend_from_slice(text.to_string().as_bytes()),
        Value::Facts(facts) => out.extend_from_slice(facts.to_string().as_bytes()),
        Value::Owner(owner) => out.extend_from_slice(owner.to_string().as_bytes()),
    }
}
