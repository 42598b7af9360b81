//! Messages of the client.

use std::sync::Arc;

use super::bind::{Bind, parse_bind};
use super::catalog::Statement;
use super::contents::{MAX_ROW_BYTES, bind_line, copy_line, named_line};
use super::fields::{FieldReader, ObjectName};
use super::grouping::Names;
use super::queue::{Awaited, Entry};
use super::startup::parse_startup;
use super::{Body, HEADER_LEN, Header, Invalid, Phase, Postgresql, sql};
use crate::flow::Side;
use crate::request::analyzer::{Analyzer, Context, EndReason, Step};
use crate::request::{MAX_TEXT_LEN, text};

/// Maximum number of bytes of a Bind message that are buffered.
const MAX_BIND_LEN: usize = 64 << 10;
/// Maximum number of bytes of other messages that are buffered.
const MAX_OTHER_LEN: usize = 4 << 10;

/// Parses a message of the client.
pub(super) fn parse_client(
    connection: &mut Postgresql,
    bytes: &[u8],
    context: &mut Context,
) -> Step {
    if connection.phase == Phase::Start {
        // The length of a message without a type is below 2^24.
        if bytes.first() == Some(&0) {
            return parse_startup(connection, bytes, context);
        }
        if connection.queue.front_mut().is_some() && !connection.is_late {
            return Step::Unrecognized;
        }
        connection.phase = Phase::Messages;
        connection.is_late = true;
    }
    if bytes.len() < HEADER_LEN {
        return Step::Incomplete(HEADER_LEN);
    }
    let Some(header) = Header::parse(bytes) else {
        return Step::Unrecognized;
    };
    let limit = match header.kind {
        b'd' if context.needs_contents() => MAX_ROW_BYTES,
        b'd' | b'p' => 0,
        // A NUL, and a byte by which a text that is too long is detected.
        b'Q' => MAX_TEXT_LEN + 2,
        b'P' => usize::MAX,
        b'B' => MAX_BIND_LEN,
        b'C' | b'D' | b'E' | b'F' | b'H' | b'S' | b'X' | b'c' | b'f' => MAX_OTHER_LEN,
        _ => return Step::Unrecognized,
    };
    let len = header.buffered_len(limit, context);
    let Some(body) = bytes.get(HEADER_LEN..HEADER_LEN + len) else {
        if header.kind == b'd' {
            connection.incomplete[Side::Orig as usize] = Some(header);
        }
        return Step::Incomplete(HEADER_LEN + len);
    };
    let is_pipelined = connection.has_late_batch && b"QPBDCEF".contains(&header.kind);
    let reason = match (connection.queue.is_full(), is_pipelined) {
        (true, _) => Some(EndReason::Limit),
        (_, true) => Some(EndReason::Missing),
        _ => None,
    };
    if let Some(reason) = reason {
        connection.lose(Side::Orig, reason, context);
        return Step::Unrecognized;
    }
    let body = Body {
        bytes: body,
        is_complete: header.len == len as u64,
    };
    // The server would accept no other message, and answer none of them.
    let is_invalid_copy = connection.is_copying && !b"dcfHSX".contains(&header.kind);
    if is_invalid_copy || receive(connection, header, body, context).is_err() {
        return Step::Unrecognized;
    }
    connection.has_late_batch |= connection.is_late && b"QFS".contains(&header.kind);
    connection.has_request_rest = !b"dp".contains(&header.kind);
    connection.remaining[Side::Orig as usize] = header.len - len as u64;
    Step::Consumed(HEADER_LEN + len)
}

fn receive(
    connection: &mut Postgresql,
    header: Header,
    body: Body,
    context: &mut Context,
) -> Result<(), Invalid> {
    let len = HEADER_LEN as u64 + body.bytes.len() as u64;
    match header.kind {
        b'Q' => {
            let statement = statement_text(body)?;
            receive_query(connection, statement, len, context);
        }
        b'F' => {
            let function = FieldReader::new(body.bytes).u32().ok_or(Invalid)?;
            let mut row = context.new_request();
            row.operation = "CALL".into();
            row.target = format!("function {function}");
            row.add_request(context.time, len);
            connection.push_single(row, Awaited::FunctionCall, context);
        }
        b'P' => receive_parse(connection, body, len, context)?,
        b'B' => receive_bind(connection, body, len, context)?,
        b'D' => {
            let awaited = match named_object(body)? {
                (b'S', name) => Awaited::DescribeStatement(name),
                (_, name) => Awaited::DescribePortal(name),
            };
            add_message(connection, awaited, len, context);
        }
        b'C' => receive_close(connection, body, len, context)?,
        b'E' => {
            let mut fields = FieldReader::new(body.bytes);
            let name = fields.string().ok_or(Invalid)?;
            fields
                .array::<4>()
                .filter(|_| fields.rest.is_empty())
                .ok_or(Invalid)?;
            add_message(connection, Awaited::Execute(name.into()), len, context);
            connection.close_group(context);
        }
        b'S' | b'H' | b'X' | b'c' if header.len > 0 => return Err(Invalid),
        b'S' => {
            connection.close_group(context);
            connection.queue.flush(context);
            connection.has_batch_row = false;
            if !connection.is_copying {
                let sync = Entry::Sync(context.start, context.time);
                connection.queue.push(sync, context);
                connection.settle(context);
            }
        }
        b'H' => {
            connection.close_group(context);
            connection.queue.flush(context);
        }
        b'd' | b'c' | b'f' => receive_copied(connection, header, body, len, context),
        b'p' => receive_password(connection, len, context),
        _ => connection.close_group(context),
    }
    Ok(())
}

fn receive_query(connection: &mut Postgresql, statement: &[u8], len: u64, context: &mut Context) {
    let mut row = context.new_request();
    row.target = text(statement);
    row.operation = sql::first_keyword(&row.target);
    row.add_request(context.time, len);
    if context.needs_contents() {
        let line = format!("Q: {}", row.target);
        context.head(&mut row, Side::Orig, &line);
    }
    connection.push_single(row, Awaited::Query, context);
}

fn receive_parse(
    connection: &mut Postgresql,
    body: Body,
    len: u64,
    context: &mut Context,
) -> Result<(), Invalid> {
    let mut fields = FieldReader::new(body.bytes);
    let name = fields.string().ok_or(Invalid)?;
    let statement = match fields.string() {
        Some(statement) => statement,
        None if body.is_complete => return Err(Invalid),
        None => fields.rest,
    };
    let types = match body.is_complete {
        true => fields
            .oids()
            .filter(|_| fields.rest.is_empty())
            .ok_or(Invalid)?,
        false => Vec::new(),
    };
    let statement = Statement {
        text: text(statement).into(),
        types: types.into(),
        columns: None,
    };
    let text = Arc::clone(&statement.text);
    let awaited = Awaited::Parse(name.into(), statement);
    add_message(connection, awaited, len, context);
    if context.needs_contents() {
        connection.show(Side::Orig, &named_line("Parse", name, &text), context);
    }
    Ok(())
}

fn receive_bind(
    connection: &mut Postgresql,
    body: Body,
    len: u64,
    context: &mut Context,
) -> Result<(), Invalid> {
    let bind = parse_bind(body.bytes, body.is_complete).ok_or(Invalid)?;
    let line = context.needs_contents().then(|| {
        let types = parameter_types(connection, &bind);
        let parameters = bind.parameters(types.as_deref().unwrap_or_default());
        bind_line(&bind.statement, &parameters)
    });
    add_message(connection, Awaited::Bind(Box::new(bind)), len, context);
    if let Some(line) = line {
        connection.show(Side::Orig, &line, context);
    }
    Ok(())
}

/// Returns the types of a statement's parameters, if its Parse message belongs to the same
/// request or the server has confirmed it.
fn parameter_types(connection: &mut Postgresql, bind: &Bind) -> Option<Arc<[u32]>> {
    let group = connection.queue.open_group();
    let awaited = group.into_iter().flat_map(|group| &group.awaited);
    let own = awaited.filter_map(|awaited| match awaited {
        Awaited::Parse(name, statement) if *name == bind.statement => Some(statement),
        _ => None,
    });
    let statement = own
        .last()
        .or_else(|| connection.catalog.statement(&bind.statement));
    statement.map(|statement| Arc::clone(&statement.types))
}

fn receive_close(
    connection: &mut Postgresql,
    body: Body,
    len: u64,
    context: &mut Context,
) -> Result<(), Invalid> {
    let awaited = match named_object(body)? {
        (b'S', name) => Awaited::CloseStatement(name),
        (_, name) => Awaited::ClosePortal(name),
    };
    if connection.has_batch_row && connection.queue.open_group().is_none() {
        let close = Entry::Close(Box::new(awaited));
        connection.queue.push(close, context);
        connection.settle(context);
    } else {
        add_message(connection, awaited, len, context);
    }
    Ok(())
}

/// Adds a message of the extended protocol to the open row, or to a new one.
fn add_message(connection: &mut Postgresql, awaited: Awaited, len: u64, context: &mut Context) {
    let names = Names::of(&awaited);
    let is_same_row = connection
        .queue
        .open_group()
        .is_some_and(|group| names.belong_to(group));
    if is_same_row && connection.queue.can_add() {
        connection.queue.add(awaited, context);
    } else {
        connection.close_group(context);
        let row = context.new_request();
        connection.queue.push_group(row, awaited, context);
    }
    connection.has_batch_row = true;
    let Some(group) = connection.queue.open_group() else {
        return;
    };
    if names.statement.is_some() {
        group.statement = names.statement;
    }
    if names.has_bind {
        group.portal = names.portal;
    }
    if let Some(row) = &mut group.row {
        row.add_request(context.time, len);
    }
}

fn receive_copied(
    connection: &mut Postgresql,
    header: Header,
    body: Body,
    len: u64,
    context: &mut Context,
) {
    let format = connection.copy_format;
    if let Some(group) = connection.copying_group() {
        if header.kind == b'd' {
            group.progress.add_data(header);
        }
        if let Some(row) = &mut group.row {
            row.request_bytes += len;
            let line = match header.kind {
                _ if !context.needs_contents() => None,
                b'd' => Some(copy_line(body.bytes, format, body.is_complete)),
                b'f' => Some(named_line("CopyFail", b"", &message_text(body))),
                _ => None,
            };
            if let Some(line) = line {
                context.head(row, Side::Orig, &line);
            }
        }
    }
    if header.kind == b'd' || std::mem::take(&mut connection.is_copying) {
        return;
    }
    connection.queue.push(Entry::EndOfCopy, context);
    connection.settle(context);
}

/// Counts the length of a password, whose contents are never reported.
fn receive_password(connection: &mut Postgresql, len: u64, context: &mut Context) {
    let Some(group) = connection.queue.front_group() else {
        return;
    };
    if let Some(Awaited::Startup) = group.awaited.front()
        && let Some(row) = &mut group.row
    {
        row.request_bytes += len;
        if context.needs_contents() {
            context.head(row, Side::Orig, "Password: (hidden)");
        }
    }
}

/// Returns the text of a Query message, or the beginning of a long one.
fn statement_text(body: Body<'_>) -> Result<&[u8], Invalid> {
    if !body.is_complete {
        return Ok(body.bytes);
    }
    match body.bytes.split_last() {
        Some((0, statement)) if !statement.contains(&0) => Ok(statement),
        _ => Err(Invalid),
    }
}

/// Parses the kind of an object, `S` for a statement and `P` for a portal, and its name.
fn named_object(body: Body) -> Result<(u8, ObjectName), Invalid> {
    let mut fields = FieldReader::new(body.bytes);
    let (kind, name) = (fields.byte(), fields.string());
    match (kind, name) {
        (Some(kind @ (b'S' | b'P')), Some(name)) if fields.rest.is_empty() => {
            Ok((kind, name.into()))
        }
        _ => Err(Invalid),
    }
}

/// Returns the text of a message that contains one string.
pub(super) fn message_text(body: Body) -> String {
    text(body.bytes.strip_suffix(b"\0").unwrap_or(body.bytes))
}
