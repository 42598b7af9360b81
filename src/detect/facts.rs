//! What an opening says of a service: a few names and values, in one allocation because flows are many.

use std::fmt;

use crate::memory::prefetch_at;

/// Names and values, in the order in which they were found.
///
/// ```text
/// 0               1                3      3 + name
/// | name's length | value's length | name | value | … the next
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    octets: Box<[u8]>,
}

/// The most that is kept of a value, in characters.
const LONGEST: usize = 200;

/// What the lengths of a name and of its value take, in bytes.
const LENGTHS: usize = 3;

impl Facts {
    /// Facts from names and values; empty values are left out, control characters replaced (U+FFFD), long values cut (`…`).
    pub fn new<const N: usize>(facts: [(&'static str, &[u8]); N]) -> Facts {
        if facts.iter().all(|(_, value)| is_clean(value)) {
            return Facts::packed(facts);
        }
        let clean = facts.map(|(name, value)| (name, clean(value)));
        Facts::packed(
            clean
                .each_ref()
                .map(|(name, value)| (*name, value.as_bytes())),
        )
    }

    fn packed<const N: usize>(facts: [(&'static str, &[u8]); N]) -> Facts {
        let mut len = 0;
        for (name, value) in facts {
            if !value.is_empty() {
                len += LENGTHS + name.len() + value.len();
            }
        }
        let mut octets = Vec::with_capacity(len);
        for (name, value) in facts {
            if !value.is_empty() {
                let [low, high] = (value.len() as u16).to_le_bytes();
                octets.extend_from_slice(&[name.len() as u8, low, high]);
                octets.extend_from_slice(name.as_bytes());
                octets.extend_from_slice(value);
            }
        }
        Facts {
            octets: octets.into(),
        }
    }

    /// Asks for the memory that it begins in.
    #[inline]
    pub fn ask_for(&self) {
        prefetch_at(&self.octets, 0);
    }

    /// Every name with its value, as octets.
    #[inline]
    pub(crate) fn octets(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &*self.octets;
        std::iter::from_fn(move || {
            let ([name, low, high], behind) = rest.split_first_chunk::<LENGTHS>()?;
            let (name, behind) = behind.split_at_checked(usize::from(*name))?;
            let len = u16::from_le_bytes([*low, *high]);
            let (value, behind) = behind.split_at_checked(usize::from(len))?;
            rest = behind;
            Some((name, value))
        })
    }

    /// Every name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        // Both were text before they were packed.
        let text = |octets| str::from_utf8(octets).unwrap_or_default();
        self.octets()
            .map(move |(name, value)| (text(name), text(value)))
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find_map(|(own, value)| (own == name).then_some(value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
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
    use super::Facts;

    #[test]
    fn values_are_kept_clean_and_short() {
        let long = [b'x'; 900];
        let facts = Facts::new([
            ("method", &b"GET"[..]),
            ("empty", b""),
            ("path", b"/a=b\n\x1b[31m\xff"),
            ("long", &long),
        ]);
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
}
