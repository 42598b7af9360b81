//! The reference page of the formats, src/doc/formats.md.

use crate::command::ROOT;
use std::fs;
use std::path::Path;

/// Returns the fields that the table of a section documents, in order. The first cell of each row
/// is one field, or the same field of both sides.
pub(crate) fn documented_fields(title: &str) -> Vec<String> {
    let page = fs::read_to_string(Path::new(ROOT).join("src/doc/formats.md")).unwrap();
    let heading = format!("\n### {title}\n");
    let section = page.split_once(&heading).expect(title).1;
    let section = section.split("\n### ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let names = cells.flat_map(|cell| cell.split(','));
    names
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect()
}
