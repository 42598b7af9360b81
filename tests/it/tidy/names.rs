//! Name checks: predicates, type names and imports.

use super::language::{assert_none, checked_files};
use super::source_files;
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

#[test]
fn predicates_return_bool_and_change_nothing() {
    let mut all = Vec::new();
    for file in checked_files()
        .iter()
        .filter(|file| file.path.starts_with("src/"))
    {
        for signature in predicates(&file.text) {
            let is_bool = ["-> bool", "Result<bool>", "Option<bool>"]
                .iter()
                .any(|result| signature.contains(result));
            if !is_bool || signature.contains("&mut self") {
                all.push(format!("{}: {signature}", file.path));
            }
        }
    }
    assert_none(&all);
}

#[test]
fn type_names_have_one_meaning() {
    let mut definitions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in source_files("src", ".rs") {
        for line in file.text.lines() {
            let Some(item) = line.trim_start().strip_prefix("pub") else {
                continue;
            };
            let item = item.split_once(") ").map_or(item, |(scope, item)| {
                if scope.starts_with('(') { item } else { scope }
            });
            let mut words = item.split_whitespace();
            let kind = words.next().unwrap_or("");
            if ["struct", "enum", "trait", "type", "union"].contains(&kind) {
                let name = words.next().unwrap_or("");
                let end = name
                    .find(|c: char| !c.is_alphanumeric())
                    .unwrap_or(name.len());
                definitions
                    .entry(name[..end].to_owned())
                    .or_default()
                    .push(file.path.clone());
            }
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
fn imports_keep_their_names_inside_the_crate() {
    let mut all = Vec::new();
    for file in checked_files()
        .iter()
        .filter(|file| file.path.starts_with("src/"))
    {
        for statement in file.text.split(';') {
            let statement = statement.trim_start();
            let is_own = [
                "use crate::",
                "use super::",
                "use self::",
                "pub use crate::",
            ]
            .iter()
            .any(|start| statement.starts_with(start));
            let aliases = statement
                .match_indices(" as ")
                .map(|(at, _)| &statement[at + 4..]);
            let mut aliases = aliases.filter(|alias| !alias.starts_with('_'));
            if is_own && aliases.next().is_some() {
                all.push(format!("{}: {statement}", file.path));
            }
        }
    }
    assert_none(&all);
}

#[test]
fn the_check_finds_a_predicate_that_changes_something() {
    let signature = predicates("fn is_missed(&mut self) {").next();
    assert_eq!(signature, Some("is_missed(&mut self) "));
}
