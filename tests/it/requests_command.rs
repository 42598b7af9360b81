//! `lcap requests`: selection, order, `--fail-on`, output files and hostile input.

use crate::command::{RunOutput, fixture_path, run, run_with_stdin};
use crate::craft::{ByteOrder, CaptureBuilder};
use crate::follow::{ip4_packet, raw_ip_capture, tcp_connection};
use crate::printable::assert_printable;
use serde_json::Value;
use std::fs;

/// A packet of a conversation: its time in milliseconds, and what it contains.
type Step = (u32, Packet);

enum Packet {
    /// SYN, SYN-ACK and ACK.
    Handshake,
    /// Bytes of the client, of a protocol that is not detected.
    Client(usize),
    /// Bytes of the server.
    Server(usize),
    /// A FIN from both sides, the server first.
    Close,
}

/// Returns the packets of connections with these client ports to port 80.
fn conversations(connections: &[(u16, &[Step])]) -> Vec<u8> {
    let mut packets: Vec<(u32, Vec<u8>)> = Vec::new();
    for (client, steps) in connections {
        // Sequence numbers of the client and of the server.
        let mut next = [100_u32, 500];
        let segment = |from: usize, seq: u32, ack: u32, flags: u8, payload: &[u8]| {
            let ports = match from {
                0 => [*client, 80],
                _ => [80, *client],
            };
            let ports = ports.map(u16::to_be_bytes).concat();
            let numbers = [seq, ack].map(u32::to_be_bytes).concat();
            let rest = [0x50, flags, 0xff, 0xff, 0, 0, 0, 0];
            ip4_packet(6, &[&ports, &numbers, &rest[..], payload].concat())
        };
        for (time, step) in *steps {
            let mut push = |packet| packets.push((*time, packet));
            match step {
                Packet::Handshake => {
                    push(segment(0, 99, 0, 2, b""));
                    push(segment(1, 499, 100, 0x12, b""));
                    push(segment(0, 100, 500, 0x10, b""));
                }
                Packet::Client(len) => {
                    push(segment(0, next[0], next[1], 0x18, &vec![1; *len]));
                    next[0] += *len as u32;
                }
                Packet::Server(len) => {
                    push(segment(1, next[1], next[0], 0x18, &vec![2; *len]));
                    next[1] += *len as u32;
                }
                Packet::Close => {
                    push(segment(1, next[1], next[0], 0x11, b""));
                    push(segment(0, next[0], next[1] + 1, 0x11, b""));
                    push(segment(1, next[1] + 1, next[0] + 1, 0x10, b""));
                }
            }
        }
    }
    packets.sort_by_key(|(time, _)| *time);
    let mut capture = CaptureBuilder::pcap(ByteOrder::Little, 0xA1B2_C3D4, (2, 4), 101);
    for (time, packet) in &packets {
        let time = (1000 + time / 1000, time % 1000 * 1000);
        capture.record(time, packet.len() as u32, packet);
    }
    capture.bytes
}

/// Returns a capture of six requests: three with answers, one without, one whose answer is cut off
/// by the end of the capture, and one of another connection.
fn capture() -> Vec<u8> {
    use Packet::{Client, Close, Handshake, Server};
    conversations(&[
        (
            5001,
            &[
                (0, Handshake),
                (1, Client(10)),
                (6, Server(100)),
                (10, Client(20)),
                (210, Server(50)),
                (300, Client(30)),
                (320, Server(20)),
                (400, Client(40)),
                (900, Close),
            ],
        ),
        (
            5002,
            &[
                (50, Handshake),
                (60, Client(15)),
                (64, Server(200)),
                (800, Client(25)),
            ],
        ),
    ])
}

/// Runs `lcap requests` on the capture with these options.
fn requests(options: &str) -> RunOutput {
    let args = ["requests", "-r", "-"].into_iter();
    run_with_stdin(&capture(), args.chain(options.split_whitespace()))
}

/// Returns the rows of JSON output.
fn json_rows(output: &RunOutput) -> Vec<Value> {
    let text = output.stdout_text();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Returns the targets of the rows: the numbers of bytes, which identify the requests.
fn targets(output: &RunOutput) -> Vec<String> {
    let rows = json_rows(output);
    let target = |row: &Value| {
        row["target"]
            .as_str()
            .unwrap()
            .trim_end_matches(" B")
            .to_owned()
    };
    rows.iter().map(target).collect()
}

#[test]
fn rows_are_in_the_order_in_which_requests_end() {
    let output = requests("--format json");
    assert_eq!((output.exit_code, &output.stderr[..]), (0, ""));
    let rows = json_rows(&output);
    let summary: Vec<String> = rows
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
            let [operation, target, status, outcome] =
                ["operation", "target", "status", "outcome"].map(text);
            let duration = &row["duration"];
            format!(
                "{} {operation} {target} → {status} {outcome} {duration}",
                row["flow"]
            )
        })
        .collect();
    assert_eq!(
        summary,
        [
            "1 send 10 B → 100 B ok 0.005",
            "2 send 15 B → 200 B ok 0.004",
            "1 send 20 B → 50 B ok 0.2",
            "1 send 30 B → 20 B ok 0.02",
            "1 send 40 B → - unanswered null",
            "2 send 25 B → - cut null",
        ]
    );
    let numbers: Vec<u64> = rows
        .iter()
        .map(|row| row["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    let (request_bytes, answer_bytes) = (&rows[0]["request_bytes"], &rows[0]["answer_bytes"]);
    assert_eq!((request_bytes, answer_bytes), (&10.into(), &100.into()));
}

#[test]
fn options_select_and_order_requests() {
    for (options, expected) in [
        ("", "10 15 20 30 40 25"),
        ("--errors", "40 25"),
        ("--slower 100ms", "20 40 25"),
        ("--slower 0.2", "20 40"),
        ("--slower 1h", ""),
        ("--status 0-1000", ""),
        ("--match SEND", "10 15 20 30 40 25"),
        ("--match 0", "10 20 30 40"),
        ("--match 5 --errors", "25"),
        ("--slower 100ms --errors --match 40", "40"),
        ("--sort time", "10 20 15 30 40 25"),
        ("--sort duration", "40 20 25 30 10 15"),
        ("--sort first_byte", "20 30 10 15 40 25"),
        ("--sort size", "15 10 20 30 40 25"),
        ("--sort request_size", "40 30 25 20 15 10"),
        ("--top 2", "40 20"),
        ("--top 2 --sort size", "15 10"),
        ("--top 1 --sort size --errors", "40"),
        ("-p 5002", "15 25"),
        ("dst port 1 or src port 1", ""),
    ] {
        let output = requests(&format!("--format json {options}"));
        assert_eq!((output.exit_code, &output.stderr[..]), (0, ""), "{options}");
        assert_eq!(targets(&output).join(" "), expected, "{options}");
    }
}

/// The text of turns is a number and a unit.
#[test]
fn a_status_is_selected_by_its_text() {
    let read = ["requests", "-r", "-", "--format", "json"];
    for (statuses, expected) in [("50 B", "20"), ("20 B,100 B", "10 30"), ("50", "")] {
        let output = run_with_stdin(&capture(), read.into_iter().chain(["--status", statuses]));
        assert_eq!(targets(&output).join(" "), expected, "{statuses}");
    }
}

#[test]
fn the_last_line_counts_what_is_shown_and_what_is_left_out() {
    for (options, expected) in [
        ("", "6 requests, 1 unanswered, 1 cut"),
        ("--errors", "2 requests, 1 unanswered, 1 cut; 4 left out"),
        ("--match nothing", "0 requests; 6 left out"),
        (
            "--slower 100ms --top 1",
            "1 request, 1 unanswered; 3 left out",
        ),
        ("-p 1", "0 requests"),
    ] {
        let output = requests(options).stdout_text();
        assert_eq!(output.lines().last(), Some(expected), "{options}");
    }
}

#[test]
fn conditions_have_an_exit_code_and_list_the_requests() {
    for (conditions, violations) in [
        ("error", 0),
        ("unanswered", 1),
        ("slower=100ms", 3),
        ("slower=1h", 0),
        ("status=0-99", 0),
        ("error,unanswered,slower=150ms", 2),
    ] {
        // The conditions apply to all requests, shown or not.
        for selection in ["", "--match nothing", "--top 1"] {
            let output = requests(&format!("--fail-on {conditions} {selection}"));
            let expected = if violations > 0 { 3 } else { 0 };
            assert_eq!(output.exit_code, expected, "{conditions} {selection}");
            let message = match violations {
                0 => String::new(),
                count => format!("lcap: --fail-on: {count} of 6 requests failed\n"),
            };
            assert!(output.stderr.starts_with(&message), "{}", output.stderr);
            let rows = output.stderr.matches(": request ").count();
            assert_eq!(rows, violations, "{conditions}: {}", output.stderr);
        }
    }
    let listed = requests("--fail-on unanswered").stderr;
    let row = "unanswered: request 5: 127.0.0.1:5001 → 127.0.0.1:80  send 40 B  unanswered: \
               the connection ended without an answer  500 ms\n";
    assert!(listed.ends_with(row), "{listed}");
}

#[test]
fn invalid_arguments_are_rejected() {
    for (row, message) in [
        ("--format zeek", "possible values: text, json, csv]"),
        (
            "--sort bytes",
            "possible values here: duration, first_byte, size, request_size, time",
        ),
        ("--top 0", "0 is not in 1.."),
        ("--slower soon", "write 10s, 1m30s, 500ms"),
        ("--slower 0", "must be more than 0"),
        ("--status 5-x", "e.g. 500-599"),
        ("--status 599-500", "599 is greater than 500"),
        ("--status 404,,500", "e.g. 500-599"),
        ("--body-limit none", "write 64MiB"),
        ("--fail-on refused", "slower=100ms, status=500-599 or"),
        ("--fail-on error=1", "slower=100ms, status=500-599 or"),
        ("--fail-on slower", "write 10s, 1m30s, 500ms"),
        ("--fail-on slower=-1", "must be more than 0"),
        ("--fail-on status=", "e.g. 500-599"),
        ("--hex", "unexpected argument"),
        ("-w -", "both use standard output"),
        ("-o fixtures/http.pcap", "is the input file"),
        ("--duration 3", "applies only to live captures"),
    ] {
        let args = format!("requests -r fixtures/http.pcap {row}");
        run(args.split_whitespace()).assert_rejected(2, row, message);
    }
}

#[test]
fn rows_are_written_to_the_requested_output() {
    let directory = tempfile::tempdir().unwrap();
    let [rows, saved] = ["rows", "saved.pcap"].map(|name| directory.path().join(name));
    let [rows, saved] = [&rows, &saved].map(|path| path.to_str().unwrap());
    let original = fs::read(fixture_path("http.pcap")).unwrap();
    for format in ["text", "json", "csv"] {
        let read = ["requests", "-r", "fixtures/http.pcap", "--format", format];
        let with = |options: &[&str]| {
            let ran = run(read.iter().chain(options));
            assert_eq!((ran.exit_code, &ran.stderr[..]), (0, ""), "{options:?}");
            ran.stdout
        };
        let shown = with(&[]);
        assert!(!shown.is_empty(), "{format}");
        assert_eq!(with(&["-o", rows, "--color", "always"]), b"", "{format}");
        assert!(fs::read(rows).unwrap() == shown, "{format}");
        assert!(with(&["-w", saved]) == shown, "{format}");
        assert!(fs::read(saved).unwrap() == original, "{format}");
        assert!(with(&["-o", rows, "-w", "-"]) == original, "{format}");
    }
}

#[test]
fn bodies_are_limited() {
    for (options, body, left_out) in [
        ("", Value::Null, Value::Null),
        ("--body", "\u{1}".repeat(10).into(), Value::Null),
        ("--body-limit 4", "\u{1}".repeat(4).into(), 6.into()),
        (
            "--body --body-limit 1kB",
            "\u{1}".repeat(10).into(),
            Value::Null,
        ),
    ] {
        let row = &json_rows(&requests(&format!("--format json {options}")))[0];
        assert_eq!(row["request_body"], body, "{options}");
        assert_eq!(row["request_left_out"], left_out, "{options}");
        let text = requests(options).stdout_text();
        let client_lines = text.lines().filter(|line| line.starts_with("    > "));
        let expected = if options.is_empty() { 0 } else { 6 };
        assert!(client_lines.count() >= expected, "{options}: {text}");
    }
}

/// Control characters, bidirectional controls, invalid UTF-8, quotes and separators.
#[test]
fn hostile_bytes_stay_inside_their_cells() {
    let hostile = b"\x1b]0;owned\x07\x1b[31m\xc2\x9b\x7f,\"';\t\\ \xe2\x80\xae \xff\xfe =1+1";
    let http = [
        &b"GET /"[..],
        &hostile.repeat(3).repeat(1),
        b" HTTP/1.1\r\n\r\n",
    ]
    .concat();
    let unknown = [&b"\x01"[..], hostile].concat();
    let redis = [
        &b"*2\r\n$3\r\nGET\r\n$40\r\n"[..],
        &hostile.repeat(2)[..40],
        b"\r\n",
    ]
    .concat();
    let formula = b"=SUM(1)".to_vec();
    let mut packets = Vec::new();
    for (client, request) in (5000..).zip([&http, &unknown, &redis, &formula]) {
        packets.extend(tcp_connection(client, &[request]));
    }
    let input = raw_ip_capture(&packets);
    for format in ["text", "json", "csv"] {
        for options in ["", "--body", "--fail-on slower=1ns", "--color always"] {
            let args = ["requests", "-r", "-", "--format", format].into_iter();
            let ran = run_with_stdin(&input, args.chain(options.split_whitespace()));
            assert!([0, 3].contains(&ran.exit_code), "{}", ran.stderr);
            let text = assert_printable(&ran.stdout_text(), &["0", "31", "33"]);
            assert_printable(&ran.stderr, &[]);
            match format {
                "json" => assert_eq!(json_rows(&ran).len(), 4),
                "csv" => {
                    let mut reader = csv::Reader::from_reader(text.as_bytes());
                    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
                    assert_eq!(rows.len(), 4);
                    let cells = rows.iter().flat_map(|row| row.iter());
                    let is_formula = |cell: &&str| cell.starts_with(['=', '+', '-', '@']);
                    assert_eq!(cells.clone().find(is_formula), None);
                }
                _ => assert!(text.ends_with("\n4 requests, 4 cut\n"), "{text}"),
            }
        }
    }
}
