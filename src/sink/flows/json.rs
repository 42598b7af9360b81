//! Flows as JSON Lines.

use super::COLUMNS;
use crate::sink::rows::{JsonRows, RowSink};
use crate::sink::{Format, SinkFactory};

/// The entry of flow JSON in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "json",
    extension: "json",
    about: "one JSON object per line",
    factory: SinkFactory::Flows(|writer, _| Box::new(RowSink::new(writer, JsonRows(COLUMNS)))),
};
