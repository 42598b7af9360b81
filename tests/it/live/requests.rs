//! Live rows of requests: promptly, with the processes at both ends, and checked by `--fail-on`.

use super::run_command::{has_bash_or_skip, run};
use super::session::{Session, can_capture_or_skip};
use super::traffic::{ReservedPort, V4, V6};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Time from an answer to its row, on a machine that is not busy. The analyzer of other protocols
/// waits 30 ms for more of the answer.
const MAX_ROW_DELAY: Duration = Duration::from_millis(50);

/// Sends a request of a protocol that is not detected, of this length, and its answer; returns the
/// time of the answer.
fn exchange([client, server]: [&mut TcpStream; 2], len: usize) -> Instant {
    let mut bytes = vec![1; len];
    client.write_all(&bytes).unwrap();
    server.read_exact(&mut bytes).unwrap();
    server.write_all(b"\x02answer").unwrap();
    let answered = Instant::now();
    client.read_exact(&mut [0; 7]).unwrap();
    answered
}

/// Returns true if a line is the row of a request of this length.
fn is_row(line: &str, len: usize) -> bool {
    line.contains(&format!("\"target\":\"{len} B\"")) && line.contains("\"outcome\":\"ok\"")
}

#[track_caller]
fn assert_prompt(mut delays: Vec<Duration>) {
    delays.sort();
    // Other tests run at the same time.
    assert!(delays[delays.len() / 4] <= MAX_ROW_DELAY, "{delays:?}");
}

/// Asserts that both ends of all rows are this process.
#[track_caller]
fn assert_own_processes(lines: &[String]) {
    for line in lines {
        let row: Value = serde_json::from_str(line).unwrap();
        for end in ["orig_process", "resp_process"] {
            assert_eq!(row[end]["pid"], std::process::id(), "{end}: {line}");
        }
    }
}

#[test]
fn a_row_is_printed_promptly_with_both_processes() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let session = Session::start(["requests", "-p", &port.arg(), "--format", "json"]);
    let (mut client, mut server) = port.connect(V4);
    let delays = (101..121).map(|len| {
        let answered = exchange([&mut client, &mut server], len);
        // No packet follows that could cause the row to be printed.
        session.output.wait_for(|line| is_row(line, len)) - answered
    });
    assert_prompt(delays.collect());
    let ended = session.interrupt();
    assert_eq!(ended.assert_lossless().output.len(), 20);
    assert_own_processes(&ended.output);
}

#[test]
fn rows_are_prompt_while_other_packets_arrive() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let other = port.keep_sending(100, Duration::from_millis(5));
    let session = Session::start(["requests", "-p", &port.arg(), "--format", "json"]);
    let (mut client, mut server) = port.connect(V6);
    let delays = (101..121).map(|len| {
        let answered = exchange([&mut client, &mut server], len);
        session.output.wait_for(|line| is_row(line, len)) - answered
    });
    assert_prompt(delays.collect());
    drop(other);
    session.interrupt().assert_lossless();
}

#[test]
fn connections_from_before_the_capture_have_both_processes() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let (mut client, mut server) = port.connect(V4);
    exchange([&mut client, &mut server], 99);
    let session = Session::start(["requests", "-p", &port.arg(), "--format", "json"]);
    for len in [101, 102] {
        exchange([&mut client, &mut server], len);
        session.output.wait_for(|line| is_row(line, len));
    }
    let ended = session.interrupt();
    assert_eq!(ended.assert_lossless().output.len(), 2);
    assert_own_processes(&ended.output);
}

#[test]
fn a_request_without_an_answer_has_a_row() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let session = Session::start(["requests", "-p", &port.arg()]);
    let (mut closed, server) = port.connect(V4);
    closed.write_all(b"\x01closed").unwrap();
    drop((closed, server));
    session
        .output
        .wait_for(|line| line.contains(" unanswered "));
    let (mut open, _server) = port.connect(V4);
    open.write_all(b"\x01still open").unwrap();
    // The last packets of the connection are captured.
    std::thread::sleep(Duration::from_millis(50));
    let ended = session.interrupt();
    let output = &ended.assert_lossless().output;
    assert!(output[0].starts_with("TIME "), "{output:#?}");
    assert!(output[2].contains(" send 11 B "), "{output:#?}");
    assert!(output[2].contains(" cut "), "{output:#?}");
    assert_eq!(output[3], "2 requests, 1 unanswered, 1 cut");
}

#[test]
fn run_fails_on_an_unanswered_request_of_the_command() {
    if !can_capture_or_skip() || !has_bash_or_skip() {
        return;
    }
    for (answer, expected) in [(&b""[..], 3), (b"answer", 0)] {
        let listener = TcpListener::bind((V4, 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let server = std::thread::spawn(move || {
            let (mut server, _) = listener.accept().unwrap();
            server.read_exact(&mut [0; 9]).unwrap();
            server.write_all(answer).unwrap();
        });
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; echo question >&3; cat <&3");
        let options = ["requests", "-p", &port, "--fail-on", "error,unanswered"];
        let (code, _, errors) = run(&[&options[..], &["--", "bash", "-c", &script]].concat());
        server.join().unwrap();
        assert_eq!(code, Some(expected), "{errors}");
        let message = "--fail-on: 1 of 1 request failed\nunanswered: request 1: ";
        assert_eq!(errors.contains(message), expected == 3, "{errors}");
        assert!(errors.contains("\n1 request"), "{errors}");
    }
}
