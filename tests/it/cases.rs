//! What lcap shows of the captures in fixtures, by the rows of fixtures/CASES; and that nothing is lost when they are written again.

use crate::command::{Ran, fixture, fixtures, pipe, run};
use crate::craft::{Craft, Order, drain};
use lcap::source::file;
use std::collections::BTreeSet;

/// A row of fixtures/CASES.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) capture: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) golden: String,
}

impl Case {
    pub(crate) fn run(&self) -> Ran {
        let read = ["-r".to_owned(), format!("fixtures/{}", self.capture)];
        let (command, options) = self.arguments.split_at(usize::from(self.has_command()));
        run(command.iter().chain(&read).chain(options))
    }

    /// Whether its first argument is a command, and not what the packets are shown with.
    pub(crate) fn has_command(&self) -> bool {
        let first = self.arguments.first();
        first.is_some_and(|word| ["flows", "follow"].contains(&&word[..]))
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let table = std::fs::read_to_string(fixture("CASES")).unwrap();
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

/// Standard output, the exit code if it says anything, standard error.
fn golden(ran: &Ran) -> String {
    let code = match ran.code {
        0 => String::new(),
        code => format!("exit {code}\n"),
    };
    String::from_utf8_lossy(&ran.out).into_owned() + &code + &ran.errors
}

#[test]
fn every_case_shows_its_golden_file() {
    let bless = std::env::var_os("LCAP_BLESS").is_some();
    let mut wrong = String::new();
    for case in cases() {
        let shown = golden(&case.run());
        let path = fixture(&format!("golden/{}", case.golden));
        if bless {
            std::fs::write(&path, &shown).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if shown != expected {
            wrong += &format!("{}: {}\n", case.name, first_difference(&expected, &shown));
        }
    }
    assert!(
        wrong.is_empty(),
        "LCAP_BLESS=1 makes these right, if they are:\n{wrong}"
    );
}

pub(crate) fn first_difference(expected: &str, shown: &str) -> String {
    let mut lines = expected.lines().zip(shown.lines()).enumerate();
    match lines.find(|(_, (expected, shown))| expected != shown) {
        Some((at, (expected, shown))) => {
            format!("line {}\n  expected {expected}\n  shown    {shown}", at + 1)
        }
        None => format!(
            "{} lines expected, {} shown",
            expected.lines().count(),
            shown.lines().count()
        ),
    }
}

#[test]
fn every_capture_and_every_golden_file_has_its_case() {
    let cases = cases();
    let captures: BTreeSet<_> = cases.iter().map(|case| case.capture.clone()).collect();
    assert_eq!(captures, BTreeSet::from_iter(fixtures()));
    let used: BTreeSet<_> = cases.iter().map(|case| case.golden.clone()).collect();
    let there = std::fs::read_dir(fixture("golden")).unwrap();
    let there = there.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(used, there.collect());
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "names are unique");
}

/// Packets, times and lengths; a classic file has no room for the interface's name and for comments, which name processes.
fn packets(json: &Ran, classic: bool) -> Vec<serde_json::Value> {
    let text = json.text();
    let lines = text.lines().map(|line| {
        let mut packet: serde_json::Value = serde_json::from_str(line).unwrap();
        if classic {
            for field in ["interface", "src_process", "dst_process"] {
                packet.as_object_mut().unwrap().remove(field);
            }
        }
        packet
    });
    lines.collect()
}

#[test]
fn written_and_read_again_nothing_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    for name in fixtures() {
        let json = ["--format", "json"];
        let original = fixture(&name);
        let damage = i32::from(name.starts_with("damaged"));
        let before = run(["-r", &original].iter().chain(&json));
        assert_eq!(before.code, damage, "{name}");
        let bytes = std::fs::read(&original).unwrap();
        for written in ["again.pcap", "again.pcapng"] {
            let classic = written == "again.pcap";
            let path = directory.path().join(written);
            let path = path.to_str().unwrap();
            let saved = run(["-r", &original, "-w", path]);
            assert_eq!((saved.code, saved.out.len()), (damage, 0), "{name}");
            let after = run(["-r", path].iter().chain(&json));
            assert_eq!(after.code, 0, "{name}");
            assert_eq!(
                packets(&before, classic),
                packets(&after, classic),
                "{name} as {written}"
            );
            let again = pipe(
                &std::fs::read(path).unwrap(),
                ["-r", "-"].iter().chain(&json),
            );
            assert_eq!(again.out, after.out, "{written} of {name} through a pipe");
        }
        let piped = pipe(&bytes, ["-r", "-", "-w", "-"]);
        assert_eq!(piped.code, damage, "{name}");
        let path = directory.path().join("again.pcap");
        assert!(piped.out == std::fs::read(path).unwrap(), "{name}: -w -");
    }
}

#[test]
fn nanoseconds_stay_unless_microseconds_are_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("again.pcap");
    let path = path.to_str().unwrap();
    for name in ["nanoseconds.pcap", "postgresql.pcapng"] {
        let original = drain(file::open(fixture(name).as_ref())).nanos();
        assert!(original.iter().any(|nanos| nanos % 1000 != 0), "{name}");
        let micros = original.iter().map(|nanos| nanos / 1000 * 1000).collect();
        for (option, expected) in [
            (None, &original),
            (Some("--nano"), &original),
            (Some("--micro"), &micros),
        ] {
            let written = run(["-r", &fixture(name), "-w", path].into_iter().chain(option));
            assert_eq!(written.code, 0, "{}", written.errors);
            let again = drain(file::open(path.as_ref())).nanos();
            assert_eq!(again, *expected, "{name} {option:?}");
        }
    }
}

#[test]
fn comments_stay_in_pcapng() {
    for order in [Order::Little, Order::Big] {
        let mut made = Craft::pcapng(order);
        made.interface(1, 0, &[(2, b"lo"), (3, b"the loopback")]);
        made.enhanced(0, 5, 3, b"one", &[(1, b"look here"), (2, &[0; 4])]);
        made.enhanced(0, 6, 3, b"two", &[]);
        let again = pipe(&made.bytes, ["-r", "-", "-w", "-"]);
        assert_eq!(again.code, 0, "{}", again.errors);
        // A pipe has no name that asks for pcapng.
        assert!(!again.out.windows(9).any(|bytes| bytes == b"look here"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("again.pcapng");
        let written = pipe(&made.bytes, ["-r", "-", "-w", path.to_str().unwrap()]);
        assert_eq!(written.code, 0, "{}", written.errors);
        let whole = drain(file::open(&path));
        let [one, two] = &whole.frames[..] else {
            panic!("{whole:?}");
        };
        let comment = [
            &b"\x01\0\x09\0look here\0\0\0"[..],
            b"\x02\0\x04\0\0\0\0\0\0\0\0\0",
        ];
        assert_eq!((&one.options.0, one.options.1), (&comment.concat(), false));
        assert_eq!(two.options.0, b"");
        let interface = &one.interface;
        assert_eq!(interface.name.as_deref(), Some("lo"));
        assert_eq!(interface.description.as_deref(), Some("the loopback"));
    }
}
