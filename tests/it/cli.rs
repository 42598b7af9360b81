//! Command line: options, exit codes and messages, all without privileges.

use crate::command::{RunOutput, fixture_path, lcap, run, run_with_stdin};
use crate::craft::{ByteOrder, CaptureBuilder, read_all};
use crate::printable::assert_printable;
use lcap::internals::source::file;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

/// Runs `lcap` with arguments that are separated by spaces.
fn run_args(row: &str) -> RunOutput {
    run(row.split_whitespace())
}

const HTTP_CAPTURE: &str = "fixtures/http.pcap";

#[test]
fn invalid_arguments_are_rejected_with_a_remedy() {
    for (row, message) in [
        ("-p http", "Unlike tcpdump's, -p selects ports"),
        ("-p -i lo", "Unlike tcpdump's, -p selects ports"),
        ("-p 80,x", "write ports and ranges as 80,8000-8100"),
        ("-p 65536", "65536 is not a port number (1-65535)"),
        (
            "-p 90-80",
            "invalid port range 90-80: 90 is greater than 80",
        ),
        (
            "-r fixtures/http.pcap -w /none/x.gz",
            "-w - and a pipe into gzip",
        ),
        (
            "-r fixtures/http.pcap -w /none/x.ZST",
            "does not write compressed files",
        ),
        (
            "-r fixtures/http.pcap -w /none/x -W 2",
            "-W limits the number of files",
        ),
        ("-r fixtures/http.pcap -W 2", "--write <FILE>"),
        ("-r fixtures/http.pcap -C 1", "--write <FILE>"),
        ("-r fixtures/http.pcap -w - -C 1", "-w - is one stream"),
        ("-r fixtures/http.pcap -w - -G 1", "-w - is one stream"),
        (
            "-r fixtures/http.pcap -w - --print",
            "both use standard output",
        ),
        (
            "-r fixtures/http.pcap -w fixtures/http.pcap",
            "is the input file",
        ),
        (
            "-r fixtures/http.pcap -w tests/../fixtures/http.pcap",
            "is the input file",
        ),
        (
            "-r fixtures/http.pcap -w /none/x --count",
            "cannot be used with",
        ),
        ("-r fixtures/http.pcap -i lo", "cannot be used with"),
        (
            "-r fixtures/http.pcap --duration 3",
            "applies only to live captures",
        ),
        (
            "-r fixtures/http.pcap --nano --micro",
            "cannot be used with",
        ),
        (
            "-r fixtures/http.pcap not an expression",
            "\"not an expression\": can't parse",
        ),
        (
            "-r fixtures/http.pcap --format xml",
            "possible values: text, json",
        ),
        ("-r fixtures/http.pcap -c 0", "0 is not in 1.."),
        ("-r fixtures/http.pcap --max-bytes 0", "write 64MiB"),
        ("-r", "a value is required"),
        ("-s 262145", "the maximum is 262144"),
        ("-B 3GiB", "smaller than 2 GiB"),
        ("--duration 0", "must be more than 0"),
        ("--duration soon", "write 10s, 1m30s, 500ms"),
        ("-y ATM", "LINUX_SLL, LINUX_SLL2"),
        ("-i lo inbound", "use `src port` or `dst port`"),
        ("-i lo tcp and not outbound", "use `src port` or `dst port`"),
        ("--nonsense", "unexpected argument"),
        ("completions ash", "bash"),
    ] {
        run_args(row).assert_rejected(2, row, message);
    }
}

#[test]
fn errors_name_the_operation_and_the_file() {
    for (row, message) in [
        (
            "-r /none/x",
            "lcap: cannot open /none/x: No such file or directory",
        ),
        ("-r fixtures", "lcap: cannot read fixtures: Is a directory"),
        (
            "-r Cargo.toml",
            "lcap: Cargo.toml: not a capture file (plain text)",
        ),
        ("-r /dev/null", "lcap: /dev/null: the file is empty"),
        (
            "-r fixtures/http.pcap -w /none/x",
            "lcap: cannot create /none/x: No such file",
        ),
        (
            "-r fixtures/http.pcap -F /none/x",
            "lcap: cannot read /none/x: No such file",
        ),
        ("-i no-such-device", "lcap: no-such-device: "),
    ] {
        let ran = run_args(row);
        assert_eq!(
            (ran.exit_code, ran.stdout.len()),
            (1, 0),
            "{row}: {}",
            ran.stderr
        );
        assert!(ran.stderr.starts_with(message), "{row}: {}", ran.stderr);
    }
    for (bytes, message) in [
        (
            &b"snoop\0\0\0\0\0\0\x02"[..],
            "snoop format: convert it with",
        ),
        (b"\xFD7zXZ\0\0\0", "compressed with xz: decompress it with"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x01\x02\x03\x04", "it starts with 01 02 03 04"),
        (b"\xD4\xC3\xB2\xA1", "the file ends inside"),
    ] {
        run_with_stdin(bytes, ["-r", "-"]).assert_rejected(1, message, message);
    }
}

#[test]
fn packets_before_the_damage_are_printed() {
    let good = 20;
    for (row, lines) in [
        ("-r fixtures/damaged.pcap", good),
        ("-r fixtures/damaged.pcap --format json", good),
        ("-r fixtures/damaged.pcap -c 20", good),
        ("-r fixtures/damaged.pcap port 1", 0),
    ] {
        let ran = run_args(row);
        assert_eq!(ran.stdout_text().lines().count(), lines, "{row}");
        let limited = row.contains("-c");
        assert_eq!(ran.exit_code, i32::from(!limited), "{row}");
        let is_reported = ran
            .stderr
            .contains("damaged at byte 1777, after 20 packets");
        assert_eq!(is_reported, !limited, "{row}: {}", ran.stderr);
    }
}

#[test]
fn direction_filters_need_a_link_header_with_a_direction() {
    let ran = run_args("-r fixtures/http.pcap inbound");
    assert_eq!((ran.exit_code, ran.stdout.len()), (2, 0));
    assert!(
        ran.stderr.contains("not possible on loopback"),
        "{}",
        ran.stderr
    );
    // A cooked header contains the direction.
    let ran = run_args("-r fixtures/cooked2.pcap --count inbound");
    assert_eq!((ran.exit_code, &ran.stdout_text()[..]), (0, "12 packets\n"));
}

#[test]
fn filter_files_can_contain_comments() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("expression");
    fs::write(&path, "# only\ntcp # segments\n  and src port 8080\n#\n").unwrap();
    let path = path.to_str().unwrap();
    let from_file = run(["-r", HTTP_CAPTURE, "-F", path, "udp"]);
    assert_eq!(from_file.exit_code, 0, "{}", from_file.stderr);
    let from_arguments = run_args("-r fixtures/http.pcap tcp and src port 8080");
    assert_eq!(from_file.stdout, from_arguments.stdout);
    assert!(!from_arguments.stdout.is_empty());
}

#[test]
fn help_version_man_and_completions_are_printed() {
    for (row, start) in [
        (
            "--version",
            concat!("lcap ", env!("CARGO_PKG_VERSION"), "\n"),
        ),
        ("-V", "lcap "),
        ("--help", "Watch, save and read back"),
        ("flows --help", "One line per flow: both processes"),
        ("requests --help", "One line per request: both processes"),
        ("follow --help", "Conversations: the messages of both sides"),
        ("completions bash", "_lcap() {"),
        ("completions zsh", "#compdef lcap"),
        ("completions fish", "# Print an optspec for argparse"),
        // A roff request.
        ("man", ".ie "),
        ("-D", "1."),
    ] {
        let ran = run_args(row);
        assert_eq!((ran.exit_code, &ran.stderr[..]), (0, ""), "{row}");
        assert!(
            ran.stdout_text().starts_with(start),
            "{row}: {}",
            ran.stdout_text()
        );
    }
    assert!(run_args("man").stdout_text().contains("\n.TH lcap 1"));
    let devices = run_args("-D").stdout_text();
    assert!(devices.contains("Loopback"), "{devices}");
}

#[test]
fn packets_are_coloured_only_on_request() {
    for (option, no_color, coloured) in [
        ("--color=auto", false, false),
        ("--color=never", false, false),
        ("--color=always", false, true),
        ("--color=always", true, true),
        ("--colour=always", false, true),
    ] {
        let mut command = lcap();
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let output = command.args(["-r", HTTP_CAPTURE, option]).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.contains('\x1b'), coloured, "{option} {no_color}");
    }
}

#[test]
fn a_closed_stdout_pipe_is_success() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long.pcap");
    fs::write(&path, long_capture(20_000).bytes).unwrap();
    for options in [&[][..], &["--format", "json"], &["-X"], &["-w", "-"]] {
        let command = &mut lcap();
        let command = command.arg("-r").arg(&path).args(options);
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_until(b'\n', &mut Vec::new()).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{options:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{options:?}");
    }
}

#[test]
fn standard_input_and_output_can_be_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("again.pcap");
    let shown = run_args("-r fixtures/http.pcap");
    let saved = run(["-r", HTTP_CAPTURE, "--print", "-w", path.to_str().unwrap()]);
    assert_eq!(
        (saved.exit_code, saved.stdout),
        (0, shown.stdout.clone()),
        "--print"
    );
    let command = &mut lcap();
    let command = command.args(["-r", "-"]).stdin(File::open(&path).unwrap());
    assert!(command.output().unwrap().stdout == shown.stdout, "a file");
    let output = directory.path().join("output.pcap");
    let command = &mut lcap();
    let command = command.args(["-r", HTTP_CAPTURE, "-w", "-"]);
    let status = command.stdout(File::create(&output).unwrap()).status();
    assert!(status.unwrap().success());
    assert!(fs::read(&output).unwrap() == fs::read(&path).unwrap());
}

/// Builds a capture of ten packets per second, of 100 bytes each, starting 1000 s after the epoch.
fn long_capture(packets: u32) -> CaptureBuilder {
    let mut capture = CaptureBuilder::pcap(ByteOrder::Little, 0xA1B2_C3D4, (2, 4), 1);
    for index in 0..packets {
        capture.record((1000 + index / 10, index % 10), 100, &[0; 100]);
    }
    capture
}

#[test]
fn output_rotates_by_size_and_by_packet_time() {
    let input = long_capture(25_000).bytes;
    // A record has 116 bytes: with the file header, 8621 records exceed a million bytes.
    for (options, files) in [
        ("-C 1", &[("f", 8621), ("f1", 8621), ("f2", 7758)][..]),
        ("-C 1 -W 2", &[("f0", 7758), ("f1", 8621)]),
        ("-C 1 -W 11", &[("f00", 8621), ("f01", 8621), ("f02", 7758)]),
        ("-G 1000", &[("f", 5000)]),
        ("-G 1000 -W 2", &[("f", 10_000)]),
    ] {
        assert_rotation(&input, "f", options, files);
    }
    let times = [("f1000", 10_000), ("f2000", 10_000), ("f3000", 5000)];
    assert_rotation(&input, "f%s", "-G 1000", &times);
    assert_rotation(&input, "f%s", "-G 1000 -W 2", &times[..2]);
}

fn assert_rotation(input: &[u8], name: &str, options: &str, expected: &[(&str, usize)]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    let args = ["-r", "-", "-w", path.to_str().unwrap()];
    let ran = run_with_stdin(input, args.into_iter().chain(options.split_whitespace()));
    assert_eq!((ran.exit_code, &ran.stderr[..]), (0, ""), "{options}");
    let entries = fs::read_dir(directory.path()).unwrap();
    let mut written: Vec<(String, usize)> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (file_name(&path), read_all(file::open(&path)).frames.len()))
        .collect();
    written.sort();
    let expected: Vec<_> = expected.iter().map(|&(name, n)| (name.into(), n)).collect();
    assert_eq!(written, expected, "{options}");
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn control_characters_of_a_capture_never_reach_the_terminal() {
    const HOSTILE: &[u8] = b"lo\x1b]0;owned\x07\x1b[31m\xc2\x9b31m\xe2\x80\xae\r\n";
    // Supported link types with different headers, and an unsupported one (147).
    let cooked = read_all(file::open(fixture_path("cooked2.pcap").as_ref()));
    for link in [1, 113, 276, 101, 0, 147] {
        let mut capture = CaptureBuilder::pcapng(ByteOrder::Little);
        capture.interface(link, 0, &[(2, HOSTILE), (3, HOSTILE)]);
        for frame in &cooked.frames {
            capture.enhanced_packet(0, 5, 200, &frame.bytes, &[(1, HOSTILE)]);
        }
        capture.enhanced_packet(0, 6, 100, &HOSTILE.repeat(4), &[(1, HOSTILE)]);
        for options in ["", "-e -v", "-A", "-X", "-XX", "--format json"] {
            let options = options.split_whitespace();
            let ran = run_with_stdin(&capture.bytes, ["-r", "-"].into_iter().chain(options));
            assert_eq!(ran.exit_code, 0);
            for text in [ran.stdout_text(), ran.stderr] {
                assert_printable(&text, &[]);
            }
        }
    }
}
