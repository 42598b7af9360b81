//! Walls: pairs of modules that stay separate, modules without I/O, and types in few files.

use super::{identifiers_after, source_files};
use std::collections::{BTreeMap, BTreeSet};

/// Modules, and the modules that they do not use although those are below them: formats and flows
/// are functions of packets, not of this machine.
const WALLS: [(&str, &[&str]); 6] = [
    ("detect", &["attribution", "host", "source"]),
    ("flow", &["attribution", "host", "source"]),
    ("request", &["attribution", "host", "source"]),
    ("sink", &["attribution", "host", "source"]),
    ("doctor", &["sink"]),
    ("filter", &["source", "host"]),
];

/// Modules that are functions of their arguments.
const WITHOUT_IO: [&str; 6] = ["decode", "detect", "flow", "packet", "process", "request"];

/// Items of the standard library that read a clock or communicate.
const IO_ITEMS: [&str; 8] = [
    "Instant",
    "SystemTime",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "File",
    "zone",
];

/// Modules of the standard library, and other crates, that communicate.
const IO_MODULES: [&str; 6] = ["fs", "io", "thread", "env", "process", "os"];
const IO_CRATES: [&str; 3] = ["rustix", "libc", "jiff"];

#[test]
fn walls_have_no_doors() {
    for file in source_files("src", ".rs") {
        let inside = WALLS
            .iter()
            .filter(|(module, _)| file.path.starts_with(module));
        for (_, forbidden) in inside {
            for line in file.code_lines() {
                let mut modules = identifiers_after(line, "crate::");
                let door = modules.find(|module| forbidden.contains(module));
                assert_eq!(door, None, "{}: {line}", file.path);
            }
        }
    }
}

#[test]
fn pure_modules_do_no_io() {
    for file in source_files("src", ".rs") {
        if !WITHOUT_IO
            .iter()
            .any(|module| file.path.starts_with(module))
        {
            continue;
        }
        for line in file.code_lines() {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            let mut modules = identifiers_after(line, "std::");
            let is_pure = modules.all(|name| !name.is_empty() && !IO_MODULES.contains(&name))
                && words.all(|word| !IO_ITEMS.contains(&word) && !IO_CRATES.contains(&word));
            assert!(is_pure, "{}: {line}", file.path);
        }
    }
}

/// Returns the name of the type whose inherent implementation starts in a line.
fn implemented_type(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("impl")?;
    let rest = match rest.strip_prefix('<') {
        Some(parameters) => parameters.split_once("> ")?.1,
        None => rest.strip_prefix(' ')?,
    };
    let is_inherent = !line.contains(" for ");
    let path = rest.split(['<', ' ']).next()?;
    path.rsplit("::").next().filter(|_| is_inherent)
}

/// Returns true if a line defines the type, whatever its visibility.
fn defines(line: &str, name: &str) -> bool {
    ["struct ", "enum ", "union ", "trait "]
        .iter()
        .any(|kind| identifiers_after(line, kind).any(|defined| defined == name))
}

#[test]
fn types_are_implemented_in_at_most_two_files() {
    let mut outside: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let files = source_files("src", ".rs");
    for file in &files {
        for name in file.text.lines().filter_map(implemented_type) {
            if !file.code_lines().any(|line| defines(line, name)) {
                outside.entry(name).or_default().insert(&file.path);
            }
        }
    }
    outside.retain(|_, paths| paths.len() > 1);
    assert!(
        outside.is_empty(),
        "next to the file of the type: {outside:?}"
    );
}

#[test]
fn implementations_are_found() {
    for (line, expected) in [
        ("impl Frame<'_> {", Some("Frame")),
        ("impl<'a, T: Clone> Cursor<'a, T> {", Some("Cursor")),
        ("impl super::table::FlowTable {", Some("FlowTable")),
        ("impl fmt::Display for Frame<'_> {", None),
        ("    impl Local {", None),
        ("implement();", None),
    ] {
        assert_eq!(implemented_type(line), expected, "{line}");
    }
    assert!(defines("pub(super) struct Frame<'a> {", "Frame"));
    assert!(!defines("struct Frames;", "Frame"));
}
