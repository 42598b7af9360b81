//! Requests as JSON Lines.

use super::columns;
use crate::sink::rows::{JsonRows, RowSink};
use crate::sink::{Format, SinkFactory};

/// The entry of request JSON in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "json",
    extension: "json",
    about: "one JSON object per line",
    factory: SinkFactory::Requests(|writer, layout| {
        Box::new(RowSink::new(writer, JsonRows(columns(layout))))
    }),
};
