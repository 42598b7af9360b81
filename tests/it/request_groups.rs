//! Requests by shape (`lcap requests --group`), and requests that are repeated in a row.

use std::net::SocketAddr;

use lcap::internals::packet::LinkType;
use serde_json::Value;

use crate::command::{RunOutput, run, run_with_stdin};
use crate::craft::{ByteOrder, CaptureBuilder};
use crate::flows::script::captured_frame;
use crate::flows::wire::{self, Segment};

/// Returns a capture of an HTTP connection, on which each request follows 1 ms after the answer to
/// the previous one, and has its answer after 1 ms.
fn http_capture(targets: &[&str], status: &str) -> Vec<u8> {
    let client: SocketAddr = ([127, 0, 0, 1], 40_000).into();
    let server: SocketAddr = ([127, 0, 0, 1], 8080).into();
    let mut capture = CaptureBuilder::pcap(
        ByteOrder::Little,
        0xA1B2_C3D4,
        (2, 4),
        LinkType::ETHERNET.0.into(),
    );
    let (mut time, mut next) = (0, [1_u32, 1]);
    let mut send = |side: usize, flags: &str, data: &[u8]| {
        time += 1_000_000;
        let ends = [client, server];
        let segment = Segment {
            from: ends[side],
            to: ends[1 - side],
            seq: next[side],
            ack: next[1 - side],
            flags: wire::flags(flags),
            window: 500,
        };
        let is_syn = u32::from(flags.contains('S'));
        next[side] += data.len() as u32 + is_syn;
        let frame = captured_frame(time, &wire::tcp(&segment, data));
        let len = frame.bytes.len() as u32;
        capture.record((0, (time / 1000) as u32), len, &frame.bytes);
    };
    send(0, "S", b"");
    send(1, "S.", b"");
    for target in targets {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        send(0, "P.", request.as_bytes());
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
        send(1, "P.", answer.as_bytes());
    }
    capture.bytes
}

fn requests(capture: &[u8], arguments: &str) -> RunOutput {
    let arguments = arguments.split_whitespace();
    run_with_stdin(
        capture,
        ["requests", "-r", "-"].into_iter().chain(arguments),
    )
}

const ITEMS: [&str; 12] = [
    "/item/1", "/item/2", "/item/3", "/item/4", "/item/5", "/item/6", "/item/7", "/item/8",
    "/item/9", "/item/10", "/item/11", "/item/12",
];

#[test]
fn a_row_of_requests_is_named_in_the_summary_and_fails_the_run() {
    let capture = http_capture(&[&["/cart/7"][..], &ITEMS, &["/cart/8"]].concat(), "200 OK");
    const SUMMARY: &str =
        "14 requests; repeated: GET /item/{id}, 12 times in a row on one connection";
    // Neither the order nor a filter changes the row.
    for arguments in ["", "--group", "--sort size", "--sort time"] {
        let output = requests(&capture, arguments);
        let text = output.stdout_text();
        let last = text.lines().last().unwrap();
        assert_eq!(
            last.trim_start_matches("2 shapes; "),
            SUMMARY,
            "{arguments}"
        );
    }
    let filtered = requests(&capture, "--match /item/1").stdout_text();
    let summary = SUMMARY.replace("14 requests", "4 requests; 10 left out");
    assert_eq!(filtered.lines().last(), Some(&*summary));
    for (condition, exit_code) in [("repeated=12", 3), ("repeated=13", 0)] {
        let output = requests(&capture, &format!("--fail-on {condition}"));
        assert_eq!(output.exit_code, exit_code, "{condition}");
        if exit_code == 3 {
            let failed = "--fail-on: 1 of 14 requests failed\nrepeated=12: request 13: ";
            assert!(output.stderr.contains(failed), "{}", output.stderr);
        }
    }
}

#[test]
fn polling_is_not_repetition() {
    let capture = http_capture(&["/health"; 20], "200 OK");
    let output = requests(&capture, "--fail-on repeated=2");
    let text = output.stdout_text();
    assert_eq!(
        (text.lines().last(), output.exit_code),
        (Some("20 requests"), 0)
    );
}

#[test]
fn groups_have_the_sums_of_their_requests() {
    let capture = http_capture(
        &["/item/1", "/health", "/item/2", "/item/3?x=1"],
        "404 Not Found",
    );
    let rows = |arguments: &str| -> Vec<Value> {
        let output = requests(&capture, arguments).stdout_text();
        let rows = output.lines();
        rows.map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let groups = rows("--group --format json --sort count");
    let shapes: Vec<&str> = groups
        .iter()
        .map(|group| group["shape"].as_str().unwrap())
        .collect();
    assert_eq!(
        shapes,
        ["GET /item/{id}", "GET /health", "GET /item/{id}?x={}"]
    );
    let requests = rows("--format json");
    let sum = |rows: &[Value], field: &str| -> f64 {
        rows.iter().map(|row| row[field].as_f64().unwrap()).sum()
    };
    assert_eq!(sum(&groups, "count"), 4.0);
    assert_eq!(sum(&groups, "errors"), 4.0);
    for (group_field, request_field) in [
        ("total", "duration"),
        ("request_bytes", "request_bytes"),
        ("answer_bytes", "answer_bytes"),
    ] {
        let difference = sum(&groups, group_field) - sum(&requests, request_field);
        assert!(difference.abs() < 1e-9, "{group_field}");
    }
    for field in ["median", "p99", "max"] {
        assert_eq!(groups[0][field], 0.001);
    }
    let top = self::requests(&capture, "--group --top 1 --sort count").stdout_text();
    let lines: Vec<&str> = top.lines().collect();
    assert!(lines[1].ends_with("GET /item/{id}"), "{top}");
    assert_eq!(lines[2], "1 of 3 shapes; 4 requests, 4 failed");
}

#[test]
fn orders_of_groups_require_groups() {
    for (row, message) in [
        ("--sort count", "possible values here: duration,"),
        ("--group --sort duration", "possible values here: total,"),
        ("--group --body", "cannot be used with"),
        ("--fail-on repeated=1", "write a number from 2 on"),
        ("--fail-on repeated", "write a number from 2 on"),
    ] {
        let arguments = row.split_whitespace();
        let arguments = ["requests", "-r", "fixtures/http.pcap"]
            .into_iter()
            .chain(arguments);
        run(arguments).assert_rejected(2, row, message);
    }
}
