//! Attributes of a detected service: a few names and values.

use std::fmt;

use crate::printable::is_printable;

/// Names and values, in the order of detection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceAttributes {
    names: &'static [&'static str],
    /// A value per name, separated by newlines, which values do not contain; an empty value means
    /// that the attribute is absent.
    values: Box<str>,
}

/// Maximum length of a stored value, in characters.
const MAX_VALUE_CHARS: usize = 200;

impl ServiceAttributes {
    /// Creates attributes from names and their values. Empty values are omitted, characters
    /// that are not printable are replaced by U+FFFD, and long values are truncated and end in `…`.
    pub fn new<const N: usize>(
        names: &'static [&'static str; N],
        values: [&[u8]; N],
    ) -> ServiceAttributes {
        let mut text = String::with_capacity(values.iter().map(|value| value.len() + 1).sum());
        for (at, value) in values.iter().enumerate() {
            text.push_str(if at == 0 { "" } else { "\n" });
            push_sanitized(&mut text, value);
        }
        ServiceAttributes {
            names,
            values: text.into_boxed_str(),
        }
    }

    /// Iterates over all names that have a value, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.names.iter().copied().zip(self.values.split('\n'));
        pairs.filter(|(_, value)| !value.is_empty())
    }

    /// Returns the value of the attribute with this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find_map(|(candidate, value)| (candidate == name).then_some(value))
    }

    /// Returns true if there are no values.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// Prints the values without their names, separated by spaces: `GET /index.html 200`.
impl fmt::Display for ServiceAttributes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (at, (_, value)) in self.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { " " })?;
            f.write_str(value)?;
        }
        Ok(())
    }
}

/// Appends a value with its unprintable characters replaced and its length limited.
fn push_sanitized(text: &mut String, value: &[u8]) {
    // Only the bytes that MAX_VALUE_CHARS characters and one more can occupy are inspected.
    let value = value.get(..MAX_VALUE_CHARS * 4 + 4).unwrap_or(value);
    let value = String::from_utf8_lossy(value);
    if value.len() <= MAX_VALUE_CHARS && value.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return text.push_str(&value);
    }
    let mut characters = value.chars();
    text.extend(characters.by_ref().take(MAX_VALUE_CHARS).map(sanitize_char));
    if characters.next().is_some() {
        text.push('…');
    }
}

fn sanitize_char(character: char) -> char {
    match is_printable(character) {
        true => character,
        false => char::REPLACEMENT_CHARACTER,
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
            [b"GET", b"", b"/a=b\n\x1b[31m\xff\xe2\x80\x8b", &long],
        );
        assert_eq!(
            attributes.get("path"),
            Some("/a=b\u{fffd}\u{fffd}[31m\u{fffd}\u{fffd}")
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
    fn values_round_trip() {
        let attributes = ServiceAttributes::new(&["first", "none", "last"], [b"a b", b"", b"1"]);
        let expected = [("first", "a b"), ("last", "1")];
        assert_eq!(attributes.iter().collect::<Vec<_>>(), expected);
        assert_eq!(attributes.to_string(), "a b 1");
    }
}
