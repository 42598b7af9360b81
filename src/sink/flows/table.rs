//! Flows as a text table that fits the terminal: one line per flow when it ends, and a summary line
//! at the end.

use std::fmt::Display;
use std::io::Write;

use super::{RowFormatter, RowSink, VerdictTally};
use crate::error::count_noun;
use crate::flow::{FlowRecord, OutcomeKind, Side};
use crate::packet::TimeDelta;
use crate::sink::clock::{Clock, TIME_OF_DAY};
use crate::sink::{ByteCount, Format, SinkFactory, address};

/// The entry of the text table in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "text",
    extension: "txt",
    about: "table that fits the terminal",
    factory: SinkFactory::Flows(|writer, layout| {
        Box::new(RowSink::new(writer, FlowTextTable::new(*layout)))
    }),
};

/// Layout of the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableLayout {
    /// Maximum width of a line in terminal columns; `None` is unlimited.
    pub width: Option<u16>,
    /// True if failed and incomplete flows are coloured.
    pub colour: bool,
    /// True for nanoseconds in times, false for microseconds.
    pub nano: bool,
    /// Condition for the column PROCESSES.
    pub processes: ProcessColumn,
}

/// Condition for the column with the owners of both ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProcessColumn {
    /// The column is not shown.
    #[default]
    Hidden,
    /// The column is shown if the first flow has owners.
    IfPresent,
    /// The column is shown.
    Shown,
}

struct FlowTextTable {
    layout: TableLayout,
    clock: Clock,
    /// The columns that fit, with their widths; set with the header.
    columns: Vec<(&'static TableColumn, usize)>,
}

/// A column of the table.
struct TableColumn {
    title: &'static str,
    /// Width if there is enough space.
    width: usize,
    /// Width to which the column shrinks before columns are dropped.
    min_width: usize,
    /// Drop order if the table is too wide, highest first; 0 is never dropped.
    drop_priority: u8,
    align: Align,
    /// Writes the text of a cell.
    write: fn(&FlowRecord, &mut Clock, &mut Vec<u8>),
}

/// Alignment of a column's cells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// All columns; the last one is as wide as the remaining space.
#[rustfmt::skip]
const TABLE_COLUMNS: [TableColumn; 10] = [
    TableColumn { title: "START", width: 15, min_width: 15, drop_priority: 5, align: Align::Left, write: |flow, clock, out| clock.write(out, flow.first_time) },
    TableColumn { title: CLIENT_TITLE, width: 21, min_width: 15, drop_priority: 3, align: Align::Left, write: |flow, _, out| address::write_socket_addr(out, flow.id.orig()) },
    TableColumn { title: "SERVER", width: 21, min_width: 15, drop_priority: 0, align: Align::Left, write: |flow, _, out| address::write_socket_addr(out, flow.id.resp()) },
    TableColumn { title: PROCESSES_TITLE, width: 32, min_width: 28, drop_priority: 0, align: Align::Left, write: |flow, _, out| if !flow.owners.is_empty() { write(out, &flow.owners) } },
    TableColumn { title: "SERVICE", width: 30, min_width: 14, drop_priority: 0, align: Align::Left, write: |flow, _, out| write_service(flow, out) },
    TableColumn { title: "SENT", width: 7, min_width: 7, drop_priority: 1, align: Align::Right, write: |flow, _, out| write(out, ByteCount(flow.side(Side::Orig).bytes)) },
    TableColumn { title: "RECEIVED", width: 8, min_width: 8, drop_priority: 2, align: Align::Right, write: |flow, _, out| write(out, ByteCount(flow.side(Side::Resp).bytes)) },
    TableColumn { title: "DURATION", width: 8, min_width: 8, drop_priority: 4, align: Align::Right, write: |flow, _, out| write(out, flow.duration) },
    TableColumn { title: "RESPONSE", width: 8, min_width: 8, drop_priority: 6, align: Align::Right, write: |flow, _, out| if let Some(times) = &flow.response_times { write(out, TimeDelta(times.median as i64)) } },
    TableColumn { title: "END", width: 30, min_width: 30, drop_priority: 0, align: Align::Left, write: |flow, _, out| write_end(flow, out) },
];

/// Title of the column that is shown only if processes are shown.
const PROCESSES_TITLE: &str = "PROCESSES";
/// Title of the column that can be dropped only if the shown processes identify the client.
const CLIENT_TITLE: &str = "CLIENT";

const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

impl FlowTextTable {
    fn new(layout: TableLayout) -> FlowTextTable {
        FlowTextTable {
            layout,
            columns: Vec::new(),
            clock: Clock::local(TIME_OF_DAY, layout.nano),
        }
    }

    /// Writes the row of a flow, or the header if there is none.
    fn write_line(&mut self, flow: Option<&FlowRecord>, out: &mut Vec<u8>) {
        for (at, (column, width)) in self.columns.iter().enumerate() {
            let start = out.len();
            match flow {
                Some(flow) => (column.write)(flow, &mut self.clock, out),
                None => out.extend_from_slice(column.title.as_bytes()),
            }
            let mut text_width = display_width(&out[start..]);
            if self.layout.width.is_some() && text_width > *width {
                truncate_with_ellipsis(out, start, *width);
                text_width = *width;
            }
            if column.align == Align::Left && at + 1 == self.columns.len() {
                return;
            }
            let padding = width.saturating_sub(text_width);
            out.resize(out.len() + padding, b' ');
            if column.align == Align::Right {
                out[start..].rotate_right(padding);
            }
            out.push(b' ');
        }
    }
}

impl RowFormatter for FlowTextTable {
    fn write_head(&mut self, first: Option<&FlowRecord>, out: &mut Vec<u8>) {
        if let Some(first) = first {
            let show_processes = match self.layout.processes {
                ProcessColumn::Hidden => false,
                ProcessColumn::IfPresent => !first.owners.is_empty(),
                ProcessColumn::Shown => true,
            };
            self.columns = fit_columns(self.layout.width.map(usize::from), show_processes);
            self.write_line(None, out);
            out.push(b'\n');
        }
    }

    fn write_row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        let verdict = flow.outcome.kind;
        let colour = match verdict {
            _ if !self.layout.colour => None,
            OutcomeKind::Refused | OutcomeKind::Reset(_) => Some(RED),
            OutcomeKind::NoAnswer | OutcomeKind::HalfOpen | OutcomeKind::GivenUp => Some(YELLOW),
            _ if flow.missed_bytes() > 0 || flow.dropped_pkts > 0 => Some(YELLOW),
            _ => None,
        };
        out.extend_from_slice(colour.unwrap_or_default().as_bytes());
        self.write_line(Some(flow), out);
        if colour.is_some() {
            out.extend_from_slice(RESET.as_bytes());
        }
        out.push(b'\n');
    }

    fn write_tail(&mut self, tally: &VerdictTally, out: &mut Vec<u8>) {
        let total: u64 = tally.verdicts.iter().map(|(_, count)| count).sum();
        out.extend_from_slice(count_noun(total, "flow").as_bytes());
        for (at, (verdict, count)) in tally.verdicts.iter().enumerate() {
            let separator = if at == 0 { ": " } else { ", " };
            let text = format!("{separator}{count} {}", verdict_summary(*verdict));
            out.extend_from_slice(text.as_bytes());
        }
        out.push(b'\n');
    }
}

/// Returns a one-line summary of a flow for messages, without a width limit.
pub fn flow_summary(flow: &FlowRecord) -> String {
    let mut out = format!("flow {}: ", flow.id.number).into_bytes();
    address::write_socket_addr(&mut out, flow.id.orig());
    write(&mut out, " → ");
    address::write_socket_addr(&mut out, flow.id.resp());
    write(&mut out, "  ");
    write_service(flow, &mut out);
    write(&mut out, "  ");
    write_end(flow, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn write(out: &mut Vec<u8>, value: impl Display) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{value}");
}

/// Returns the width of UTF-8 text in terminal columns, one per character.
fn display_width(text: &[u8]) -> usize {
    // Each character has exactly one byte that is not a continuation byte.
    text.iter().filter(|&&octet| octet & 0xc0 != 0x80).count()
}

/// Truncates the text from `start` on to `width` columns, the last of which is `…`.
fn truncate_with_ellipsis(out: &mut Vec<u8>, start: usize, width: usize) {
    let text = String::from_utf8_lossy(&out[start..]).into_owned();
    out.truncate(start);
    out.extend(
        text.chars()
            .take(width.saturating_sub(1))
            .collect::<String>()
            .bytes(),
    );
    write(out, "…");
}

/// Returns the columns that fit into a total width, and the width of each.
fn fit_columns(width: Option<usize>, processes: bool) -> Vec<(&'static TableColumn, usize)> {
    let columns = TABLE_COLUMNS
        .iter()
        .filter(|column| processes || column.title != PROCESSES_TITLE);
    let Some(width) = width else {
        return columns.map(|column| (column, column.width)).collect();
    };
    let mut fitted: Vec<_> = columns.map(|column| (column, column.min_width)).collect();
    // The last column has no space after it.
    let total = |fitted: &[(&TableColumn, usize)]| {
        fitted
            .iter()
            .map(|(_, width)| width + 1)
            .sum::<usize>()
            .saturating_sub(1)
    };
    let drop_priority = |column: &TableColumn| match column.title {
        CLIENT_TITLE if !processes => 0,
        _ => column.drop_priority,
    };
    while total(&fitted) > width
        && let Some(highest) = fitted.iter().map(|(column, _)| drop_priority(column)).max()
        && highest > 0
    {
        fitted.retain(|(column, _)| drop_priority(column) != highest);
    }
    let mut spare = width.saturating_sub(total(&fitted));
    // Spare width is given to processes and services first, which are more informative than
    // addresses, then to all columns (empty title).
    for title in [PROCESSES_TITLE, "SERVICE", ""] {
        for (column, column_width) in &mut fitted {
            if title.is_empty() || column.title == title {
                let added = spare.min(column.width - *column_width);
                spare -= added;
                *column_width += added;
            }
        }
    }
    // The last column is as wide as the remaining space. If even the minimum widths are too wide,
    // this column is narrower than its minimum width.
    let total = total(&fitted);
    if let Some((_, last)) = fitted.last_mut() {
        *last = (*last + width).saturating_sub(total).max(10);
    }
    fitted
}

/// Writes the service with its attributes, or the transport protocol.
fn write_service(flow: &FlowRecord, out: &mut Vec<u8>) {
    match &flow.service {
        None => write(out, flow.id.transport()),
        Some(service) => {
            write(out, service.name);
            for (_, value) in service.attributes.iter() {
                out.push(b' ');
                out.extend_from_slice(value.as_bytes());
            }
        }
    }
}

/// Writes the outcome and notable counters.
fn write_end(flow: &FlowRecord, out: &mut Vec<u8>) {
    write(out, flow.outcome.with_drops());
    let retransmissions = flow.sum_sides(|side| u64::from(side.analysis.retrans_pkts));
    let zero_windows = flow.sum_sides(|side| u64::from(side.analysis.zero_windows));
    let duplicates = flow.sum_sides(|side| u64::from(side.analysis.duplicate_pkts));
    let remarks = [
        (duplicates, "duplicate", "duplicates"),
        (flow.missed_bytes(), "byte missing", "bytes missing"),
        (retransmissions, "retransmission", "retransmissions"),
        (zero_windows, "zero window", "zero windows"),
    ];
    for (count, singular, plural) in remarks {
        if count > 0 {
            let noun = if count == 1 { singular } else { plural };
            write(out, format_args!(", {count} {noun}"));
        }
    }
}

/// Returns the text of an outcome in the summary line.
fn verdict_summary(verdict: OutcomeKind) -> &'static str {
    match verdict {
        OutcomeKind::Normal => "ended normally",
        OutcomeKind::Open => "still open",
        OutcomeKind::HalfClosed(_) => "closed by one side only",
        OutcomeKind::Refused => "refused",
        OutcomeKind::NoAnswer => "unanswered",
        OutcomeKind::HalfOpen => "half open",
        OutcomeKind::Reset(_) => "reset",
        OutcomeKind::GivenUp => "abandoned",
        OutcomeKind::Midstream => "mid-stream",
        OutcomeKind::Incomplete => "possibly incomplete",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_every_width() {
        for (width, processes) in (60..300).flat_map(|width| [(width, false), (width, true)]) {
            let columns = fit_columns(Some(width), processes);
            let total: usize = columns.iter().map(|(_, width)| width + 1).sum();
            // On narrower terminals, the lines are too long.
            let min_width = if processes { 70 } else { 60 };
            assert!(total - 1 == width || width < min_width, "{width}");
            assert_eq!(columns.last().map(|(column, _)| column.title), Some("END"));
        }
        assert_eq!(fit_columns(None, true).len(), TABLE_COLUMNS.len());
        assert_eq!(fit_columns(Some(300), false).len(), TABLE_COLUMNS.len() - 1);
        let titles = |width| {
            fit_columns(Some(width), false)
                .iter()
                .map(|(column, _)| column.title)
                .collect::<Vec<_>>()
        };
        assert_eq!(titles(80), ["CLIENT", "SERVER", "SERVICE", "END"]);
        assert_eq!(
            titles(100),
            ["CLIENT", "SERVER", "SERVICE", "SENT", "RECEIVED", "END"]
        );
    }

    #[test]
    fn long_text_is_truncated() {
        let mut table = FlowTextTable::new(TableLayout {
            width: Some(9),
            ..TableLayout::default()
        });
        let column = |title, align| TableColumn {
            title,
            align,
            ..TABLE_COLUMNS[0]
        };
        let columns = [column("abcdäf", Align::Left), column("ä", Align::Right)];
        let columns: &'static [TableColumn; 2] = Box::leak(Box::new(columns));
        table.columns = columns.iter().map(|column| (column, 4)).collect();
        let mut out = Vec::new();
        table.write_line(None, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "abc…    ä ");
    }
}
