//! `lcap ports`: every socket that listens, as a table, as JSON, as CSV.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::args::{self, ListFormat};
use super::json::object;
use super::report::{self, clean_line};
use super::signals;
use crate::doctor::{Port, Ports, Reach, ports};
use crate::error::{Error, Result};
use crate::filter;
use crate::host::processes::Process;
use crate::host::{free, settings};
use crate::packet::UDP;
use crate::source::Stop;

/// Sockets are looked at so often.
const EVERY: Duration = Duration::from_secs(1);
/// Who asks for an end waits this long at most.
const PAUSE: Duration = Duration::from_millis(50);
/// The first port that is not for services that everybody knows.
const FIRST: u16 = 1024;

/// Carries it out.
pub(super) fn run(args: &args::Ports) -> Result<u8> {
    if let Some(range) = &args.free {
        return print_free(range.as_ref(), args.format);
    }
    let mut listed = look(args)?;
    let rows: Vec<&Port> = listed.all.iter().collect();
    super::print(head(args.format, &rows).as_bytes())?;
    super::print(body(args.format, &rows, None).as_bytes())?;
    let unseen = rows.iter().filter(|port| port.owner.processes.is_empty());
    report::unseen(unseen.count(), listed.hidden);
    if !args.watch {
        return Ok(0);
    }
    let stop = Stop::new()?;
    signals::listen(stop.clone(), Arc::default(), Arc::default(), None)?;
    while !is_over(&stop) {
        let now = look(args)?;
        for (mark, from, without) in [("+", &now, &listed), ("-", &listed, &now)] {
            let rows = added(from, without);
            super::print(body(args.format, &rows, Some(mark)).as_bytes())?;
        }
        listed = now;
    }
    Ok(0)
}

/// Waits until it is time to look again; whether somebody asked for an end instead.
fn is_over(stop: &Stop) -> bool {
    let until = Instant::now() + EVERY;
    while Instant::now() < until && !stop.is_requested() {
        std::thread::sleep(PAUSE);
    }
    stop.is_requested()
}

fn look(args: &args::Ports) -> Result<Ports> {
    let mut listed = ports().map_err(|error| Error::Device {
        device: "sockets".into(),
        what: format!("the kernel does not list them (sock_diag): {error}"),
    })?;
    if args.exposed {
        listed.all.retain(|port| port.reach != Reach::ThisMachine);
    }
    Ok(listed)
}

/// The sockets of a listing that are not in another.
fn added<'a>(from: &'a Ports, without: &Ports) -> Vec<&'a Port> {
    let key = |port: &Port| (port.socket.inode, port.socket.local, port.socket.proto);
    let known: HashMap<_, ()> = without.all.iter().map(|port| (key(port), ())).collect();
    let all = from.all.iter();
    all.filter(|port| !known.contains_key(&key(port))).collect()
}

/// A column of the table.
struct Column {
    name: &'static str,
    /// How wide it is at least, in characters.
    least: usize,
    cell: fn(&Port) -> String,
}

const COLUMNS: [Column; 7] = [
    column("PROTO", 5, |port| proto(port).to_owned()),
    column("ADDRESS", 15, |port| port.socket.local.ip().to_string()),
    column("PORT", 5, |port| port.socket.local.port().to_string()),
    column("SERVICE", 12, |port| match &port.service {
        Some(service) => service.clone(),
        None => port.class.to_string(),
    }),
    column("PROCESS", 20, |port| port.owner.to_string()),
    column("USER", 8, |port| port.user.clone()),
    column("REACH", 0, |port| port.reach.to_string()),
];

const fn column(name: &'static str, least: usize, cell: fn(&Port) -> String) -> Column {
    Column { name, least, cell }
}

fn proto(port: &Port) -> &'static str {
    if port.socket.proto == UDP {
        "udp"
    } else {
        "tcp"
    }
}

/// What stands above the rows.
fn head(format: ListFormat, rows: &[&Port]) -> String {
    match format {
        ListFormat::Json => String::new(),
        ListFormat::Csv => record(&NAMES.map(str::to_owned)),
        ListFormat::Text => line(&COLUMNS.map(|column| column.name.to_owned()), &widths(rows)),
    }
}

fn body(format: ListFormat, rows: &[&Port], mark: Option<&str>) -> String {
    let widths = widths(rows);
    let row = |port: &&Port| match format {
        ListFormat::Json => format!("{}\n", json(port, mark)),
        ListFormat::Csv => record(&values(port, mark).map(|(_, value)| match value {
            Value::Null => String::new(),
            Value::String(text) => text,
            value => value.to_string(),
        })),
        ListFormat::Text => {
            let text = line(&COLUMNS.map(|column| (column.cell)(port)), &widths);
            mark.map_or(text.clone(), |mark| format!("{mark} {text}"))
        }
    };
    rows.iter().map(row).collect()
}

fn widths(rows: &[&Port]) -> [usize; COLUMNS.len()] {
    COLUMNS.map(|Column { name, least, cell }| {
        let cells = rows.iter().map(|port| cell(port).chars().count());
        cells.chain([name.len(), least]).max().unwrap_or(least)
    })
}

fn line(cells: &[String; COLUMNS.len()], widths: &[usize; COLUMNS.len()]) -> String {
    let padded = cells.iter().zip(widths);
    let text: Vec<String> = padded
        .map(|(cell, width)| format!("{:width$}", clean_line(cell)))
        .collect();
    format!("{}\n", text.join(" ").trim_end())
}

/// The fields of CSV, and in essence of JSON.
const NAMES: [&str; 13] = [
    "event", "proto", "address", "port", "class", "service", "process", "pids", "uid", "user",
    "reach", "networks", "only_v6",
];

/// A socket in the order of [`NAMES`].
fn values(port: &Port, mark: Option<&str>) -> [(&'static str, Value); NAMES.len()] {
    let processes = &port.owner.processes;
    let networks = match &port.reach {
        Reach::ThisMachine => Value::Null,
        Reach::Networks(networks) => Value::from(networks.join(", ")),
    };
    let pids: Vec<String> = processes.iter().map(|own| own.pid.to_string()).collect();
    let values = [
        Value::from(match mark {
            Some("-") => "vanished",
            Some(_) => "appeared",
            None => "listens",
        }),
        Value::from(proto(port)),
        Value::from(port.socket.local.ip().to_string()),
        Value::from(port.socket.local.port()),
        Value::from(port.class.to_string()),
        port.service.clone().map_or(Value::Null, Value::from),
        processes
            .first()
            .map_or(Value::Null, |own| Value::from(own.name())),
        Value::from(pids.join(" ")),
        Value::from(port.socket.uid),
        Value::from(port.user.clone()),
        Value::from(match port.reach {
            Reach::ThisMachine => "this machine",
            Reach::Networks(_) => "networks",
        }),
        networks,
        Value::from(port.socket.only_v6),
    ];
    let mut names = NAMES.iter();
    values.map(|value| (*names.next().unwrap_or(&""), value))
}

/// The same fields, with lists where they are of several.
fn json(port: &Port, mark: Option<&str>) -> String {
    let mut fields = values(port, mark).to_vec();
    fields.retain(|(name, _)| !["process", "pids"].contains(name));
    for (name, value) in &mut fields {
        if let ("networks", Reach::Networks(networks)) = (*name, &port.reach) {
            *value = Value::from(networks.clone());
        }
    }
    let process = |process: &Arc<Process>| {
        let mut object = serde_json::Map::new();
        object.insert("pid".into(), process.pid.into());
        object.insert("name".into(), process.name().into());
        object.insert(
            "command_line".into(),
            process.more().command_line.clone().into(),
        );
        Value::Object(object)
    };
    let processes: Vec<Value> = port.owner.processes.iter().map(process).collect();
    fields.push(("processes", Value::from(processes)));
    fields.push(("how", Value::from(port.owner.how.name())));
    object(&fields)
}

/// A record of CSV (RFC 4180); control characters in names stand as they are nowhere.
fn record(fields: &[String]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to a Vec cannot fail.
    let _ = writer.write_record(fields.iter().map(|field| clean_line(field)));
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

fn print_free(range: Option<&filter::Ports>, format: ListFormat) -> Result<u8> {
    let found: Vec<u16> = match range {
        Some(range) => {
            let all = range.ranges().iter();
            all.flat_map(|&(first, last)| first..=last)
                .filter(|&port| port > 0 && free::check(port).is_ok())
                .collect()
        }
        None => next_free(FIRST).into_iter().collect(),
    };
    let mut text = match format {
        ListFormat::Csv => record(&["port".to_owned()]),
        _ => String::new(),
    };
    for port in &found {
        text += &match format {
            ListFormat::Json => format!("{}\n", object(&[("port", Value::from(*port))])),
            ListFormat::Csv | ListFormat::Text => format!("{port}\n"),
        };
    }
    super::print(text.as_bytes())?;
    Ok(u8::from(found.is_empty()))
}

/// The first port from this one on that can be had and that no client is given.
fn next_free(from: u16) -> Option<u16> {
    let ephemeral = settings::read().ephemeral;
    let is_given =
        |port: u16| ephemeral.is_some_and(|(first, last)| (first..=last).contains(&port));
    (from..=u16::MAX).find(|&port| !is_given(port) && free::check(port).is_ok())
}
