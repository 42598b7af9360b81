//! Percent escapes: `%5b` is the octet 0x5b. They make process names text, and keep each name and
//! value in one field.

use std::fmt::{self, Write};

use crate::printable::is_printable;

/// Names and values are truncated to this number of octets.
const MAX_VALUE_LEN: usize = 512;

/// Returns a process name as text. The kernel permits any octets except NUL (proc(5)).
///
/// An octet that is not UTF-8 becomes `%` and two hexadecimal digits. A `%` that two hexadecimal
/// digits follow becomes `%25`, so that no two names have the same text. A longer name than those
/// of the kernel, e.g. from a comment in a capture file, is truncated.
pub(crate) fn name_from_bytes(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in truncate(name).utf8_chunks() {
        let valid = chunk.valid();
        for (at, character) in valid.char_indices() {
            text.push(character);
            if leading_escape(&valid.as_bytes()[at..]).is_some() {
                text.push_str("25");
            }
        }
        // Writing to a String cannot fail.
        let _ = write_octets(chunk.invalid(), &mut text);
    }
    text
}

/// Decodes the escapes of a name or a value. Everything else remains as it is.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut octets = Vec::with_capacity(rest.len());
    while let [first, more @ ..] = rest {
        let escaped = leading_escape(rest);
        octets.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &rest[3..] } else { more };
    }
    octets
}

/// Returns the octet of the escape that a text starts with.
fn leading_escape(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let digit = |octet: u8| char::from(octet).to_digit(16);
    Some((digit(*high)? << 4 | digit(*low)?) as u8)
}

/// Writes a process name. All characters with a meaning next to a name are escaped.
pub(super) fn write_name(name: &str, out: &mut impl Write) -> fmt::Result {
    write_escaped(&unescape(name), is_reserved, out)
}

/// Writes the value of a field. Spaces are escaped, too.
#[cfg(feature = "cli")]
pub(super) fn write_value(value: &[u8], out: &mut impl Write) -> fmt::Result {
    write_escaped(value, |c| c == ' ' || is_reserved(c), out)
}

/// Returns at most [`MAX_VALUE_LEN`] octets, without a part of a character at the end.
fn truncate(octets: &[u8]) -> &[u8] {
    if octets.len() <= MAX_VALUE_LEN {
        return octets;
    }
    let start = &octets[..MAX_VALUE_LEN];
    let partial = start
        .utf8_chunks()
        .last()
        .map_or(0, |chunk| chunk.invalid().len());
    &start[..start.len() - partial]
}

fn write_escaped(
    octets: &[u8],
    is_escaped: impl Fn(char) -> bool,
    out: &mut impl Write,
) -> fmt::Result {
    for chunk in truncate(octets).utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_escaped(character) {
                write_octets(character.encode_utf8(&mut [0; 4]).as_bytes(), out)?;
            } else {
                out.write_char(character)?;
            }
        }
        write_octets(chunk.invalid(), out)?;
    }
    Ok(())
}

fn write_octets(octets: &[u8], out: &mut impl Write) -> fmt::Result {
    octets
        .iter()
        .try_for_each(|octet| write!(out, "%{octet:02x}"))
}

/// True for characters that separate fields, names and process IDs, and for those that are not
/// printable.
fn is_reserved(character: char) -> bool {
    matches!(
        character,
        '%' | '[' | ']' | '→' | '⇒' | ',' | '+' | '?' | '=' | '#'
    ) || !is_printable(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn displayed(name: &[u8]) -> String {
        let mut text = String::new();
        write_name(&name_from_bytes(name), &mut text).expect("a string");
        text
    }

    #[test]
    fn names_are_escaped_only_where_necessary() {
        for (name, text, shown) in [
            (
                &b"kworker/0:1-e @(b)"[..],
                "kworker/0:1-e @(b)",
                "kworker/0:1-e @(b)",
            ),
            ("nä→".as_bytes(), "nä→", "nä%e2%86%92"),
            (b"100%", "100%", "100%25"),
            (b"100%25", "100%2525", "100%2525"),
            (b"caf\xe9", "caf%e9", "caf%e9"),
            (b"caf%e9", "caf%25e9", "caf%25e9"),
            (b"%a\xe9", "%a%e9", "%25a%e9"),
            (b"a[1]+b\n", "a[1]+b\n", "a%5b1%5d%2bb%0a"),
            (
                "\u{202e}x\u{85}".as_bytes(),
                "\u{202e}x\u{85}",
                "%e2%80%aex%c2%85",
            ),
        ] {
            assert_eq!((&*name_from_bytes(name), &*displayed(name)), (text, shown));
        }
        // Digits have no sign.
        assert_eq!(unescape("%+f%zz%5"), b"%+f%zz%5");
    }

    #[test]
    fn long_values_are_truncated_between_characters() {
        let mut text = String::new();
        write_value("aä".repeat(MAX_VALUE_LEN).as_bytes(), &mut text).expect("a string");
        assert_eq!(unescape(&text).len(), MAX_VALUE_LEN - 1);
        assert!(text.ends_with('a'), "{text}");
        let name = name_from_bytes(&[b'a'; MAX_VALUE_LEN + 1]);
        assert_eq!(name.len(), MAX_VALUE_LEN);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_name_is_recovered_from_its_text(
            name in prop_oneof![
                prop::collection::vec(1..=u8::MAX, 0..=15),
                "[%0-9a-f\\[\\]é]{0,7}".prop_map(String::into_bytes),
            ],
        ) {
            let text = name_from_bytes(&name);
            prop_assert_eq!(&unescape(&text), &name);
            let shown = displayed(&name);
            prop_assert!(!shown.contains(['[', ']', '→', ',', '+']) && shown.chars().all(is_printable));
            prop_assert_eq!(unescape(&shown), name);
        }
    }
}
