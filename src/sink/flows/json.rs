//! Flows as JSON Lines: one object per line with all columns that apply to the flow (RFC 8259,
//! <https://jsonlines.org>).

use super::{COLUMNS, ColumnValue, RowFormatter, RowSink, write_text};
use crate::flow::FlowRecord;
use crate::sink::json::{JsonValue, object, owner, plain_string};
use crate::sink::{Format, SinkFactory, address};

/// The entry of flow JSON in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "json",
    extension: "json",
    about: "one JSON object per line",
    factory: SinkFactory::Flows(|writer, _| Box::new(RowSink::new(writer, JsonRows))),
};

/// Formatter of flows as JSON objects.
struct JsonRows;

impl RowFormatter for JsonRows {
    fn write_row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        let row = object(|fields| {
            for column in COLUMNS {
                let value = (column.value)(flow);
                if !matches!(value, ColumnValue::Absent) {
                    fields.field(column.name, value);
                }
            }
        });
        row.write(out);
        out.push(b'\n');
    }
}

impl JsonValue for ColumnValue<'_> {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            ColumnValue::Absent | ColumnValue::Unknown => out.extend_from_slice(b"null"),
            ColumnValue::Count(count) => count.write(out),
            ColumnValue::Address(ip) => plain_string(|out| address::write_ip(out, ip)).write(out),
            ColumnValue::Text(text) => (&*text).write(out),
            ColumnValue::Attributes(attributes) => {
                let attributes = object(|fields| {
                    for (name, value) in attributes.iter() {
                        fields.field(name, value);
                    }
                });
                attributes.write(out);
            }
            ColumnValue::Process(end) => owner(end).write(out),
            number => write_text(out, &number),
        }
    }
}
