//! Words in, exit code and messages out; all of it without privileges.

use crate::command::{Ran, fixture, lcap, pipe, run};
use crate::craft::{Craft, Order, drain};
use lcap::source::file;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

/// A row's words, of which none holds a blank.
fn words(row: &str) -> Ran {
    run(row.split_whitespace())
}

const HTTP: &str = "fixtures/http.pcap";

#[test]
fn what_cannot_be_meant_is_refused_with_the_remedy() {
    for (row, message) in [
        ("-p http", "loopback has no promiscuous mode"),
        ("-p -i lo", "loopback has no promiscuous mode"),
        ("-p 80,x", "give ports and ranges as 80,8000-8100"),
        ("-p 65536", "65536 is no port: ports are 0 to 65535"),
        ("-p 90-80", "the range 90-80 ends before it begins"),
        (
            "-r fixtures/http.pcap -w /none/x.gz",
            "-w - and a pipe into gzip",
        ),
        ("-r fixtures/http.pcap -w /none/x.ZST", "writes plain ones"),
        (
            "-r fixtures/http.pcap -w /none/x -W 2",
            "-W counts the files of -C or -G",
        ),
        ("-r fixtures/http.pcap -W 2", "--write <FILE>"),
        ("-r fixtures/http.pcap -C 1", "--write <FILE>"),
        ("-r fixtures/http.pcap -w - -C 1", "-w - is one stream"),
        ("-r fixtures/http.pcap -w - -G 1", "-w - is one stream"),
        (
            "-r fixtures/http.pcap -w - --print",
            "both want standard output",
        ),
        (
            "-r fixtures/http.pcap -w fixtures/http.pcap",
            "that is the file being read",
        ),
        (
            "-r fixtures/http.pcap -w tests/../fixtures/http.pcap",
            "that is the file being read",
        ),
        (
            "-r fixtures/http.pcap -w /none/x --count",
            "cannot be used with",
        ),
        ("-r fixtures/http.pcap -i lo", "cannot be used with"),
        (
            "-r fixtures/http.pcap --duration 3",
            "a file ends by itself",
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
        (
            "-r fixtures/http.pcap --max-bytes 0",
            "give a size as 64MiB",
        ),
        ("-r", "a value is required"),
        ("-s 262145", "the most is 262144"),
        ("-B 3GiB", "smaller than 2 GiB"),
        ("--duration 0", "must be more than 0"),
        ("-y ATM", "LINUX_SLL, LINUX_SLL2"),
        ("-i lo inbound", "use `src port` and `dst port`"),
        (
            "-i lo tcp and not outbound",
            "use `src port` and `dst port`",
        ),
        ("--nonsense", "unexpected argument"),
        ("completions ash", "bash"),
    ] {
        words(row).refused(2, row, message);
    }
}

#[test]
fn what_fails_says_what_to_what() {
    for (row, message) in [
        (
            "-r /none/x",
            "lcap: cannot open /none/x: No such file or directory",
        ),
        ("-r fixtures", "lcap: cannot read fixtures: Is a directory"),
        ("-r Cargo.toml", "lcap: Cargo.toml: text, no capture file"),
        ("-r /dev/null", "lcap: /dev/null: empty"),
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
        let ran = words(row);
        assert_eq!((ran.code, ran.out.len()), (1, 0), "{row}: {}", ran.errors);
        assert!(ran.errors.starts_with(message), "{row}: {}", ran.errors);
    }
    for (bytes, message) in [
        (
            &b"snoop\0\0\0\0\0\0\x02"[..],
            "snoop format: convert it with",
        ),
        (b"\xFD7zXZ\0\0\0", "packed by xz: unpack it with"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x01\x02\x03\x04", "it begins with 01 02 03 04"),
        (b"\xD4\xC3\xB2\xA1", "the file ends inside"),
    ] {
        pipe(bytes, ["-r", "-"]).refused(1, message, message);
    }
}

#[test]
fn good_packets_come_before_the_damage() {
    let good = 20;
    for (row, lines) in [
        ("-r fixtures/damaged.pcap", good),
        ("-r fixtures/damaged.pcap --format json", good),
        ("-r fixtures/damaged.pcap -c 20", good),
        ("-r fixtures/damaged.pcap port 1", 0),
    ] {
        let ran = words(row);
        assert_eq!(ran.text().lines().count(), lines, "{row}");
        let limited = row.contains("-c");
        assert_eq!(ran.code, i32::from(!limited), "{row}");
        let told = ran
            .errors
            .contains("damaged at byte 1777, after 20 packets");
        assert_eq!(told, !limited, "{row}: {}", ran.errors);
    }
}

#[test]
fn a_direction_is_asked_for_in_vain_where_the_link_header_does_not_say_it() {
    let ran = words("-r fixtures/http.pcap inbound");
    assert_eq!((ran.code, ran.out.len()), (2, 0));
    assert!(
        ran.errors.contains("no answer on loopback"),
        "{}",
        ran.errors
    );
    // A cooked header says it.
    let ran = words("-r fixtures/cooked2.pcap --count inbound");
    assert_eq!((ran.code, &ran.text()[..]), (0, "12 packets\n"));
}

#[test]
fn expressions_come_from_files_with_comments() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("expression");
    fs::write(&path, "# only\ntcp # segments\n  and src port 8080\n#\n").unwrap();
    let path = path.to_str().unwrap();
    let from_file = run(["-r", HTTP, "-F", path, "udp"]);
    assert_eq!(from_file.code, 0, "{}", from_file.errors);
    let from_words = words("-r fixtures/http.pcap tcp and src port 8080");
    assert_eq!(from_file.out, from_words.out);
    assert!(!from_words.out.is_empty());
}

#[test]
fn about_itself() {
    for (row, start) in [
        (
            "--version",
            concat!("lcap ", env!("CARGO_PKG_VERSION"), "\n"),
        ),
        ("-V", "lcap "),
        ("--help", "Watch, save and read back"),
        ("flows --help", "One line per flow: who talked"),
        ("follow --help", "What both sides of each flow say"),
        ("completions bash", "_lcap() {"),
        ("completions zsh", "#compdef lcap"),
        ("completions fish", "# Print an optspec for argparse"),
        // A roff request.
        ("man", ".ie "),
        ("-D", "1."),
    ] {
        let ran = words(row);
        assert_eq!((ran.code, &ran.errors[..]), (0, ""), "{row}");
        assert!(ran.text().starts_with(start), "{row}: {}", ran.text());
    }
    assert!(words("man").text().contains("\n.TH lcap 1"));
    let devices = words("-D").text();
    assert!(devices.contains("Loopback"), "{devices}");
}

#[test]
fn colour_where_it_is_asked_for() {
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
        let output = command.args(["-r", HTTP, option]).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.contains('\x1b'), coloured, "{option} {no_color}");
    }
}

#[test]
fn whoever_has_seen_enough_closes_the_pipe_and_that_is_success() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long.pcap");
    fs::write(&path, long(20_000).bytes).unwrap();
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
fn standard_input_and_output_are_files_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("again.pcap");
    let shown = words("-r fixtures/http.pcap");
    let saved = run(["-r", HTTP, "--print", "-w", path.to_str().unwrap()]);
    assert_eq!((saved.code, saved.out), (0, shown.out.clone()), "--print");
    let command = &mut lcap();
    let command = command.args(["-r", "-"]).stdin(File::open(&path).unwrap());
    assert!(command.output().unwrap().stdout == shown.out, "a file");
    let output = directory.path().join("output.pcap");
    let command = &mut lcap();
    let command = command.args(["-r", HTTP, "-w", "-"]);
    let status = command.stdout(File::create(&output).unwrap()).status();
    assert!(status.unwrap().success());
    assert!(fs::read(&output).unwrap() == fs::read(&path).unwrap());
}

/// Ten packets a second, of 100 bytes each, since 1000 s.
fn long(packets: u32) -> Craft {
    let mut made = Craft::pcap(Order::Little, 0xA1B2_C3D4, (2, 4), 1);
    for at in 0..packets {
        made.record((1000 + at / 10, at % 10), 100, &[0; 100]);
    }
    made
}

#[test]
fn files_are_divided_as_they_would_have_been_live() {
    let input = long(25_000).bytes;
    // A record has 116 bytes: 8621 and the header are more than a million.
    for (options, files) in [
        ("-C 1", &[("f", 8621), ("f1", 8621), ("f2", 7758)][..]),
        ("-C 1 -W 2", &[("f0", 7758), ("f1", 8621)]),
        ("-C 1 -W 11", &[("f00", 8621), ("f01", 8621), ("f02", 7758)]),
        ("-G 1000", &[("f", 5000)]),
        ("-G 1000 -W 2", &[("f", 10_000)]),
    ] {
        divided(&input, "f", options, files);
    }
    let times = [("f1000", 10_000), ("f2000", 10_000), ("f3000", 5000)];
    divided(&input, "f%s", "-G 1000", &times);
    divided(&input, "f%s", "-G 1000 -W 2", &times[..2]);
}

fn divided(input: &[u8], name: &str, options: &str, expected: &[(&str, usize)]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    let words = ["-r", "-", "-w", path.to_str().unwrap()];
    let ran = pipe(input, words.into_iter().chain(options.split_whitespace()));
    assert_eq!((ran.code, &ran.errors[..]), (0, ""), "{options}");
    let there = fs::read_dir(directory.path()).unwrap();
    let mut there: Vec<(String, usize)> = there
        .map(|entry| entry.unwrap().path())
        .map(|path| (last(&path), drain(file::open(&path)).frames.len()))
        .collect();
    there.sort();
    let expected: Vec<_> = expected.iter().map(|&(name, n)| (name.into(), n)).collect();
    assert_eq!(there, expected, "{options}");
}

fn last(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn control_characters_of_a_capture_never_reach_the_terminal() {
    const HOSTILE: &[u8] = b"lo\x1b]0;owned\x07\x1b[31m\xc2\x9b31m\r\n";
    // Every link type with a name in it, and bytes that are no text.
    let cooked = drain(file::open(fixture("cooked2.pcap").as_ref()));
    for link in [1, 113, 276, 101, 0, 147] {
        let mut made = Craft::pcapng(Order::Little);
        made.interface(link, 0, &[(2, HOSTILE), (3, HOSTILE)]);
        for frame in &cooked.frames {
            made.enhanced(0, 5, 200, &frame.bytes, &[(1, HOSTILE)]);
        }
        made.enhanced(0, 6, 100, &HOSTILE.repeat(4), &[(1, HOSTILE)]);
        for options in ["", "-e -v", "-A", "-X", "-XX", "--format json"] {
            let options = options.split_whitespace();
            let ran = pipe(&made.bytes, ["-r", "-"].into_iter().chain(options));
            assert_eq!(ran.code, 0);
            for text in [ran.text(), ran.errors] {
                let control = |c: char| c.is_control() && c != '\n' && c != '\t';
                assert!(!text.contains(control), "{link}: {text:?}");
            }
        }
    }
}
