//! Flows as comma-separated values with a header line (RFC 4180): all columns; values that do not
//! apply to a flow are empty.

use super::{COLUMNS, RowFormatter, RowSink, write_text};
use crate::flow::FlowRecord;
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
        write_record(out, COLUMNS.iter().map(|column| column.name.into()));
    }

    fn write_row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        let fields = COLUMNS.iter().map(|column| {
            let mut field = Vec::new();
            write_text(&mut field, &(column.value)(flow));
            field
        });
        write_record(out, fields);
    }
}

fn write_record(out: &mut Vec<u8>, fields: impl Iterator<Item = Vec<u8>>) {
    // A small buffer, because it is allocated for each record.
    let mut writer = csv::WriterBuilder::new();
    let mut writer = writer.buffer_capacity(1 << 10).from_writer(out);
    // Writing to a Vec cannot fail.
    let _ = writer.write_record(fields);
}
