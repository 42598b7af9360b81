//! Flows as JSON, one object a line (RFC 8259, <https://jsonlines.org>): every column that the flow has.

use std::net::IpAddr;

use super::{COLUMNS, Rows, Value, Writer, seconds, seconds_since_epoch};
use crate::flow::FlowRecord;
use crate::sink::json::quoted;
use crate::sink::{Format, Open, address, number};

/// JSON's row of the formats.
pub(in crate::sink) const FORMAT: Format = Format {
    name: "json",
    extension: "json",
    about: "one JSON object a line",
    open: Open::Flows(|writer, _| Box::new(Writer::new(writer, Objects))),
};

struct Objects;

impl Rows for Objects {
    fn row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        let mut separator = b'{';
        for column in COLUMNS {
            let value = (column.value)(flow);
            if value == Value::Absent {
                continue;
            }
            out.push(separator);
            separator = b',';
            quoted(out, column.name);
            out.push(b':');
            write(out, &value);
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
            match ip {
                IpAddr::V4(ip) => address::ip4(out, ip.octets()),
                IpAddr::V6(ip) => address::ip6(out, ip.octets()),
            }
            out.push(b'"');
        }
        Value::Word(word) => quoted(out, word),
        Value::Text(text) => quoted(out, text),
        Value::Owned(text) => quoted(out, text),
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
    }
}
