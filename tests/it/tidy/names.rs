//! Name checks: predicates, type names and imports.

use super::language::{assert_no_faults, checked_files};
use super::{SourceFile, source_files};
use std::collections::BTreeMap;

/// Maximum number of type names that are defined more than once.
const MAX_SHARED_TYPE_NAMES: usize = 5;

/// Returns the signatures of functions named like predicates, from the name to the body.
fn predicates(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("fn ").filter_map(|(at, _)| {
        let rest = &text[at + 3..];
        let is_predicate = ["is_", "has_", "can_"]
            .iter()
            .any(|prefix| rest.starts_with(prefix));
        let ends = [rest.find('{'), rest.find(";\n")].into_iter().flatten();
        let end = ends.min().unwrap_or(rest.len());
        is_predicate.then_some(&rest[..end])
    })
}

/// Returns the predicates that do not return `bool`, or that can change what they are called on.
fn predicate_faults(text: &str) -> Vec<String> {
    const RESULTS: [&str; 3] = ["-> bool", "Result<bool>", "Option<bool>"];
    let is_faulty = |signature: &&str| {
        let is_bool = RESULTS.iter().any(|result| signature.contains(result));
        !is_bool || signature.contains("&mut self")
    };
    predicates(text)
        .filter(is_faulty)
        .map(str::to_owned)
        .collect()
}

/// Returns the imports from this crate that rename an item.
fn alias_faults(text: &str) -> Vec<String> {
    const OWN: [&str; 3] = ["use crate::", "use super::", "use self::"];
    let imports = OWN.iter().flat_map(|start| text.match_indices(start));
    let statements = imports.map(|(at, _)| text[at..].split(';').next().unwrap_or(""));
    let is_faulty = |statement: &&str| {
        let mut aliases = statement.match_indices(" as ");
        aliases.any(|(at, alias)| !statement[at + alias.len()..].starts_with('_'))
    };
    statements.filter(is_faulty).map(str::to_owned).collect()
}

/// Returns the checked files of the crate itself.
fn crate_files() -> Vec<SourceFile> {
    let mut files = checked_files();
    files.retain(|file| file.path.starts_with("src/"));
    files
}

#[test]
fn predicates_return_bool_and_change_nothing() {
    assert_no_faults(&crate_files(), predicate_faults);
}

#[test]
fn imports_keep_their_names_inside_the_crate() {
    assert_no_faults(&crate_files(), alias_faults);
}

/// Returns the name of the type that a line defines with `pub` or `pub(…)`.
fn defined_type(line: &str) -> Option<&str> {
    let item = line.trim_start().strip_prefix("pub")?;
    let item = match item.strip_prefix('(') {
        Some(scope) => scope.split_once(')')?.1,
        None => item,
    };
    let (kind, name) = item.trim_start().split_once(' ')?;
    let is_type = ["struct", "enum", "trait", "type", "union"].contains(&kind);
    let end = name
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(name.len());
    is_type.then_some(&name[..end])
}

#[test]
fn type_names_have_one_meaning() {
    let mut definitions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in source_files("src", ".rs") {
        for name in file.text.lines().filter_map(defined_type) {
            let paths = definitions.entry(name.to_owned()).or_default();
            paths.push(file.path.clone());
        }
    }
    assert!(definitions.len() > 100);
    let shared = definitions.iter().filter(|(_, paths)| paths.len() > 1);
    let shared: Vec<String> = shared
        .map(|(name, paths)| format!("{name}: {paths:?}"))
        .collect();
    assert!(
        shared.len() <= MAX_SHARED_TYPE_NAMES,
        "{}",
        shared.join("\n")
    );
}

#[test]
fn the_checks_find_faults() {
    for (text, expected) in [
        ("fn is_missed(&mut self) {", 1),
        ("fn has_room(&self) -> usize {", 1),
        ("fn can_end(&self, at: [u8; 2]) -> bool {", 0),
        ("fn is_open(&self) -> io::Result<bool> {", 0),
    ] {
        assert_eq!(predicate_faults(text).len(), expected, "{text}");
    }
    for (text, expected) in [
        ("use crate::flow::Side as FlowSide;", 1),
        ("use super::{a, b as c};", 1),
        ("fn f() {}\n// A comment.\npub(crate) use self::a as b;", 1),
        (
            "use std::fmt::Write as _;\nuse pcap::Device as PcapDevice;",
            0,
        ),
        ("use crate::sink::Sink as _;", 0),
    ] {
        assert_eq!(alias_faults(text).len(), expected, "{text}");
    }
    for (line, expected) in [
        ("pub struct Frame<'a> {", Some("Frame")),
        ("    pub(in crate::cli) enum Side {", Some("Side")),
        ("pub(super) struct Words(pub Vec<u8>);", Some("Words")),
        ("pub fn open() {", None),
        ("struct Private;", None),
    ] {
        assert_eq!(defined_type(line), expected, "{line}");
    }
}
