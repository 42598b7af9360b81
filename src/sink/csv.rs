//! Records of comma-separated values (RFC 4180).

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
pub(crate) fn text_cell(text: &str) -> String {
    line(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_and_quotes_stay_in_their_cell() {
        let mut out = Vec::new();
        write_record([text_cell("-a,=\"1\""), text_cell("b")], &mut out);
        assert_eq!(out, b"\"-a,=\"\"1\"\"\",b\n");
    }
}
