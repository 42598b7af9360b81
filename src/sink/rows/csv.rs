//! Records as comma-separated values with a header line (RFC 4180): all columns; values that do not
//! apply to a record are empty.

use super::RowFormatter;
use super::columns::{Column, ColumnType, write_text};
use crate::sink::csv::{text_cell, write_record};

/// Formatter of records as comma-separated values with these columns.
pub(in crate::sink) struct CsvRows<R: 'static>(pub(in crate::sink) &'static [Column<R>]);

impl<R> RowFormatter<R> for CsvRows<R> {
    fn write_head(&mut self, _first: Option<&R>, out: &mut Vec<u8>) {
        write_record(self.0.iter().map(|column| column.name), out);
    }

    fn write_row(&mut self, record: &R, out: &mut Vec<u8>) {
        let cells = self.0.iter().map(|column| {
            let mut cell = Vec::new();
            write_text(&mut cell, &(column.value)(record));
            match column.kind {
                ColumnType::Text
                | ColumnType::Attributes
                | ColumnType::Details
                | ColumnType::Process => text_cell(&String::from_utf8_lossy(&cell)).into_bytes(),
                ColumnType::Count
                | ColumnType::Time
                | ColumnType::Duration
                | ColumnType::Address
                | ColumnType::Port => cell,
            }
        });
        write_record(cells, out);
    }
}
