//! Flows as a table for people: a line as each flow ends, as wide as the terminal, and what it comes to at the end.

use std::fmt;
use std::io::Write;

use super::{Rows, Tally, Writer};
use crate::flow::{FlowRecord, ResponseTimes, Side, Verdict};
use crate::packet::{Span, Timestamp};
use crate::sink::word::Word;
use crate::sink::{Clock, Format, Open, address, number};

/// The table's row of the formats.
pub(in crate::sink) const FORMAT: Format = Format {
    name: "text",
    extension: "txt",
    about: "a table for people",
    open: Open::Flows(|writer, layout| Box::new(Writer::new(writer, Table::new(*layout)))),
};

/// How a table looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Layout {
    /// The most columns that a line may have; none is no limit.
    pub width: Option<u16>,
    /// Whether bad ends are coloured.
    pub colour: bool,
    /// Nanoseconds in times, not microseconds.
    pub nano: bool,
    /// Whether processes are known, and shown.
    pub processes: bool,
}

struct Table {
    layout: Layout,
    clock: Clock,
    cells: Vec<(&'static Cell, usize)>,
}

/// A column of the table.
struct Cell {
    title: &'static str,
    /// Its width, as long as there is room.
    width: usize,
    /// What it may shrink to before others go.
    least: usize,
    /// Where there is too little room the highest goes first; 0 stays.
    goes: u8,
    show: Show,
}

/// How a column is filled.
#[derive(Clone, Copy)]
enum Show {
    /// At the left, in ASCII.
    Plain(fn(&FlowRecord, &mut Clock, &mut Vec<u8>)),
    /// At the left; tells how many columns it took. To look at what was just written would be to wait until it has reached memory.
    Text(fn(&FlowRecord, &mut Vec<u8>) -> usize),
    /// At the right of so many columns, and a space; tells how many columns it took itself.
    Number(fn(&FlowRecord, &mut Vec<u8>, usize) -> usize),
}

/// The columns; the last one has no end.
#[rustfmt::skip]
const CELLS: [Cell; 10] = [
    Cell { title: "START", width: 15, least: 15, goes: 5, show: Show::Plain(|flow, clock, out| clock.write(out, flow.first)) },
    Cell { title: CLIENT, width: 21, least: 15, goes: 3, show: Show::Plain(|flow, _, out| address::socket(out, flow.id.orig())) },
    Cell { title: "SERVER", width: 21, least: 15, goes: 0, show: Show::Plain(|flow, _, out| address::socket(out, flow.id.resp())) },
    Cell { title: PROCESSES, width: 32, least: 28, goes: 0, show: Show::Text(processes) },
    Cell { title: "SERVICE", width: 30, least: 14, goes: 0, show: Show::Text(service) },
    Cell { title: "SENT", width: 7, least: 7, goes: 1, show: Show::Number(|flow, out, width| Word::bytes(flow.side(Side::Orig).bytes).right(out, width)) },
    Cell { title: "RECEIVED", width: 8, least: 8, goes: 2, show: Show::Number(|flow, out, width| Word::bytes(flow.side(Side::Resp).bytes).right(out, width)) },
    Cell { title: "TOOK", width: 8, least: 8, goes: 4, show: Show::Number(|flow, out, width| Word::span(flow.duration).right(out, width)) },
    Cell { title: "ANSWER", width: 8, least: 8, goes: 6, show: Show::Number(|flow, out, width| answer(flow).right(out, width)) },
    Cell { title: "END", width: 30, least: 30, goes: 0, show: Show::Text(end) },
];

/// The title of the column that is there only if processes are known.
const PROCESSES: &str = "PROCESSES";
/// The title of the column that goes only if they are: a client's port means nothing to people.
const CLIENT: &str = "CLIENT";

const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

impl Table {
    fn new(layout: Layout) -> Table {
        Table {
            layout,
            cells: fit(layout.width.map(usize::from), layout.processes),
            clock: Clock::new(layout.nano),
        }
    }

    fn titles(&self, out: &mut Vec<u8>) {
        let mut rest = self.cells.iter();
        while let Some((cell, width)) = rest.next() {
            match cell.show {
                Show::Number(_) => _ = Word::new(cell.title).right(out, *width),
                _ => out.extend_from_slice(cell.title.as_bytes()),
            }
            if let (Show::Plain(_) | Show::Text(_), false) = (cell.show, rest.len() == 0) {
                number::spaces(out, width.saturating_sub(cell.title.len()) + 1);
            }
        }
    }

    fn line(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        let is_limited = self.layout.width.is_some();
        let mut rest = self.cells.iter();
        while let Some((cell, width)) = rest.next() {
            let start = out.len();
            let mut wide = match cell.show {
                Show::Number(show) => {
                    let wide = show(flow, out, *width);
                    if !is_limited || wide <= *width {
                        continue;
                    }
                    // It is cut, and a space comes behind that.
                    out.pop();
                    wide
                }
                Show::Plain(show) => {
                    show(flow, &mut self.clock, out);
                    out.len() - start
                }
                Show::Text(show) => show(flow, out),
            };
            if is_limited && wide > *width {
                shorten(out, start, *width);
                wide = *width;
            }
            if rest.len() > 0 {
                number::spaces(out, width.saturating_sub(wide) + 1);
            }
        }
    }
}

impl Rows for Table {
    fn fresh(&self) -> Box<dyn Rows> {
        Box::new(Table::new(self.layout))
    }

    fn begin(&mut self, first: Option<Timestamp>, out: &mut Vec<u8>) {
        if first.is_some() {
            self.titles(out);
            out.push(b'\n');
        }
    }

    fn row(&mut self, flow: &FlowRecord, out: &mut Vec<u8>) {
        let verdict = flow.outcome.verdict;
        let colour = match verdict {
            _ if !self.layout.colour => None,
            Verdict::Refused | Verdict::Reset(_) => Some(RED),
            Verdict::NoAnswer | Verdict::HalfOpen | Verdict::GivenUp => Some(YELLOW),
            _ if flow.missed_bytes() > 0 => Some(YELLOW),
            _ => None,
        };
        out.extend_from_slice(colour.unwrap_or_default().as_bytes());
        self.line(flow, out);
        if colour.is_some() {
            out.extend_from_slice(PLAIN.as_bytes());
        }
        out.push(b'\n');
    }

    fn end(&mut self, tally: &Tally, out: &mut Vec<u8>) {
        let all: u64 = tally.verdicts.iter().map(|(_, count)| count).sum();
        let plural = if all == 1 { "" } else { "s" };
        show(out, &format_args!("{all} flow{plural}"));
        for (at, (verdict, count)) in tally.verdicts.iter().enumerate() {
            let separator = if at == 0 { ": " } else { ", " };
            show(
                out,
                &format_args!("{separator}{count} {}", summary(*verdict)),
            );
        }
        out.push(b'\n');
    }
}

/// A flow in one line, all of it: for messages.
pub fn row(flow: &FlowRecord) -> String {
    let mut out = Vec::new();
    show(&mut out, &format_args!("flow {}: ", flow.id.number));
    address::socket(&mut out, flow.id.orig());
    out.extend_from_slice(" → ".as_bytes());
    address::socket(&mut out, flow.id.resp());
    out.extend_from_slice(b"  ");
    service(flow, &mut out);
    out.extend_from_slice(b"  ");
    end(flow, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Which columns fit into a width, and how wide each is.
fn fit(width: Option<usize>, processes: bool) -> Vec<(&'static Cell, usize)> {
    let cells = CELLS
        .iter()
        .filter(|cell| processes || cell.title != PROCESSES);
    let Some(width) = width else {
        return cells.map(|cell| (cell, cell.width)).collect();
    };
    let least = |cells: &[&Cell]| cells.iter().map(|cell| cell.least + 1).sum::<usize>();
    let mut cells: Vec<&'static Cell> = cells.collect();
    let goes = |cell: &Cell| match cell.title {
        CLIENT if !processes => 0,
        _ => cell.goes,
    };
    // The last column needs no space behind it.
    while least(&cells) > width + 1
        && let Some(highest) = cells
            .iter()
            .map(|cell| goes(cell))
            .max()
            .filter(|&goes| goes > 0)
    {
        cells.retain(|cell| goes(cell) != highest);
    }
    let mut spare = (width + 1).saturating_sub(least(&cells));
    let mut fitted: Vec<_> = cells.iter().map(|cell| (*cell, cell.least)).collect();
    // Who speaks and what is spoken have more to say than the addresses.
    for turn in [PROCESSES, "SERVICE", ""] {
        for (cell, fits) in &mut fitted {
            if turn.is_empty() || cell.title == turn {
                let more = spare.min(cell.width - *fits);
                spare -= more;
                *fits += more;
            }
        }
    }
    // What is left over is the last one's; where even the least is too much it gives way.
    let others: usize = fitted
        .iter()
        .rev()
        .skip(1)
        .map(|(_, width)| width + 1)
        .sum();
    if let Some((_, last)) = fitted.last_mut() {
        *last = width.saturating_sub(others).max(10);
    }
    fitted
}

/// How many columns a text takes.
fn columns(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    // Every character has one octet that is no continuation.
    text.iter().filter(|&&octet| octet & 0xc0 != 0x80).count()
}

/// Cuts the text from `start` on to so many columns.
fn shorten(out: &mut Vec<u8>, start: usize, width: usize) {
    let text = String::from_utf8_lossy(&out[start..]);
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    out.truncate(start);
    out.extend_from_slice(kept.as_bytes());
    out.extend_from_slice("…".as_bytes());
}

/// Writes what can be shown.
fn show(out: &mut Vec<u8>, shown: &dyn fmt::Display) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{shown}");
}

fn service(flow: &FlowRecord, out: &mut Vec<u8>) -> usize {
    let Some(service) = &flow.service else {
        let name = flow.id.transport();
        out.extend_from_slice(name.as_bytes());
        return name.len();
    };
    out.extend_from_slice(service.name.as_bytes());
    let facts = service.facts.text();
    if facts.is_empty() {
        return service.name.len();
    }
    out.push(b' ');
    out.extend_from_slice(facts);
    service.name.len() + 1 + columns(facts)
}

fn processes(flow: &FlowRecord, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    if !flow.owners.are_unknown() {
        show(out, &flow.owners);
    }
    columns(&out[start..])
}

fn answer(flow: &FlowRecord) -> Word {
    let median = |times: ResponseTimes| Word::span(Span(times.median as i64));
    flow.response_times.map(median).unwrap_or_default()
}

/// How it ended, and what else is remarkable.
fn end(flow: &FlowRecord, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    let words = flow.outcome.words();
    match words {
        Some(words) => out.extend_from_slice(words.as_bytes()),
        None => show(out, &flow.outcome),
    }
    let retransmissions = flow.both(|side| u64::from(side.analysis.retrans_pkts));
    let closed = flow.both(|side| u64::from(side.analysis.zero_windows));
    let remarks = [
        (flow.missed_bytes(), "byte missing", "bytes missing"),
        (retransmissions, "retransmission", "retransmissions"),
        (closed, "closed window", "closed windows"),
    ];
    for (count, one, many) in remarks {
        if count > 0 {
            let noun = if count == 1 { one } else { many };
            show(out, &format_args!(", {count} {noun}"));
        }
    }
    match words {
        // ASCII, and all.
        Some(words) if words.len() == out.len() - start => words.len(),
        _ => columns(&out[start..]),
    }
}

fn summary(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Normal => "ended normally",
        Verdict::Open => "still open",
        Verdict::HalfClosed(_) => "closed by one side only",
        Verdict::Refused => "refused",
        Verdict::NoAnswer => "without an answer",
        Verdict::HalfOpen => "half open",
        Verdict::Reset(_) => "reset",
        Verdict::GivenUp => "given up",
        Verdict::Midstream => "without a begin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_fits() {
        for (width, processes) in (60..300).flat_map(|width| [(width, false), (width, true)]) {
            let cells = fit(Some(width), processes);
            let all: usize = cells.iter().map(|(_, width)| width + 1).sum();
            // With less all are cut.
            let least = if processes { 70 } else { 60 };
            assert!(all - 1 == width || width < least, "{width}");
            assert_eq!(cells.last().map(|(cell, _)| cell.title), Some("END"));
        }
        assert_eq!(fit(None, true).len(), CELLS.len());
        assert_eq!(fit(Some(300), false).len(), CELLS.len() - 1);
        let titles = |width| {
            fit(Some(width), false)
                .iter()
                .map(|(cell, _)| cell.title)
                .collect::<Vec<_>>()
        };
        assert_eq!(titles(80), ["CLIENT", "SERVER", "SERVICE", "END"]);
        assert_eq!(
            titles(100),
            ["CLIENT", "SERVER", "SERVICE", "SENT", "RECEIVED", "END"]
        );
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let mut out = "before abcdäf".as_bytes().to_vec();
        assert_eq!(columns(&out), 13);
        shorten(&mut out, 7, 4);
        assert_eq!(String::from_utf8_lossy(&out), "before abc…");
    }
}
