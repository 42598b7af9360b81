//! What an opening says of a service: a few names and values, in one allocation because flows are many.

use std::fmt;

use crate::memory::prefetch_at;

/// Names and values, in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `name`, `=`, value, line feed, and so on; no value holds a line feed.
    text: Box<str>,
}

/// The most that is kept of a value, in characters.
const LONGEST: usize = 200;

impl Facts {
    /// Facts from names and values; empty values are left out, control characters replaced (U+FFFD), long values cut (`…`).
    pub fn new<const N: usize>(facts: [(&'static str, &[u8]); N]) -> Facts {
        let mut len = 0;
        for (name, value) in facts {
            if !value.is_empty() {
                len += name.len() + value.len().min(LONGEST) + 2;
            }
        }
        // What is given away in the end is mostly as long as that: it need not be moved then.
        let mut text = String::with_capacity(len);
        for (name, value) in facts {
            if !value.is_empty() {
                text.push_str(name);
                text.push('=');
                add(&mut text, value);
                text.push('\n');
            }
        }
        Facts { text: text.into() }
    }

    /// Asks for the memory that it begins in.
    #[inline]
    pub fn ask_for(&self) {
        prefetch_at(self.text.as_bytes(), 0);
    }

    /// Every name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &*self.text;
        std::iter::from_fn(move || {
            let (name, behind) = cut(rest, b'=')?;
            let (value, behind) = cut(behind, b'\n')?;
            rest = behind;
            Some((name, value))
        })
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find_map(|(own, value)| (own == name).then_some(value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
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

/// What stands before and behind the first such octet.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let end = text.bytes().position(|octet| octet == at)?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// Adds a value, clean and short.
fn add(text: &mut String, value: &[u8]) {
    // All are looked at, side by side: that is faster than to stop at the first that is not.
    let is_plain = |plain, octet: &u8| plain & matches!(octet, b' '..=b'~');
    if value.len() <= LONGEST
        && value.iter().fold(true, is_plain)
        && let Ok(value) = str::from_utf8(value)
    {
        return text.push_str(value);
    }
    // No more bytes than these many characters can have.
    let value = value.get(..LONGEST * 4 + 4).unwrap_or(value);
    let value = String::from_utf8_lossy(value);
    let mut characters = value.chars();
    text.extend(characters.by_ref().take(LONGEST).map(visible));
    if characters.next().is_some() {
        text.push('…');
    }
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
