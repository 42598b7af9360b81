//! Requests as JSON Lines.

use super::groups::write_json;
use super::{columns, open};
use crate::sink::rows::JsonRows;
use crate::sink::{Format, SinkFactory};

/// The entry of request JSON in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "json",
    extension: "json",
    about: "one JSON object per line",
    factory: SinkFactory::Requests(|writer, layout| {
        open(writer, layout, JsonRows(columns(layout)), write_json)
    }),
};
