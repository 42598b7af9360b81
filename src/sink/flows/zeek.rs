//! Flows as Zeek's conn.log: tab-separated, with the header that zeek-cut and other tools read
//! (<https://docs.zeek.org/en/master/log-formats.html>).

use jiff::tz::TimeZone;

use super::COLUMNS;
use crate::flow::FlowRecord;
use crate::packet::Timestamp;
use crate::printable::is_printable;
use crate::sink::clock::Clock;
use crate::sink::rows::{Column, ColumnType, ColumnValue, RowFormatter, RowSink, write_text};
use crate::sink::{Format, SinkFactory, digits};

/// The entry of conn.log in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "zeek",
    extension: "log",
    about: "Zeek's conn.log",
    factory: SinkFactory::Flows(|writer, _| Box::new(RowSink::new(writer, ConnLog::default()))),
};

/// Formatter of flows as lines of conn.log.
#[derive(Default)]
struct ConnLog {
    /// Latest start time of a flow.
    latest_start: Option<Timestamp>,
}

fn conn_log_columns() -> impl Iterator<Item = &'static Column<FlowRecord>> {
    COLUMNS.iter().filter(|column| column.in_conn_log)
}

/// Returns Zeek's name for the type of a column.
fn zeek_type(column: &Column<FlowRecord>) -> &'static str {
    match column.kind {
        _ if column.name == "proto" => "enum",
        ColumnType::Count => "count",
        ColumnType::Time => "time",
        ColumnType::Duration => "interval",
        ColumnType::Address => "addr",
        ColumnType::Port => "port",
        ColumnType::Text | ColumnType::Attributes | ColumnType::Details | ColumnType::Process => {
            "string"
        }
    }
}

impl RowFormatter<FlowRecord> for ConnLog {
    fn write_head(&mut self, first: Option<&FlowRecord>, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n",
        );
        write_time_line(out, b"#open\t", first.map(|flow| flow.first_time));
        out.extend_from_slice(b"#fields");
        for column in conn_log_columns() {
            out.push(b'\t');
            out.extend_from_slice(column.name.as_bytes());
        }
        out.extend_from_slice(b"\n#types");
        for column in conn_log_columns() {
            out.push(b'\t');
            out.extend_from_slice(zeek_type(column).as_bytes());
        }
        out.push(b'\n');
    }

    fn write_row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        self.latest_start = self.latest_start.max(Some(flow.first_time));
        for (at, column) in conn_log_columns().enumerate() {
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

    fn write_tail(&mut self, out: &mut Vec<u8>) {
        write_time_line(out, b"#close\t", self.latest_start);
    }
}

/// Writes an `#open` or `#close` line. Zeek writes the current time; lcap writes packet times, so
/// that the output for a capture is always the same.
fn write_time_line(out: &mut Vec<u8>, key: &[u8], time: Option<Timestamp>) {
    let Some(time) = time else { return };
    let mut clock = Clock::new(TimeZone::UTC, "%Y-%m-%d-%H-%M-%S", false);
    out.extend_from_slice(key);
    clock.write_second(out, time);
    out.push(b'\n');
}

/// Writes a value, with unprintable characters and backslashes escaped as `\xNN`. Zeek writes
/// seconds with six decimals.
fn write_value(out: &mut Vec<u8>, value: &ColumnValue) {
    const DROPPED_DIGITS: usize = 3;
    let mut text = Vec::new();
    write_text(&mut text, value);
    match value {
        ColumnValue::Absent | ColumnValue::Unknown => text.push(b'-'),
        ColumnValue::Time(_) | ColumnValue::Duration(_) => {
            text.truncate(text.len() - DROPPED_DIGITS);
        }
        _ => {}
    }
    for character in String::from_utf8_lossy(&text).chars() {
        let mut octets = [0; 4];
        let octets = character.encode_utf8(&mut octets).as_bytes();
        if is_printable(character) && character != '\\' {
            out.extend_from_slice(octets);
            continue;
        }
        for &octet in octets {
            out.extend_from_slice(b"\\x");
            digits::hex(out, octet);
        }
    }
}
