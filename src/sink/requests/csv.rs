//! Requests as comma-separated values.

use super::columns;
use crate::sink::rows::{CsvRows, RowSink};
use crate::sink::{Format, SinkFactory};

/// The entry of CSV in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "csv",
    extension: "csv",
    about: "comma-separated values, with a header line",
    factory: SinkFactory::Requests(|writer, layout| {
        Box::new(RowSink::new(writer, CsvRows(columns(layout))))
    }),
};
