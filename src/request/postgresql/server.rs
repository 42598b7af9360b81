//! Messages of the server.

use super::contents::{MAX_ROW_BYTES, Report};
use super::fields::FieldReader;
use super::queue::{AnswerContent, Awaited, Entry};
use super::results::{add_columns, add_result};
use super::rows::apply;
use super::startup::parse_encryption_answer;
use super::{Body, HEADER_LEN, Header, Invalid, Phase, Postgresql};
use crate::flow::Side;
use crate::request::analyzer::{Context, Step};
use crate::request::{Detail, Request, RequestOutcome, text};

/// Maximum number of bytes of the description of columns or parameters that are buffered.
const MAX_DESCRIPTION_LEN: usize = 256 << 10;
/// Maximum number of bytes of other messages that are buffered.
const MAX_OTHER_LEN: usize = 64 << 10;

/// State of a connection outside of a transaction, in ReadyForQuery.
const IDLE: u8 = b'I';

/// Parses a message of the server.
pub(super) fn parse_server(
    connection: &mut Postgresql,
    bytes: &[u8],
    context: &mut Context,
) -> Step {
    let [kind, ..] = *bytes else {
        return Step::Incomplete(1);
    };
    if let Some(step) = parse_encryption_answer(connection, kind, context) {
        return step;
    }
    if connection.phase == Phase::Start && connection.queue.front_mut().is_none() {
        connection.is_late = true;
    }
    if bytes.len() < HEADER_LEN {
        return Step::Incomplete(HEADER_LEN);
    }
    let Some(header) = Header::parse(bytes) else {
        return Step::Unrecognized;
    };
    let needs_contents = context.needs_contents();
    let limit = match kind {
        b'D' | b'd' if needs_contents => MAX_ROW_BYTES,
        b'T' if needs_contents => MAX_DESCRIPTION_LEN,
        b'D' | b'd' | b'T' | b'R' | b'K' | b'S' | b'V' | b'v' => 0,
        b't' => MAX_DESCRIPTION_LEN,
        b'1' | b'2' | b'3' | b'A' | b'C' | b'E' | b'G' | b'H' | b'I' | b'N' | b'W' | b'Z'
        | b'c' | b'n' | b's' => MAX_OTHER_LEN,
        _ => return Step::Unrecognized,
    };
    let len = header.buffered_len(limit, context);
    let Some(body) = bytes.get(HEADER_LEN..HEADER_LEN + len) else {
        if matches!(kind, b'D' | b'd') {
            connection.incomplete[Side::Resp as usize] = Some(header);
        }
        return Step::Incomplete(HEADER_LEN + len);
    };
    let body = Body {
        bytes: body,
        is_complete: header.len == len as u64,
    };
    if answer(connection, header, body, context).is_err() {
        return Step::Unrecognized;
    }
    connection.remaining[Side::Resp as usize] = header.len - len as u64;
    Step::Consumed(HEADER_LEN + len)
}

fn answer(
    connection: &mut Postgresql,
    header: Header,
    body: Body,
    context: &mut Context,
) -> Result<(), Invalid> {
    let kind = header.kind;
    if kind == b'A' {
        return notify(body, context);
    }
    let is_unrequested = connection.is_late && connection.queue.front_mut().is_none();
    if is_unrequested && !b"ZNS".contains(&kind) {
        let mut row = context.new_request();
        row.outcome = RequestOutcome::Unrequested;
        connection.push_single(row, Awaited::Uncaptured, context);
        connection.has_late_batch = true;
        if let Some(group) = connection.queue.front_group() {
            group.progress.has_unknown_statement = true;
        }
    }
    if let Some(row) = connection
        .queue
        .front_group()
        .and_then(|group| group.row.as_deref_mut())
    {
        let len = HEADER_LEN as u64 + body.bytes.len() as u64;
        row.add_answer(context.start, context.time, len);
    }
    match kind {
        // ParameterStatus can follow any message.
        b'S' => Ok(()),
        b'N' => {
            if context.needs_contents() {
                connection.show(
                    Side::Resp,
                    &Report::parse(body.bytes).line("Notice"),
                    context,
                );
            }
            Ok(())
        }
        b'E' => {
            fail(connection, body, context);
            Ok(())
        }
        b'Z' if is_unrequested => {
            connection.is_late = connection.phase == Phase::Start;
            Ok(())
        }
        b'Z' => end_batch(connection, body, context),
        _ => advance(connection, header, body, context),
    }
}

/// Reports a notification, which is no answer.
fn notify(body: Body, context: &mut Context) -> Result<(), Invalid> {
    let mut fields = FieldReader::new(body.bytes);
    let _process = fields.u32().ok_or(Invalid)?;
    let channel = fields.string().ok_or(Invalid)?;
    let payload = fields.string().unwrap_or(fields.rest);
    let mut row = context.new_request();
    row.operation = "notification".into();
    row.target = text(channel);
    row.outcome = RequestOutcome::Unrequested;
    row.details
        .set("payload", Detail::Text(text(payload).into()));
    let len = HEADER_LEN as u64 + body.bytes.len() as u64;
    row.add_answer(context.start, context.time, len);
    if context.needs_contents() {
        let line = format!("Notification {}: {}", text(channel), text(payload));
        context.head(&mut row, Side::Resp, &line);
    }
    context.report(row);
    Ok(())
}

/// Processes ReadyForQuery.
fn end_batch(
    connection: &mut Postgresql,
    body: Body,
    context: &mut Context,
) -> Result<(), Invalid> {
    let [state] = *body.bytes else {
        return Err(Invalid);
    };
    connection.is_copying = false;
    connection.is_late &= connection.phase == Phase::Start;
    connection.has_late_batch = false;
    match connection.queue.front_mut() {
        Some(Entry::Sync(..) | Entry::ReportedQuery) => {
            connection.queue.pop(context);
        }
        Some(Entry::Group(group)) => {
            match group.awaited.front() {
                Some(Awaited::Query | Awaited::FunctionCall) if group.progress.has_result => {}
                Some(Awaited::Startup | Awaited::Uncaptured) => {}
                _ => return Err(Invalid),
            }
            // A Query replaces the unnamed statement.
            if let Some(Awaited::Query) = connection.queue.pop_awaited(context) {
                connection.catalog.remove_statement(b"", context);
            }
        }
        _ => return Err(Invalid),
    }
    if state == IDLE {
        connection.catalog.clear_portals(context);
    }
    connection.settle(context);
    Ok(())
}

/// Processes an answer other than an error or ReadyForQuery.
fn advance(
    connection: &mut Postgresql,
    header: Header,
    body: Body,
    context: &mut Context,
) -> Result<(), Invalid> {
    let (effect, kind) = (effect(connection, header.kind).ok_or(Invalid)?, header.kind);
    match effect {
        Effect::None => {}
        Effect::Result | Effect::LastResult => add_result(connection, header, body, context)?,
        Effect::Types => {
            if let Some(group) = connection.queue.front_group()
                && let Some(Awaited::DescribeStatement(name)) = group.awaited.front()
                && let Some(types) = FieldReader::new(body.bytes).oids()
            {
                connection.catalog.set_types(name, &types, context);
            }
        }
        Effect::Columns => add_columns(connection, body, context),
        Effect::Complete => {}
    }
    if matches!(effect, Effect::None | Effect::Result | Effect::Types) {
        return Ok(());
    }
    if let Some(Entry::Close(_)) = connection.queue.front_mut() {
        if let Some(Entry::Close(awaited)) = connection.queue.pop(context) {
            let progress = &mut AnswerContent::default();
            apply(&awaited, None, progress, &mut connection.catalog, context);
        }
    } else if let Some(awaited) = connection.queue.pop_awaited(context)
        && let Some(group) = connection.queue.front_group()
    {
        group.progress.is_suspended = kind == b's';
        let (row, progress) = (group.row.as_deref_mut(), &mut group.progress);
        apply(&awaited, row, progress, &mut connection.catalog, context);
    }
    connection.settle(context);
    Ok(())
}

/// Returns the effect of an answer; `None` if it is not one to the first message.
fn effect(connection: &mut Postgresql, kind: u8) -> Option<Effect> {
    let group = match connection.queue.front_mut()? {
        Entry::Group(group) => group,
        Entry::ReportedQuery if is_result(kind) => return Some(Effect::Result),
        Entry::Close(_) if kind == b'3' => return Some(Effect::Complete),
        _ => return None,
    };
    Some(match (group.awaited.front()?, kind) {
        (Awaited::Startup, b'R' | b'K' | b'v')
        | (Awaited::Uncaptured, b'1' | b'2' | b'3' | b't' | b'n' | b's' | b'V') => Effect::None,
        (Awaited::FunctionCall, b'V') => {
            group.progress.has_result = true;
            Effect::None
        }
        (Awaited::Query | Awaited::Uncaptured, kind) if is_result(kind) => Effect::Result,
        (Awaited::Execute(_), b'D' | b'G' | b'H' | b'W' | b'd' | b'c') => Effect::Result,
        (Awaited::Execute(_), b'C' | b'I') => Effect::LastResult,
        (Awaited::Execute(_), b's') => Effect::Complete,
        (Awaited::Parse(..), b'1')
        | (Awaited::Bind(_), b'2')
        | (Awaited::CloseStatement(_) | Awaited::ClosePortal(_), b'3') => Effect::Complete,
        (Awaited::DescribeStatement(_), b't') => Effect::Types,
        (Awaited::DescribeStatement(_) | Awaited::DescribePortal(_), b'T' | b'n') => {
            group.progress.has_rows |= kind == b'T';
            match kind {
                b'T' => Effect::Columns,
                _ => Effect::Complete,
            }
        }
        _ => return None,
    })
}

/// Processes ErrorResponse.
fn fail(connection: &mut Postgresql, body: Body, context: &mut Context) {
    let report = Report::parse(body.bytes);
    let len = HEADER_LEN as u64 + body.bytes.len() as u64;
    connection.is_copying = false;
    match connection.queue.front_mut() {
        None => {
            let mut row = context.new_request();
            row.add_answer(context.start, context.time, len);
            row.operation = "error".into();
            row.outcome = RequestOutcome::Unrequested;
            connection
                .queue
                .push_group(row, Awaited::Uncaptured, context);
        }
        Some(Entry::Sync(start, time)) => {
            let mut row = Request::new(*context.flow, *start);
            row.add_request(*time, HEADER_LEN as u64);
            row.add_answer(context.start, context.time, len);
            row.operation = "SYNC".into();
            // Like a function call, it ends with ReadyForQuery.
            connection
                .queue
                .replace_front(row, Awaited::FunctionCall, context);
        }
        Some(Entry::Group(_)) => {}
        Some(Entry::Close(_)) => {
            connection.is_skipping = true;
            connection.catalog.start_skipping();
        }
        Some(Entry::ReportedQuery | Entry::EndOfCopy) => return,
    }
    if context.needs_contents() {
        connection.show(Side::Resp, &report.line("Error"), context);
    }
    if let Some(group) = connection.queue.front_group() {
        group.fail(&report);
        match group.awaited.front() {
            Some(Awaited::Query | Awaited::FunctionCall) if !report.is_fatal => {}
            Some(Awaited::Uncaptured) if !report.is_fatal && connection.is_late => {}
            Some(
                Awaited::Query
                | Awaited::FunctionCall
                | Awaited::Uncaptured
                | Awaited::Startup
                | Awaited::Encryption(_)
                | Awaited::Cancel,
            ) => {
                group.is_open = false;
                connection.queue.clear_awaited(context);
            }
            first => {
                // The server drops the unnamed statement before it parses the next one.
                if let Some(Awaited::Parse(name, _)) = first
                    && name.is_empty()
                {
                    connection.catalog.remove_statement(name, context);
                }
                connection.is_skipping = true;
                connection.catalog.start_skipping();
                group.describe(&mut connection.catalog, context);
                connection.queue.clear_awaited(context);
            }
        }
    }
    connection.settle(context);
}

/// Effect of an answer on the first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    /// A part of the result of a statement.
    Result,
    /// The end of the result of the message.
    LastResult,
    /// Types of the parameters of a statement.
    Types,
    /// Columns, after which the message is complete.
    Columns,
    /// The message is complete.
    Complete,
}

/// Returns true for the messages of the results of a Query.
fn is_result(kind: u8) -> bool {
    b"TDCIGHWdc".contains(&kind)
}
