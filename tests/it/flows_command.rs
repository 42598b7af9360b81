//! `lcap flows`: conflicting options, output files, hostile input, and readers that close the pipe.

use crate::command::{RunOutput, fixture_names, fixture_path, lcap, run, run_with_stdin};
use crate::follow::{raw_ip_capture, tcp_connection, udp_datagram};
use crate::printable::assert_printable;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Runs `lcap` with arguments that are separated by spaces.
fn run_args(row: &str) -> RunOutput {
    run(row.split_whitespace())
}

const FORMATS: [&str; 4] = ["text", "json", "csv", "zeek"];

#[test]
fn invalid_arguments_are_rejected() {
    const ORDERS: &str = "values: bytes, packets, duration, response, retransmissions, start]";
    const CONDITIONS: &str = "values: refused, no-answer, reset, half-open, half-closed, \
        unclosed, retransmission, out-of-order, zero-window, gap, mismatch]";
    for (row, message) in [
        ("--format xml", "possible values: text, json, csv, zeek]"),
        ("--sort size", ORDERS),
        ("--fail-on slow", CONDITIONS),
        ("--fail-on unanswered,slow", "invalid value 'slow'"),
        ("--fail-on refused,,reset", "a value is required"),
        ("--top 0", "0 is not in 1.."),
        ("--max-flows 0", "0 is not in 1.."),
        ("--max-waiting none", "write 64MiB"),
        ("-w -", "both use standard output"),
        ("-o - -w -", "both use standard output"),
        ("-w fixtures/http.pcap", "is the input file"),
        ("--hex", "unexpected argument"),
        ("--duration 3", "applies only to live captures"),
        ("-i lo", "cannot be used with"),
        ("not an expression", "can't parse"),
    ] {
        let ran = run_args(&format!("flows -r fixtures/http.pcap {row}"));
        ran.assert_rejected(2, row, message);
    }
    // Options before a command would be ignored, so they are rejected.
    for command in ["flows", "requests", "follow"] {
        let read = "-r fixtures/http.pcap";
        let ran = run_args(&format!("{read} {command} {read}"));
        assert_eq!((ran.exit_code, ran.stdout.len()), (2, 0), "{command}");
    }
    let ran = run_args("flows -r fixtures/http.pcap -o /none/x");
    assert_eq!((ran.exit_code, ran.stdout.len()), (1, 0));
    let message = "lcap: cannot create /none/x: No such file";
    assert!(ran.stderr.starts_with(message), "{}", ran.stderr);
}

#[test]
fn a_report_never_overwrites_a_capture() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    let original = fs::read(fixture_path("http.pcap")).unwrap();
    fs::write(&path, &original).unwrap();
    let path = path.to_str().unwrap();
    // A second name for the same file.
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(path, &link).unwrap();
    let link = link.to_str().unwrap();
    for output in [path, link] {
        let read = lcap().args(["flows", "-r", path, "-o", output]).output();
        assert_eq!(read.unwrap().status.code(), Some(2), "{output}");
        assert!(fs::read(path).unwrap() == original, "{output}");
    }
    let http = fixture_path("http.pcap");
    for output in [path, link] {
        let saved = lcap()
            .args(["flows", "-r", &http, "-w", path, "-o", output])
            .output();
        assert_eq!(saved.unwrap().status.code(), Some(2), "{output}");
    }
}

#[test]
fn rows_are_written_to_the_requested_output() {
    let directory = tempfile::tempdir().unwrap();
    let [rows, saved] = ["rows", "saved.pcap"].map(|name| directory.path().join(name));
    let [rows, saved] = [&rows, &saved].map(|path| path.to_str().unwrap());
    let udp = fixture_path("udp.pcap");
    let original = fs::read(&udp).unwrap();
    for format in FORMATS {
        let flows = ["flows", "-r", &udp, "--format", format];
        let with = |options: &[&str]| {
            let ran = run(flows.iter().chain(options));
            assert_eq!(
                (ran.exit_code, &ran.stderr[..]),
                (0, ""),
                "{format} {options:?}"
            );
            ran.stdout
        };
        let shown = with(&[]);
        assert!(!shown.is_empty(), "{format}");
        assert!(with(&["-o", "-"]) == shown, "{format}");
        // The previous content is replaced.
        fs::write(rows, vec![b'x'; 100_000]).unwrap();
        assert_eq!(with(&["-o", rows]), b"", "{format}");
        assert!(fs::read(rows).unwrap() == shown, "{format}");
        assert!(with(&["-w", saved]) == shown, "{format}");
        assert!(fs::read(saved).unwrap() == original, "{format}");
        assert!(with(&["-o", rows, "-w", "-"]) == original, "{format}");
        // Colours are for terminals: files have none, even with `--color always`.
        assert_eq!(with(&["-o", rows, "--color", "always"]), b"", "{format}");
        assert!(fs::read(rows).unwrap() == shown, "{format}");
    }
    // Packets that the filter rejects are not saved.
    run_args(&format!("flows -r fixtures/udp.pcap -p 7109 -w {saved}"));
    let count = run(["-r", saved, "--count"]).stdout_text();
    // Both datagrams to that port, and the ICMP errors about them.
    assert_eq!(count, "4 packets\n");
}

#[test]
fn output_is_deterministic() {
    for name in fixture_names() {
        let path = fixture_path(&name);
        let bytes = fs::read(&path).unwrap();
        for row in [
            "flows --format json",
            "flows",
            "requests --format json --body",
            "requests",
            "follow",
            "follow --format json",
            "flows --max-flows 1 --sort packets",
        ] {
            let read = |from| {
                let (command, options) = row.split_once(' ').unwrap_or((row, ""));
                let args = [command, "-r", from];
                let args: Vec<&str> = args.into_iter().chain(options.split_whitespace()).collect();
                run_with_stdin(&bytes, args)
            };
            let (ran, again, piped) = (read(&path), read(&path), read("-"));
            assert!(ran.stdout == again.stdout, "{name} {row}");
            assert!(ran.stdout == piped.stdout, "{name} {row} through a pipe");
            assert_eq!(
                (ran.exit_code, &ran.stderr),
                (again.exit_code, &again.stderr)
            );
            assert_eq!(ran.exit_code, piped.exit_code);
        }
    }
}

#[test]
fn a_closed_stdout_pipe_is_success() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("many.pcap");
    let mut packets: Vec<_> = (1024..20_000)
        .map(|port| udp_datagram(port, b"a line\n"))
        .collect();
    packets.extend((0..5000).map(|_| udp_datagram(1, &b"a line\n".repeat(30))));
    fs::write(&path, raw_ip_capture(&packets)).unwrap();
    for options in [
        "flows",
        "flows --format json",
        "flows --format csv",
        "flows --format zeek",
        "flows --sort start",
        "requests",
        "requests --format json",
        "requests --format csv",
        "requests --sort time",
        "follow",
        "follow --hex",
        "follow --format json",
        "follow --flow 18977 --raw orig",
    ] {
        let mut command = lcap();
        let command = command.args(options.split(' ')).arg("-r").arg(&path);
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut stdout = BufReader::with_capacity(16, child.stdout.take().unwrap());
        let mut line = Vec::new();
        stdout.read_until(b'\n', &mut line).unwrap();
        assert!(!line.is_empty(), "{options}");
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{options}");
        assert_eq!(output.status.code(), Some(0), "{options}");
    }
}

#[test]
fn control_characters_of_requests_never_reach_the_terminal() {
    let hostile = "\x1b]0;owned\x07\x1b[31m\u{9b}31m\x7f,\"';\t\\";
    let [http, host] = [hostile.replace('\t', ""), hostile.replace(['\t', ' '], "")];
    let requests = [
        format!("GET /{http} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("*1\r\n${}\r\n{hostile}\r\n", hostile.len()),
        format!("SSH-2.0-{hostile}\r\n"),
        format!("GET /plain HTTP/1.1\r\nHost: {hostile}\r\nUpgrade: websocket\r\n\r\n"),
    ];
    let mut packets = Vec::new();
    for (client, request) in (5000..).zip(&requests) {
        packets.extend(tcp_connection(client, &[request.as_bytes()]));
    }
    let input = raw_ip_capture(&packets);
    for format in FORMATS {
        let flows = ["flows", "-r", "-", "--format", format];
        let ran = run_with_stdin(&input, flows.into_iter().chain(["--fail-on", "unclosed"]));
        assert_eq!(ran.exit_code, 3, "{}", ran.stderr);
        // The flows are also listed on standard error.
        assert_eq!(
            ran.stderr.matches("unclosed: flow ").count(),
            requests.len()
        );
        for text in [ran.stdout_text(), ran.stderr] {
            assert_printable(&text, &[]);
        }
    }
    // Separators and quotes inside a value add no field.
    let csv = run_with_stdin(&input, ["flows", "-r", "-", "--format", "csv"]).stdout;
    let mut reader = csv::Reader::from_reader(&csv[..]);
    assert_eq!(reader.records().map(Result::unwrap).count(), requests.len());
    let zeek = run_with_stdin(&input, ["flows", "-r", "-", "--format", "zeek"]).stdout_text();
    let count = |line: &str| line.split('\t').count();
    let fields = zeek
        .lines()
        .find(|line| line.starts_with("#fields"))
        .unwrap();
    let rows = zeek.lines().filter(|line| !line.starts_with('#'));
    assert!(rows.clone().all(|row| count(row) + 1 == count(fields)));
    assert_eq!(rows.count(), requests.len());
}
