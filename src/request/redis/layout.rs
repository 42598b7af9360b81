//! Layout of a reply as redis-cli prints it: numbered elements, indented by depth.

use super::keyword::Keyword;
use super::secrets::{HIDDEN, is_password};
use super::text::{BoundedBytes, BoundedText, Quotes};

/// A collection of elements.
#[derive(Debug)]
pub(super) struct Level {
    /// First byte: the type.
    pub(super) kind: u8,
    /// Number of elements that are left; a pair of a map has two.
    pub(super) left: u64,
    /// Index of the next element.
    pub(super) index: u64,
    /// Number of columns before the number of an element.
    indent: usize,
    /// Width of the largest number.
    width: usize,
}

impl Level {
    /// Returns a collection of this number of elements or pairs, within another one.
    pub(super) fn new(kind: u8, count: u64, parent: Option<&Level>) -> Level {
        Level {
            kind,
            left: if has_pairs(kind) { 2 * count } else { count },
            index: 0,
            indent: parent.map_or(0, |parent| parent.indent + parent.width + 2),
            width: count.checked_ilog10().unwrap_or(0) as usize + 1,
        }
    }
}

fn has_pairs(kind: u8) -> bool {
    matches!(kind, b'%' | b'|')
}

/// State of the layout in addition to the position.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// True if the last string was the name of a password, as in the answer of CONFIG GET.
    is_after_password: bool,
}

impl Layout {
    /// Adds what precedes a value: a new line and the number of an element.
    pub(super) fn begin(&mut self, text: &mut BoundedText, levels: &[Level]) {
        if levels.is_empty() {
            self.is_after_password = false;
        }
        let is_attribute = levels.iter().any(|level| level.kind == b'|');
        let Some(level) = levels.last().filter(|_| !is_attribute && text.space() > 0) else {
            return;
        };
        let (index, has_pairs) = (level.index, has_pairs(level.kind));
        if has_pairs && index % 2 == 1 {
            text.push(" => ");
            return;
        }
        if index > 0 {
            text.push(&format!("\n{:indent$}", "", indent = level.indent));
        }
        let number = if has_pairs { index / 2 } else { index } + 1;
        let separator = match level.kind {
            b'%' => '#',
            b'~' => '~',
            b'>' => '>',
            _ => ')',
        };
        text.push(&format!("{number:width$}{separator} ", width = level.width));
    }

    /// Adds a value without elements.
    pub(super) fn value(&mut self, text: &mut BoundedText, kind: u8, value: &BoundedBytes) {
        let is_secret = std::mem::take(&mut self.is_after_password);
        let (before, after) = match kind {
            b'$' | b'=' => {
                self.is_after_password = is_password(Keyword::new(value.bytes()).as_bytes());
                match is_secret && value.len() > 0 {
                    true => text.push(HIDDEN),
                    false => text.push_string(value, Quotes::Always),
                }
                return;
            }
            b'_' => ("(nil)", ""),
            b'*' => ("(empty array)", ""),
            b'%' => ("(empty hash)", ""),
            b'~' => ("(empty set)", ""),
            b'>' => ("(empty push)", ""),
            b'-' | b'!' => ("(error) ", ""),
            b':' => ("(integer) ", ""),
            b',' => ("(double) ", ""),
            b'#' | b'(' => ("(", ")"),
            _ => ("", ""),
        };
        text.push(before);
        let (bytes, _) = value.first(text.space());
        text.push(&String::from_utf8_lossy(bytes));
        text.left_out += value.len() - bytes.len() as u64;
        text.push(after);
    }
}
