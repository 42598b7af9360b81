//! Replies of services (`--talk`) and captured connections (`--watch`).

use super::sandbox::Sandbox;
use crate::live::session::LCAP;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

/// Starts a server that answers every request, until the test process ends.
fn start_responder(sandbox: &Sandbox, port: u16, answer: &'static [u8]) {
    let server = sandbox.run_inside(|| TcpListener::bind(("127.0.0.1", port)).unwrap());
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            // Without `--talk`, the doctor connects but sends no data.
            if stream.read(&mut [0; 512]).is_ok_and(|len| len > 0) {
                let _ = stream.write_all(answer);
            }
        }
    });
}

#[test]
fn talk_reports_the_answer_of_a_service() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    for (port, answer, expected) in [
        (
            80,
            &b"HTTP/1.1 204 No Content\r\n\r\n"[..],
            "HTTP HEAD: HTTP/1.1 204 No Content",
        ),
        (6379, b"+PONG\r\n", "Redis PING: +PONG"),
        (5432, b"N", "PostgreSQL SSLRequest: N"),
        (443, &[21, 3, 3, 0, 2, 2, 40], "TLS ClientHello: alert 40"),
    ] {
        start_responder(&sandbox, port, answer);
        let port = port.to_string();
        sandbox
            .run_doctor(&[&port, "--talk"])
            .assert_verdict("healthy", "accepted", &[])
            .assert_finding("ok", "talks", &[expected]);
        sandbox.run_doctor(&[&port]).assert_no_finding("talks");
    }
    start_responder(&sandbox, 8080, b"SSH-2.0-x\r\n");
    sandbox.run_doctor(&["8080", "--talk"]).assert_finding(
        "note",
        "talks-otherwise",
        &["SSH-2.0-x"],
    );
}

#[test]
fn talk_reports_a_silent_service() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let _server = sandbox.start_server("127.0.0.1:8080");
    sandbox
        .run_doctor(&["http://127.0.0.1:8080/", "--talk"])
        .assert_verdict("problem", "says-nothing", &["did not answer HTTP HEAD"]);
}

#[test]
fn watch_reports_refused_connections() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let mut child = sandbox
        .command(LCAP)
        .args([
            "doctor",
            &sandbox.substitute_ports("62893"),
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
    // lcap prints the line before the capture starts, so the client tries repeatedly.
    for _ in 0..20 {
        let refused = sandbox.run_inside(|| TcpStream::connect(("127.0.0.1", sandbox.port)));
        assert!(refused.is_err());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut findings = json["findings"].as_array().unwrap().iter();
    let finding = findings.find(|finding| finding["code"] == "seen-refused");
    let finding = finding.unwrap_or_else(|| panic!("{json:#}"));
    assert_eq!(finding["severity"], "problem");
    let evidence = finding["evidence"].to_string();
    assert!(
        evidence.contains("refused: nothing was listening"),
        "{evidence}"
    );
}
