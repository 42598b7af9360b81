//! Results of statements: rows, command tags and copied data.

use std::sync::Arc;

use super::catalog::Column;
use super::client::message_text;
use super::contents::{RowFormat, copy_line, row_line};
use super::fields::FieldReader;
use super::queue::{AnswerContent, Awaited, CopyEnd};
use super::{Body, Header, Invalid, Postgresql, sql};
use crate::flow::Side;
use crate::request::analyzer::Context;
use crate::request::text;

/// Keeps the description of columns, if contents are required.
pub(super) fn add_columns(connection: &mut Postgresql, body: Body, context: &mut Context) {
    if !context.needs_contents() {
        return;
    }
    let (columns, line) = parse_columns(body.bytes);
    if let Some(group) = connection.queue.front_group() {
        match group.awaited.front() {
            Some(Awaited::DescribeStatement(name)) => {
                connection
                    .catalog
                    .set_statement_columns(name, columns, context);
            }
            Some(Awaited::DescribePortal(name)) => {
                connection
                    .catalog
                    .set_portal_columns(name, columns, context);
            }
            _ => group.columns = Some(columns),
        }
    }
    connection.show(Side::Resp, &line, context);
}

/// Adds a part of the result of a statement.
pub(super) fn add_result(
    connection: &mut Postgresql,
    header: Header,
    body: Body,
    context: &mut Context,
) -> Result<(), Invalid> {
    let (kind, needs_contents) = (header.kind, context.needs_contents());
    let progress = &mut AnswerContent::default();
    let progress = match connection.queue.front_group() {
        Some(group) => &mut group.progress,
        None => progress,
    };
    match kind {
        b'T' => {
            progress.has_rows = true;
            add_columns(connection, body, context);
        }
        b'D' | b'd' => {
            progress.add_data(header);
            if needs_contents {
                let line = match kind {
                    b'D' => row_line(body.bytes, row_format(connection)),
                    _ => copy_line(body.bytes, connection.copy_format, body.is_complete),
                };
                connection.show(Side::Resp, &line, context);
            }
        }
        b'C' => {
            let tag = message_text(body);
            progress.add_tag(&tag);
            connection.is_copying = false;
            forget_deallocated(connection, &tag, context);
            if needs_contents {
                connection.show(Side::Resp, &format!("Complete: {tag}"), context);
            }
        }
        b'I' => progress.has_result = true,
        b'G' | b'H' | b'W' => {
            progress.copy_bytes.get_or_insert(0);
            connection.copy_format = body.bytes.first().copied().unwrap_or(0).into();
            if kind != b'H' {
                connection.is_copying = match connection.queue.remove_ignored_syncs(context) {
                    CopyEnd::Sent => false,
                    CopyEnd::NotSent => true,
                    CopyEnd::OtherMessage => return Err(Invalid),
                };
            }
        }
        _ => {}
    }
    Ok(())
}

/// Returns the format of the rows of the current answer.
fn row_format(connection: &mut Postgresql) -> RowFormat<'_> {
    let Some(group) = connection.queue.front_group() else {
        return RowFormat::default();
    };
    match group.awaited.front() {
        Some(Awaited::Execute(name)) => {
            let portal = connection.catalog.portal(name);
            portal.map_or(RowFormat::default(), RowFormat::of_portal)
        }
        _ => {
            let columns = group.columns.as_deref();
            columns.map_or(RowFormat::default(), RowFormat::of_columns)
        }
    }
}

/// Removes the prepared statements that an SQL statement has removed, by its command tag.
fn forget_deallocated(connection: &mut Postgresql, tag: &str, context: &mut Context) {
    if tag == "DEALLOCATE" {
        let row = connection
            .queue
            .front_group()
            .and_then(|group| group.row.as_deref());
        if let Some(name) = row.and_then(|row| sql::deallocated_name(&row.target)) {
            connection
                .catalog
                .remove_statement(name.as_bytes(), context);
            return;
        }
    }
    if ["DEALLOCATE", "DEALLOCATE ALL", "DISCARD ALL"].contains(&tag) {
        connection.catalog.clear_statements(context);
    }
}

/// Parses a RowDescription message. Returns the columns, and a line with their names.
fn parse_columns(body: &[u8]) -> (Arc<[Column]>, String) {
    let mut fields = FieldReader::new(body);
    let (mut columns, mut line) = (Vec::new(), "Columns: ".to_owned());
    let count = fields.u16().unwrap_or(0);
    for index in 0..count {
        let Some((name, column)) = parse_column(&mut fields) else {
            line.push('…');
            break;
        };
        line.push_str(if index > 0 { ", " } else { "" });
        line.push_str(&text(name));
        columns.push(column);
    }
    (columns.into(), line)
}

fn parse_column<'a>(fields: &mut FieldReader<'a>) -> Option<(&'a [u8], Column)> {
    let name = fields.string()?;
    // Table and number of the column in it.
    fields.take(6)?;
    let type_oid = fields.u32()?;
    // Size and modifier of the type.
    fields.take(6)?;
    let format = fields.u16()?;
    Some((name, Column { type_oid, format }))
}
