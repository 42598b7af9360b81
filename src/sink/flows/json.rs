//! Flows as JSON, one object a line (RFC 8259, <https://jsonlines.org>): every column that the flow has.

use super::{COLUMNS, Column, Rows, Value, Writer, seconds, seconds_since_epoch};
use crate::flow::FlowRecord;
use crate::sink::json::{process, quoted};
use crate::sink::{Format, Open, address, number};

/// JSON's row of the formats.
pub(in crate::sink) const FORMAT: Format = Format {
    name: "json",
    extension: "json",
    about: "one JSON object a line",
    open: Open::Flows(|writer, _| Box::new(Writer::new(writer, Objects::new()))),
};

/// Writes objects; holds every column's `,"name":`.
struct Objects {
    names: Vec<Vec<u8>>,
}

impl Objects {
    fn new() -> Objects {
        let name = |column: &Column| {
            let mut name = vec![b','];
            quoted(&mut name, column.name);
            name.push(b':');
            name
        };
        Objects {
            names: COLUMNS.iter().map(name).collect(),
        }
    }
}

impl Rows for Objects {
    fn fresh(&self) -> Box<dyn Rows> {
        Box::new(Objects::new())
    }

    fn before_number(&self) -> Option<&'static [u8]> {
        Some(b"{\"number\":")
    }

    fn row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        let start = out.len();
        for (column, name) in COLUMNS.iter().zip(&self.names) {
            let value = (column.value)(flow);
            if !matches!(value, Value::Absent) {
                out.extend_from_slice(name);
                write(out, &value);
            }
        }
        // The first column is always there.
        if let Some(first) = out.get_mut(start) {
            *first = b'{';
        }
        out.extend_from_slice(b"}\n");
    }
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Absent => out.extend_from_slice(b"null"),
        Value::Count(count) => number::decimal64(out, *count),
        Value::Time(time) => seconds_since_epoch(out, *time),
        Value::Span(span) => seconds(out, *span),
        Value::Address(ip) => {
            out.push(b'"');
            address::ip(out, *ip);
            out.push(b'"');
        }
        Value::Text(text) => quoted(out, text),
        Value::Owned(text) => quoted(out, text),
        Value::Shown(text) => quoted(out, &text.to_string()),
        Value::Facts(facts) => {
            out.push(b'{');
            for (at, (name, value)) in facts.iter().enumerate() {
                out.extend_from_slice(if at == 0 { b"" } else { b"," });
                quoted(out, name);
                out.push(b':');
                quoted(out, value);
            }
            out.push(b'}');
        }
        Value::Owner(owner) => process(out, owner),
    }
}
