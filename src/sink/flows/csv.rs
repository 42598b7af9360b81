//! Flows as comma-separated values with a header line (RFC 4180): all columns; values that do not
//! apply to a flow are empty.

use super::{COLUMNS, ColumnType, RowFormatter, RowSink, write_text};
use crate::flow::FlowRecord;
use crate::sink::csv::{text_cell, write_record};
use crate::sink::{Format, SinkFactory};

/// The entry of CSV in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "csv",
    extension: "csv",
    about: "comma-separated values, with a header line",
    factory: SinkFactory::Flows(|writer, _| Box::new(RowSink::new(writer, CsvRows))),
};

struct CsvRows;

impl RowFormatter for CsvRows {
    fn write_head(&mut self, _first: Option<&FlowRecord>, out: &mut Vec<u8>) {
        write_record(COLUMNS.iter().map(|column| column.name), out);
    }

    fn write_row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        let cells = COLUMNS.iter().map(|column| {
            let mut cell = Vec::new();
            write_text(&mut cell, &(column.value)(flow));
            match column.kind {
                ColumnType::Text | ColumnType::Attributes | ColumnType::Process => {
                    text_cell(&String::from_utf8_lossy(&cell)).into_bytes()
                }
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
