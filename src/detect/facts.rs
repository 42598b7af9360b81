//! What an opening says of a service: a few names and values. Flows are many, so that most have theirs in place.

use std::fmt;

use crate::memory::prefetch_at;

/// Names and values, in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    names: &'static [&'static str],
    values: Values,
}

/// A value for each name; empty ones count as not there.
///
/// ```text
/// | value | blank | value | … | lengths of all values |
/// ```
/// So the text of them all is written at once.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Values {
    /// Of one octet each, the first one's second to last; the last octet is the text's length, and what is left in between blank.
    Short([u8; SHORT]),
    /// Of two octets each, the first one's first.
    Long(Box<[u8]>),
}

/// As many octets as fill three words with what tells both kinds apart.
const SHORT: usize = 23;

/// The most that is kept of a value, in characters.
const LONGEST: usize = 200;

/// What a length takes where values are long, in bytes.
const LENGTH: usize = 2;

impl Default for Values {
    fn default() -> Values {
        let mut octets = [b' '; SHORT];
        octets[SHORT - 1] = 0;
        Values::Short(octets)
    }
}

impl Values {
    /// For values that have room in place, and are all plain ASCII.
    #[inline(always)]
    fn in_place<const N: usize>(values: [&[u8]; N]) -> Option<Values> {
        let text = text_len(values);
        if text + N >= SHORT {
            return None;
        }
        let mut octets = [b' '; SHORT];
        join(&mut octets, values);
        if !is_plain(&octets) {
            return None;
        }
        octets[SHORT - 1] = text as u8;
        let lengths = octets.iter_mut().rev().skip(1);
        lengths
            .zip(values)
            .for_each(|(length, value)| *length = value.len() as u8);
        Some(Values::Short(octets))
    }

    /// For any values.
    fn elsewhere<const N: usize>(values: [&[u8]; N]) -> Values {
        let text = text_len(values);
        let mut octets = vec![0; text + N * LENGTH];
        join(&mut octets, values);
        let (lengths, _) = octets[text..].as_chunks_mut();
        for (length, value) in lengths.iter_mut().zip(values) {
            *length = (value.len() as u16).to_le_bytes();
        }
        Values::Long(octets.into())
    }

    /// The text of so many values.
    #[inline]
    fn text(&self, count: usize) -> &[u8] {
        match self {
            Values::Short(octets) => &octets[..usize::from(octets[SHORT - 1])],
            Values::Long(octets) => &octets[..octets.len() - count * LENGTH],
        }
    }

    /// The length of one of so many values.
    fn length(&self, at: usize, count: usize) -> usize {
        match self {
            Values::Short(octets) => usize::from(octets[SHORT - 2 - at]),
            Values::Long(octets) => {
                let (lengths, _) = octets[octets.len() - count * LENGTH..].as_chunks();
                lengths
                    .get(at)
                    .map_or(0, |length| usize::from(u16::from_le_bytes(*length)))
            }
        }
    }
}

/// How long the text of values is.
fn text_len<const N: usize>(values: [&[u8]; N]) -> usize {
    let there = values.iter().filter(|value| !value.is_empty());
    let len: usize = there.map(|value| value.len() + 1).sum();
    len.saturating_sub(1)
}

/// Writes what is there of values, a blank between each two; there is room for it.
fn join<const N: usize>(octets: &mut [u8], values: [&[u8]; N]) {
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

impl Facts {
    /// Facts from names and their values; empty values are left out, control characters replaced (U+FFFD), long values cut (`…`).
    pub fn new<const N: usize>(names: &'static [&'static str; N], values: [&[u8]; N]) -> Facts {
        let may_stay = |value: &&[u8]| value.len() <= LONGEST && is_plain(value);
        let values = match Values::in_place(values) {
            Some(values) => values,
            None if values.iter().all(may_stay) => Values::elsewhere(values),
            None => {
                let clean = values.map(clean);
                Values::elsewhere(clean.each_ref().map(String::as_bytes))
            }
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

    /// The values alone, blanks between them, as octets.
    #[inline]
    pub(crate) fn text(&self) -> &[u8] {
        self.values.text(self.names.len())
    }

    /// Every name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let count = self.names.len();
        let mut rest = self.text();
        let named = self.names.iter().enumerate();
        named.filter_map(move |(at, name)| {
            let (value, behind) = rest.split_at_checked(self.values.length(at, count))?;
            if value.is_empty() {
                return None;
            }
            rest = behind.get(1..).unwrap_or_default();
            // They were text before they were packed.
            Some((*name, str::from_utf8(value).unwrap_or_default()))
        })
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find_map(|(own, value)| (own == name).then_some(value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }
}

/// The values alone, blanks between them: `GET /index.html 200`.
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(str::from_utf8(self.text()).unwrap_or_default())
    }
}

/// Whether all octets are printable ASCII.
#[inline]
fn is_plain(octets: &[u8]) -> bool {
    // All are looked at, side by side: that is faster than to stop at the first that is not.
    octets
        .iter()
        .fold(true, |plain, octet| plain & matches!(octet, b' '..=b'~'))
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
        // A blank, `1` and three octets for lengths stand beside the value.
        const MOST: usize = SHORT - 5;
        for len in [0, 1, MOST - 1, MOST, 199] {
            let value = "v".repeat(len);
            let facts = Facts::new(&["first", "none", "last"], [value.as_bytes(), b"", b"1"]);
            let first = (len > 0).then_some(("first", &*value));
            let all: Vec<_> = first.into_iter().chain([("last", "1")]).collect();
            assert_eq!(facts.iter().collect::<Vec<_>>(), all);
            assert_eq!(facts.to_string(), format!("{value} 1").trim_start());
            let is_short = matches!(facts.values, Values::Short(..));
            assert_eq!(is_short, len < MOST, "{len}");
        }
    }
}
