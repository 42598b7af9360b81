//! `lcap ports`: listening sockets as a table, as JSON or as CSV.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::args::{self, ListFormat};
use super::report;
use super::signals::{self, SignalTargets};
use crate::doctor::{ListeningPort, ListeningPorts, Reachability, listening_ports};
use crate::error::{Error, Result};
use crate::filter;
use crate::host::network::settings;
use crate::host::sockets::free_ports;
use crate::packet::UDP;
use crate::printable;
use crate::sink::csv::{text_cell, write_record};
use crate::sink::json::{JsonValue, ProcessFields, array, object, write_evidence};
use crate::source::Stop;

/// Time between two listings with `--watch`.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// Longest delay until a stop request is noticed.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// First port above the system ports (RFC 6335, section 6).
const FIRST_UNPRIVILEGED_PORT: u16 = 1024;

/// Prints the listening or the free ports and returns the exit code: 1 if no port is free.
pub(super) fn run(args: &args::PortsArgs) -> Result<u8> {
    if let Some(range) = &args.free {
        return print_free_ports(range.as_ref(), args.format);
    }
    let mut previous = list_ports(args)?;
    let rows: Vec<&ListeningPort> = previous.ports.iter().collect();
    super::print(&header(args.format, &rows))?;
    super::print(&body(args.format, &rows, None))?;
    let hidden = rows.iter().filter(|port| port.owner.processes.is_empty());
    report::hidden_processes(hidden.count(), previous.hidden_processes);
    if !args.watch {
        return Ok(0);
    }
    let stop = Stop::new()?;
    signals::register()?.listen(stop.clone(), SignalTargets::default())?;
    while !wait_for_stop(&stop) {
        let current = list_ports(args)?;
        for (mark, ports, others) in [("+", &current, &previous), ("-", &previous, &current)] {
            let rows = difference(ports, others);
            super::print(&body(args.format, &rows, Some(mark)))?;
        }
        previous = current;
    }
    Ok(0)
}

/// Waits for the next listing; returns true if a stop was requested instead.
fn wait_for_stop(stop: &Stop) -> bool {
    let deadline = Instant::now() + REFRESH_INTERVAL;
    while Instant::now() < deadline && !stop.is_requested() {
        std::thread::sleep(STOP_POLL_INTERVAL);
    }
    stop.is_requested()
}

fn list_ports(args: &args::PortsArgs) -> Result<ListeningPorts> {
    let mut listed = listening_ports().map_err(|error| {
        let what = format!("the kernel returned no list of sockets (sock_diag(7)): {error}");
        Error::device("sockets", what)
    })?;
    if args.exposed {
        listed
            .ports
            .retain(|port| port.reachability != Reachability::ThisMachine);
    }
    Ok(listed)
}

/// Returns the sockets of one listing that are not in another.
fn difference<'a>(ports: &'a ListeningPorts, others: &ListeningPorts) -> Vec<&'a ListeningPort> {
    let key = |port: &ListeningPort| (port.socket.inode, port.socket.local, port.socket.proto);
    let others: HashSet<_> = others.ports.iter().map(key).collect();
    let ports = ports.ports.iter();
    ports.filter(|port| !others.contains(&key(port))).collect()
}

/// A column of the table: its title, its minimum width in characters, and the text of a cell.
type PortsColumn = (&'static str, usize, fn(&ListeningPort) -> String);

const COLUMNS: [PortsColumn; 7] = [
    ("PROTO", 5, |port| proto(port).to_owned()),
    ("ADDRESS", 15, |port| port.socket.local.ip().to_string()),
    ("PORT", 5, |port| port.socket.local.port().to_string()),
    ("SERVICE", 12, |port| {
        port.service.clone().unwrap_or_else(|| "-".to_owned())
    }),
    ("PROCESS", 20, |port| port.owner.to_string()),
    ("USER", 8, |port| port.user.clone()),
    ("REACH", 0, |port| port.reachability.to_string()),
];

fn proto(port: &ListeningPort) -> &'static str {
    if port.socket.proto == UDP {
        "udp"
    } else {
        "tcp"
    }
}

/// Returns the header line; JSON has none.
fn header(format: ListFormat, rows: &[&ListeningPort]) -> Vec<u8> {
    match format {
        ListFormat::Json => Vec::new(),
        ListFormat::Csv => csv_record(&CSV_FIELDS.map(str::to_owned)),
        ListFormat::Text => {
            let titles = COLUMNS.map(|(title, ..)| title.to_owned());
            line(&titles, &widths(rows)).into_bytes()
        }
    }
}

fn body(format: ListFormat, rows: &[&ListeningPort], mark: Option<&str>) -> Vec<u8> {
    let widths = widths(rows);
    let row = |port: &&ListeningPort| match format {
        ListFormat::Json => json_line(port, mark),
        ListFormat::Csv => csv_record(&csv_values(port, mark)),
        ListFormat::Text => {
            let text = line(&COLUMNS.map(|(_, _, cell)| cell(port)), &widths);
            mark.map_or(text.clone(), |mark| format!("{mark} {text}"))
                .into_bytes()
        }
    };
    rows.iter().flat_map(row).collect()
}

fn widths(rows: &[&ListeningPort]) -> [usize; COLUMNS.len()] {
    COLUMNS.map(|(title, min_width, cell)| {
        let widths = rows.iter().map(|port| cell(port).chars().count());
        widths.fold(title.len().max(min_width), usize::max)
    })
}

fn line(cells: &[String; COLUMNS.len()], widths: &[usize; COLUMNS.len()]) -> String {
    let padded = cells.iter().zip(widths);
    let text: Vec<String> = padded
        .map(|(cell, width)| format!("{:width$}", printable::line(cell)))
        .collect();
    format!("{}\n", text.join(" ").trim_end())
}

/// Names of the CSV fields. JSON has the same fields, except `process` and `pids`.
const CSV_FIELDS: [&str; 13] = [
    "event", "proto", "address", "port", "class", "service", "process", "pids", "uid", "user",
    "reach", "networks", "only_v6",
];

/// Returns the values of a socket in the order of [`CSV_FIELDS`].
fn csv_values(port: &ListeningPort, mark: Option<&str>) -> [String; CSV_FIELDS.len()] {
    let processes = &port.owner.processes;
    let pids: Vec<String> = processes
        .iter()
        .map(|process| process.pid.to_string())
        .collect();
    let first = processes.first();
    [
        event(mark).to_owned(),
        proto(port).to_owned(),
        port.socket.local.ip().to_string(),
        port.socket.local.port().to_string(),
        port.class.to_string(),
        port.service.clone().unwrap_or_default(),
        first.map_or_else(String::new, |process| process.name().to_owned()),
        pids.join(" "),
        port.socket.uid.to_string(),
        port.user.clone(),
        reach(port).to_owned(),
        networks(port).unwrap_or_default().join(", "),
        port.socket.only_v6.to_string(),
    ]
}

/// Returns the event for a mark of `--watch`.
fn event(mark: Option<&str>) -> &'static str {
    match mark {
        Some("-") => "vanished",
        Some(_) => "appeared",
        None => "listens",
    }
}

fn reach(port: &ListeningPort) -> &'static str {
    match port.reachability {
        Reachability::ThisMachine => "this machine",
        Reachability::Networks(_) => "networks",
    }
}

/// Returns the networks from which a socket can be reached; `None` if it cannot be reached from
/// other machines.
fn networks(port: &ListeningPort) -> Option<&[String]> {
    match &port.reachability {
        Reachability::ThisMachine => None,
        Reachability::Networks(networks) => Some(networks),
    }
}

/// Returns a socket as a line of JSON.
fn json_line(port: &ListeningPort, mark: Option<&str>) -> Vec<u8> {
    let processes = port.owner.processes.iter().map(|process| ProcessFields {
        pid: process.pid,
        name: process.name(),
        command_line: Some(&process.details().command_line),
        ..ProcessFields::default()
    });
    let socket = object(|fields| {
        fields.field("event", event(mark));
        fields.field("proto", proto(port));
        fields.field("address", &port.socket.local.ip().to_string());
        fields.field("port", port.socket.local.port());
        fields.field("class", &port.class.to_string());
        fields.optional("service", port.service.as_deref());
        fields.field("uid", port.socket.uid);
        fields.field("user", &port.user);
        fields.field("reach", reach(port));
        fields.optional("networks", networks(port).map(array));
        fields.field("only_v6", port.socket.only_v6);
        fields.field("processes", array(processes));
        write_evidence(&port.owner.evidence, fields);
    });
    socket.into_line()
}

fn csv_record(fields: &[String]) -> Vec<u8> {
    let mut record = Vec::new();
    write_record(fields.iter().map(|field| text_cell(field)), &mut record);
    record
}

fn print_free_ports(range: Option<&filter::Ports>, format: ListFormat) -> Result<u8> {
    let free: Vec<u16> = match range {
        Some(range) => {
            let ranges = range.ranges().iter();
            ranges
                .flat_map(|&(first, last)| first..=last)
                .filter(|&port| port > 0 && free_ports::try_bind(port).is_ok())
                .collect()
        }
        None => next_free_port(FIRST_UNPRIVILEGED_PORT)
            .into_iter()
            .collect(),
    };
    let mut text = match format {
        ListFormat::Csv => csv_record(&["port".to_owned()]),
        _ => Vec::new(),
    };
    for port in &free {
        match format {
            ListFormat::Json => {
                text.extend(object(|fields| fields.field("port", *port)).into_line());
            }
            ListFormat::Csv | ListFormat::Text => text.extend(format!("{port}\n").bytes()),
        }
    }
    super::print(&text)?;
    Ok(u8::from(free.is_empty()))
}

/// Returns the first free port, starting at `first`, that is outside the ephemeral range.
fn next_free_port(first: u16) -> Option<u16> {
    let ephemeral = settings::read().ephemeral_ports;
    let is_ephemeral =
        |port: u16| ephemeral.is_some_and(|(first, last)| (first..=last).contains(&port));
    (first..=u16::MAX).find(|&port| !is_ephemeral(port) && free_ports::try_bind(port).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::PortClass;
    use crate::host::sockets::sock_diag::SocketInfo;
    use crate::packet::Timestamp;
    use crate::process::{Evidence, Owner, Process, ProcessDetails, ProcessIdentity};
    use std::sync::Arc;

    #[test]
    fn all_formats_replace_unprintable_characters_and_formulas() {
        let unprintable = String::from_iter(printable::unprintable_characters());
        for text in [unprintable.clone(), format!("=1+1{unprintable}")] {
            let details = ProcessDetails {
                name: text.clone(),
                command_line: vec![text.clone()],
                ..ProcessDetails::default()
            };
            let process = Process::new(ProcessIdentity::default(), details);
            let evidence = Evidence::Listener;
            let port = ListeningPort {
                socket: SocketInfo::listening("127.0.0.1:80"),
                owner: Owner {
                    processes: vec![Arc::new(process)],
                    ..Owner::without_process(evidence, Timestamp(0))
                },
                user: text.clone(),
                class: PortClass::of(80),
                service: Some(text.clone()),
                reachability: Reachability::Networks(vec![text.clone()]),
            };
            for format in [ListFormat::Text, ListFormat::Json, ListFormat::Csv] {
                let body = String::from_utf8(body(format, &[&port], None)).expect("UTF-8");
                let mut lines = body.lines();
                let line = lines.next().expect("a line");
                assert!(line.chars().all(printable::is_printable), "{line:?}");
                assert_eq!(lines.next(), None);
                if format == ListFormat::Csv && text.starts_with('=') {
                    assert_eq!(line.matches(",'=1+1").count(), 4, "{line}");
                }
            }
        }
    }
}
