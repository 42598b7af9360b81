//! Width of text in terminal columns.

use unicode_width::UnicodeWidthChar;

/// Returns the width of UTF-8 text in terminal columns.
pub(in crate::sink) fn text_width(text: &[u8]) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => String::from_utf8_lossy(text).chars().map(char_width).sum(),
    }
}

/// Appends text, truncated to a width in terminal columns; the last one is then `…`.
pub(in crate::sink) fn push_text(out: &mut Vec<u8>, text: &str, width: usize) {
    let start = out.len();
    out.extend_from_slice(text.as_bytes());
    truncate(out, start, width);
}

/// Truncates the text from `start` on to `width` columns, the last of which is `…`. Returns the
/// width of the text.
pub(super) fn truncate(out: &mut Vec<u8>, start: usize, width: usize) -> usize {
    let full_width = text_width(&out[start..]);
    if full_width <= width {
        return full_width;
    }
    let text = String::from_utf8_lossy(&out[start..]).into_owned();
    out.truncate(start);
    let mut used = 0;
    for character in text.chars() {
        let next = used + char_width(character);
        // One column is left for the ellipsis.
        if next >= width {
            break;
        }
        used = next;
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    if width > used {
        out.extend_from_slice("…".as_bytes());
        used += 1;
    }
    used
}

/// Returns the width of a character in terminal columns: 2 for those of East Asian scripts and for
/// emoji, 0 for combining ones (UAX #11).
fn char_width(character: char) -> usize {
    match character {
        // Selects the presentation of the character before it as an emoji, which is wider.
        '\u{fe0f}' => 1,
        _ => character.width().unwrap_or(1),
    }
}
