//! Requests as a text table that fits the terminal: one line per request when it ends, and a
//! summary line at the end.

use std::fmt::Display;
use std::io::Write;

use super::body::write_contents;
use super::groups::table::write_text;
use super::request_text::{ends, request_line, status_text};
use super::summary::RequestTally;
use super::{RequestLayout, open};
use crate::packet::TimeDelta;
use crate::request::{Detail, Request, RequestOutcome};
use crate::sink::clock::{Clock, TIME_OF_DAY, TimePrecision};
use crate::sink::rows::{
    Align, CellFormat, Colour, RowFormatter, RowTable, TableColumn, WidthPlan, push_text,
    text_width,
};
use crate::sink::{ByteCount, Format, SinkFactory};

/// The entry of the text table in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "text",
    extension: "txt",
    about: "table that fits the terminal",
    factory: SinkFactory::Requests(|writer, layout| {
        open(writer, layout, RequestTextTable::new(layout), write_text)
    }),
};

/// Columns with the time, one for each precision.
static TIME_COLUMNS: [TableColumn<Request>; 3] =
    [time_column(12), time_column(15), time_column(18)];

/// The other columns; that of the request is as wide as the remaining space.
#[rustfmt::skip]
static TABLE_COLUMNS: [TableColumn<Request>; 5] = [
    TableColumn { title: ENDS_TITLE, width: 33, min_width: 13, drop_priority: 2, align: Align::Left, write: write_ends, colour: NO_COLOUR },
    TableColumn { title: REQUEST_TITLE, width: 42, min_width: 12, drop_priority: 0, align: Align::Left, write: |request, _, out| write(out, request_line(request)), colour: NO_COLOUR },
    TableColumn { title: STATUS_TITLE, width: 9, min_width: 6, drop_priority: 0, align: Align::Left, write: |request, _, out| write(out, status_text(request)), colour: status_colour },
    TableColumn { title: "TOOK", width: 7, min_width: 7, drop_priority: 0, align: Align::Right, write: |request, _, out| write_duration(request, out), colour: NO_COLOUR },
    TableColumn { title: "SIZE", width: 6, min_width: 6, drop_priority: 3, align: Align::Right, write: |request, _, out| write(out, ByteCount(request.answer_bytes)), colour: NO_COLOUR },
];

const ENDS_TITLE: &str = "CLIENT → SERVER";
const REQUEST_TITLE: &str = "REQUEST";
const STATUS_TITLE: &str = "STATUS";
const NO_COLOUR: fn(&Request) -> Option<Colour> = |_| None;

/// Returns the column with the time, with this width.
const fn time_column(width: usize) -> TableColumn<Request> {
    TableColumn {
        title: "TIME",
        width,
        min_width: width,
        drop_priority: 1,
        align: Align::Left,
        write: |request, format, out| format.write_time(out, request.time),
        colour: NO_COLOUR,
    }
}

/// Width from which on two spaces separate the columns.
const WIDE_TABLE: u16 = 100;
/// Columns that get spare width; the request gets the rest.
const GROWTH: &[(&str, usize)] = &[
    (REQUEST_TITLE, 20),
    (STATUS_TITLE, 11),
    (REQUEST_TITLE, 24),
    (ENDS_TITLE, 33),
];

/// Formatter of requests as a table.
struct RequestTextTable {
    table: RowTable<Request>,
    precision: TimePrecision,
    has_bodies: bool,
    tally: RequestTally,
}

impl RequestTextTable {
    fn new(layout: &RequestLayout) -> RequestTextTable {
        let clock = Clock::local(TIME_OF_DAY, false).with_precision(layout.precision);
        RequestTextTable {
            table: RowTable::new(layout.table, clock),
            precision: layout.precision,
            has_bodies: layout.has_bodies,
            tally: RequestTally::new(layout),
        }
    }
}

impl RowFormatter<Request> for RequestTextTable {
    fn write_head(&mut self, first: Option<&Request>, out: &mut Vec<u8>) {
        if let Some(first) = first {
            let layout = self.table.layout;
            let shows_processes = layout.processes.is_shown_if(|| !first.owners.is_empty());
            let columns = columns(self.precision);
            self.table
                .write_head(columns, &width_plan(layout.width), shows_processes, out);
        }
    }

    fn write_row(&mut self, request: &Request, out: &mut Vec<u8>) {
        self.tally.add(request);
        self.table.write_line(Some(request), out);
        out.push(b'\n');
        if self.has_bodies {
            write_contents(request, out);
        }
    }

    fn write_tail(&mut self, out: &mut Vec<u8>) {
        write(out, &self.tally);
        out.push(b'\n');
    }
}

/// Returns the columns of a table, with their drop priorities.
fn columns(precision: TimePrecision) -> Vec<(&'static TableColumn<Request>, u8)> {
    let time = match precision {
        TimePrecision::Milliseconds => &TIME_COLUMNS[0],
        TimePrecision::Microseconds => &TIME_COLUMNS[1],
        TimePrecision::Nanoseconds => &TIME_COLUMNS[2],
    };
    let columns = [time].into_iter().chain(&TABLE_COLUMNS);
    columns
        .map(|column| (column, column.drop_priority))
        .collect()
}

fn width_plan(width: Option<u16>) -> WidthPlan {
    WidthPlan {
        gap: match width {
            Some(..WIDE_TABLE) => 1,
            _ => 2,
        },
        growth: GROWTH,
        flexible: REQUEST_TITLE,
    }
}

/// Writes both ends, each shortened if they are wider than the cell.
fn write_ends(request: &Request, format: &mut CellFormat, out: &mut Vec<u8>) {
    const ARROW: &str = " → ";
    let [client, server] = ends(request, format.shows_processes);
    let [client_width, server_width] = [&client, &server].map(|end| text_width(end.as_bytes()));
    let width = format.width.unwrap_or(usize::MAX);
    let space = width.saturating_sub(text_width(ARROW.as_bytes()));
    let for_client = (space / 2).max(space.saturating_sub(server_width));
    let client_width = client_width.min(for_client);
    push_text(out, &client, client_width);
    out.extend_from_slice(ARROW.as_bytes());
    push_text(out, &server, space - client_width);
}

/// Writes the duration in units of at most seconds: longer ones would not fit.
fn write_duration(request: &Request, out: &mut Vec<u8>) {
    const MINUTE: i64 = 60_000_000_000;
    match request.duration() {
        None => {}
        Some(TimeDelta(nanos @ MINUTE..)) => {
            write(out, format_args!("{} s", nanos / (MINUTE / 60)));
        }
        Some(duration) => write(out, duration),
    }
}

/// Returns the colour of a result: yellow for errors of the client and for what is missing, else
/// red for all errors.
fn status_colour(request: &Request) -> Option<Colour> {
    match request.outcome {
        RequestOutcome::Ok => None,
        RequestOutcome::Error => {
            let code = request
                .details
                .get("status_code")
                .and_then(Detail::as_count);
            match code {
                Some(400..=499) => Some(Colour::YELLOW),
                _ => Some(Colour::RED),
            }
        }
        RequestOutcome::Unanswered => Some(Colour::RED),
        RequestOutcome::Unrequested | RequestOutcome::Cut | RequestOutcome::Cancelled => {
            Some(Colour::YELLOW)
        }
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
    fn columns_fit_every_width() {
        for precision in [
            TimePrecision::Milliseconds,
            TimePrecision::Microseconds,
            TimePrecision::Nanoseconds,
        ] {
            for width in 30..300 {
                let plan = width_plan(Some(width));
                let fitted = fit_columns(columns(precision), Some(usize::from(width)), &plan);
                let widths: usize = fitted.iter().map(|fitted| fitted.width).sum();
                let total = widths + plan.gap * (fitted.len() - 1);
                assert_eq!(total, usize::from(width), "{precision:?}");
            }
        }
    }

    #[test]
    fn columns_are_dropped_in_order() {
        for (width, expected) in [
            (120, vec![12, 33, 41, 11, 7, 6]),
            (80, vec![12, 15, 24, 11, 7, 6]),
            (60, vec![12, 13, 18, 6, 7]),
            (50, vec![12, 20, 8, 7]),
            (40, vec![12, 12, 6, 7]),
            (39, vec![20, 10, 7]),
        ] {
            let plan = width_plan(Some(width));
            let columns = columns(TimePrecision::Milliseconds);
            let fitted = fit_columns(columns, Some(usize::from(width)), &plan);
            let widths: Vec<usize> = fitted.iter().map(|fitted| fitted.width).collect();
            assert_eq!(widths, expected, "{width}");
        }
    }
}
