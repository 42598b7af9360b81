//! `lcap flows`: what its words mean together, where rows go, and that neither what is read nor who reads does any harm.

use crate::command::{Ran, fixture, fixtures, lcap, pipe, run};
use crate::conversations::{capture, connection, datagram, harmless};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// A row's words, of which none holds a blank.
fn words(row: &str) -> Ran {
    run(row.split_whitespace())
}

const FORMATS: [&str; 4] = ["text", "json", "csv", "zeek"];

#[test]
fn what_cannot_be_meant_is_refused() {
    const ORDERS: &str = "values: bytes, packets, duration, response, retransmissions, start]";
    const CONDITIONS: &str = "values: refused, no-answer, reset, half-open, half-closed, \
        unclosed, retransmission, out-of-order, zero-window, gap, mismatch]";
    for (row, message) in [
        ("--format xml", "possible values: text, json, csv, zeek]"),
        ("--sort size", ORDERS),
        ("--fail-on slow", CONDITIONS),
        ("--fail-on refused,slow", "invalid value 'slow'"),
        ("--fail-on refused,,reset", "a value is required"),
        ("--top 0", "0 is not in 1.."),
        ("--max-flows 0", "0 is not in 1.."),
        ("--max-waiting none", "give a size as 64MiB"),
        ("-w -", "both want standard output"),
        ("-o - -w -", "both want standard output"),
        ("-w fixtures/http.pcap", "that is the file being read"),
        ("--hex", "unexpected argument"),
        ("--duration 3", "a file ends by itself"),
        ("-i lo", "cannot be used with"),
        ("not an expression", "can't parse"),
    ] {
        let ran = words(&format!("flows -r fixtures/http.pcap {row}"));
        ran.refused(2, row, message);
    }
    // What stands before a command would be ignored.
    for command in ["flows", "follow"] {
        let read = "-r fixtures/http.pcap";
        let ran = words(&format!("{read} {command} {read}"));
        assert_eq!((ran.code, ran.out.len()), (2, 0), "{command}");
    }
    let ran = words("flows -r fixtures/http.pcap -o /none/x");
    assert_eq!((ran.code, ran.out.len()), (1, 0));
    let message = "lcap: cannot create /none/x: No such file";
    assert!(ran.errors.starts_with(message), "{}", ran.errors);
}

#[test]
fn no_report_is_written_over_a_capture() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    let original = fs::read(fixture("http.pcap")).unwrap();
    fs::write(&path, &original).unwrap();
    let path = path.to_str().unwrap();
    // Another name of the same file.
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(path, &link).unwrap();
    let link = link.to_str().unwrap();
    for output in [path, link] {
        let read = lcap().args(["flows", "-r", path, "-o", output]).output();
        assert_eq!(read.unwrap().status.code(), Some(2), "{output}");
        assert!(fs::read(path).unwrap() == original, "{output}");
    }
    let http = fixture("http.pcap");
    for output in [path, link] {
        let saved = lcap()
            .args(["flows", "-r", &http, "-w", path, "-o", output])
            .output();
        assert_eq!(saved.unwrap().status.code(), Some(2), "{output}");
    }
}

#[test]
fn rows_go_where_they_are_sent() {
    let directory = tempfile::tempdir().unwrap();
    let [rows, saved] = ["rows", "saved.pcap"].map(|name| directory.path().join(name));
    let [rows, saved] = [&rows, &saved].map(|path| path.to_str().unwrap());
    let udp = fixture("udp.pcap");
    let original = fs::read(&udp).unwrap();
    for format in FORMATS {
        let flows = ["flows", "-r", &udp, "--format", format];
        let with = |options: &[&str]| {
            let ran = run(flows.iter().chain(options));
            assert_eq!((ran.code, &ran.errors[..]), (0, ""), "{format} {options:?}");
            ran.out
        };
        let shown = with(&[]);
        assert!(!shown.is_empty(), "{format}");
        assert!(with(&["-o", "-"]) == shown, "{format}");
        // What was there is replaced.
        fs::write(rows, vec![b'x'; 100_000]).unwrap();
        assert_eq!(with(&["-o", rows]), b"", "{format}");
        assert!(fs::read(rows).unwrap() == shown, "{format}");
        assert!(with(&["-w", saved]) == shown, "{format}");
        assert!(fs::read(saved).unwrap() == original, "{format}");
        assert!(with(&["-o", rows, "-w", "-"]) == original, "{format}");
        // Colours are for terminals, also where they are asked for always.
        assert_eq!(with(&["-o", rows, "--color", "always"]), b"", "{format}");
        assert!(fs::read(rows).unwrap() == shown, "{format}");
    }
    // What is left out is not saved.
    words(&format!("flows -r fixtures/udp.pcap -p 7109 -w {saved}"));
    let count = run(["-r", saved, "--count"]).text();
    // Both datagrams to that port, and the ICMP errors about them.
    assert_eq!(count, "4 packets\n");
}

#[test]
fn the_same_capture_gives_the_same_bytes() {
    for name in fixtures() {
        let path = fixture(&name);
        let bytes = fs::read(&path).unwrap();
        for row in [
            "flows --format json",
            "flows",
            "follow",
            "flows --max-flows 1 --sort packets",
        ] {
            let read = |from| {
                let (command, options) = row.split_once(' ').unwrap_or((row, ""));
                let words = [command, "-r", from];
                let words: Vec<&str> = words
                    .into_iter()
                    .chain(options.split_whitespace())
                    .collect();
                pipe(&bytes, words)
            };
            let (ran, again, piped) = (read(&path), read(&path), read("-"));
            assert!(ran.out == again.out, "{name} {row}");
            assert!(ran.out == piped.out, "{name} {row} through a pipe");
            assert_eq!((ran.code, &ran.errors), (again.code, &again.errors));
            assert_eq!(ran.code, piped.code);
        }
    }
}

#[test]
fn whoever_has_seen_enough_closes_the_pipe_and_that_is_success() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("many.pcap");
    let mut packets: Vec<_> = (1024..20_000)
        .map(|port| datagram(port, b"a line\n"))
        .collect();
    packets.extend((0..5000).map(|_| datagram(1, &b"a line\n".repeat(30))));
    fs::write(&path, capture(&packets)).unwrap();
    for options in [
        "flows",
        "flows --format json",
        "flows --format csv",
        "flows --format zeek",
        "flows --sort start",
        "follow",
        "follow --hex",
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
    let words = "\x1b]0;owned\x07\x1b[31m\u{9b}31m\x7f,\"';\t\\";
    let [http, host] = [words.replace('\t', ""), words.replace(['\t', ' '], "")];
    let requests = [
        format!("GET /{http} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("*1\r\n${}\r\n{words}\r\n", words.len()),
        format!("SSH-2.0-{words}\r\n"),
        format!("GET /plain HTTP/1.1\r\nHost: {words}\r\nUpgrade: websocket\r\n\r\n"),
    ];
    let mut packets = Vec::new();
    for (client, request) in (5000..).zip(&requests) {
        packets.extend(connection(client, &[request.as_bytes()]));
    }
    let input = capture(&packets);
    for format in FORMATS {
        let flows = ["flows", "-r", "-", "--format", format];
        let ran = pipe(&input, flows.into_iter().chain(["--fail-on", "unclosed"]));
        assert_eq!(ran.code, 1, "{}", ran.errors);
        // Said on standard error, too.
        assert_eq!(
            ran.errors.matches("unclosed: flow ").count(),
            requests.len()
        );
        for text in [ran.text(), ran.errors] {
            harmless(&text, &[]);
        }
    }
    // Neither the separator nor the quote adds a field.
    let csv = pipe(&input, ["flows", "-r", "-", "--format", "csv"]).out;
    let mut reader = csv::Reader::from_reader(&csv[..]);
    assert_eq!(reader.records().map(Result::unwrap).count(), requests.len());
    let zeek = pipe(&input, ["flows", "-r", "-", "--format", "zeek"]).text();
    let count = |line: &str| line.split('\t').count();
    let fields = zeek
        .lines()
        .find(|line| line.starts_with("#fields"))
        .unwrap();
    let rows = zeek.lines().filter(|line| !line.starts_with('#'));
    assert!(rows.clone().all(|row| count(row) + 1 == count(fields)));
    assert_eq!(rows.count(), requests.len());
}
