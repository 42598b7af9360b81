//! Output formats of requests, one row per request: text table, JSON and CSV.

mod body;
mod columns;
pub(super) mod csv;
mod filter;
mod groups;
pub(super) mod json;
mod repeats;
mod request_text;
mod sort;
mod summary;
pub(super) mod table;

pub use columns::COLUMNS;
pub use filter::{FilteredRequests, RequestFilter, StatusPattern};
pub use groups::{GROUP_ORDERS, GroupSelection};
pub use repeats::{RepeatRecorder, Repeats};
pub use request_text::request_summary;
pub use sort::REQUEST_ORDERS;

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub use super::clock::TimePrecision;
use super::rows::{RowColumn, RowFormatter, RowRecord, RowSink, TableLayout};
use super::{Event, Requirement, Sink};
use crate::error::Result;
use crate::request::{Request, RequestEvent};
use groups::{GroupedRequests, WriteGroups};

/// Layout and contents of the rows of requests.
#[derive(Debug, Clone)]
pub struct RequestLayout {
    /// Layout of the table.
    pub table: TableLayout,
    /// Precision of times in the table.
    pub precision: TimePrecision,
    /// True if rows contain the heads and bodies of messages.
    pub has_bodies: bool,
    /// Number of requests that filters left out.
    pub left_out: LeftOutCount,
    /// Requests that were repeated, filtered or not.
    pub repeats: Repeats,
    /// Selection of groups if requests are grouped by shape; `None` is one row per request.
    pub groups: Option<GroupSelection>,
}

/// Number of requests that filters left out: counted by [`FilteredRequests`], reported by the
/// table.
#[derive(Debug, Clone, Default)]
pub struct LeftOutCount(Arc<AtomicU64>);

impl LeftOutCount {
    fn increment(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Returns a sink for groups in this format if requests are grouped, else for single requests.
fn open<W: Write + 'static, F: RowFormatter<Request> + 'static>(
    writer: W,
    layout: &RequestLayout,
    formatter: F,
    write_groups: WriteGroups,
) -> Box<dyn Sink> {
    match layout.groups {
        Some(selection) => Box::new(GroupedRequests::new(
            writer,
            layout,
            selection,
            write_groups,
        )),
        None => Box::new(RowSink::new(writer, formatter)),
    }
}

/// Returns the columns of rows with or without the contents of messages.
fn columns(layout: &RequestLayout) -> &'static [RowColumn<Request>] {
    match layout.has_bodies {
        true => COLUMNS,
        false => columns::without_contents(),
    }
}

/// A request is reported when its answer is complete, or when none is expected any more.
impl RowRecord for Request {
    const NOUN: &'static str = "request";
    const REQUIREMENT: Requirement = Requirement::Streams;

    fn of_event<'a>(event: &Event<'a>) -> Option<&'a Request> {
        match event {
            Event::Request(RequestEvent::Request(request)) => Some(request),
            _ => None,
        }
    }

    fn number(&self) -> u64 {
        self.number
    }

    fn pass_to(&self, sink: &mut dyn Sink) -> Result<ControlFlow<()>> {
        sink.handle(Event::Request(RequestEvent::Request(self)))
    }
}
