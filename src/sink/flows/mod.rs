//! Output formats of flows, one row per flow: text table, JSON, CSV and Zeek's conn.log.

mod columns;
pub(super) mod csv;
pub(super) mod json;
mod rows;
mod sort;
pub(super) mod table;
pub(super) mod zeek;

pub use columns::{COLUMNS, ColumnValue, FlowColumn};
pub use rows::{RowFormatter, VerdictTally};
pub use sort::{FLOW_ORDERS, FlowOrder, SortedFlows};
pub use table::{ProcessColumn, TableLayout, flow_summary};

use std::io::Write;
use std::ops::ControlFlow;

use super::digits;
use super::{CONTINUE, Event, Requirement, Sink, write_and_flush};
use crate::error::Result;
use crate::flow::{FlowEvent, FlowEventKind, FlowRecord};
use crate::packet::{TimeDelta, Timestamp};

/// Sink that writes the row of each flow when the flow ends.
struct RowSink<W: Write, R: RowFormatter> {
    writer: W,
    formatter: R,
    out: Vec<u8>,
    tally: VerdictTally,
    finished: bool,
}

/// Number of buffered bytes at which the buffer is written.
const FLUSH_THRESHOLD: usize = 64 << 10;

impl<W: Write, R: RowFormatter> RowSink<W, R> {
    fn new(writer: W, formatter: R) -> RowSink<W, R> {
        RowSink {
            writer,
            formatter,
            out: Vec::with_capacity(FLUSH_THRESHOLD + FLUSH_THRESHOLD / 4),
            tally: VerdictTally::default(),
            finished: false,
        }
    }

    /// Writes the header before the first row, which is that of the flow `first`.
    fn write_head_once(&mut self, first: Option<&FlowRecord>) {
        if self.tally.is_empty() {
            self.formatter.write_head(first, &mut self.out);
        }
    }
}

impl<W: Write, R: RowFormatter> Sink for RowSink<W, R> {
    fn requires(&self) -> Requirement {
        Requirement::Flows
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        match event {
            Event::Flow(&FlowEvent {
                kind: FlowEventKind::Closed(record),
                ..
            }) => {
                self.write_head_once(Some(record));
                self.tally.add(record.first_time, record.outcome.kind);
                self.formatter.write_row(record, &mut self.out);
                if self.out.len() >= FLUSH_THRESHOLD {
                    self.flush()?;
                }
            }
            Event::Tick(_) => self.flush()?,
            Event::Packet(_) | Event::Flow(_) => {}
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        write_and_flush(&mut self.writer, &mut self.out)
    }

    fn finish(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.finished, true) {
            self.write_head_once(None);
            self.formatter.write_tail(&self.tally, &mut self.out);
        }
        self.flush()
    }
}

/// Writes a time in seconds since 1970: `1790000000.123456789`; 0 if it is absent.
fn write_epoch_seconds(out: &mut Vec<u8>, time: Timestamp) {
    write_seconds(out, TimeDelta(if time.is_present() { time.0 } else { 0 }));
}

/// Writes a duration in seconds: `0.000014000`.
fn write_seconds(out: &mut Vec<u8>, span: TimeDelta) {
    if span.0 < 0 {
        out.push(b'-');
    }
    let nanos = span.0.unsigned_abs();
    digits::decimal(out, nanos / 1_000_000_000);
    out.push(b'.');
    digits::padded::<9>(out, (nanos % 1_000_000_000) as u32);
}
