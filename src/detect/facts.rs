//! What an opening says of a service: a few names and values. Flows are many, so that most have theirs in place.

use std::fmt;

use crate::memory::prefetch_at;

/// Names and values, in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    names: &'static [&'static str],
    values: Values,
}

/// A value for each name, one after the other; empty ones count as not there.
///
/// ```text
/// 0                2
/// | value's length | value | … the next
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
enum Values {
    /// Behind the last one all octets are 0.
    Short([u8; SHORT]),
    Long(Box<[u8]>),
}

/// As many octets as fill three words with what tells both kinds apart.
const SHORT: usize = 23;

/// The most that is kept of a value, in characters.
const LONGEST: usize = 200;

/// What a value's length takes, in bytes.
const LENGTH: usize = 2;

impl Default for Values {
    fn default() -> Values {
        Values::Short([0; SHORT])
    }
}

impl Values {
    fn new<const N: usize>(values: [&[u8]; N]) -> Values {
        let len: usize = values.iter().map(|value| LENGTH + value.len()).sum();
        if len > SHORT {
            let mut octets = vec![0; len];
            fill(&mut octets, values);
            return Values::Long(octets.into());
        }
        let mut octets = [0; SHORT];
        fill(&mut octets, values);
        Values::Short(octets)
    }

    #[inline]
    fn octets(&self) -> &[u8] {
        match self {
            Values::Short(octets) => octets,
            Values::Long(octets) => octets,
        }
    }
}

/// Writes values one after the other, for which there is room.
fn fill<const N: usize>(mut rest: &mut [u8], values: [&[u8]; N]) {
    for value in values {
        let (length, behind) = rest.split_at_mut(LENGTH);
        length.copy_from_slice(&(value.len() as u16).to_le_bytes());
        let (place, behind) = behind.split_at_mut(value.len());
        place.copy_from_slice(value);
        rest = behind;
    }
}

impl Facts {
    /// Facts from names and their values; empty values are left out, control characters replaced (U+FFFD), long values cut (`…`).
    pub fn new<const N: usize>(names: &'static [&'static str; N], values: [&[u8]; N]) -> Facts {
        let values = if values.iter().all(|value| is_clean(value)) {
            Values::new(values)
        } else {
            let clean = values.map(clean);
            Values::new(clean.each_ref().map(String::as_bytes))
        };
        Facts { names, values }
    }

    /// Asks for the memory that it begins in, where that is elsewhere.
    #[inline]
    pub fn ask_for(&self) {
        if let Values::Long(octets) = &self.values {
            prefetch_at(octets, 0);
        }
    }

    /// Every name with its value, as octets.
    #[inline]
    pub(crate) fn octets(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let mut rest = self.values.octets();
        let values = std::iter::from_fn(move || {
            let (length, behind) = rest.split_first_chunk::<LENGTH>()?;
            let len = usize::from(u16::from_le_bytes(*length));
            let (value, behind) = behind.split_at_checked(len)?;
            rest = behind;
            Some(value)
        });
        // There are as many as names.
        let named = self.names.iter().copied().zip(values);
        named.filter(|(_, value)| !value.is_empty())
    }

    /// Every name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        // They were text before they were packed.
        self.octets()
            .map(|(name, value)| (name, str::from_utf8(value).unwrap_or_default()))
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find_map(|(own, value)| (own == name).then_some(value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.octets().next().is_none()
    }
}

/// The values alone, blanks between them: `GET /index.html 200`.
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (at, (_, value)) in self.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { " " })?;
            f.write_str(value)?;
        }
        Ok(())
    }
}

/// Whether a value may stay as it is.
#[inline]
fn is_clean(value: &[u8]) -> bool {
    // All are looked at, side by side: that is faster than to stop at the first that is not.
    let is_plain = |plain, octet: &u8| plain & matches!(octet, b' '..=b'~');
    value.len() <= LONGEST && value.iter().fold(true, is_plain)
}

/// A value, clean and short.
fn clean(value: &[u8]) -> String {
    // No more bytes than these many characters can have.
    let value = value.get(..LONGEST * 4 + 4).unwrap_or(value);
    let value = String::from_utf8_lossy(value);
    let mut characters = value.chars();
    let mut text: String = characters.by_ref().take(LONGEST).map(visible).collect();
    if characters.next().is_some() {
        text.push('…');
    }
    text
}

fn visible(character: char) -> char {
    // Separators of lines and paragraphs, and what reorders text, are as good as control characters.
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
    fn values_are_kept_clean_and_short() {
        let long = [b'x'; 900];
        let facts = Facts::new(
            &["method", "empty", "path", "long"],
            [b"GET", b"", b"/a=b\n\x1b[31m\xff", &long],
        );
        assert_eq!(facts.get("path"), Some("/a=b\u{fffd}\u{fffd}[31m\u{fffd}"));
        assert_eq!(facts.get("empty"), None);
        assert_eq!(
            facts.get("long").map(|value| value.chars().count()),
            Some(201)
        );
        assert_eq!(facts.iter().count(), 3);
        assert!(facts.to_string().starts_with("GET /a=b"));
        assert!(Facts::default().is_empty());
    }

    /// Whether they stand in place or elsewhere.
    #[test]
    fn short_and_long_values_are_what_they_were() {
        for len in [0, 1, SHORT - 2 * LENGTH - 1, SHORT - 2 * LENGTH, 199] {
            let value = "v".repeat(len);
            let facts = Facts::new(&["first", "last"], [value.as_bytes(), b"1"]);
            assert_eq!(facts.get("first"), (len > 0).then_some(&*value));
            assert_eq!(facts.get("last"), Some("1"));
            let is_short = matches!(facts.values, Values::Short(..));
            assert_eq!(is_short, 2 * LENGTH + len < SHORT, "{len}");
        }
    }
}
