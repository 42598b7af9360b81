//! Flows as JSON Lines: one object per line with all columns that apply to the flow (RFC 8259,
//! <https://jsonlines.org>).

use super::{
    COLUMNS, ColumnValue, FlowColumn, RowFormatter, RowSink, write_epoch_seconds, write_seconds,
};
use crate::flow::FlowRecord;
use crate::sink::json::{write_owner, write_quoted};
use crate::sink::{Format, SinkFactory, address, number};

/// The entry of flow JSON in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "json",
    extension: "json",
    about: "one JSON object per line",
    factory: SinkFactory::Flows(|writer, _| Box::new(RowSink::new(writer, JsonRows::new()))),
};

/// Formatter of flows as JSON objects.
struct JsonRows {
    /// `,"name":` of each column.
    names: Vec<Vec<u8>>,
}

impl JsonRows {
    fn new() -> JsonRows {
        let name = |column: &FlowColumn| {
            let mut name = vec![b','];
            write_quoted(&mut name, column.name);
            name.push(b':');
            name
        };
        JsonRows {
            names: COLUMNS.iter().map(name).collect(),
        }
    }
}

impl RowFormatter for JsonRows {
    fn write_row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        let start = out.len();
        for (column, name) in COLUMNS.iter().zip(&self.names) {
            let value = (column.value)(flow);
            if !matches!(value, ColumnValue::Absent) {
                out.extend_from_slice(name);
                write_value(out, &value);
            }
        }
        // The first column, `number`, is always present; its comma becomes the opening brace.
        if let Some(first) = out.get_mut(start) {
            *first = b'{';
        }
        out.extend_from_slice(b"}\n");
    }
}

fn write_value(out: &mut Vec<u8>, value: &ColumnValue) {
    match value {
        ColumnValue::Absent => out.extend_from_slice(b"null"),
        ColumnValue::Count(count) => number::decimal64(out, *count),
        ColumnValue::Time(time) => write_epoch_seconds(out, *time),
        ColumnValue::Span(span) => write_seconds(out, *span),
        ColumnValue::Address(ip) => {
            out.push(b'"');
            address::write_ip(out, *ip);
            out.push(b'"');
        }
        ColumnValue::Text(text) => write_quoted(out, text),
        ColumnValue::OwnedText(text) => write_quoted(out, text),
        ColumnValue::Displayed(text) => write_quoted(out, &text.to_string()),
        ColumnValue::Attributes(attributes) => {
            out.push(b'{');
            for (at, (name, value)) in attributes.iter().enumerate() {
                out.extend_from_slice(if at == 0 { b"" } else { b"," });
                write_quoted(out, name);
                out.push(b':');
                write_quoted(out, value);
            }
            out.push(b'}');
        }
        ColumnValue::Owner(owner) => write_owner(out, owner),
    }
}
