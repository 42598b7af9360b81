//! Rows of `lcap flows`: the same values in every format, the order of `--sort`, and the conditions
//! of `--fail-on`.

use crate::command::{fixture_names, fixture_path, run_with_stdin};
use crate::craft::{ByteOrder, CaptureBuilder, read_all};
use crate::formats_page::documented_fields;
use lcap::internals::sink::flows::COLUMNS;
use lcap::internals::sink::rows::{ColumnType, ColumnValue};
use lcap::internals::source::file;
use lcap::{FlowRecord, FlowRequests};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Returns one capture with the first `packets_per_file` packets of all fixtures, in time order.
/// Damaged fixtures are omitted, and so are gzip files, because they duplicate others.
fn merged_fixtures(packets_per_file: usize) -> Vec<u8> {
    let mut capture = CaptureBuilder::pcapng(ByteOrder::Little);
    let (mut frames, mut interface) = (Vec::new(), 0);
    for name in fixture_names() {
        if name.starts_with("damaged") || name.ends_with(".gz") {
            continue;
        }
        let contents = read_all(file::open(fixture_path(&name).as_ref()));
        // if_tsresol: nanoseconds.
        capture.interface(contents.frames[0].link.0 as u16, 0, &[(9, &[9])]);
        let first = contents.frames.into_iter().take(packets_per_file);
        frames.extend(first.map(|frame| (frame.nanos, interface, frame)));
        interface += 1;
    }
    frames.sort_by_key(|&(nanos, ..)| nanos);
    for (nanos, interface, frame) in frames {
        capture.enhanced_packet(interface, nanos as u64, frame.wire_len, &frame.bytes, &[]);
    }
    capture.bytes
}

fn parse_json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Returns the number in a field, 0 if the field is absent.
fn number_field(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or_default()
}

fn sum_of_sides(row: &Value, name: &str) -> f64 {
    number_field(row, &format!("orig_{name}")) + number_field(row, &format!("resp_{name}"))
}

#[test]
fn sort_orders_match_the_json_fields() {
    type RowKey = fn(&Value) -> f64;
    let input = merged_fixtures(usize::MAX);
    let flows = |options: &[&str]| {
        let read = ["flows", "-r", "-", "--format", "json"];
        let output = run_with_stdin(&input, read.iter().chain(options));
        assert_eq!((output.exit_code, &output.stderr[..]), (0, ""));
        parse_json_lines(&output.stdout_text())
    };
    let number_of = |row: &Value| row["number"].as_u64().unwrap();
    let unsorted = flows(&[]);
    assert!(unsorted.len() > 20, "{}", unsorted.len());
    let keys: [(&str, RowKey); 6] = [
        ("bytes", |row| sum_of_sides(row, "bytes")),
        ("packets", |row| sum_of_sides(row, "pkts")),
        ("duration", |row| number_field(row, "duration")),
        ("response", |row| number_field(row, "response_time_max")),
        ("retransmissions", |row| sum_of_sides(row, "retrans_pkts")),
        ("start", |row| -number_field(row, "ts")),
    ];
    for (name, key) in keys {
        let mut expected = unsorted.clone();
        expected.sort_by_key(number_of);
        // The sort is stable: rows with equal keys stay in order of their numbers.
        expected.sort_by(|a, b| key(b).total_cmp(&key(a)));
        assert_eq!(flows(&["--sort", name]), expected, "{name}");
        let top = flows(&["--sort", name, "--top", "3"]);
        assert_eq!(top, expected[..3], "{name}");
        if name == "bytes" {
            assert_eq!(flows(&["--top", "5"]), expected[..5]);
        }
    }
}

#[test]
fn fail_on_conditions_match_the_json_fields() {
    type Predicate = fn(&Value) -> bool;
    let directory = tempfile::tempdir().unwrap();
    let rows_path = directory.path().join("rows");
    let flows = [
        "flows",
        "-r",
        "-",
        "--format",
        "json",
        "-o",
        rows_path.to_str().unwrap(),
    ];
    let conditions: [(&str, Predicate); 9] = [
        ("refused", |row| outcome(row).starts_with("refused: ")),
        ("no-answer", |row| {
            outcome(row).ends_with("no answer") || outcome(row) == "closed without an answer"
        }),
        ("reset", |row| outcome(row).starts_with("reset by ")),
        ("half-open", |row| outcome(row) == "half open"),
        ("half-closed", |row| outcome(row).ends_with(" only")),
        ("unclosed", |row| outcome(row) == "still open"),
        ("retransmission", |row| {
            sum_of_sides(row, "retrans_pkts") > 0.0
        }),
        ("zero-window", |row| sum_of_sides(row, "zero_windows") > 0.0),
        ("gap", |row| number_field(row, "missed_bytes") > 0.0),
    ];
    let mut met = BTreeSet::new();
    // With fewer packets per file, more flows are incomplete.
    for packets_per_file in [2, 8, usize::MAX] {
        let input = merged_fixtures(packets_per_file);
        for (name, predicate) in conditions {
            let output = run_with_stdin(&input, flows.into_iter().chain(["--fail-on", name]));
            let rows = parse_json_lines(&fs::read_to_string(&rows_path).unwrap());
            let violating = rows.iter().filter(|row| predicate(row));
            let expected: Vec<String> = violating
                .map(|row| format!("{name}: flow {}", row["number"]))
                .collect();
            let lines = output.stderr.lines().filter(|line| line.starts_with(name));
            let mut reported: Vec<String> = lines
                .map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(": "))
                .collect();
            // Flows are reported in the order in which they end.
            reported.sort_by_key(|line| expected.iter().position(|row| row == line));
            assert_eq!(reported, expected, "{name}");
            let count = format!(
                "--fail-on: {} of {} flows failed\n",
                expected.len(),
                rows.len()
            );
            assert_eq!(output.stderr.contains(&count), !expected.is_empty());
            let exit_code = if expected.is_empty() { 0 } else { 3 };
            assert_eq!(output.exit_code, exit_code, "{name}");
            met.extend((!expected.is_empty()).then_some(name));
        }
    }
    // Each condition except `gap` is met by at least one fixture.
    assert_eq!(met.len(), conditions.len() - 1, "{met:?}");
}

fn outcome(row: &Value) -> &str {
    row["outcome"].as_str().unwrap()
}

#[test]
fn all_formats_contain_the_same_values() {
    let input = merged_fixtures(usize::MAX);
    let flows = |format| {
        let output = run_with_stdin(&input, ["flows", "-r", "-", "--format", format]);
        assert_eq!((output.exit_code, &output.stderr[..]), (0, ""), "{format}");
        output.stdout_text()
    };
    let (json, csv, zeek) = (flows("json"), flows("csv"), flows("zeek"));
    let rows = parse_json_lines(&json);
    let columns: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    for row in &rows {
        let names = row.as_object().unwrap().keys();
        let unknown = names.into_iter().find(|name| !columns.contains(&&name[..]));
        assert_eq!(unknown, None);
    }
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap(), columns);
    // The reader fails if a record has more or fewer fields than the header.
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), rows.len());
    for (record, row) in records.iter().zip(&rows) {
        for (field, name) in record.iter().zip(&columns) {
            assert!(
                is_same_value(field, "", &row[name]),
                "{name}: {field:?} {}",
                row[name]
            );
        }
    }
    assert_conn_log(&zeek, &rows);
}

/// Asserts that a conn.log has a valid header and the values of these JSON rows.
fn assert_conn_log(zeek: &str, rows: &[Value]) {
    let lines: Vec<Vec<&str>> = zeek
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let line = |name: &str| lines.iter().find(|line| line[0] == name).unwrap();
    assert_eq!(lines[0], ["#separator \\x09"]);
    assert_eq!(line("#set_separator")[1], ",");
    assert_eq!(line("#path")[1], "conn");
    let unset = line("#unset_field")[1];
    let (fields, types) = (line("#fields"), line("#types"));
    assert_eq!(fields.len(), types.len());
    assert_eq!(lines.last().unwrap()[0], "#close");
    let logged: Vec<_> = lines
        .iter()
        .filter(|line| !line[0].starts_with('#'))
        .collect();
    assert_eq!(logged.len(), rows.len());
    for (line, row) in logged.into_iter().zip(rows) {
        assert_eq!(line.len() + 1, fields.len());
        for ((value, name), zeek_type) in line.iter().zip(&fields[1..]).zip(&types[1..]) {
            let expected = match *name {
                // Zeek leaves these unset for a flow of a single packet.
                "duration" | "orig_bytes" | "resp_bytes"
                    if number_field(row, "duration") == 0.0 =>
                {
                    &Value::Null
                }
                name => &row[name],
            };
            let is_same = match *zeek_type {
                // Times in a Zeek log have microsecond resolution.
                "time" | "interval" if !expected.is_null() => {
                    (value.parse::<f64>().unwrap() - expected.as_f64().unwrap()).abs() < 2e-6
                }
                _ => is_same_value(value, unset, expected),
            };
            assert!(is_same, "{name}: {value} {expected}");
        }
    }
}

/// Returns true if a CSV or Zeek field has the value of the JSON field.
fn is_same_value(field: &str, unset: &str, json: &Value) -> bool {
    match json {
        Value::Null => field == unset,
        Value::String(text) => field == text,
        // f64 cannot represent all decimals of a time exactly.
        Value::Number(number) => {
            let difference = field.parse::<f64>().unwrap() - number.as_f64().unwrap();
            difference.abs() < 1e-6
        }
        Value::Object(attributes) => attributes
            .values()
            .all(|value| field.contains(value.as_str().unwrap())),
        _ => false,
    }
}

#[test]
fn values_have_the_types_of_their_columns() {
    let mut found = BTreeSet::new();
    for name in fixture_names() {
        let Ok(capture) = lcap::open(fixture_path(&name)) else {
            continue;
        };
        // The flows before a fault in the file are also checked.
        let _ = capture.each_flow(|flow| {
            // As with `--requests`.
            let flow = FlowRecord {
                requests: Some(Box::new(FlowRequests {
                    count: 2,
                    errors: 1,
                    worst_status: Some("404".into()),
                })),
                ..flow.clone()
            };
            for column in COLUMNS {
                if let Some(kind) = value_type(&(column.value)(&flow)) {
                    assert_eq!(kind, column.kind, "{name}: {}", column.name);
                    found.insert(column.name);
                }
            }
        });
    }
    // The fixtures have a value in every column except those of a live capture.
    for column in COLUMNS {
        assert!(found.contains(column.name), "{}", column.name);
    }
}

/// Returns the type of a value; `None` for an absent or unknown value.
fn value_type(value: &ColumnValue) -> Option<ColumnType> {
    Some(match value {
        ColumnValue::Absent | ColumnValue::Unknown => return None,
        ColumnValue::Count(_) => ColumnType::Count,
        ColumnValue::Time(_) => ColumnType::Time,
        ColumnValue::Duration(_) => ColumnType::Duration,
        ColumnValue::Address(_) => ColumnType::Address,
        ColumnValue::Port(_) => ColumnType::Port,
        ColumnValue::Text(_) => ColumnType::Text,
        ColumnValue::Attributes(_) => ColumnType::Attributes,
        ColumnValue::Details(_) => ColumnType::Details,
        ColumnValue::Process(_) => ColumnType::Process,
    })
}

#[test]
fn every_field_is_documented() {
    let mut documented = documented_fields("Flow fields in JSON and CSV");
    let mut columns: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    documented.sort_unstable();
    columns.sort_unstable();
    assert_eq!(documented, columns);
}

#[test]
fn flow_start_times_are_packet_times() {
    let input = merged_fixtures(usize::MAX);
    let read = |args: &[&str]| {
        let output = run_with_stdin(
            &input,
            args.iter().copied().chain(["-r", "-", "--format", "json"]),
        );
        assert_eq!(output.exit_code, 0, "{}", output.stderr);
        output.stdout_text()
    };
    // Fragments are omitted: a fragmented datagram is complete at the time of its last fragment.
    let mut first = BTreeMap::new();
    for packet in parse_json_lines(&read(&["not (ip[6:2] & 0x3fff != 0 or ip6 proto 44)"])) {
        let end = |side: &str| format!("{} {}", packet[side], packet[format!("{side}_port")]);
        let mut ends = [end("src"), end("dst")];
        ends.sort();
        let protocol = packet["ip_proto"].to_string();
        let time = packet["time_ns"].as_i64().unwrap();
        first.entry((ends, protocol)).or_insert(time);
    }
    let (mut compared, rows) = (0, read(&["flows"]));
    for line in rows.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let end = |side: &str| {
            format!(
                "{} {}",
                row[format!("id.{side}_h")],
                row[format!("id.{side}_p")]
            )
        };
        let mut ends = [end("orig"), end("resp")];
        ends.sort();
        let Some(nanos) = first.get(&(ends, row["ip_proto"].to_string())) else {
            continue;
        };
        // Compared as text, because the number has more digits than f64 can represent.
        let ts = format!(
            ",\"ts\":{}.{:09},",
            nanos / 1_000_000_000,
            nanos % 1_000_000_000
        );
        assert!(line.contains(&ts), "{ts} {line}");
        compared += 1;
    }
    assert!(compared > 15, "{compared} of {}", rows.lines().count());
}
