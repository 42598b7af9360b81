//! Records of comma-separated values (RFC 4180) whose cells spreadsheets show as text.

use crate::printable::line;

/// Appends a record.
pub(crate) fn write_record<C: AsRef<[u8]>>(cells: impl IntoIterator<Item = C>, out: &mut Vec<u8>) {
    // A small buffer, because it is allocated for each record.
    let mut writer = csv::WriterBuilder::new();
    let mut writer = writer.buffer_capacity(1 << 10).from_writer(out);
    // Writing to a Vec cannot fail.
    let _ = writer.write_record(cells);
}

/// Returns the cell for a text that is not a number of lcap: one line of printable characters.
/// Spreadsheets evaluate a cell that starts with `=`, `+`, `-` or `@`; it gets an apostrophe, as
/// OWASP recommends ("CSV Injection").
pub(crate) fn text_cell(text: &str) -> String {
    let text = line(text);
    match text.starts_with(['=', '+', '-', '@']) {
        true => format!("'{text}"),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\t=1", "\\t=1"),
            ("\r=1", "\u{fffd}=1"),
            ("\0=1", "\u{fffd}=1"),
            ("\n=1", "\\n=1"),
            ("\u{feff}=1", "\u{fffd}=1"),
            ("a=1", "a=1"),
            ("'=1", "'=1"),
            ("", ""),
        ] {
            assert_eq!(text_cell(text), expected, "{text:?}");
        }
    }

    #[test]
    fn separators_and_quotes_stay_in_their_cell() {
        let mut out = Vec::new();
        write_record([text_cell("-a,=\"1\""), text_cell("b")], &mut out);
        assert_eq!(out, b"\"'-a,=\"\"1\"\"\",b\n");
    }
}
