//! What a service says when it is asked, and what a capture sees meanwhile.

use super::room::Room;
use crate::live::session::LCAP;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

/// Answers whoever asks, for as long as the test's process is there.
fn answering(room: &Room, port: u16, answer: &'static [u8]) {
    let server = room.inside(|| TcpListener::bind(("127.0.0.1", port)).unwrap());
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            // Who only knocks says nothing.
            if stream.read(&mut [0; 512]).is_ok_and(|len| len > 0) {
                let _ = stream.write_all(answer);
            }
        }
    });
}

#[test]
fn services_answer_when_they_are_asked() {
    let Some(room) = Room::new() else { return };
    for (port, answer, words) in [
        (
            80,
            &b"HTTP/1.1 204 No Content\r\n\r\n"[..],
            "HTTP HEAD: HTTP/1.1 204 No Content",
        ),
        (6379, b"+PONG\r\n", "Redis PING: +PONG"),
        (5432, b"N", "PostgreSQL SSLRequest: N"),
        (443, &[21, 3, 3, 0, 2, 2, 40], "TLS ClientHello: alert 40"),
    ] {
        answering(&room, port, answer);
        let port = port.to_string();
        room.doctor(&[&port, "--talk"])
            .is("healthy", "accepted", &[])
            .finds("ok", "talks", &[words]);
        room.doctor(&[&port]).is_without("talks");
    }
    answering(&room, 8080, b"SSH-2.0-x\r\n");
    room.doctor(&["8080", "--talk"])
        .finds("note", "talks-otherwise", &["SSH-2.0-x"]);
}

#[test]
fn who_says_nothing() {
    let Some(room) = Room::new() else { return };
    let _server = room.part("127.0.0.1:8080");
    room.doctor(&["http://127.0.0.1:8080/", "--talk"]).is(
        "problem",
        "says-nothing",
        &["says nothing to HTTP HEAD"],
    );
}

#[test]
fn what_comes_meanwhile_is_told() {
    let Some(room) = Room::new() else { return };
    let mut child = room
        .command(LCAP)
        .args([
            "doctor",
            &room.own("62893"),
            "--watch",
            "60",
            "--format=json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let errors = BufReader::new(child.stderr.take().unwrap());
    let mut lines = errors.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("watching port")));
    // Said before the capture is there; who is refused comes again until it is.
    for _ in 0..20 {
        let refused = room.inside(|| TcpStream::connect(("127.0.0.1", room.port)));
        assert!(refused.is_err());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut findings = said["findings"].as_array().unwrap().iter();
    let seen = findings.find(|finding| finding["code"] == "seen-refused");
    let evidence = seen.unwrap_or_else(|| panic!("{said:#}"))["evidence"].to_string();
    assert!(
        evidence.contains("refused: nothing was listening"),
        "{evidence}"
    );
}
