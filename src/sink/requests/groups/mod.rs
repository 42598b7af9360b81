//! Output formats of requests grouped by shape, one row per shape (`--group`).

mod columns;
mod sort;
pub(super) mod table;

use columns::GROUP_COLUMNS;
pub use sort::GROUP_ORDERS;

use std::cmp::Reverse;
use std::io::Write;
use std::ops::ControlFlow;

use super::RequestLayout;
use super::summary::RequestTally;
use crate::error::Result;
use crate::request::{RequestEvent, RequestGroup, RequestGroups};
use crate::sink::rows::{CsvRows, JsonRows, RowFormatter, RowOrder};
use crate::sink::{BufferedOutput, CONTINUE, Event, Requirement, Sink};

/// Selection of the groups to write.
#[derive(Debug, Clone, Copy)]
pub struct GroupSelection {
    /// Order of the groups.
    pub order: &'static RowOrder<RequestGroup>,
    /// Number of groups to write, the first ones in the order; `None` is all of them.
    pub top: Option<usize>,
}

/// Contents of the output.
pub(super) struct GroupReport<'a> {
    /// Groups to write, in order.
    groups: Vec<&'a RequestGroup>,
    /// Number of all groups.
    total: usize,
    layout: &'a RequestLayout,
    tally: &'a RequestTally,
}

/// Writes all rows in one format.
pub(super) type WriteGroups = fn(&GroupReport, &mut Vec<u8>);

/// Sink that groups requests, and writes the groups at the end.
pub(super) struct GroupedRequests<W: Write> {
    out: BufferedOutput<W>,
    groups: RequestGroups,
    selection: GroupSelection,
    layout: RequestLayout,
    tally: RequestTally,
    write: WriteGroups,
    finished: bool,
}

impl<W: Write> GroupedRequests<W> {
    pub(super) fn new(
        writer: W,
        layout: &RequestLayout,
        selection: GroupSelection,
        write: WriteGroups,
    ) -> GroupedRequests<W> {
        GroupedRequests {
            out: BufferedOutput::new(writer),
            groups: RequestGroups::default(),
            selection,
            layout: layout.clone(),
            tally: RequestTally::new(layout),
            write,
            finished: false,
        }
    }
}

impl<W: Write> Sink for GroupedRequests<W> {
    fn requires(&self) -> Requirement {
        Requirement::Streams
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        if let Event::Request(RequestEvent::Request(request)) = event {
            self.tally.add(request);
            self.groups.add(request);
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.finished, true) {
            let mut groups: Vec<&RequestGroup> = self.groups.iter().collect();
            let total = groups.len();
            // The sort is stable: equal groups are in the order of their first requests.
            groups.sort_by_cached_key(|group| Reverse((self.selection.order.key)(group)));
            groups.truncate(self.selection.top.unwrap_or(usize::MAX));
            let report = GroupReport {
                groups,
                total,
                layout: &self.layout,
                tally: &self.tally,
            };
            (self.write)(&report, &mut self.out.bytes);
        }
        self.out.finish("shape")
    }
}

/// Writes groups as JSON Lines.
pub(super) fn write_json(report: &GroupReport, out: &mut Vec<u8>) {
    write_rows(&mut JsonRows(GROUP_COLUMNS), report, out);
}

/// Writes groups as comma-separated values.
pub(super) fn write_csv(report: &GroupReport, out: &mut Vec<u8>) {
    write_rows(&mut CsvRows(GROUP_COLUMNS), report, out);
}

fn write_rows(
    formatter: &mut impl RowFormatter<RequestGroup>,
    report: &GroupReport,
    out: &mut Vec<u8>,
) {
    formatter.write_head(report.groups.first().copied(), out);
    for group in &report.groups {
        formatter.write_row(group, out);
    }
    formatter.write_tail(out);
}
