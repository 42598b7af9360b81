//! Output formats of flows, one row per flow: text table, JSON, CSV and Zeek's conn.log.

mod columns;
pub(super) mod csv;
pub(super) mod json;
mod rows;
mod sort;
pub(super) mod table;
pub(super) mod zeek;

pub use columns::{COLUMNS, ColumnType, ColumnValue, FlowColumn};
pub use rows::{RowFormatter, VerdictTally};
pub use sort::{FLOW_ORDERS, FlowOrder, SortedFlows};
pub use table::{ProcessColumn, TableLayout, flow_summary};

use std::io::Write;
use std::ops::ControlFlow;

use super::{BufferedOutput, CONTINUE, Event, Requirement, Sink};
use crate::error::Result;
use crate::flow::{FlowEvent, FlowEventKind, FlowRecord};

/// Sink that writes the row of each flow when the flow ends.
struct RowSink<W: Write, R: RowFormatter> {
    out: BufferedOutput<W>,
    formatter: R,
    tally: VerdictTally,
    finished: bool,
}

impl<W: Write, R: RowFormatter> RowSink<W, R> {
    fn new(writer: W, formatter: R) -> RowSink<W, R> {
        RowSink {
            out: BufferedOutput::new(writer),
            formatter,
            tally: VerdictTally::default(),
            finished: false,
        }
    }

    /// Writes the header before the first row, which is that of the flow `first`.
    fn write_head_once(&mut self, first: Option<&FlowRecord>) {
        if self.tally.is_empty() {
            self.formatter.write_head(first, &mut self.out.bytes);
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
                self.formatter.write_row(record, &mut self.out.bytes);
                self.out.end_record()?;
            }
            Event::Tick(_) => self.flush()?,
            Event::Packet(_) | Event::Flow(_) | Event::Request(_) | Event::Dropped(_) => {}
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.finished, true) {
            self.write_head_once(None);
            self.formatter.write_tail(&self.tally, &mut self.out.bytes);
        }
        self.out.finish("flow")
    }
}

/// Writes a value as text without escapes: times and durations in seconds with nine decimals, and
/// nothing for an absent or unknown value.
fn write_text(out: &mut Vec<u8>, value: &ColumnValue) {
    // Writing to a Vec cannot fail.
    let _ = match value {
        ColumnValue::Absent | ColumnValue::Unknown => Ok(()),
        ColumnValue::Count(count) => write!(out, "{count}"),
        ColumnValue::Time(time) if !time.is_present() => write_seconds(out, 0),
        ColumnValue::Time(time) => write_seconds(out, time.0),
        ColumnValue::Duration(span) => write_seconds(out, span.0),
        ColumnValue::Address(ip) => write!(out, "{ip}"),
        ColumnValue::Port(port) => write!(out, "{port}"),
        ColumnValue::Text(text) => out.write_all(text.as_bytes()),
        ColumnValue::Attributes(attributes) => write!(out, "{attributes}"),
        ColumnValue::Process(owner) => write!(out, "{owner}"),
    };
}

/// Writes nanoseconds as seconds: `0.000014000`.
fn write_seconds(out: &mut Vec<u8>, nanos: i64) -> std::io::Result<()> {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let (seconds, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    write!(out, "{sign}{seconds}.{nanos:09}")
}
