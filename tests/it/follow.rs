//! `lcap follow`: stream contents, byte for byte, on standard output and in files, and no control
//! characters on a terminal.

use crate::command::{RunOutput, fixture_names, fixture_path, lcap, run, run_with_stdin};
use crate::craft::{ByteOrder, CaptureBuilder};
use crate::printable::assert_printable;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Runs `lcap` with arguments that are separated by spaces.
fn run_args(arguments: &str) -> RunOutput {
    run(arguments.split_whitespace())
}

#[test]
fn invalid_arguments_are_rejected() {
    for (arguments, message) in [
        ("--raw orig", "not provided:\n  --flow <FLOW>"),
        ("--flow 1 --raw both", "possible values: orig, resp"),
        ("--flow 1 --raw orig --hex", "cannot be used with"),
        (
            "--flow 0",
            "write the number of a flow (1 or more), or its uid",
        ),
        (
            "--flow C123",
            "write the number of a flow (1 or more), or its uid",
        ),
        ("--hex --output-dir /none/x", "cannot be used with"),
        (
            "--flow 1 --raw resp --output-dir /none/x",
            "cannot be used with",
        ),
        ("-w -", "both use standard output"),
        ("--hex -w -", "both use standard output"),
        ("--flow 1 --raw orig -w -", "both use standard output"),
        ("--format xml", "possible values: text, json]"),
        ("--format json --hex", "cannot be used with"),
        ("--flow 1 --raw orig --format json", "cannot be used with"),
        ("--format json --output-dir /none/x", "cannot be used with"),
        ("--full --hex", "cannot be used with"),
        ("--full --flow 1 --raw orig", "cannot be used with"),
        ("--format json -w -", "both use standard output"),
        ("--max-waiting 0", "write 64MiB"),
        ("--max-flows 0", "0 is not in 1.."),
        ("--duration 3", "applies only to live captures"),
        ("-w fixtures/http.pcap", "is the input file"),
    ] {
        let output = run_args(&format!("follow -r fixtures/http.pcap {arguments}"));
        output.assert_rejected(2, arguments, message);
    }
}

#[test]
fn a_missing_flow_is_an_error() {
    for (arguments, message) in [
        ("http.pcap --flow 2", "flow 2 not found (1 flow seen)"),
        ("http.pcap --flow 1 udp", "flow 1 not found (0 flows seen)"),
        ("http.pcap --flow 2 --raw orig", "flow 2 not found"),
        ("damaged.pcap --flow 7", "flow 7 not found (2 flows seen)"),
        ("damaged.pcap --flow 7", "damaged at byte"),
    ] {
        let output = run_args(&format!("follow -r fixtures/{arguments}"));
        output.assert_rejected(1, arguments, message);
    }
    let last_flow = run_args("follow -r fixtures/redis.pcap --flow 3");
    assert_eq!((last_flow.exit_code, &last_flow.stderr[..]), (0, ""));
}

/// Returns the expected files of `--output-dir`, names and contents: names from the rows of
/// `lcap flows`, contents from `lcap follow --raw`.
fn expected_streams(capture: &str) -> BTreeMap<String, Vec<u8>> {
    let rows = run(["flows", "-r", capture, "--format", "json"]).stdout_text();
    let mut streams = BTreeMap::new();
    for row in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let endpoint = |side: &str| {
            let host = row[format!("id.{side}_h")].as_str().unwrap();
            format!("{host}-{}", row[format!("id.{side}_p")])
        };
        let number = row["number"].as_u64().unwrap();
        for side in ["orig", "resp"] {
            let name = format!(
                "{number:06}_{}_{}.{side}",
                endpoint("orig"),
                endpoint("resp")
            );
            let flow = number.to_string();
            let raw = ["follow", "-r", capture, "--flow", &flow, "--raw", side];
            let by_number = run(raw);
            let uid = row["uid"].as_str().unwrap();
            let by_uid = run(["follow", "-r", capture, "--flow", uid, "--raw", side]);
            let bytes = by_number.stdout;
            assert_eq!(by_uid.stdout, bytes);
            assert_eq!(by_uid.exit_code, by_number.exit_code);
            if !bytes.is_empty() {
                streams.insert(name, bytes);
            }
        }
    }
    streams
}

/// Returns the names and contents of the files in a directory.
fn directory_contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(&path).unwrap())
        })
        .collect()
}

#[test]
fn output_dir_gets_one_file_per_stream() {
    let top = tempfile::tempdir().unwrap();
    for name in fixture_names() {
        let capture = fixture_path(&name);
        let expected = expected_streams(&capture);
        // The first run creates the directory and its parent; in the second run both exist.
        let directory = top.path().join(&name).join("streams");
        let follow = ["follow", "-r", &capture, "--output-dir"];
        for _ in 0..2 {
            let output = run(follow.into_iter().chain(directory.to_str()));
            assert_eq!(
                output.exit_code,
                i32::from(name.starts_with("damaged")),
                "{name}"
            );
            assert_eq!(output.stdout.len(), 0, "{name}");
            assert!(directory_contents(&directory) == expected, "{name}");
        }
        // These captures have no data, or none of it was captured.
        let has_no_data = name.starts_with("refused") || name.starts_with("cut");
        assert_eq!(expected.is_empty(), has_no_data, "{name}");
    }
}

#[test]
fn one_flow_is_extracted_while_all_packets_are_saved() {
    let top = tempfile::tempdir().unwrap();
    let directory = top.path().join("streams");
    let (path, capture) = (directory.to_str().unwrap(), fixture_path("redis.pcap"));
    let follow = [
        "follow",
        "-r",
        &capture,
        "--flow",
        "2",
        "--output-dir",
        path,
    ];
    let output = run(follow.into_iter().chain(["-w", "-"]));
    assert_eq!((output.exit_code, &output.stderr[..]), (0, ""));
    assert!(output.stdout == fs::read(&capture).unwrap());
    let expected = [
        ("orig", &b"*2\r\n$3\r\nGET\r\n$8\r\ngreeting\r\n"[..]),
        ("resp", b"$5\r\nhello\r\n"),
    ];
    let name = "000002_127.0.0.1-33764_127.0.0.1-6379";
    let expected = expected.map(|(side, bytes)| (format!("{name}.{side}"), bytes.to_vec()));
    assert_eq!(directory_contents(&directory), BTreeMap::from(expected));
}

#[test]
fn output_dir_must_not_be_a_file() {
    let top = tempfile::tempdir().unwrap();
    let file = top.path().join("file");
    fs::write(&file, "precious").unwrap();
    let below = file.join("streams");
    for path in [&file, &below] {
        let follow = ["follow", "-r", "fixtures/http.pcap", "--output-dir"];
        let output = run(follow.into_iter().chain(path.to_str()));
        let message = format!("lcap: cannot create {}: ", path.display());
        assert_eq!((output.exit_code, output.stdout.len()), (1, 0));
        assert!(output.stderr.starts_with(&message), "{}", output.stderr);
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}

/// Returns the payload that fixtures/make sends for captures without an application protocol.
fn numbered_lines(len: usize) -> Vec<u8> {
    let lines = (0..len).step_by(16);
    let mut text: String = lines.map(|at| format!("{at:08} lcap..\n")).collect();
    text.truncate(len);
    text.into_bytes()
}

#[test]
fn long_streams_are_complete() {
    // With retransmissions, a zero window, segments of 64 KB and more, and fragments.
    for (name, flow, lens) in [
        ("retransmission.pcap", "1", &[3840][..]),
        ("zero-window.pcap", "1", &[20_000]),
        ("big-tcp.pcap.zst", "1", &[400_000]),
        ("large-segment.pcap.zst", "1", &[30_000, 65_483]),
        ("fragments.pcap", "1", &[4000]),
        ("fragments.pcap", "2", &[4000]),
    ] {
        let capture = fixture_path(name);
        let follow = ["follow", "-r", &capture, "--flow", flow];
        let raw = |side| run(follow.into_iter().chain(["--raw", side]));
        let expected: Vec<u8> = lens.iter().flat_map(|&len| numbered_lines(len)).collect();
        let orig = raw("orig");
        assert_eq!((orig.exit_code, &orig.stderr[..]), (0, ""), "{name}");
        assert!(orig.stdout == expected, "{name} {flow}");
        assert_eq!(raw("resp").stdout, b"", "{name} {flow}");
        // As text: a status line, the data, and a status line with the outcome.
        let printed = run(follow.into_iter().chain(["--full"])).stdout_text();
        let body = printed.split_once('\n').unwrap().1;
        let text = String::from_utf8(expected).unwrap();
        let lines: Vec<String> = text.lines().map(|line| format!("> {line}\n")).collect();
        let lines = lines.concat();
        let lines = lines.trim_end();
        assert!(body.starts_with(lines), "{name} {flow}");
        let end = &body[lines.len()..];
        assert_eq!(end.trim_start().lines().count(), 1, "{name} {flow}: {end}");
        // As JSON: the same bytes.
        let json = run(follow.into_iter().chain(["--full", "--format", "json"])).stdout_text();
        let objects = json.lines().map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            object["body"].as_str().unwrap_or_default().to_owned()
        });
        assert!(objects.collect::<String>() == text, "{name} {flow}");
    }
}

/// Returns an IPv4 packet over loopback with a header of 20 bytes.
pub(crate) fn ip4_packet(proto: u8, body: &[u8]) -> Vec<u8> {
    let len = (20 + body.len() as u16).to_be_bytes();
    let header = [0x45, 0, len[0], len[1], 0, 0, 0x40, 0, 64, proto, 0, 0];
    [&header[..], &[127, 0, 0, 1], &[127, 0, 0, 1], body].concat()
}

/// Returns a datagram from a client port to port 7000.
pub(crate) fn udp_datagram(client: u16, payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len() as u16;
    let header = [client, 7000, len, 0].map(u16::to_be_bytes).concat();
    ip4_packet(17, &[&header, payload].concat())
}

/// Returns the packets of a connection on which a client sends these chunks to port 80, each in one
/// segment; the connection remains open.
pub(crate) fn tcp_connection(client: u16, chunks: &[&[u8]]) -> Vec<Vec<u8>> {
    let segment = |from_client: bool, seq: u32, ack: u32, flags: u8, payload: &[u8]| {
        let [from, to] = if from_client {
            [client, 80]
        } else {
            [80, client]
        };
        let ports = [from, to].map(u16::to_be_bytes).concat();
        let numbers = [seq, ack].map(u32::to_be_bytes).concat();
        let rest = [0x50, flags, 0xff, 0xff, 0, 0, 0, 0];
        ip4_packet(6, &[&ports, &numbers, &rest[..], payload].concat())
    };
    let mut packets = vec![
        segment(true, 99, 0, 2, b""),
        segment(false, 499, 100, 0x12, b""),
        segment(true, 100, 500, 0x10, b""),
    ];
    let mut seq = 100;
    for chunk in chunks {
        packets.push(segment(true, seq, 500, 0x18, chunk));
        seq += chunk.len() as u32;
    }
    packets
}

/// Returns a capture of raw IP packets, one per millisecond.
pub(crate) fn raw_ip_capture(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut capture = CaptureBuilder::pcap(ByteOrder::Little, 0xA1B2_C3D4, (2, 4), 101);
    for (at, packet) in (0_u32..).zip(packets) {
        let time = (1000 + at / 1000, at % 1000 * 1000);
        capture.record(time, packet.len() as u32, packet);
    }
    capture.bytes
}

/// Payloads with control characters that act on a terminal: NUL, BEL, ESC, DEL and the C1 codes, as
/// single bytes and in UTF-8.
const HOSTILE_PAYLOADS: [&[u8]; 9] = [
    b"one \x1b]0;owned\x1b\\ \x1b[31m two\r\n",
    b"plain \xc2\x9b31m and \xc2\x85 and \x7f\n",
    b"\x9b31m\x9d0;owned\x9c",
    b"lone\rreturn\x08\x0b\x0c",
    b"\x00\x01\x02\x1b[2J",
    b"half of one \xc2",
    b"\x9b31m the other half \x1b",
    b"[31m the other half\n",
    "overlong \u{80}\u{9f} \u{a0} \u{e4}\n".as_bytes(),
];

#[test]
fn control_characters_of_a_stream_never_reach_the_terminal() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let mut packets: Vec<Vec<u8>> = HOSTILE_PAYLOADS
        .map(|payload| udp_datagram(5000, payload))
        .into();
    packets.push(udp_datagram(5001, &every_byte));
    packets.extend((0..=255).map(|octet| udp_datagram(5002, &[b'x', octet, b'x'])));
    packets.extend(tcp_connection(5003, &HOSTILE_PAYLOADS));
    packets.extend(tcp_connection(
        5004,
        &every_byte.chunks(1).collect::<Vec<_>>(),
    ));
    let input = raw_ip_capture(&packets);
    let mut outputs = Vec::new();
    for options in [
        "",
        "--hex",
        "--color always",
        "--color always --hex",
        "--full",
        "--format json",
        "--format json --full",
    ] {
        let options = options.split_whitespace();
        let output = run_with_stdin(&input, ["follow", "-r", "-"].into_iter().chain(options));
        assert_eq!((output.exit_code, &output.stderr[..]), (0, ""));
        outputs.push((
            assert_printable(&output.stdout_text(), &["0", "2", "33", "36"]),
            output.stdout_text(),
        ));
    }
    let [text, hex, coloured, coloured_hex, full, json, _] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    for visible in [
        "one .]0;owned.\\ .[31m two\n",
        "plain .31m and . and .\n",
        "\u{e4}",
    ] {
        assert!(text.0.contains(visible), "{visible:?} in {text:?}");
    }
    assert!(
        [text, hex, full, json]
            .iter()
            .all(|output| !output.1.contains('\x1b'))
    );
    // Payload cannot imitate status lines and notes.
    let is_own = |line: &str| line.starts_with("── ") || line.starts_with('[');
    let is_payload = |line: &str| line.starts_with('>');
    assert!(text.1.lines().all(|line| is_own(line) || is_payload(line)));
    // Apart from the colours, the output is the same.
    assert!(coloured.1.contains("\x1b[36m") && coloured_hex.1.contains("\x1b[36m"));
    assert_eq!(coloured.0, text.0);
    assert_eq!(coloured_hex.0, hex.0);
    // --raw writes all bytes unchanged.
    for (flow, bytes) in [("2", every_byte), ("4", HOSTILE_PAYLOADS.concat())] {
        let raw = ["follow", "-r", "-", "--flow", flow, "--raw", "orig"];
        assert_eq!(run_with_stdin(&input, raw).stdout, bytes);
    }
}

#[test]
fn follow_and_flows_are_coloured_only_on_request() {
    for command in [
        "follow -r fixtures/redis.pcap",
        "flows -r fixtures/refused.pcap",
    ] {
        for (option, no_color, coloured) in [
            ("--color=auto", false, false),
            ("--color=auto", true, false),
            ("--color=never", false, false),
            ("--color=always", false, true),
            ("--color=always", true, true),
            ("--colour=always", false, true),
        ] {
            let mut lcap = lcap();
            if no_color {
                lcap.env("NO_COLOR", "1");
            }
            let output = lcap.args(command.split(' ')).arg(option).output().unwrap();
            assert!(output.status.success());
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(text.contains('\x1b'), coloured, "{command} {option}");
        }
    }
}

#[test]
fn an_unknown_uid_is_an_error() {
    let uid = "C0123456789abcdefg";
    let output = run(["follow", "-r", "fixtures/http.pcap", "--flow", uid]);
    assert_eq!((output.stdout_text(), output.exit_code), (String::new(), 1));
    let message = "flow C0123456789abcdefg not found (1 flow seen)";
    assert!(output.stderr.contains(message), "{}", output.stderr);
}
