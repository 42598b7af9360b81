//! `lcap ports`: listening sockets, their processes and reachability.

use super::sandbox::Sandbox;
use crate::live::session::LCAP;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::process::Stdio;

fn run_ports(sandbox: &Sandbox, args: &[&str]) -> (i32, String) {
    let output = sandbox
        .command(LCAP)
        .arg("ports")
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn ports_lists_all_listeners() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let server = sandbox.start_server("[::]:62893,127.0.0.1:80");
    let _udp = sandbox.run_inside(|| UdpSocket::bind(("127.0.0.1", sandbox.port)).unwrap());
    let (code, text) = run_ports(&sandbox, &[]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((code, lines.len()), (0, 4), "{text}");
    let assert_contains = |line: &str, cells: &[&str]| {
        assert!(
            cells
                .iter()
                .all(|cell| line.contains(&sandbox.substitute_ports(cell))),
            "{line}"
        );
    };
    assert_contains(
        lines[0],
        &["PROTO", "ADDRESS", "PORT", "PROCESS", "USER", "REACH"],
    );
    assert_contains(
        lines[1],
        &[
            "tcp",
            "127.0.0.1",
            "80",
            "http",
            &server.label(),
            "root",
            "this machine",
        ],
    );
    assert_contains(
        lines[2],
        &["tcp", "::", "62893", " - ", "any network (none is up)"],
    );
    assert_contains(lines[3], &["udp", "127.0.0.1", "62893"]);

    let (_, text) = run_ports(&sandbox, &["--format", "json"]);
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows[0]["service"], "http");
    assert_eq!(rows[0]["processes"][0]["pid"], server.pid());
    assert_eq!(
        (&rows[1]["port"], &rows[1]["reach"]),
        (&sandbox.port.into(), &"networks".into())
    );
    assert_eq!(rows[2]["proto"], "udp");

    let (_, text) = run_ports(&sandbox, &["--format", "csv", "--exposed"]);
    let mut records = csv::Reader::from_reader(text.as_bytes());
    let records: Vec<csv::StringRecord> = records.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 1);
    assert_eq!(&records[0][2], "::");
}

#[test]
fn ports_free_lists_free_ports() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let _server = sandbox.start_server("127.0.0.1:8001");
    let _udp = sandbox.run_inside(|| UdpSocket::bind("[::1]:8003").unwrap());
    assert_eq!(
        run_ports(&sandbox, &["--free", "8000-8004"]),
        (0, "8000\n8002\n8004\n".into())
    );
    assert_eq!(run_ports(&sandbox, &["--free", "8001"]), (1, String::new()));
    assert_eq!(run_ports(&sandbox, &["--free"]), (0, "1024\n".into()));
}

#[test]
fn ports_shows_uids_instead_of_processes_to_an_unprivileged_user() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let _server = sandbox.start_server("127.0.0.1:62893");
    let mut command = sandbox.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let output = command
        .arg(sandbox.lcap_copy())
        .arg("ports")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(&sandbox.substitute_ports("62893")) && text.contains("?(uid 0)"),
        "{text}"
    );
    let notice = String::from_utf8(output.stderr).unwrap();
    assert!(notice.contains("cannot be inspected"), "{notice}");
}

#[test]
fn ports_watch_marks_new_and_closed_listeners() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let mut child = sandbox
        .command(LCAP)
        .args(["ports", "--watch"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().contains("PROTO"));
    let server = sandbox.run_inside(|| TcpListener::bind(("127.0.0.1", sandbox.port)).unwrap());
    let opened = next();
    assert!(
        opened.starts_with("+ tcp") && opened.contains(&sandbox.substitute_ports("62893")),
        "{opened}"
    );
    drop(server);
    let closed = next();
    assert!(
        closed.starts_with("- tcp") && closed.contains(&sandbox.substitute_ports("62893")),
        "{closed}"
    );
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
