//! Flows as Zeek's conn.log: tab-separated, with the header that zeek-cut and other tools read
//! (<https://docs.zeek.org/en/master/log-formats.html>).

use jiff::tz::TimeZone;

use super::{COLUMNS, ColumnValue, FlowColumn, RowFormatter, RowSink, VerdictTally, write_seconds};
use crate::flow::FlowRecord;
use crate::packet::{TimeDelta, Timestamp};
use crate::sink::{Format, SinkFactory, digits};

/// The entry of conn.log in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "zeek",
    extension: "log",
    about: "Zeek's conn.log",
    factory: SinkFactory::Flows(|writer, _| Box::new(RowSink::new(writer, ConnLog))),
};

struct ConnLog;

/// Returns the columns of conn.log with their Zeek types.
fn zeek_columns() -> impl Iterator<Item = (&'static FlowColumn, &'static str)> {
    COLUMNS
        .iter()
        .filter_map(|column| column.zeek_type.map(|kind| (column, kind)))
}

impl RowFormatter for ConnLog {
    fn write_head(&mut self, first: Option<&FlowRecord>, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n",
        );
        write_time_line(out, b"#open\t", first.map(|flow| flow.first_time));
        out.extend_from_slice(b"#fields");
        for (column, _) in zeek_columns() {
            out.push(b'\t');
            out.extend_from_slice(column.name.as_bytes());
        }
        out.extend_from_slice(b"\n#types");
        for (_, kind) in zeek_columns() {
            out.push(b'\t');
            out.extend_from_slice(kind.as_bytes());
        }
        out.push(b'\n');
    }

    fn write_row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        for (at, (column, _)) in zeek_columns().enumerate() {
            if at > 0 {
                out.push(b'\t');
            }
            // Zeek leaves these three fields unset if the duration is zero, e.g. for one packet.
            let depends_on_duration =
                ["duration", "orig_bytes", "resp_bytes"].contains(&column.name);
            let value = match depends_on_duration && flow.duration.0 <= 0 {
                true => ColumnValue::Absent,
                false => (column.value)(flow),
            };
            write_value(out, &value);
        }
        out.push(b'\n');
    }

    fn write_tail(&mut self, tally: &VerdictTally, out: &mut Vec<u8>) {
        write_time_line(out, b"#close\t", tally.latest_start);
    }
}

/// Writes an `#open` or `#close` line. Zeek writes the current time; lcap writes packet times, so
/// that the output for a capture is always the same.
fn write_time_line(out: &mut Vec<u8>, key: &[u8], time: Option<Timestamp>) {
    let Some(time) = time else { return };
    let second = jiff::Timestamp::from_second(time.seconds());
    let second = second.unwrap_or_default().to_zoned(TimeZone::UTC);
    out.extend_from_slice(key);
    out.extend_from_slice(second.strftime("%Y-%m-%d-%H-%M-%S").to_string().as_bytes());
    out.push(b'\n');
}

fn write_value(out: &mut Vec<u8>, value: &ColumnValue) {
    match value {
        ColumnValue::Absent => out.push(b'-'),
        ColumnValue::Count(count) => digits::decimal(out, *count),
        ColumnValue::Time(time) => {
            write_micros(out, TimeDelta(if time.is_present() { time.0 } else { 0 }));
        }
        ColumnValue::Span(span) => write_micros(out, *span),
        ColumnValue::Address(ip) => out.extend_from_slice(ip.to_string().as_bytes()),
        ColumnValue::Text(text) => write_escaped(out, text),
        ColumnValue::OwnedText(text) => write_escaped(out, text),
        ColumnValue::Displayed(text) => write_escaped(out, &text.to_string()),
        ColumnValue::Attributes(attributes) => write_escaped(out, &attributes.to_string()),
        ColumnValue::Owner(owner) => write_escaped(out, &owner.to_string()),
    }
}

/// Writes seconds with six decimals, as Zeek does.
fn write_micros(out: &mut Vec<u8>, span: TimeDelta) {
    const DROPPED_DIGITS: usize = 3;
    write_seconds(out, span);
    out.truncate(out.len() - DROPPED_DIGITS);
}

/// Writes text with control characters and backslashes escaped as `\xNN`.
fn write_escaped(out: &mut Vec<u8>, text: &str) {
    for &octet in text.as_bytes() {
        if octet < b' ' || octet == b'\\' || octet == 0x7f {
            out.extend_from_slice(b"\\x");
            digits::hex(out, octet);
        } else {
            out.push(octet);
        }
    }
}
