//! The order of the house: what src/lib.rs says of floors, crates, files and names, checked word by word.

use crate::command::ROOT;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module names only modules further up in this list: lower floors.
const FLOORS: [&str; 14] = [
    "error", "memory", "packet", "source", "decode", "filter", "detect", "host", "owners", "flow",
    "sink", "pipeline", "doctor", "cli",
];

/// Who may name a crate: paths in src begin with one of these.
const DOORS: [(&str, &[&str]); 14] = [
    ("aya", &["host/connections"]),
    (
        "pcap",
        &["source/live", "filter/bpf", "filter/tests", "host/"],
    ),
    ("etherparse", &["decode/"]),
    ("pcap_file", &["source/", "sink/"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("indicatif", &["cli/"]),
    ("signal_hook", &["cli/"]),
    ("csv", &["sink/", "cli/"]),
    // The firewall's tool and Docker's daemon speak it.
    (
        "serde_json",
        &[
            "cli/",
            "host/containers",
            "host/firewall",
            "sink/json/tests",
        ],
    ),
    (
        "foldhash",
        &[
            "sink/follow/",
            "flow/",
            "pipeline/shared/",
            "sink/text/",
            "owners/entries",
        ],
    ),
    ("sha1", &["flow/"]),
    ("base64", &["flow/"]),
];

/// Files with `unsafe` in them, each of which says why.
const UNSAFE: [&str; 4] = [
    "host/priority.rs",
    "memory.rs",
    "source/map.rs",
    "source/socket.rs",
];

/// Names that say nothing about what is inside.
const NAMELESS: [&str; 6] = ["util", "utils", "common", "helpers", "types", "misc"];

const MOST_LINES: usize = 400;

const TOP: [&str; 6] = [
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "tests",
    "fixtures",
    "README.md",
];

struct File {
    /// Relative to the directory that was asked for.
    path: String,
    text: String,
}

impl File {
    /// The lines without their comments.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(|line| match line.find("//") {
            // Not in an address.
            Some(at) if !line[..at].ends_with(':') => &line[..at],
            _ => line,
        })
    }

    fn floor(&self) -> Option<usize> {
        let module = self.path.split(['/', '.']).next().unwrap();
        FLOORS.iter().position(|floor| *floor == module)
    }
}

/// Every file of a directory and below that ends so, in order.
fn files(directory: &str, end: &str) -> Vec<File> {
    let top = Path::new(ROOT).join(directory);
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = vec![top.clone()];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let inside = fs::read_dir(&path).unwrap();
            waiting.extend(inside.map(|entry| entry.unwrap().path()));
            waiting.retain(|path| !path.ends_with("target"));
        } else if path.to_str().unwrap().ends_with(end) {
            found.push(File {
                path: path.strip_prefix(&top).unwrap().to_str().unwrap().into(),
                text: fs::read_to_string(&path).unwrap(),
            });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "{directory}");
    found
}

/// The words that follow `before` in a line, where that is not itself the end of a path or a word.
fn named<'a>(line: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(before).filter_map(move |(at, _)| {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        let inside = line[..at].ends_with(|c| part(c) || c == ':');
        let rest = &line[at + before.len()..];
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        (!inside).then_some(&rest[..end])
    })
}

#[test]
fn floors_only_look_down() {
    for file in files("src", ".rs") {
        let Some(floor) = file.floor() else {
            let allowed = ["lib.rs", "main.rs"].contains(&&file.path[..]);
            assert!(allowed, "{}: a module without a floor", file.path);
            continue;
        };
        for line in file.code() {
            for module in named(line, "crate::") {
                let other = FLOORS.iter().position(|floor| *floor == module);
                let down = other.is_some_and(|other| other <= floor);
                assert!(down, "{}: {module} is not below: {line}", file.path);
            }
        }
    }
}

#[test]
fn crates_stay_behind_their_doors() {
    for file in files("src", ".rs") {
        let own_module = |name| file.text.contains(&format!("mod {name};"));
        for (name, doors) in DOORS {
            let allowed = doors.iter().any(|door| file.path.starts_with(door));
            let path = format!("{name}::");
            let names = file.code().any(|line| named(line, &path).next().is_some());
            assert!(
                allowed || !names || own_module(name),
                "{}: {name}",
                file.path
            );
        }
    }
}

#[test]
fn unsafe_code_is_where_it_is_known_to_be() {
    let mut found = Vec::new();
    for file in files("src", ".rs") {
        if file
            .code()
            .all(|line| named(line, "unsafe").all(|rest| !rest.is_empty()))
        {
            continue;
        }
        let allow = file
            .text
            .lines()
            .find(|line| line.contains("[allow(unsafe_code)]"));
        let allow = allow.unwrap_or_else(|| panic!("{}: not allowed", file.path));
        let said = allow.contains("// ") || file.text.contains("// SAFETY: ");
        assert!(said, "{}: says not why", file.path);
        found.push(file.path);
    }
    assert_eq!(found, UNSAFE);
}

#[test]
fn files_say_what_they_are_for_and_are_short() {
    for (directory, all) in [
        ("src", files("src", ".rs")),
        ("tests", files("tests", ".rs")),
    ] {
        for file in all {
            let path = &file.path;
            assert!(
                file.text.starts_with("//! "),
                "{directory}/{path}: no first sentence"
            );
            let lines = file.text.lines().count();
            assert!(lines <= MOST_LINES, "{directory}/{path}: {lines} lines");
            let nameless = path.split(['/', '.']).find(|part| NAMELESS.contains(part));
            assert_eq!(nameless, None, "{directory}/{path}");
        }
    }
}

/// Live and offline give the same because nobody below the pipeline asks what time it is, except who stamps frames.
#[test]
fn clocks_are_read_at_the_ends() {
    let pipeline = FLOORS.iter().position(|floor| *floor == "pipeline");
    for file in files("src", ".rs") {
        let mut clocks = file.code().filter(|line| {
            let mut clocks = ["Instant::now", "SystemTime::now", "Timestamp::now"].iter();
            clocks.any(|clock| line.contains(clock))
        });
        // Owners are there in live captures only.
        let asks = ["source/", "owners/"]
            .iter()
            .any(|floor| file.path.starts_with(floor));
        let allowed = asks || file.floor() >= pipeline;
        assert!(allowed || clocks.next().is_none(), "{}", file.path);
    }
}

#[test]
fn only_the_command_line_prints() {
    for file in files("src", ".rs")
        .iter()
        .filter(|file| !file.path.starts_with("cli/"))
    {
        for line in file.code() {
            for print in ["print!", "println!", "eprint!", "eprintln!", "dbg!"] {
                assert_eq!(named(line, print).next(), None, "{}: {line}", file.path);
            }
        }
    }
}

#[test]
fn nothing_is_left_to_do_and_nothing_knows_this_machine() {
    // Put together here, so that this file does not hold them.
    let unfinished = ["TO DO", "FIX ME", "XX X", "HA CK"].map(|word| word.replace(' ', ""));
    let machine = ["/ho me/", "/ro ot/", "/Us ers/", "/wo rk/"].map(|path| path.replace(' ', ""));
    let mut all: Vec<File> = ["src", "tests"]
        .iter()
        .flat_map(|top| files(top, ".rs"))
        .collect();
    all.extend(
        ["CASES", "README.md", "make"]
            .iter()
            .flat_map(|end| files("fixtures", end)),
    );
    all.extend(files("tests", ".toml"));
    for name in ["Cargo.toml", "README.md"] {
        let text = fs::read_to_string(Path::new(ROOT).join(name)).unwrap_or_default();
        all.push(File {
            path: name.into(),
            text,
        });
    }
    for File { path, text } in all {
        for word in &unfinished {
            let whole = text
                .split(|c: char| !c.is_alphanumeric())
                .any(|part| part == word);
            assert!(!whole, "{path}: {word}");
        }
        for word in machine.iter().map(|word| &word[..]).chain([ROOT]) {
            assert!(!text.contains(word), "{path}: {word}");
        }
    }
}

#[test]
fn every_dependency_says_what_for() {
    let manifest = fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).unwrap();
    let (mut section, mut before, mut seen) = ("", "", 0);
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        if section.ends_with("dependencies]") && line != section && line.contains(" = ") {
            assert!(before.starts_with("# "), "{line}");
            seen += 1;
        }
        before = line;
    }
    assert!(seen > 10);
}

#[test]
fn the_top_level_is_fixed() {
    let inside = fs::read_dir(ROOT).unwrap();
    let names: BTreeSet<String> = inside
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with(['.']) && !name.starts_with("LICENSE-"))
        // What cargo makes.
        .filter(|name| name != "target")
        .collect();
    let unknown: Vec<_> = names
        .iter()
        .filter(|name| !TOP.contains(&&name[..]))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
