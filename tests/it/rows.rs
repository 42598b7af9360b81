//! The rows of `lcap flows`: the same in every format, in the order that was asked for, and guilty of what `--fail-on` names.

use crate::command::{ROOT, fixture, fixtures, pipe};
use crate::craft::{Craft, Order, drain};
use lcap::sink::flows::COLUMNS;
use lcap::source::file;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The first packets of all captures in one, in the order of time; captures of the same packets are there once.
fn merged(most: usize) -> Vec<u8> {
    let mut made = Craft::pcapng(Order::Little);
    let (mut frames, mut interface) = (Vec::new(), 0);
    for name in fixtures() {
        if name.starts_with("damaged") || name.ends_with(".gz") {
            continue;
        }
        let whole = drain(file::open(fixture(&name).as_ref()));
        // if_tsresol: nanoseconds.
        made.interface(whole.frames[0].link.0 as u16, 0, &[(9, &[9])]);
        let first = whole.frames.into_iter().take(most);
        frames.extend(first.map(|frame| (frame.nanos, interface, frame)));
        interface += 1;
    }
    frames.sort_by_key(|&(nanos, ..)| nanos);
    for (nanos, interface, frame) in frames {
        made.enhanced(interface, nanos as u64, frame.wire_len, &frame.bytes, &[]);
    }
    made.bytes
}

fn objects(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A field's number; 0 where there is none.
fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or_default()
}

fn sum(row: &Value, name: &str) -> f64 {
    number(row, &format!("orig_{name}")) + number(row, &format!("resp_{name}"))
}

#[test]
fn orders_are_what_they_say() {
    type Key = fn(&Value) -> f64;
    let input = merged(usize::MAX);
    let flows = |options: &[&str]| {
        let read = ["flows", "-r", "-", "--format", "json"];
        let ran = pipe(&input, read.iter().chain(options));
        assert_eq!((ran.code, &ran.errors[..]), (0, ""));
        objects(&ran.text())
    };
    let number_of = |row: &Value| row["number"].as_u64().unwrap();
    let unsorted = flows(&[]);
    assert!(unsorted.len() > 20, "{}", unsorted.len());
    let keys: [(&str, Key); 6] = [
        ("bytes", |row| sum(row, "bytes")),
        ("packets", |row| sum(row, "pkts")),
        ("duration", |row| number(row, "duration")),
        ("response", |row| number(row, "response_time")),
        ("retransmissions", |row| sum(row, "retrans_pkts")),
        ("start", |row| -number(row, "ts")),
    ];
    for (name, key) in keys {
        let mut expected = unsorted.clone();
        expected.sort_by_key(number_of);
        // Stable: equals stay in the order of their numbers.
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
fn conditions_are_what_they_say() {
    type Holds = fn(&Value) -> bool;
    let directory = tempfile::tempdir().unwrap();
    let rows = directory.path().join("rows");
    let flows = [
        "flows",
        "-r",
        "-",
        "--format",
        "json",
        "-o",
        rows.to_str().unwrap(),
    ];
    let conditions: [(&str, Holds); 9] = [
        ("refused", |row| said(row).starts_with("refused: ")),
        ("no-answer", |row| said(row) == "no answer"),
        ("reset", |row| said(row).starts_with("reset by ")),
        ("half-open", |row| said(row) == "half open"),
        ("half-closed", |row| said(row).ends_with(" only")),
        ("unclosed", |row| said(row) == "still open"),
        ("retransmission", |row| sum(row, "retrans_pkts") > 0.0),
        ("zero-window", |row| sum(row, "zero_windows") > 0.0),
        ("gap", |row| number(row, "missed_bytes") > 0.0),
    ];
    let mut held = BTreeSet::new();
    // What has not ended yet in one is over in the next.
    for most in [2, 8, usize::MAX] {
        let input = merged(most);
        for (name, holds) in conditions {
            let ran = pipe(&input, flows.into_iter().chain(["--fail-on", name]));
            let all = objects(&fs::read_to_string(&rows).unwrap());
            let guilty = all.iter().filter(|row| holds(row));
            let expected: Vec<String> = guilty
                .map(|row| format!("{name}: flow {}", row["number"]))
                .collect();
            let told = ran.errors.lines().filter(|line| line.starts_with(name));
            let mut told: Vec<String> = told
                .map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(": "))
                .collect();
            // Flows are told as they end.
            told.sort_by_key(|line| expected.iter().position(|row| row == line));
            assert_eq!(told, expected, "{name}");
            let count = format!(" holds for {} of {} flows\n", expected.len(), all.len());
            assert_eq!(ran.errors.contains(&count), !expected.is_empty());
            assert_eq!(ran.code, i32::from(!expected.is_empty()), "{name}");
            held.extend((!expected.is_empty()).then_some(name));
        }
    }
    // Nothing is missing there.
    assert_eq!(held.len(), conditions.len() - 1, "{held:?}");
}

fn said(row: &Value) -> &str {
    row["outcome"].as_str().unwrap()
}

#[test]
fn formats_hold_the_same() {
    let input = merged(usize::MAX);
    let flows = |format| {
        let ran = pipe(&input, ["flows", "-r", "-", "--format", format]);
        assert_eq!((ran.code, &ran.errors[..]), (0, ""), "{format}");
        ran.text()
    };
    let (json, csv, zeek) = (flows("json"), flows("csv"), flows("zeek"));
    let rows = objects(&json);
    let columns: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    for row in &rows {
        let names = row.as_object().unwrap().keys();
        let unknown = names.into_iter().find(|name| !columns.contains(&&name[..]));
        assert_eq!(unknown, None);
    }
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap(), columns);
    // It would say so if a record had another number of fields.
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), rows.len());
    for (record, row) in records.iter().zip(&rows) {
        for (field, name) in record.iter().zip(&columns) {
            assert!(
                same(field, "", &row[name]),
                "{name}: {field:?} {}",
                row[name]
            );
        }
    }
    conn_log(&zeek, &rows);
}

fn conn_log(zeek: &str, rows: &[Value]) {
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
        for ((value, name), kind) in line.iter().zip(&fields[1..]).zip(&types[1..]) {
            let expected = match *name {
                // Zeek does not know them of a single packet.
                "duration" | "orig_bytes" | "resp_bytes" if number(row, "duration") == 0.0 => {
                    &Value::Null
                }
                name => &row[name],
            };
            let within = match *kind {
                // Microseconds.
                "time" | "interval" if !expected.is_null() => {
                    (value.parse::<f64>().unwrap() - expected.as_f64().unwrap()).abs() < 2e-6
                }
                _ => same(value, unset, expected),
            };
            assert!(within, "{name}: {value} {expected}");
        }
    }
}

/// Whether a field says the same as JSON does.
fn same(field: &str, unset: &str, json: &Value) -> bool {
    match json {
        Value::Null => field == unset,
        Value::String(text) => field == text,
        // What JSON has was read with a small error.
        Value::Number(number) => {
            let difference = field.parse::<f64>().unwrap() - number.as_f64().unwrap();
            difference.abs() < 1e-6
        }
        Value::Object(facts) => facts
            .values()
            .all(|fact| field.contains(fact.as_str().unwrap())),
        _ => false,
    }
}

#[test]
fn every_field_is_explained() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let rows: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    for column in COLUMNS {
        let own = format!("`{}`", column.name);
        // Where both sides have one the originator's stands for it.
        let of_orig = own.replace("`resp_", "`orig_");
        let is_explained =
            |row: &&str| row.contains(&own) || row.contains(&of_orig) && row.contains("`resp_…`");
        assert!(rows.iter().any(is_explained), "{own}");
    }
}

#[test]
fn times_are_the_packets() {
    let input = merged(usize::MAX);
    let read = |words: &[&str]| {
        let ran = pipe(
            &input,
            words.iter().copied().chain(["-r", "-", "--format", "json"]),
        );
        assert_eq!(ran.code, 0, "{}", ran.errors);
        ran.text()
    };
    // A fragmented datagram is there when its last fragment is.
    let mut first = BTreeMap::new();
    for packet in objects(&read(&["not (ip[6:2] & 0x3fff != 0 or ip6 proto 44)"])) {
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
        // As it stands there: a number in JSON may have more digits than f64 can hold.
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
