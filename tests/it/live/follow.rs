//! Live output of `follow`: messages without an answer, and the processes at both ends.

use super::session::{Session, can_capture_or_skip};
use super::traffic::{ReservedPort, V4};
use serde_json::Value;
use std::io::Write;
use std::time::{Duration, Instant};

/// Beginnings of conversations: a request whose protocol is clear only with the answer, one that
/// belongs to any of several protocols, and one of an unrecognized protocol.
const OPENINGS: [&str; 3] = ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "P", "hello"];

#[test]
fn requests_without_an_answer_are_shown_at_once() {
    if !can_capture_or_skip() {
        return;
    }
    for opening in OPENINGS {
        let port = ReservedPort::reserve();
        let args = ["follow", "--format", "json", "--no-processes", "-p"];
        let session = Session::start(args.into_iter().chain([&port.arg()[..]]));
        let mut connections = Vec::new();
        // The machine can be busy: the fastest of several is timed.
        let delays = (1..=5).map(|number| {
            let (mut client, server) = port.connect(V4);
            let sent = Instant::now();
            client.write_all(opening.as_bytes()).unwrap();
            connections.push((client, server));
            let flow = format!("{{\"flow\":{number},");
            let shown = session.output.wait_for(|line| line.starts_with(&flow));
            shown - sent
        });
        let fastest = delays.min().unwrap();
        assert!(
            fastest < Duration::from_millis(50),
            "{opening:?}: {fastest:?}"
        );
        session.interrupt();
    }
}

#[test]
fn messages_name_both_processes() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let session = Session::start(["follow", "--format", "json", "-p", &port.arg()]);
    port.exchange(V4);
    let ended = session.interrupt();
    let objects: Vec<Value> = ended
        .assert_lossless()
        .output
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [request, answer, end] = &objects[..] else {
        panic!("{objects:#?}");
    };
    for (object, side, body) in [(request, "orig", "ping!"), (answer, "resp", "pong")] {
        assert_eq!(
            (&object["side"], &object["body"]),
            (&side.into(), &body.into())
        );
    }
    for object in [request, answer, end] {
        for end in ["orig_process", "resp_process"] {
            assert_eq!(object[end]["pid"], std::process::id(), "{object:#}");
        }
        assert_eq!(object["uid"], request["uid"]);
    }
    assert_eq!(end["outcome"], "closed normally");
}
