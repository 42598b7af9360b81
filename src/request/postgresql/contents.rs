//! Text lines of messages, for readers of contents.

use std::fmt::Write;

use super::catalog::{Column, Portal};
use super::fields::FieldReader;
use super::values::{BINARY_FORMAT, decode, hex};
use crate::request::{Detail, text};

/// Number of bytes of a row, or of a message of copied data, that are shown.
pub(super) const MAX_ROW_BYTES: usize = 8 << 10;

/// Formats and types of the columns of a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RowFormat<'a> {
    columns: Option<&'a [Column]>,
    /// Formats, as in [`Portal::formats`]; `None` if those in the columns are valid.
    formats: Option<&'a [u16]>,
}

impl<'a> RowFormat<'a> {
    /// Returns the format of rows after their description.
    pub(super) fn of_columns(columns: &'a [Column]) -> RowFormat<'a> {
        RowFormat {
            columns: Some(columns),
            formats: None,
        }
    }

    /// Returns the format of the rows of a portal.
    pub(super) fn of_portal(portal: &'a Portal) -> RowFormat<'a> {
        match (&portal.columns, &portal.formats) {
            (Some(columns), _) => RowFormat::of_columns(columns),
            (None, None) => RowFormat::default(),
            (None, Some(formats)) => {
                let statement = portal.statement.as_ref();
                RowFormat {
                    columns: statement.and_then(|statement| statement.columns.as_deref()),
                    formats: Some(formats),
                }
            }
        }
    }

    /// Returns a value of a column; `None` if its format is not captured.
    fn value(self, index: usize, bytes: &[u8]) -> Option<Detail> {
        let column = self.columns.and_then(|columns| columns.get(index));
        let format = match self.formats {
            Some([]) => 0,
            Some([format]) => *format,
            Some(formats) => *formats.get(index)?,
            None => column?.format,
        };
        let type_oid = column.map_or(0, |column| column.type_oid);
        Some(decode(bytes, format, type_oid))
    }
}

/// Returns the line of a DataRow message, or of the beginning of one.
pub(super) fn row_line(body: &[u8], format: RowFormat) -> String {
    let mut fields = FieldReader::new(body);
    let mut line = "Row: ".to_owned();
    let count = fields.u16().unwrap_or(0);
    for index in 0..usize::from(count) {
        if index > 0 {
            line.push_str(", ");
        }
        let start = fields;
        let Some(value) = fields.value() else {
            // The beginning of a value that is too long.
            let bytes = start.rest.get(4..).unwrap_or_default();
            if let Some(Detail::Text(text)) = format.value(index, bytes) {
                line.push_str(text.trim_end_matches('\u{fffd}'));
            }
            line.push('…');
            return line;
        };
        match value.map(|bytes| format.value(index, bytes).ok_or(bytes)) {
            None => line.push_str("NULL"),
            Some(Ok(value)) => push_value(&mut line, &value, ""),
            Some(Err(bytes)) => line.push_str(&hex(bytes)),
        }
    }
    line
}

/// Returns the line of a Bind message.
pub(super) fn bind_line(statement: &[u8], parameters: &[Detail]) -> String {
    let mut line = named_line("Bind", statement, "");
    for (index, parameter) in parameters.iter().enumerate() {
        line.push_str(if index > 0 { ", " } else { "" });
        push_value(&mut line, parameter, "'");
    }
    line
}

/// Returns a line that starts with the name of a message and that of its object.
pub(super) fn named_line(message: &str, name: &[u8], contents: &str) -> String {
    match name {
        [] => format!("{message}: {contents}"),
        name => format!("{message} {}: {contents}", text(name)),
    }
}

/// Returns the line of a message of copied data, or of the beginning of one.
pub(super) fn copy_line(body: &[u8], format: u16, is_complete: bool) -> String {
    let contents = match format {
        BINARY_FORMAT => hex(body),
        _ => text(body.strip_suffix(b"\n").unwrap_or(body)),
    };
    let end = if is_complete { "" } else { "…" };
    format!("Copy: {contents}{end}")
}

fn push_value(line: &mut String, value: &Detail, quote: &str) {
    // Writing to a string cannot fail.
    let _ = match value {
        Detail::Bool(value) => write!(line, "{value}"),
        Detail::Integer(value) => write!(line, "{value}"),
        Detail::Count(value) => write!(line, "{value}"),
        Detail::Float(value) => write!(line, "{value}"),
        Detail::Text(value) => write!(line, "{quote}{value}{quote}"),
        Detail::Null | Detail::List(_) => write!(line, "NULL"),
    };
}

/// An ErrorResponse or NoticeResponse.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Severity, translated into the language of the server: `ERROR`.
    pub(super) severity: String,
    /// Severity, if it ends the connection.
    pub(super) is_fatal: bool,
    /// SQLSTATE.
    pub(super) code: Option<String>,
    pub(super) message: String,
}

impl Report {
    /// Parses the body of a message, or the beginning of a long one.
    pub(super) fn parse(body: &[u8]) -> Report {
        let mut fields = FieldReader::new(body);
        let mut report = Report::default();
        while let Some(kind) = fields.byte().filter(|kind| *kind != 0) {
            let Some(value) = fields.string() else {
                break;
            };
            match kind {
                b'S' => report.severity = text(value),
                b'V' => report.is_fatal = [&b"FATAL"[..], b"PANIC"].contains(&value),
                b'C' => report.code = Some(text(value)),
                b'M' => report.message = text(value),
                _ => {}
            }
        }
        // Servers before PostgreSQL 9.6 send only the translated severity.
        report.is_fatal |= ["FATAL", "PANIC"].contains(&&report.severity[..]);
        report
    }

    pub(super) fn line(&self, message: &str) -> String {
        let code = self.code.as_deref().unwrap_or("-");
        format!("{message}: {code} {}", self.message)
    }
}
