//! Flows as comma-separated values with a header line (RFC 4180): all columns; values that do not
//! apply to a flow are empty.

use super::{COLUMNS, ColumnValue, RowFormatter, RowSink, write_epoch_seconds, write_seconds};
use crate::flow::FlowRecord;
use crate::sink::{Format, SinkFactory, digits};

/// The entry of CSV in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "csv",
    extension: "csv",
    about: "comma-separated values, with a header line",
    factory: SinkFactory::Flows(|writer, _| Box::new(RowSink::new(writer, CsvRows))),
};

struct CsvRows;

/// Buffer size in bytes, enough for most records.
const RECORD_CAPACITY: usize = 1 << 10;

impl RowFormatter for CsvRows {
    fn write_head(&mut self, _first: Option<&FlowRecord>, out: &mut Vec<u8>) {
        write_csv_record(out, COLUMNS.len(), |at, field| {
            field.extend_from_slice(COLUMNS[at].name.as_bytes());
        });
    }

    fn write_row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        write_csv_record(out, COLUMNS.len(), |at, field| {
            write_value(field, &(COLUMNS[at].value)(flow));
        });
    }
}

/// Writes a record of `count` fields; `write` appends the field at an index.
fn write_csv_record(out: &mut Vec<u8>, count: usize, write: impl Fn(usize, &mut Vec<u8>)) {
    // A small buffer, because it is allocated for each record.
    let mut records = csv::WriterBuilder::new()
        .buffer_capacity(RECORD_CAPACITY)
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

fn write_value(out: &mut Vec<u8>, value: &ColumnValue) {
    match value {
        ColumnValue::Absent => {}
        ColumnValue::Count(count) => digits::decimal(out, *count),
        ColumnValue::Time(time) => write_epoch_seconds(out, *time),
        ColumnValue::Span(span) => write_seconds(out, *span),
        ColumnValue::Address(ip) => out.extend_from_slice(ip.to_string().as_bytes()),
        ColumnValue::Text(text) => out.extend_from_slice(text.as_bytes()),
        ColumnValue::OwnedText(text) => out.extend_from_slice(text.as_bytes()),
        ColumnValue::Displayed(text) => out.extend_from_slice(text.to_string().as_bytes()),
        ColumnValue::Attributes(attributes) => {
            out.extend_from_slice(attributes.to_string().as_bytes());
        }
        ColumnValue::Owner(owner) => out.extend_from_slice(owner.to_string().as_bytes()),
    }
}
