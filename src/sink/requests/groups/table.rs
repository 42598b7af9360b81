//! Groups of requests as a text table that fits the terminal.

use std::fmt::Display;
use std::io::Write;

use super::GroupReport;
use super::columns::duration;
use crate::error::count_noun;
use crate::request::RequestGroup;
use crate::sink::ByteCount;
use crate::sink::clock::{Clock, TIME_OF_DAY};
use crate::sink::requests::request_text::printable_line;
use crate::sink::rows::{Align, Colour, RowTable, TableColumn, WidthPlan};
use crate::time::durations::DurationSummary;

const SHAPE_TITLE: &str = "SHAPE";
const PROTOCOL_TITLE: &str = "PROTOCOL";
const NO_COLOUR: fn(&RequestGroup) -> Option<Colour> = |_| None;

/// All columns; the last one is as wide as the remaining space.
#[rustfmt::skip]
static TABLE_COLUMNS: [TableColumn<RequestGroup>; 10] = [
    TableColumn { title: "COUNT", width: 7, min_width: 5, drop_priority: 0, align: Align::Number, write: |group, _, out| write(out, group.count), colour: NO_COLOUR },
    TableColumn { title: "ERRORS", width: 6, min_width: 6, drop_priority: 0, align: Align::Number, write: |group, _, out| write(out, group.errors), colour: error_colour },
    TableColumn { title: "UNANSWERED", width: 10, min_width: 10, drop_priority: 6, align: Align::Number, write: |group, _, out| write(out, group.unanswered), colour: unanswered_colour },
    TableColumn { title: "MEDIAN", width: 7, min_width: 7, drop_priority: 2, align: Align::Right, write: |group, _, out| write_time(group, |times| times.median, out), colour: NO_COLOUR },
    TableColumn { title: "P99", width: 7, min_width: 7, drop_priority: 3, align: Align::Right, write: |group, _, out| write_time(group, |times| times.p99, out), colour: NO_COLOUR },
    TableColumn { title: "MAX", width: 7, min_width: 7, drop_priority: 4, align: Align::Right, write: |group, _, out| write_time(group, |times| times.max, out), colour: NO_COLOUR },
    TableColumn { title: "TOTAL", width: 10, min_width: 7, drop_priority: 1, align: Align::Right, write: |group, _, out| write(out, duration(group.total)), colour: NO_COLOUR },
    TableColumn { title: "BYTES", width: 7, min_width: 7, drop_priority: 5, align: Align::Right, write: |group, _, out| write(out, ByteCount(group.answer_bytes)), colour: NO_COLOUR },
    TableColumn { title: PROTOCOL_TITLE, width: 10, min_width: 10, drop_priority: 0, align: Align::Left, write: |group, _, out| write(out, protocol(group)), colour: NO_COLOUR },
    TableColumn { title: SHAPE_TITLE, width: 42, min_width: 20, drop_priority: 0, align: Align::Left, write: |group, _, out| write(out, shape(group)), colour: NO_COLOUR },
];

/// Columns that get spare width; the shape gets the rest.
const GROWTH: &[(&str, usize)] = &[(SHAPE_TITLE, 30), ("COUNT", 7), ("TOTAL", 10)];

/// Writes the rows, and a summary line.
pub(in crate::sink::requests) fn write_text(report: &GroupReport, out: &mut Vec<u8>) {
    let layout = report.layout.table;
    let mut table = RowTable::new(layout, Clock::local(TIME_OF_DAY, false));
    if !report.groups.is_empty() {
        let plan = WidthPlan {
            gap: 1,
            growth: GROWTH,
            flexible: SHAPE_TITLE,
        };
        table.write_head(columns(report), &plan, false, out);
    }
    for group in &report.groups {
        table.write_line(Some(group), out);
        out.push(b'\n');
    }
    let shapes = count_noun(report.total as u64, "shape");
    match report.groups.len() {
        shown if shown < report.total => write(out, format_args!("{shown} of {shapes}; ")),
        _ => write(out, format_args!("{shapes}; ")),
    }
    write(out, report.tally);
    out.push(b'\n');
}

/// Returns the columns with their drop priorities; the protocol is shown if there are several.
fn columns(report: &GroupReport) -> Vec<(&'static TableColumn<RequestGroup>, u8)> {
    let mut protocols = report.groups.iter().map(|group| group.protocol);
    let first = protocols.next();
    let has_several_protocols = protocols.any(|protocol| Some(protocol) != first);
    let columns = TABLE_COLUMNS
        .iter()
        .filter(|column| has_several_protocols || column.title != PROTOCOL_TITLE);
    columns
        .map(|column| (column, column.drop_priority))
        .collect()
}

fn protocol(group: &RequestGroup) -> &str {
    match group.protocol {
        "" => "-",
        protocol => protocol,
    }
}

fn shape(group: &RequestGroup) -> String {
    match group.shape() {
        "" => "-".to_owned(),
        shape => printable_line(shape),
    }
}

fn error_colour(group: &RequestGroup) -> Option<Colour> {
    (group.errors > 0).then_some(Colour::RED)
}

fn unanswered_colour(group: &RequestGroup) -> Option<Colour> {
    (group.unanswered > 0).then_some(Colour::RED)
}

fn write_time(group: &RequestGroup, select: fn(&DurationSummary) -> u64, out: &mut Vec<u8>) {
    if let Some(summary) = group.durations() {
        write(out, duration(select(&summary)));
    }
}

fn write(out: &mut Vec<u8>, value: impl Display) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{value}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::rows::fit_columns;

    #[test]
    fn columns_are_dropped_in_order() {
        let plan = WidthPlan {
            gap: 1,
            growth: GROWTH,
            flexible: SHAPE_TITLE,
        };
        for width in 44..300 {
            let columns = TABLE_COLUMNS
                .iter()
                .map(|column| (column, column.drop_priority));
            let fitted = fit_columns(columns.collect(), Some(width), &plan);
            let widths: usize = fitted.iter().map(|fitted| fitted.width).sum();
            assert_eq!(widths + fitted.len() - 1, width);
            let has_all = fitted.len() == TABLE_COLUMNS.len();
            assert_eq!(has_all, width >= 95, "{width}");
        }
    }
}
