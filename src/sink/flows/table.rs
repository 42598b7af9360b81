//! Flows as a text table that fits the terminal: one line per flow when it ends, and a summary line
//! at the end.

use std::fmt::Display;
use std::io::Write;

use super::service_cell::{write_service, write_service_cell};
use crate::error::count_noun;
use crate::flow::{FlowRecord, OutcomeKind, Side};
use crate::packet::TimeDelta;
use crate::sink::clock::{Clock, TIME_OF_DAY};
use crate::sink::rows::{
    Align, Colour, RowFormatter, RowSink, RowTable, TableColumn, TableLayout, WidthPlan,
};
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

/// Formatter of flows as a table.
struct FlowTextTable {
    table: RowTable<FlowRecord>,
    /// Number of flows with each outcome, in order of first occurrence.
    verdicts: Vec<(OutcomeKind, u64)>,
}

/// All columns; the last one is as wide as the remaining space.
#[rustfmt::skip]
static TABLE_COLUMNS: [TableColumn<FlowRecord>; 11] = [
    TableColumn { title: "#", width: 4, min_width: 3, drop_priority: 0, align: Align::Number, write: |flow, _, out| write(out, flow.id.number), colour: NO_COLOUR },
    TableColumn { title: "START", width: 15, min_width: 15, drop_priority: 5, align: Align::Left, write: |flow, format, out| format.write_time(out, flow.first_time), colour: NO_COLOUR },
    TableColumn { title: CLIENT_TITLE, width: 21, min_width: 15, drop_priority: 3, align: Align::Left, write: |flow, _, out| address::write_socket_addr(out, flow.id.orig()), colour: NO_COLOUR },
    TableColumn { title: "SERVER", width: 21, min_width: 15, drop_priority: 0, align: Align::Left, write: |flow, _, out| address::write_socket_addr(out, flow.id.resp()), colour: NO_COLOUR },
    TableColumn { title: PROCESSES_TITLE, width: 32, min_width: 28, drop_priority: 0, align: Align::Left, write: |flow, _, out| if !flow.owners.is_empty() { write(out, &flow.owners) }, colour: NO_COLOUR },
    TableColumn { title: "SERVICE", width: 30, min_width: 13, drop_priority: 0, align: Align::Left, write: |flow, format, out| write_service_cell(flow, format, row_colour(flow).is_none(), out), colour: NO_COLOUR },
    TableColumn { title: "SENT", width: 7, min_width: 7, drop_priority: 1, align: Align::Right, write: |flow, _, out| write(out, ByteCount(flow.side(Side::Orig).bytes)), colour: NO_COLOUR },
    TableColumn { title: "RECEIVED", width: 8, min_width: 8, drop_priority: 2, align: Align::Right, write: |flow, _, out| write(out, ByteCount(flow.side(Side::Resp).bytes)), colour: NO_COLOUR },
    TableColumn { title: "DURATION", width: 8, min_width: 8, drop_priority: 4, align: Align::Right, write: |flow, _, out| write(out, flow.duration), colour: NO_COLOUR },
    TableColumn { title: "RESPONSE", width: 8, min_width: 8, drop_priority: 6, align: Align::Right, write: |flow, _, out| if let Some(times) = &flow.response_times { write(out, TimeDelta(times.median as i64)) }, colour: NO_COLOUR },
    TableColumn { title: "END", width: 30, min_width: 30, drop_priority: 0, align: Align::Left, write: |flow, _, out| write_end(flow, out), colour: NO_COLOUR },
];

/// Title of the column that is shown only if processes are shown.
const PROCESSES_TITLE: &str = "PROCESSES";
/// Title of the column that can be dropped only if the shown processes identify the client.
const CLIENT_TITLE: &str = "CLIENT";
/// Colours are those of the whole row.
const NO_COLOUR: fn(&FlowRecord) -> Option<Colour> = |_| None;

/// Spare width is given to processes and services first, which are more informative than addresses.
const WIDTH_PLAN: WidthPlan = WidthPlan {
    gap: 1,
    growth: &[
        (PROCESSES_TITLE, 32),
        ("SERVICE", 30),
        ("#", 4),
        (CLIENT_TITLE, 21),
        ("SERVER", 21),
    ],
    flexible: "END",
};

/// Returns the columns of a table, with their drop priorities.
fn columns(shows_processes: bool) -> Vec<(&'static TableColumn<FlowRecord>, u8)> {
    let columns = TABLE_COLUMNS
        .iter()
        .filter(|column| shows_processes || column.title != PROCESSES_TITLE);
    let with_priority = columns.map(|column| match column.title {
        CLIENT_TITLE if !shows_processes => (column, 0),
        _ => (column, column.drop_priority),
    });
    with_priority.collect()
}

impl FlowTextTable {
    fn new(layout: TableLayout) -> FlowTextTable {
        FlowTextTable {
            table: RowTable::new(layout, Clock::local(TIME_OF_DAY, layout.nano)),
            verdicts: Vec::new(),
        }
    }
}

impl RowFormatter<FlowRecord> for FlowTextTable {
    fn write_head(&mut self, first: Option<&FlowRecord>, out: &mut Vec<u8>) {
        if let Some(first) = first {
            let processes = self.table.layout.processes;
            let shows_processes = processes.is_shown_if(|| !first.owners.is_empty());
            let columns = columns(shows_processes);
            self.table
                .write_head(columns, &WIDTH_PLAN, shows_processes, out);
        }
    }

    fn write_row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        let verdict = flow.outcome.kind;
        match self.verdicts.iter_mut().find(|(kind, _)| *kind == verdict) {
            Some((_, count)) => *count += 1,
            None => self.verdicts.push((verdict, 1)),
        }
        let colour = row_colour(flow).filter(|_| self.table.layout.colour);
        let start = out.len();
        self.table.write_line(Some(flow), out);
        if let Some(colour) = colour {
            colour.apply(out, start);
        }
        out.push(b'\n');
    }

    fn write_tail(&mut self, out: &mut Vec<u8>) {
        let total: u64 = self.verdicts.iter().map(|(_, count)| count).sum();
        out.extend_from_slice(count_noun(total, "flow").as_bytes());
        for (at, (verdict, count)) in self.verdicts.iter().enumerate() {
            let separator = if at == 0 { ": " } else { ", " };
            let text = format!("{separator}{count} {}", verdict_summary(*verdict));
            out.extend_from_slice(text.as_bytes());
        }
        out.push(b'\n');
    }
}

/// Returns the colour of a flow that failed or is incomplete.
fn row_colour(flow: &FlowRecord) -> Option<Colour> {
    match flow.outcome.kind {
        OutcomeKind::Refused if flow.outcome.fallback.is_some() => None,
        OutcomeKind::Refused | OutcomeKind::Reset(_) => Some(Colour::RED),
        OutcomeKind::NoAnswer
        | OutcomeKind::ClosedUnanswered
        | OutcomeKind::HalfOpen
        | OutcomeKind::GivenUp => Some(Colour::YELLOW),
        _ if flow.missed_bytes() > 0 || flow.dropped_pkts > 0 => Some(Colour::YELLOW),
        _ => None,
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
        OutcomeKind::ClosedUnanswered => "closed without an answer",
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
    use crate::sink::rows::{FittedColumn, fit_columns};

    fn fitted(width: Option<usize>, shows_processes: bool) -> Vec<FittedColumn<FlowRecord>> {
        fit_columns(columns(shows_processes), width, &WIDTH_PLAN)
    }

    #[test]
    fn columns_fit_every_width() {
        for (width, processes) in (60..300).flat_map(|width| [(width, false), (width, true)]) {
            let columns = fitted(Some(width), processes);
            let total: usize = columns.iter().map(|fitted| fitted.width + 1).sum();
            // On narrower terminals, the lines are too long.
            let min_width = if processes { 73 } else { 63 };
            assert!(total - 1 == width || width < min_width, "{width}");
            assert_eq!(
                columns.last().map(|fitted| fitted.column.title),
                Some("END")
            );
        }
        assert_eq!(fitted(None, true).len(), TABLE_COLUMNS.len());
        assert_eq!(fitted(Some(300), false).len(), TABLE_COLUMNS.len() - 1);
        let titles = |width| {
            fitted(Some(width), false)
                .iter()
                .map(|fitted| fitted.column.title)
                .collect::<Vec<_>>()
        };
        assert_eq!(titles(80), ["#", "CLIENT", "SERVER", "SERVICE", "END"]);
        assert_eq!(
            titles(100),
            [
                "#", "CLIENT", "SERVER", "SERVICE", "SENT", "RECEIVED", "END"
            ]
        );
    }
}
