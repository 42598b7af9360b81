//! Structure checks: floors, external crates, unsafe code, files and dependencies.

mod circles;
mod language;
mod names;
mod tokens;
mod walls;

use crate::command::ROOT;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules from the lowest floor to the highest. A module imports only from modules before it.
const FLOORS: [&str; 20] = [
    "printable",
    "error",
    "time",
    "doc",
    "process",
    "packet",
    "decode",
    "privileges",
    "host",
    "source",
    "filter",
    "attribution",
    "detect",
    "flow",
    "request",
    "event",
    "sink",
    "pipeline",
    "doctor",
    "cli",
];

/// External crates, and the paths below src that may name each of them.
const CRATE_USERS: [(&str, &[&str]); 21] = [
    ("aya", &["host/sockets/socket_events"]),
    (
        "pcap",
        &["source/live", "filter/bpf", "filter/tests", "host/"],
    ),
    ("etherparse", &["decode/"]),
    ("pcap_file", &["source/", "sink/"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("strsim", &["cli/"]),
    ("indicatif", &["cli/"]),
    ("signal_hook", &["cli/"]),
    ("csv", &["sink/csv"]),
    ("itoa", &["sink/digits"]),
    // The output of nft, and the files of Docker, are JSON.
    (
        "serde_json",
        &[
            "host/services/containers",
            "host/network/firewall",
            "sink/json/",
            "sink/follow/tests",
        ],
    ),
    (
        "foldhash",
        &["attribution/", "flow/", "pipeline/", "request/", "sink/"],
    ),
    ("landlock", &["privileges/"]),
    ("seccompiler", &["privileges/"]),
    ("postcard", &["attribution/link"]),
    ("serde", &["attribution/", "packet/", "process/", "time"]),
    ("sha1", &["flow/"]),
    ("base64", &["flow/", "sink/follow/json", "sink/requests/"]),
    ("unicode_width", &["sink/rows/"]),
];

/// Files with unsafe code. Each contains a comment with the reason.
const UNSAFE_FILES: [&str; 6] = [
    "cli/out_of_memory.rs",
    "filter/bpf.rs",
    "host/processes/descriptors.rs",
    "host/processes/fork.rs",
    "host/processes/priority.rs",
    "source/socket.rs",
];

/// Module names that do not describe their contents.
const FORBIDDEN_MODULE_NAMES: [&str; 6] = ["util", "utils", "common", "helpers", "types", "misc"];

const MAX_FILE_LINES: usize = 400;

const TOP_LEVEL_ENTRIES: [&str; 7] = [
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "tests",
    "fixtures",
    "README.md",
    "CHANGELOG.md",
];

struct SourceFile {
    /// Path relative to the searched directory.
    path: String,
    text: String,
}

impl SourceFile {
    /// Returns the lines without their comments.
    fn code_lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(|line| match line.find("//") {
            // A URL is not a comment.
            Some(at) if !line[..at].ends_with(':') => &line[..at],
            _ => line,
        })
    }

    fn floor(&self) -> Option<usize> {
        let module = self.path.split(['/', '.']).next().unwrap();
        FLOORS.iter().position(|name| *name == module)
    }
}

/// Returns the files in a directory and below whose names end with `end`, sorted by path.
fn source_files(directory: &str, end: &str) -> Vec<SourceFile> {
    let top = Path::new(ROOT).join(directory);
    let mut found = Vec::new();
    let mut pending: Vec<PathBuf> = vec![top.clone()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let inside = fs::read_dir(&path).unwrap();
            pending.extend(inside.map(|entry| entry.unwrap().path()));
            pending.retain(|path| !path.ends_with("target"));
        } else if path.to_str().unwrap().ends_with(end) {
            found.push(SourceFile {
                path: path.strip_prefix(&top).unwrap().to_str().unwrap().into(),
                text: fs::read_to_string(&path).unwrap(),
            });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "{directory}");
    found
}

/// Returns the identifiers that follow `before` in a line, except where `before` is part of a
/// longer path or word.
fn identifiers_after<'a>(line: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(before).filter_map(move |(at, _)| {
        let is_word_char = |c: char| c.is_alphanumeric() || c == '_';
        let inside = line[..at].ends_with(|c| is_word_char(c) || c == ':');
        let rest = &line[at + before.len()..];
        let end = rest.find(|c| !is_word_char(c)).unwrap_or(rest.len());
        (!inside).then_some(&rest[..end])
    })
}

#[test]
fn modules_import_only_from_lower_floors() {
    for file in source_files("src", ".rs") {
        let Some(floor) = file.floor() else {
            let allowed = ["lib.rs", "main.rs"].contains(&&file.path[..]);
            assert!(allowed, "{}: a module without a floor", file.path);
            continue;
        };
        for line in file.code_lines() {
            for module in identifiers_after(line, "crate::") {
                let other = FLOORS.iter().position(|name| *name == module);
                let down = other.is_some_and(|other| other <= floor);
                assert!(down, "{}: {module} is not below: {line}", file.path);
            }
        }
    }
}

#[test]
fn crates_are_used_only_where_allowed() {
    for file in source_files("src", ".rs") {
        let own_module = |name| file.text.contains(&format!("mod {name};"));
        for (name, users) in CRATE_USERS {
            let allowed = users.iter().any(|user| file.path.starts_with(user));
            let path = format!("{name}::");
            let is_used = file
                .code_lines()
                .any(|line| identifiers_after(line, &path).next().is_some());
            assert!(
                allowed || !is_used || own_module(name),
                "{}: {name}",
                file.path
            );
        }
    }
}

#[test]
fn unsafe_code_is_only_in_the_listed_files() {
    let mut found = Vec::new();
    for file in source_files("src", ".rs") {
        if file
            .code_lines()
            .all(|line| identifiers_after(line, "unsafe").all(|rest| !rest.is_empty()))
        {
            continue;
        }
        let allow = file
            .text
            .lines()
            .find(|line| line.contains("[allow(unsafe_code)]"));
        let allow = allow.unwrap_or_else(|| panic!("{}: not allowed", file.path));
        let has_reason = allow.contains("// ") || file.text.contains("// SAFETY: ");
        assert!(has_reason, "{}: no reason", file.path);
        found.push(file.path);
    }
    assert_eq!(found, UNSAFE_FILES);
}

#[test]
fn files_start_with_a_doc_sentence_and_have_at_most_400_lines() {
    for (directory, all) in [
        ("src", source_files("src", ".rs")),
        ("tests", source_files("tests", ".rs")),
    ] {
        for file in all {
            let path = &file.path;
            assert!(
                file.text.starts_with("//! "),
                "{directory}/{path}: no first sentence"
            );
            let lines = file.text.lines().count();
            assert!(lines <= MAX_FILE_LINES, "{directory}/{path}: {lines} lines");
            let vague_name = path
                .split(['/', '.'])
                .find(|part| FORBIDDEN_MODULE_NAMES.contains(part));
            assert_eq!(vague_name, None, "{directory}/{path}");
        }
    }
}

/// A live capture and a file with the same packets yield the same result: below the pipeline, only
/// sources (for timestamps) and attribution (for lookups) read a clock.
#[test]
fn clocks_are_read_only_where_allowed() {
    let pipeline = FLOORS.iter().position(|module| *module == "pipeline");
    for file in source_files("src", ".rs") {
        let mut clocks = file.code_lines().filter(|line| {
            let mut clocks = ["Instant::now", "SystemTime::now", "Timestamp::now"].iter();
            clocks.any(|clock| line.contains(clock))
        });
        let reads_clock = ["source/", "attribution/"]
            .iter()
            .any(|module| file.path.starts_with(module));
        let allowed = reads_clock || file.floor() >= pipeline;
        assert!(allowed || clocks.next().is_none(), "{}", file.path);
    }
}

/// Other tests for control characters would miss the format characters.
#[test]
fn one_module_decides_which_characters_are_printable() {
    for file in source_files("src", ".rs") {
        let own = file.path == "printable.rs";
        for line in file.code_lines().filter(|_| !own) {
            let decides = line.contains(".is_control(") || line.contains("char::is_control");
            assert!(!decides, "{}: {line}", file.path);
        }
    }
}

#[test]
fn only_the_command_line_prints() {
    for file in source_files("src", ".rs")
        .iter()
        .filter(|file| !file.path.starts_with("cli/"))
    {
        for line in file.code_lines() {
            for print in ["print!", "println!", "eprint!", "eprintln!", "dbg!"] {
                assert_eq!(
                    identifiers_after(line, print).next(),
                    None,
                    "{}: {line}",
                    file.path
                );
            }
        }
    }
}

#[test]
fn no_unfinished_markers_and_no_local_paths() {
    // Spelled with spaces, so that this file does not contain them.
    let unfinished = ["TO DO", "FIX ME", "XX X", "HA CK"].map(|word| word.replace(' ', ""));
    let local_paths =
        ["/ho me/", "/ro ot/", "/Us ers/", "/wo rk/"].map(|path| path.replace(' ', ""));
    let mut all: Vec<SourceFile> = ["src", "tests"]
        .iter()
        .flat_map(|top| source_files(top, ".rs"))
        .collect();
    all.extend(
        ["CASES", "README.md", "make"]
            .iter()
            .flat_map(|end| source_files("fixtures", end)),
    );
    all.extend(source_files("tests", ".toml"));
    all.extend(source_files("src/doc", ".md"));
    for name in ["Cargo.toml", "README.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(Path::new(ROOT).join(name)).unwrap_or_default();
        all.push(SourceFile {
            path: name.into(),
            text,
        });
    }
    for SourceFile { path, text } in all {
        for word in &unfinished {
            let whole = text
                .split(|c: char| !c.is_alphanumeric())
                .any(|part| part == word);
            assert!(!whole, "{path}: {word}");
        }
        for word in local_paths.iter().map(|word| &word[..]).chain([ROOT]) {
            assert!(!text.contains(word), "{path}: {word}");
        }
    }
}

#[test]
fn every_dependency_has_a_comment() {
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
        // Build output of cargo.
        .filter(|name| name != "target")
        .collect();
    let unknown: Vec<_> = names
        .iter()
        .filter(|name| !TOP_LEVEL_ENTRIES.contains(&&name[..]))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
