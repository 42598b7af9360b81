//! Requests as comma-separated values.

use super::groups::write_csv;
use super::{columns, open};
use crate::sink::rows::CsvRows;
use crate::sink::{Format, SinkFactory};

/// The entry of CSV in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "csv",
    extension: "csv",
    about: "comma-separated values, with a header line",
    factory: SinkFactory::Requests(|writer, layout| {
        open(writer, layout, CsvRows(columns(layout)), write_csv)
    }),
};
