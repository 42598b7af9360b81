//! Records as rows: one row per flow or request, as a text table, JSON or CSV.

mod columns;
mod csv;
mod json;
mod layout;
mod sort;
mod text_width;

pub use columns::{ColumnType, ColumnValue, RowColumn};
pub(super) use columns::{optional, text, write_text};
pub(super) use csv::CsvRows;
pub(super) use json::JsonRows;
pub(super) use layout::{Align, CellFormat, Colour, RowTable, TableColumn, WidthPlan};
#[cfg(test)]
pub(super) use layout::{FittedColumn, fit_columns};
pub use layout::{ProcessColumn, TableLayout};
pub use sort::{RowOrder, SortedRows};
pub(super) use text_width::{push_text, text_width};

use std::io::Write;
use std::marker::PhantomData;
use std::ops::ControlFlow;

use super::{BufferedOutput, CONTINUE, Event, Requirement, Sink};
use crate::error::Result;

/// A record that is reported as a row.
pub trait RowRecord: Clone + 'static {
    /// Noun in messages, in the singular: `flow`.
    const NOUN: &'static str;
    /// The events that are required for the records.
    const REQUIREMENT: Requirement;

    /// Returns the record that an event reports.
    fn of_event<'a>(event: &Event<'a>) -> Option<&'a Self>;

    /// Returns the number of the record, from 1.
    fn number(&self) -> u64;

    /// Passes the event that reports the record to a sink.
    ///
    /// # Errors
    /// Those of the sink.
    fn pass_to(&self, sink: &mut dyn Sink) -> Result<ControlFlow<()>>;
}

/// Formatter of records as rows.
pub trait RowFormatter<R> {
    /// Writes the header. `first` is the first record that is written, or `None` if there is none.
    fn write_head(&mut self, _first: Option<&R>, _out: &mut Vec<u8>) {}

    /// Writes the row of a record.
    fn write_row(&mut self, record: &R, out: &mut Vec<u8>);

    /// Writes the footer after the last row.
    fn write_tail(&mut self, _out: &mut Vec<u8>) {}
}

/// Sink that writes the row of each record when it is reported.
pub(super) struct RowSink<W: Write, R, F> {
    out: BufferedOutput<W>,
    formatter: F,
    has_head: bool,
    finished: bool,
    record: PhantomData<R>,
}

impl<W: Write, R: RowRecord, F: RowFormatter<R>> RowSink<W, R, F> {
    pub(super) fn new(writer: W, formatter: F) -> RowSink<W, R, F> {
        RowSink {
            out: BufferedOutput::new(writer),
            formatter,
            has_head: false,
            finished: false,
            record: PhantomData,
        }
    }

    /// Writes the header before the first row, which is that of the record `first`.
    fn write_head_once(&mut self, first: Option<&R>) {
        if !std::mem::replace(&mut self.has_head, true) {
            self.formatter.write_head(first, &mut self.out.bytes);
        }
    }
}

impl<W: Write, R: RowRecord, F: RowFormatter<R>> Sink for RowSink<W, R, F> {
    fn requires(&self) -> Requirement {
        R::REQUIREMENT
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        if let Some(record) = R::of_event(&event) {
            self.write_head_once(Some(record));
            self.formatter.write_row(record, &mut self.out.bytes);
            self.out.end_record()?;
        } else if let Event::Tick(_) = event {
            self.flush()?;
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.finished, true) {
            self.write_head_once(None);
            self.formatter.write_tail(&mut self.out.bytes);
        }
        self.out.finish(R::NOUN)
    }
}
