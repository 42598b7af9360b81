//! Layout of text tables: columns that fit a width, with truncated and aligned cells.

use std::ops::Range;

use super::text_width::{text_width, truncate};
use crate::packet::Timestamp;
use crate::sink::clock::Clock;

/// Layout of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableLayout {
    /// Maximum width of a line in terminal columns; `None` is unlimited.
    pub width: Option<u16>,
    /// True if failed and incomplete records are coloured.
    pub colour: bool,
    /// True for nanoseconds in times, false for microseconds.
    pub nano: bool,
    /// Condition for the names of the processes at both ends.
    pub processes: ProcessColumn,
}

/// Condition for the names of the processes at both ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProcessColumn {
    /// They are not shown.
    #[default]
    Hidden,
    /// They are shown if the first record has owners.
    IfPresent,
    /// They are shown.
    Shown,
}

impl ProcessColumn {
    /// Returns true if processes are shown in a table whose first record has owners, or not.
    pub(in crate::sink) fn is_shown_if(self, has_owners: impl FnOnce() -> bool) -> bool {
        match self {
            ProcessColumn::Hidden => false,
            ProcessColumn::IfPresent => has_owners(),
            ProcessColumn::Shown => true,
        }
    }
}

/// A column of a table.
pub(in crate::sink) struct TableColumn<R: 'static> {
    pub(in crate::sink) title: &'static str,
    /// Width in a table without a maximum width.
    pub(in crate::sink) width: usize,
    /// Width to which the column shrinks before columns are dropped.
    pub(in crate::sink) min_width: usize,
    /// Drop order if the table is too wide, highest first; 0 is never dropped.
    pub(in crate::sink) drop_priority: u8,
    pub(in crate::sink) align: Align,
    /// Writes the text of a cell.
    pub(in crate::sink) write: fn(&R, &mut CellFormat, &mut Vec<u8>),
    /// Returns the colour of a cell, if colours are on.
    pub(in crate::sink) colour: fn(&R) -> Option<Colour>,
}

/// Alignment of a column's cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sink) enum Align {
    Left,
    Right,
    /// Right, and never truncated: a part of a number is another number. A longer number takes its
    /// width from the empty space of the next columns, or from the last column.
    Number,
}

/// Colour of a row or a cell, as an escape sequence of terminals (ECMA-48, SGR).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sink) struct Colour(&'static str);

impl Colour {
    pub(in crate::sink) const RED: Colour = Colour("\x1b[31m");
    pub(in crate::sink) const YELLOW: Colour = Colour("\x1b[33m");
    const RESET: &str = "\x1b[0m";

    /// Colours a part of the text.
    fn apply_to(self, out: &mut Vec<u8>, part: Range<usize>) {
        if part.end <= out.len() {
            out.splice(part.end..part.end, Colour::RESET.bytes());
            out.splice(part.start..part.start, self.0.bytes());
        }
    }

    /// Colours the text from `start` on.
    pub(in crate::sink) fn apply(self, out: &mut Vec<u8>, start: usize) {
        out.splice(start..start, self.0.bytes());
        out.extend_from_slice(Colour::RESET.as_bytes());
    }
}

/// Settings that the cells of all rows share.
pub(in crate::sink) struct CellFormat {
    clock: Clock,
    /// Width of the current cell; `None` is unlimited.
    pub(in crate::sink) width: Option<usize>,
    /// True if processes are shown.
    pub(in crate::sink) shows_processes: bool,
    /// Coloured parts of the current cell, in order: positions in the output.
    highlights: Vec<(Range<usize>, Colour)>,
}

impl CellFormat {
    /// Colours a part of the current cell, at these positions in the output, if colours are on.
    pub(in crate::sink) fn highlight(&mut self, part: Range<usize>, colour: Colour) {
        self.highlights.push((part, colour));
    }

    /// Writes a time.
    pub(in crate::sink) fn write_time(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        self.clock.write(out, time);
    }
}

/// Distribution of a table's width.
pub(in crate::sink) struct WidthPlan {
    /// Number of spaces between columns.
    pub(in crate::sink) gap: usize,
    /// Columns that get spare width, and up to which width, in this order.
    pub(in crate::sink) growth: &'static [(&'static str, usize)],
    /// Column that is as wide as the remaining space.
    pub(in crate::sink) flexible: &'static str,
}

/// A column that fits, with its width.
pub(in crate::sink) struct FittedColumn<R: 'static> {
    pub(in crate::sink) column: &'static TableColumn<R>,
    pub(in crate::sink) width: usize,
}

/// A text table.
pub(in crate::sink) struct RowTable<R: 'static> {
    pub(in crate::sink) layout: TableLayout,
    format: CellFormat,
    gap: usize,
    columns: Vec<FittedColumn<R>>,
}

impl<R> RowTable<R> {
    /// Returns a table without columns, which shows times with this clock.
    pub(in crate::sink) fn new(layout: TableLayout, clock: Clock) -> RowTable<R> {
        RowTable {
            layout,
            format: CellFormat {
                clock,
                width: None,
                shows_processes: false,
                highlights: Vec::new(),
            },
            gap: 1,
            columns: Vec::new(),
        }
    }

    /// Sets the columns that fit, with or without processes, and writes the titles.
    pub(in crate::sink) fn write_head(
        &mut self,
        columns: Vec<(&'static TableColumn<R>, u8)>,
        plan: &WidthPlan,
        shows_processes: bool,
        out: &mut Vec<u8>,
    ) {
        self.columns = fit_columns(columns, self.layout.width.map(usize::from), plan);
        self.format.shows_processes = shows_processes;
        self.gap = plan.gap;
        self.write_line(None, out);
        out.push(b'\n');
    }

    /// Writes the cells of a record, or the titles if there is none.
    pub(in crate::sink) fn write_line(&mut self, record: Option<&R>, out: &mut Vec<u8>) {
        let is_limited = self.layout.width.is_some();
        // Width by which numbers exceed their columns.
        let mut excess = 0;
        for (at, FittedColumn { column, width }) in self.columns.iter().enumerate() {
            let is_last = at + 1 == self.columns.len();
            let start = out.len();
            match record {
                Some(record) => {
                    self.format.width = is_limited.then_some(*width);
                    (column.write)(record, &mut self.format, out);
                }
                None => out.extend_from_slice(column.title.as_bytes()),
            }
            let text_width = match is_limited {
                true if is_last => truncate(out, start, width.saturating_sub(excess)),
                true if column.align != Align::Number => truncate(out, start, *width),
                _ => text_width(&out[start..]),
            };
            if let Some(record) = record.filter(|_| self.layout.colour)
                && let Some(colour) = (column.colour)(record)
            {
                colour.apply(out, start);
            }
            let highlights = std::mem::take(&mut self.format.highlights);
            if self.layout.colour {
                for (part, colour) in highlights.into_iter().rev() {
                    colour.apply_to(out, part);
                }
            }
            if column.align == Align::Left && is_last {
                return;
            }
            let space = width.saturating_sub(text_width);
            let padding = space.saturating_sub(excess);
            excess = match column.align {
                Align::Number => excess + text_width.saturating_sub(*width),
                _ => excess.saturating_sub(space),
            };
            out.resize(out.len() + padding, b' ');
            if column.align != Align::Left {
                out[start..].rotate_right(padding);
            }
            if !is_last {
                out.resize(out.len() + self.gap, b' ');
            }
        }
    }
}

/// Returns the columns that fit into a total width, and the width of each. Each column comes with
/// its drop priority.
pub(in crate::sink) fn fit_columns<R>(
    columns: Vec<(&'static TableColumn<R>, u8)>,
    width: Option<usize>,
    plan: &WidthPlan,
) -> Vec<FittedColumn<R>> {
    let fitted = |width: fn(&TableColumn<R>) -> usize,
                  columns: &[(&'static TableColumn<R>, u8)]| {
        let columns = columns.iter();
        columns
            .map(|(column, _)| FittedColumn {
                column,
                width: width(column),
            })
            .collect::<Vec<_>>()
    };
    let Some(width) = width else {
        return fitted(|column| column.width, &columns);
    };
    let mut columns = columns;
    let min_total = |columns: &[(&'static TableColumn<R>, u8)]| {
        let widths: usize = columns.iter().map(|(column, _)| column.min_width).sum();
        widths + plan.gap * columns.len().saturating_sub(1)
    };
    while min_total(&columns) > width
        && let Some(highest) = columns.iter().map(|(_, priority)| *priority).max()
        && highest > 0
    {
        columns.retain(|(_, priority)| *priority != highest);
    }
    let mut spare = width.saturating_sub(min_total(&columns));
    let deficit = min_total(&columns).saturating_sub(width);
    let mut fitted = fitted(|column| column.min_width, &columns);
    for (title, max_width) in plan.growth {
        let mut grown = fitted.iter_mut();
        if let Some(column) = grown.find(|fitted| fitted.column.title == *title) {
            let added = spare.min(max_width.saturating_sub(column.width));
            spare -= added;
            column.width += added;
        }
    }
    // If even the minimum widths are too wide, this column is narrower than its minimum width.
    let mut flexible = fitted.iter_mut();
    if let Some(column) = flexible.find(|fitted| fitted.column.title == plan.flexible) {
        column.width = (column.width + spare).saturating_sub(deficit).max(10);
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(title: &'static str, align: Align) -> TableColumn<&'static str> {
        TableColumn {
            title,
            width: 4,
            min_width: 4,
            drop_priority: 0,
            align,
            write: |text, _, out| out.extend_from_slice(text.as_bytes()),
            colour: |_| Some(Colour::RED),
        }
    }

    static COLUMNS: [TableColumn<&str>; 2] =
        [column("abcdäf", Align::Left), column("ä", Align::Right)];

    fn table(width: Option<u16>, colour: bool, rows: &[&'static str]) -> String {
        let layout = TableLayout {
            width,
            colour,
            ..TableLayout::default()
        };
        let mut table = RowTable::new(layout, Clock::local("", false));
        let plan = WidthPlan {
            gap: 1,
            growth: &[],
            flexible: "",
        };
        let mut out = Vec::new();
        let columns = COLUMNS.iter().map(|column| (column, 0)).collect();
        table.write_head(columns, &plan, false, &mut out);
        for row in rows {
            table.write_line(Some(row), &mut out);
            out.push(b'\n');
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn long_text_is_truncated() {
        let rows = table(
            Some(9),
            false,
            &["abcd", "abcde", "漢字", "漢字漢", "a漢字", "❤\u{fe0f}a❤b"],
        );
        let expected = "abc…    ä\nabcd abcd\nabc… abc…\n漢字 漢字\n漢…   漢…\na漢… a漢…\n❤\u{fe0f}a… ❤\u{fe0f}a…\n";
        assert_eq!(rows, expected);
        let rows = table(None, false, &["abcde"]);
        assert_eq!(rows, "abcdäf    ä\nabcde abcde\n");
    }

    #[test]
    fn numbers_are_never_truncated() {
        static COLUMNS: [TableColumn<&str>; 3] = [
            column("#", Align::Number),
            TableColumn {
                write: |_, _, out| out.push(b'a'),
                ..column("b", Align::Left)
            },
            TableColumn {
                write: |_, _, out| out.extend_from_slice(b"abcdefghij"),
                ..column("c", Align::Left)
            },
        ];
        let layout = TableLayout {
            width: Some(20),
            ..TableLayout::default()
        };
        let mut table = RowTable::new(layout, Clock::local("", false));
        let plan = WidthPlan {
            gap: 1,
            growth: &[],
            flexible: "c",
        };
        let columns = COLUMNS.iter().map(|column| (column, 0)).collect();
        let mut out = Vec::new();
        table.write_head(columns, &plan, false, &mut out);
        for number in ["1234", "1234567", "12345678"] {
            table.write_line(Some(&number), &mut out);
            out.push(b'\n');
        }
        let expected =
            "   # b    c\n1234 a    abcdefghij\n1234567 a abcdefghij\n12345678 a abcdefgh…\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn colours_have_no_width() {
        let rows = table(Some(9), true, &["é"]);
        let cell = "\x1b[31mé\x1b[0m";
        assert_eq!(rows, format!("abc…    ä\n{cell}       {cell}\n",));
    }
}
