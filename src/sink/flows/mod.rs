//! Flows as rows: for people, for programs, for Zeek's tools.

mod columns;
mod csv;
mod json;
mod rank;
mod rows;
mod table;
mod zeek;

pub use columns::{COLUMNS, Column, Value};
pub use rank::{ORDERS, Order, Ranked};
pub use rows::{Row, Rows, Tally};
pub use table::{Layout, row};

pub(super) use csv::FORMAT as CSV;
pub(super) use json::FORMAT as JSON;
pub(super) use table::FORMAT as TEXT;
pub(super) use zeek::FORMAT as ZEEK;

use std::io::Write;

use super::Sink;
use super::number;
use crate::error::Result;
use crate::flow::{FlowEvent, What};
use crate::packet::{Span, Timestamp};
use crate::sink::{Needs, write_out};

/// Writes rows as flows end.
struct Writer<W: Write, R: Rows> {
    writer: W,
    rows: R,
    out: Vec<u8>,
    tally: Tally,
    finished: bool,
}

/// Written at once when more than this is waiting, in bytes.
const BUFFER: usize = 64 << 10;

impl<W: Write, R: Rows> Writer<W, R> {
    fn new(writer: W, rows: R) -> Writer<W, R> {
        Writer {
            writer,
            rows,
            out: Vec::with_capacity(BUFFER + BUFFER / 4),
            tally: Tally::default(),
            finished: false,
        }
    }

    /// What stands before the first row, which a flow will be that began then.
    fn begin(&mut self, first: Option<Timestamp>) {
        if self.tally.is_empty() {
            self.rows.begin(first, &mut self.out);
        }
    }

    fn hand_on_if_full(&mut self) -> Result<()> {
        match self.out.len() >= BUFFER {
            true => self.flush(),
            false => Ok(()),
        }
    }
}

impl<W: Write, R: Rows> Sink for Writer<W, R> {
    fn flow(&mut self, event: &FlowEvent) -> Result<()> {
        let What::Closed(record) = event.what else {
            return Ok(());
        };
        self.begin(Some(record.first));
        self.tally.add(record.first, record.outcome.verdict);
        self.rows.row(record, &mut self.out);
        self.hand_on_if_full()
    }

    fn rows(&self) -> Option<Box<dyn Rows>> {
        Some(self.rows.fresh())
    }

    fn row(&mut self, row: &Row) -> Result<()> {
        self.begin(Some(row.first));
        self.tally.add(row.first, row.verdict);
        row.write(self.rows.before_number(), &mut self.out);
        self.hand_on_if_full()
    }

    fn needs(&self) -> Needs {
        Needs::Flows
    }

    fn flush(&mut self) -> Result<()> {
        write_out(&mut self.writer, &mut self.out)
    }

    fn finish(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.finished, true) {
            self.begin(None);
            self.rows.end(&self.tally, &mut self.out);
        }
        self.flush()
    }
}

/// `1790000000.123456789`; the sign stands before both.
fn seconds_since_epoch(out: &mut Vec<u8>, time: Timestamp) {
    seconds(out, Span(if time.is_known() { time.0 } else { 0 }));
}

/// `0.000014000`.
fn seconds(out: &mut Vec<u8>, span: Span) {
    if span.0 < 0 {
        out.push(b'-');
    }
    let nanos = span.0.unsigned_abs();
    number::decimal64(out, nanos / 1_000_000_000);
    out.push(b'.');
    number::digits9(out, (nanos % 1_000_000_000) as u32);
}
