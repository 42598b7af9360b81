//! Attributes of a detected service: a few names and values, in most flows stored without a heap
//! allocation.

use std::fmt;

/// Names and values, in the order of detection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceAttributes {
    names: &'static [&'static str],
    values: PackedValues,
}

/// Values in the order of their names; an empty value means that the attribute is absent.
///
/// ```text
/// | value | space | value | … | lengths of all values |
/// ```
/// With this layout, a single write prints all values.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PackedValues {
    /// Lengths of one octet each, in reverse order before the last octet, which is the length of
    /// the text; octets between text and lengths are spaces.
    Inline([u8; INLINE_CAPACITY]),
    /// Lengths of two octets each, in the order of the values.
    Heap(Box<[u8]>),
}

/// Number of inline octets, which fill three 64-bit words together with the enum's discriminant.
const INLINE_CAPACITY: usize = 23;

/// Maximum length of a stored value, in characters.
const MAX_VALUE_CHARS: usize = 200;

/// Size of a length field on the heap, in bytes.
const LEN_FIELD_BYTES: usize = 2;

impl Default for PackedValues {
    fn default() -> PackedValues {
        let mut octets = [b' '; INLINE_CAPACITY];
        octets[INLINE_CAPACITY - 1] = 0;
        PackedValues::Inline(octets)
    }
}

impl PackedValues {
    /// Packs values inline if they fit and are all printable ASCII.
    #[inline(always)]
    fn new_inline<const N: usize>(values: [&[u8]; N]) -> Option<PackedValues> {
        let text_len = joined_len(values);
        if text_len + N >= INLINE_CAPACITY {
            return None;
        }
        let mut octets = [b' '; INLINE_CAPACITY];
        write_joined(&mut octets, values);
        if !is_printable_ascii(&octets) {
            return None;
        }
        octets[INLINE_CAPACITY - 1] = text_len as u8;
        let lengths = octets.iter_mut().rev().skip(1);
        lengths
            .zip(values)
            .for_each(|(length, value)| *length = value.len() as u8);
        Some(PackedValues::Inline(octets))
    }

    /// Packs any values on the heap.
    fn new_heap<const N: usize>(values: [&[u8]; N]) -> PackedValues {
        let text_len = joined_len(values);
        let mut octets = vec![0; text_len + N * LEN_FIELD_BYTES];
        write_joined(&mut octets, values);
        let (lengths, _) = octets[text_len..].as_chunks_mut();
        for (length, value) in lengths.iter_mut().zip(values) {
            *length = (value.len() as u16).to_le_bytes();
        }
        PackedValues::Heap(octets.into())
    }

    /// Returns the text of all `count` values.
    #[inline]
    fn text(&self, count: usize) -> &[u8] {
        match self {
            PackedValues::Inline(octets) => &octets[..usize::from(octets[INLINE_CAPACITY - 1])],
            PackedValues::Heap(octets) => &octets[..octets.len() - count * LEN_FIELD_BYTES],
        }
    }

    /// Returns the length of the value at an index, in octets; `count` is the number of values.
    fn value_len(&self, index: usize, count: usize) -> usize {
        match self {
            PackedValues::Inline(octets) => usize::from(octets[INLINE_CAPACITY - 2 - index]),
            PackedValues::Heap(octets) => {
                let (lengths, _) = octets[octets.len() - count * LEN_FIELD_BYTES..].as_chunks();
                lengths
                    .get(index)
                    .map_or(0, |length| usize::from(u16::from_le_bytes(*length)))
            }
        }
    }
}

/// Returns the length of the text of all values, in octets.
fn joined_len<const N: usize>(values: [&[u8]; N]) -> usize {
    let present = values.iter().filter(|value| !value.is_empty());
    let len: usize = present.map(|value| value.len() + 1).sum();
    len.saturating_sub(1)
}

/// Writes the non-empty values, separated by spaces; `octets` must be large enough.
fn write_joined<const N: usize>(octets: &mut [u8], values: [&[u8]; N]) {
    let mut at = 0;
    for value in values {
        if value.is_empty() {
            continue;
        }
        if at > 0 {
            octets[at] = b' ';
            at += 1;
        }
        octets[at..at + value.len()].copy_from_slice(value);
        at += value.len();
    }
}

impl ServiceAttributes {
    /// Creates attributes from names and their values. Empty values are omitted, control characters
    /// are replaced by U+FFFD, and long values are truncated and end in `…`.
    pub fn new<const N: usize>(
        names: &'static [&'static str; N],
        values: [&[u8]; N],
    ) -> ServiceAttributes {
        let is_clean = |value: &&[u8]| value.len() <= MAX_VALUE_CHARS && is_printable_ascii(value);
        let values = match PackedValues::new_inline(values) {
            Some(values) => values,
            None if values.iter().all(is_clean) => PackedValues::new_heap(values),
            None => {
                let clean = values.map(sanitize);
                PackedValues::new_heap(clean.each_ref().map(String::as_bytes))
            }
        };
        ServiceAttributes { names, values }
    }

    /// Returns the values without their names, separated by spaces, as octets.
    #[inline]
    pub(crate) fn text(&self) -> &[u8] {
        self.values.text(self.names.len())
    }

    /// Iterates over all names that have a value, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let count = self.names.len();
        let mut rest = self.text();
        let names = self.names.iter().enumerate();
        names.filter_map(move |(at, name)| {
            let (value, after) = rest.split_at_checked(self.values.value_len(at, count))?;
            if value.is_empty() {
                return None;
            }
            rest = after.get(1..).unwrap_or_default();
            // Values were valid UTF-8 when they were packed.
            Some((*name, str::from_utf8(value).unwrap_or_default()))
        })
    }

    /// Returns the value of the attribute with this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find_map(|(candidate, value)| (candidate == name).then_some(value))
    }

    /// Returns true if there are no values.
    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }
}

/// Prints the values without their names, separated by spaces: `GET /index.html 200`.
impl fmt::Display for ServiceAttributes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(str::from_utf8(self.text()).unwrap_or_default())
    }
}

/// Returns true if all octets are printable ASCII.
#[inline]
fn is_printable_ascii(octets: &[u8]) -> bool {
    // A vectorized test of all octets is faster than one that stops at the first mismatch.
    octets
        .iter()
        .fold(true, |plain, octet| plain & matches!(octet, b' '..=b'~'))
}

/// Returns a value with its control characters replaced and its length limited.
fn sanitize(value: &[u8]) -> String {
    // Only the bytes that MAX_VALUE_CHARS characters and one more can occupy are inspected.
    let value = value.get(..MAX_VALUE_CHARS * 4 + 4).unwrap_or(value);
    let value = String::from_utf8_lossy(value);
    let mut characters = value.chars();
    let mut text: String = characters
        .by_ref()
        .take(MAX_VALUE_CHARS)
        .map(sanitize_char)
        .collect();
    if characters.next().is_some() {
        text.push('…');
    }
    text
}

fn sanitize_char(character: char) -> char {
    // Line and paragraph separators and bidirectional controls are treated as control characters.
    let hidden = matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if character.is_control() || hidden {
        char::REPLACEMENT_CHARACTER
    } else {
        character
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sanitized_and_truncated() {
        let long = [b'x'; 900];
        let attributes = ServiceAttributes::new(
            &["method", "empty", "path", "long"],
            [b"GET", b"", b"/a=b\n\x1b[31m\xff", &long],
        );
        assert_eq!(
            attributes.get("path"),
            Some("/a=b\u{fffd}\u{fffd}[31m\u{fffd}")
        );
        assert_eq!(attributes.get("empty"), None);
        assert_eq!(
            attributes.get("long").map(|value| value.chars().count()),
            Some(201)
        );
        assert_eq!(attributes.iter().count(), 3);
        assert!(attributes.to_string().starts_with("GET /a=b"));
        assert!(ServiceAttributes::default().is_empty());
    }

    #[test]
    fn inline_and_heap_values_round_trip() {
        // The inline form also holds a space, `1`, and three lengths of one octet.
        const FIRST_HEAP_LEN: usize = INLINE_CAPACITY - 5;
        for len in [0, 1, FIRST_HEAP_LEN - 1, FIRST_HEAP_LEN, 199] {
            let value = "v".repeat(len);
            let attributes =
                ServiceAttributes::new(&["first", "none", "last"], [value.as_bytes(), b"", b"1"]);
            let first = (len > 0).then_some(("first", &*value));
            let expected: Vec<_> = first.into_iter().chain([("last", "1")]).collect();
            assert_eq!(attributes.iter().collect::<Vec<_>>(), expected);
            assert_eq!(attributes.to_string(), format!("{value} 1").trim_start());
            let is_inline = matches!(attributes.values, PackedValues::Inline(..));
            assert_eq!(is_inline, len < FIRST_HEAP_LEN, "{len}");
        }
    }
}
