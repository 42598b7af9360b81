//! Flows as Zeek writes its conn.log: tab-separated, with a head that zeek-cut and others read
//! (<https://docs.zeek.org/en/master/log-formats.html>).

use jiff::tz::TimeZone;

use super::{COLUMNS, Column, Rows, Tally, Value, Writer, seconds};
use crate::flow::FlowRecord;
use crate::packet::{Span, Timestamp};
use crate::sink::{Format, Open, number};

/// conn.log's row of the formats.
pub(in crate::sink) const FORMAT: Format = Format {
    name: "zeek",
    extension: "log",
    about: "Zeek's conn.log",
    open: Open::Flows(|writer, _| Box::new(Writer::new(writer, ConnLog))),
};

struct ConnLog;

fn fields() -> impl Iterator<Item = (&'static Column, &'static str)> {
    COLUMNS
        .iter()
        .filter_map(|column| column.zeek.map(|kind| (column, kind)))
}

impl Rows for ConnLog {
    fn fresh(&self) -> Box<dyn Rows> {
        Box::new(ConnLog)
    }

    fn begin(&mut self, first: Option<Timestamp>, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n",
        );
        stamp(out, b"#open\t", first);
        out.extend_from_slice(b"#fields");
        for (column, _) in fields() {
            out.push(b'\t');
            out.extend_from_slice(column.name.as_bytes());
        }
        out.extend_from_slice(b"\n#types");
        for (_, kind) in fields() {
            out.push(b'\t');
            out.extend_from_slice(kind.as_bytes());
        }
        out.push(b'\n');
    }

    fn row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        for (at, (column, _)) in fields().enumerate() {
            if at > 0 {
                out.push(b'\t');
            }
            // Zeek does not say how long a single packet took, nor what it carried.
            let is_of_duration = ["duration", "orig_bytes", "resp_bytes"].contains(&column.name);
            let value = match is_of_duration && flow.duration.0 <= 0 {
                true => Value::Absent,
                false => (column.value)(flow),
            };
            write(out, &value);
        }
        out.push(b'\n');
    }

    fn end(&mut self, tally: &Tally, out: &mut Vec<u8>) {
        stamp(out, b"#close\t", tally.latest);
    }
}

/// Zeek says here when it wrote; what is read again is to be the same again, so these are the packets' times.
fn stamp(out: &mut Vec<u8>, what: &[u8], time: Option<Timestamp>) {
    let Some(time) = time else { return };
    let second = jiff::Timestamp::from_second(time.seconds());
    let second = second.unwrap_or_default().to_zoned(TimeZone::UTC);
    out.extend_from_slice(what);
    out.extend_from_slice(second.strftime("%Y-%m-%d-%H-%M-%S").to_string().as_bytes());
    out.push(b'\n');
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Absent => out.push(b'-'),
        Value::Count(count) => number::decimal64(out, *count),
        Value::Time(time) => micros(out, Span(if time.is_known() { time.0 } else { 0 })),
        Value::Span(span) => micros(out, *span),
        Value::Address(ip) => out.extend_from_slice(ip.to_string().as_bytes()),
        Value::Text(words) => text(out, words),
        Value::Owned(words) => text(out, words),
        Value::Shown(words) => text(out, &words.to_string()),
        Value::Facts(facts) => text(out, &facts.to_string()),
        Value::Owner(owner) => text(out, &owner.to_string()),
    }
}

/// Zeek has microseconds.
fn micros(out: &mut Vec<u8>, span: Span) {
    const MORE_DIGITS: usize = 3;
    seconds(out, span);
    out.truncate(out.len() - MORE_DIGITS);
}

/// Tabs, line ends and backslashes are escaped as `\xNN`.
fn text(out: &mut Vec<u8>, text: &str) {
    for &octet in text.as_bytes() {
        if octet < b' ' || octet == b'\\' || octet == 0x7f {
            out.extend_from_slice(b"\\x");
            number::hex8(out, octet);
        } else {
            out.push(octet);
        }
    }
}
