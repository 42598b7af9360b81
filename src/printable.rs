//! Printable text: the characters that all outputs print as they are.
//!
//! Text from outside (names, paths, payload, messages of other programs) can contain characters
//! that move the cursor of a terminal, reverse the text around them, or are invisible. Every output
//! replaces those for which [`is_printable`] is false, so that they have no effect and are seen:
//!
//! | output | replacement |
//! |---|---|
//! | dumps below packet lines, `lcap follow` | `.` |
//! | names of processes, pcapng comments | `%` and two digits per octet: `%e2%80%ae` |
//! | JSON | `\u` and four digits per unit of UTF-16: `\u202e` |
//! | Zeek | `\x` and two digits per octet: `\xe2\x80\xae` |
//! | messages, tables, CSV, attributes of services | U+FFFD; [`line()`]: also `\n` and `\t` |

/// False for control characters, line and paragraph separators, and format characters: those of
/// bidirectional text, of zero width, tags, and others (general categories Cc, Cf, Zl and Zp of
/// Unicode). Unassigned characters among them also count as format characters.
pub(crate) fn is_printable(character: char) -> bool {
    match character {
        ' '..='~' => true,
        '\u{ad}'
        | '\u{600}'..='\u{605}'
        | '\u{61c}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{890}'..='\u{891}'
        | '\u{8e2}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{110bd}'
        | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e007f}' => false,
        character => !character.is_control(),
    }
}

/// Returns text as one line: newlines become `\n`, tabs `\t`, and other characters that are not
/// printable U+FFFD.
pub(crate) fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => line.push_str("\\n"),
            '\t' => line.push_str("\\t"),
            _ if is_printable(character) => line.push(character),
            _ => line.push(char::REPLACEMENT_CHARACTER),
        }
    }
    line
}

/// Returns text that may have several lines, each as [`line()`] does.
#[cfg(feature = "cli")]
pub(crate) fn lines(text: &str) -> String {
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Returns all characters that are not printable.
#[cfg(all(test, feature = "cli"))]
pub(crate) fn unprintable_characters() -> Vec<char> {
    ('\0'..=char::MAX)
        .filter(|&character| !is_printable(character))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_general_category::{GeneralCategory as Category, get_general_category};

    #[test]
    fn printable_characters_are_those_of_the_other_general_categories() {
        for character in '\0'..=char::MAX {
            let expected = match get_general_category(character) {
                Category::Control
                | Category::Format
                | Category::LineSeparator
                | Category::ParagraphSeparator => [false, false],
                Category::Unassigned => [false, true],
                _ => [true, true],
            };
            let code = u32::from(character);
            assert!(expected.contains(&is_printable(character)), "{code:x}");
        }
        assert!(
            "aä漢❤\u{fe0f}e\u{301}\u{a0}\u{fffd}"
                .chars()
                .all(is_printable)
        );
    }

    #[test]
    fn lines_have_no_unprintable_characters() {
        let text = "a\u{202e}b\tc\nd\u{1b}[2J\u{7f}ä\r\n";
        let expected = "a\u{fffd}b\\tc\\nd\u{fffd}[2J\u{fffd}ä\u{fffd}\\n";
        assert_eq!(line(text), expected);
        #[cfg(feature = "cli")]
        assert_eq!(lines(text), expected.replace("\\n", "\n"));
    }
}
