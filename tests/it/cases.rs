//! Golden tests: the output of lcap for each row of fixtures/CASES; and round trips of the captures
//! through `-w`.

use crate::command::{RunOutput, fixture_names, fixture_path, run, run_with_stdin};
use crate::craft::{ByteOrder, CaptureBuilder, read_all};
use lcap::internals::source::file;
use std::collections::BTreeSet;

/// One row of fixtures/CASES.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) capture: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) golden: String,
}

impl Case {
    pub(crate) fn run(&self) -> RunOutput {
        let read = ["-r".to_owned(), format!("fixtures/{}", self.capture)];
        let (command, options) = self.arguments.split_at(usize::from(self.has_command()));
        run(command.iter().chain(&read).chain(options))
    }

    /// Returns true if the first argument is a command, not an option or expression.
    pub(crate) fn has_command(&self) -> bool {
        let first = self.arguments.first();
        first.is_some_and(|argument| ["flows", "requests", "follow"].contains(&&argument[..]))
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let table = std::fs::read_to_string(fixture_path("CASES")).unwrap();
    let rows = table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|row| {
        let columns: Vec<&str> = row.split(" | ").map(str::trim).collect();
        let [name, capture, arguments, golden] = columns[..] else {
            panic!("not four columns: {row}");
        };
        Case {
            name: name.into(),
            capture: capture.into(),
            arguments: arguments.split_whitespace().map(str::to_owned).collect(),
            golden: golden.into(),
        }
    })
    .collect()
}

/// Returns the text of a golden file: standard output, the exit code if it is not 0, standard
/// error.
fn golden_text(output: &RunOutput) -> String {
    let code = match output.exit_code {
        0 => String::new(),
        code => format!("exit {code}\n"),
    };
    String::from_utf8_lossy(&output.stdout).into_owned() + &code + &output.stderr
}

#[test]
fn every_case_prints_its_golden_file() {
    let bless = std::env::var_os("LCAP_BLESS").is_some();
    let mut differences = String::new();
    for case in cases() {
        let actual = golden_text(&case.run());
        let path = fixture_path(&format!("golden/{}", case.golden));
        if bless {
            std::fs::write(&path, &actual).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if actual != expected {
            let difference = first_difference(&expected, &actual);
            differences += &format!("{}: {difference}\n", case.name);
        }
    }
    assert!(
        differences.is_empty(),
        "if these changes are intended, run with LCAP_BLESS=1 to update the golden files:\n{differences}"
    );
}

/// Describes the first line that differs, or the line counts if one text is longer.
pub(crate) fn first_difference(expected: &str, actual: &str) -> String {
    let mut lines = expected.lines().zip(actual.lines()).enumerate();
    match lines.find(|(_, (expected, actual))| expected != actual) {
        Some((at, (expected, actual))) => {
            format!(
                "line {}\n  expected {expected}\n  actual   {actual}",
                at + 1
            )
        }
        None => format!(
            "{} lines expected, {} printed",
            expected.lines().count(),
            actual.lines().count()
        ),
    }
}

#[test]
fn every_capture_and_golden_file_has_a_case() {
    let cases = cases();
    let captures: BTreeSet<_> = cases.iter().map(|case| case.capture.clone()).collect();
    assert_eq!(captures, BTreeSet::from_iter(fixture_names()));
    let used: BTreeSet<_> = cases.iter().map(|case| case.golden.clone()).collect();
    let files = std::fs::read_dir(fixture_path("golden")).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(used, files.collect());
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "names are unique");
}

/// Parses packets from JSON output. For a comparison with a pcap file (`is_pcap`), removes the
/// fields that such a file cannot store: interface names and processes.
fn packets(json: &RunOutput, is_pcap: bool) -> Vec<serde_json::Value> {
    let text = json.stdout_text();
    let lines = text.lines().map(|line| {
        let mut packet: serde_json::Value = serde_json::from_str(line).unwrap();
        if is_pcap {
            for field in ["interface", "src_process", "dst_process"] {
                packet.as_object_mut().unwrap().remove(field);
            }
        }
        packet
    });
    lines.collect()
}

#[test]
fn captures_survive_a_write_and_read_round_trip() {
    let directory = tempfile::tempdir().unwrap();
    for name in fixture_names() {
        let json = ["--format", "json"];
        let original = fixture_path(&name);
        let exit_code = i32::from(name.starts_with("damaged"));
        let before = run(["-r", &original].iter().chain(&json));
        assert_eq!(before.exit_code, exit_code, "{name}");
        let bytes = std::fs::read(&original).unwrap();
        for copy in ["copy.pcap", "copy.pcapng"] {
            let is_pcap = copy == "copy.pcap";
            let path = directory.path().join(copy);
            let path = path.to_str().unwrap();
            let saved = run(["-r", &original, "-w", path]);
            assert_eq!(
                (saved.exit_code, saved.stdout.len()),
                (exit_code, 0),
                "{name}"
            );
            let after = run(["-r", path].iter().chain(&json));
            assert_eq!(after.exit_code, 0, "{name}");
            assert_eq!(
                packets(&before, is_pcap),
                packets(&after, is_pcap),
                "{name} as {copy}"
            );
            let piped = run_with_stdin(
                &std::fs::read(path).unwrap(),
                ["-r", "-"].iter().chain(&json),
            );
            assert_eq!(
                piped.stdout, after.stdout,
                "{copy} of {name} through a pipe"
            );
        }
        let piped = run_with_stdin(&bytes, ["-r", "-", "-w", "-"]);
        assert_eq!(piped.exit_code, exit_code, "{name}");
        let path = directory.path().join("copy.pcap");
        assert!(piped.stdout == std::fs::read(path).unwrap(), "{name}: -w -");
    }
}

#[test]
fn nanoseconds_are_kept_unless_micro_is_given() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("copy.pcap");
    let path = path.to_str().unwrap();
    for name in ["nanoseconds.pcap", "postgresql.pcapng"] {
        let original = read_all(file::open(fixture_path(name).as_ref())).nanos();
        assert!(original.iter().any(|nanos| nanos % 1000 != 0), "{name}");
        let micros = original.iter().map(|nanos| nanos / 1000 * 1000).collect();
        for (option, expected) in [
            (None, &original),
            (Some("--nano"), &original),
            (Some("--micro"), &micros),
        ] {
            let written = run(["-r", &fixture_path(name), "-w", path]
                .into_iter()
                .chain(option));
            assert_eq!(written.exit_code, 0, "{}", written.stderr);
            let copied = read_all(file::open(path.as_ref())).nanos();
            assert_eq!(copied, *expected, "{name} {option:?}");
        }
    }
}

#[test]
fn pcapng_output_keeps_comments() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let mut capture = CaptureBuilder::pcapng(order);
        capture.interface(1, 0, &[(2, b"lo"), (3, b"the loopback")]);
        capture.enhanced_packet(0, 5, 3, b"one", &[(1, b"a comment"), (2, &[0; 4])]);
        capture.enhanced_packet(0, 6, 3, b"two", &[]);
        let piped = run_with_stdin(&capture.bytes, ["-r", "-", "-w", "-"]);
        assert_eq!(piped.exit_code, 0, "{}", piped.stderr);
        // Standard output has no file name that selects pcapng.
        assert!(!piped.stdout.windows(9).any(|bytes| bytes == b"a comment"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("copy.pcapng");
        let written = run_with_stdin(&capture.bytes, ["-r", "-", "-w", path.to_str().unwrap()]);
        assert_eq!(written.exit_code, 0, "{}", written.stderr);
        let copy = read_all(file::open(&path));
        let [one, two] = &copy.frames[..] else {
            panic!("{copy:?}");
        };
        // The file is in the byte order of the machine that wrote it.
        let number = |number: u16| match one.options.1 {
            true => number.to_be_bytes(),
            false => number.to_le_bytes(),
        };
        let comment = [&number(1)[..], &number(9), b"a comment\0\0\0"].concat();
        let flags = [&number(2)[..], &number(4), &[0; 4], &number(0), &number(0)].concat();
        assert_eq!(one.options.0, [comment, flags].concat());
        assert_eq!(two.options.0, b"");
        let interface = &one.interface;
        assert_eq!(interface.name.as_deref(), Some("lo"));
        assert_eq!(interface.description.as_deref(), Some("the loopback"));
    }
}
