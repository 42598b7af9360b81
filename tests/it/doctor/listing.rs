//! `lcap ports`: who listens, and who can reach it.

use super::room::Room;
use crate::live::session::LCAP;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::process::Stdio;

fn ports(room: &Room, words: &[&str]) -> (i32, String) {
    let output = room
        .command(LCAP)
        .arg("ports")
        .args(words)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn all_who_listen() {
    let Some(room) = Room::new() else { return };
    let server = room.part("[::]:62893,127.0.0.1:80");
    let _udp = room.inside(|| UdpSocket::bind(("127.0.0.1", room.port)).unwrap());
    let (code, text) = ports(&room, &[]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((code, lines.len()), (0, 4), "{text}");
    let is_it = |line: &str, words: &[&str]| {
        assert!(
            words.iter().all(|word| line.contains(&room.own(word))),
            "{line}"
        );
    };
    is_it(
        lines[0],
        &["PROTO", "ADDRESS", "PORT", "PROCESS", "USER", "REACH"],
    );
    is_it(
        lines[1],
        &[
            "tcp",
            "127.0.0.1",
            "80",
            "http",
            &server.shown(),
            "root",
            "this machine",
        ],
    );
    is_it(
        lines[2],
        &["tcp", "::", "62893", "dynamic", "any network (none is up)"],
    );
    is_it(lines[3], &["udp", "127.0.0.1", "62893"]);

    let (_, text) = ports(&room, &["--format", "json"]);
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows[0]["service"], "http");
    assert_eq!(rows[0]["processes"][0]["pid"], server.pid());
    assert_eq!(
        (&rows[1]["port"], &rows[1]["reach"]),
        (&room.port.into(), &"networks".into())
    );
    assert_eq!(rows[2]["proto"], "udp");

    let (_, text) = ports(&room, &["--format", "csv", "--exposed"]);
    let mut records = csv::Reader::from_reader(text.as_bytes());
    let records: Vec<csv::StringRecord> = records.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 1);
    assert_eq!(&records[0][2], "::");
}

#[test]
fn ports_that_nobody_has() {
    let Some(room) = Room::new() else { return };
    let _server = room.part("127.0.0.1:8001");
    let _udp = room.inside(|| UdpSocket::bind("[::1]:8003").unwrap());
    assert_eq!(
        ports(&room, &["--free", "8000-8004"]),
        (0, "8000\n8002\n8004\n".into())
    );
    assert_eq!(ports(&room, &["--free", "8001"]), (1, String::new()));
    assert_eq!(ports(&room, &["--free"]), (0, "1024\n".into()));
}

#[test]
fn a_plain_user_sees_who_without_names() {
    let Some(room) = Room::new() else { return };
    let _server = room.part("127.0.0.1:62893");
    let mut command = room.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let output = command.arg(room.copy()).arg("ports").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(&room.own("62893")) && text.contains("?(uid 0)"),
        "{text}"
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("may not be looked at"), "{said}");
}

#[test]
fn who_appears_and_who_vanishes() {
    let Some(room) = Room::new() else { return };
    let mut child = room
        .command(LCAP)
        .args(["ports", "--watch"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().contains("PROTO"));
    let server = room.inside(|| TcpListener::bind(("127.0.0.1", room.port)).unwrap());
    let appeared = next();
    assert!(
        appeared.starts_with("+ tcp") && appeared.contains(&room.own("62893")),
        "{appeared}"
    );
    drop(server);
    let vanished = next();
    assert!(
        vanished.starts_with("- tcp") && vanished.contains(&room.own("62893")),
        "{vanished}"
    );
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
