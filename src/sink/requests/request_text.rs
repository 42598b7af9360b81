//! Text of a request on one line: its operation, target and parameters, its result, and both ends.

use std::fmt::Write;

use crate::printable::is_printable;
use crate::request::{Detail, Request, RequestOutcome};
use crate::sink::address;

/// Returns the operation, the target and the parameters on one line of printable characters.
pub(super) fn request_line(request: &Request) -> String {
    let mut line = String::new();
    if !starts_with_word(&request.target, &request.operation) {
        push_line(&mut line, &request.operation);
    }
    if !request.target.is_empty() {
        if !line.is_empty() {
            line.push(' ');
        }
        push_line(&mut line, &request.target);
    }
    if let Some(parameters @ Detail::List(_)) = request.details.get("parameters") {
        line.push_str("  ");
        push_value(&mut line, parameters);
    }
    line
}

/// Returns true if a statement starts with its operation, in either case.
fn starts_with_word(target: &str, operation: &str) -> bool {
    let start = target.as_bytes().get(..operation.len());
    let next = target.as_bytes().get(operation.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(operation.as_bytes()))
        && !next.is_some_and(u8::is_ascii_alphanumeric)
}

/// Appends text on one line: runs of whitespace become one space, and other characters that are not
/// printable U+FFFD.
fn push_line(line: &mut String, text: &str) {
    let mut is_space = false;
    for character in text.chars() {
        if character.is_ascii_whitespace() {
            is_space = true;
            continue;
        }
        if std::mem::take(&mut is_space) && !line.is_empty() {
            line.push(' ');
        }
        line.push(match is_printable(character) {
            true => character,
            false => char::REPLACEMENT_CHARACTER,
        });
    }
}

/// Appends a value as in SQL: `[7, 'x', NULL]`.
fn push_value(line: &mut String, value: &Detail) {
    // Writing to a String cannot fail.
    let _ = match value {
        Detail::Null => line.write_str("NULL"),
        Detail::Bool(value) => write!(line, "{value}"),
        Detail::Integer(integer) => write!(line, "{integer}"),
        Detail::Count(count) => write!(line, "{count}"),
        Detail::Float(number) => write!(line, "{number}"),
        Detail::Text(text) => {
            line.push('\'');
            push_line(line, &text.replace('\'', "''"));
            line.push('\'');
            Ok(())
        }
        Detail::List(values) => {
            line.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    line.push_str(", ");
                }
                push_value(line, value);
            }
            line.push(']');
            Ok(())
        }
    };
}

/// Returns the result of a request: its status, the number of rows of a statement, or the outcome
/// if there is no complete answer.
pub(super) fn status_text(request: &Request) -> String {
    let status = request.status.as_deref();
    match request.outcome {
        RequestOutcome::Ok => {
            let count = |name| request.details.get(name).and_then(Detail::as_count);
            match (count("rows"), count("affected")) {
                (Some(1), _) => "1 row".to_owned(),
                (Some(rows), None) => format!("{rows} rows"),
                (Some(rows @ 1..), _) => format!("{rows} rows"),
                (_, Some(affected)) => format!("{affected} affected"),
                (None, None) => printable_line(status.unwrap_or("ok")),
            }
        }
        RequestOutcome::Error => printable_line(status.unwrap_or("error")),
        other => other.name().to_owned(),
    }
}

/// Returns text on one line of printable characters.
pub(super) fn printable_line(text: &str) -> String {
    let mut line = String::new();
    push_line(&mut line, text);
    line
}

/// Returns the client and the server: the processes if there are any, else the addresses.
pub(super) fn ends(request: &Request, shows_processes: bool) -> [String; 2] {
    let owners = &request.owners;
    if shows_processes && !owners.is_empty() {
        return [&owners.orig, &owners.resp].map(|owner| match owner {
            Some(owner) => owner.to_string(),
            None => "?".to_owned(),
        });
    }
    [request.flow.orig(), request.flow.resp()].map(|end| {
        let mut out = Vec::new();
        address::write_socket_addr(&mut out, end);
        String::from_utf8_lossy(&out).into_owned()
    })
}

/// Returns a one-line summary of a request for messages, without a width limit.
pub fn request_summary(request: &Request) -> String {
    let [client, server] = ends(request, true);
    let mut text = format!(
        "request {}: {client} → {server}  {}  {}",
        request.number,
        request_line(request),
        status_text(request)
    );
    if let Some(error) = &request.error {
        text.push_str(": ");
        push_line(&mut text, error);
    }
    if let Some(time) = request.waiting_time() {
        // Writing to a String cannot fail.
        let _ = write!(text, "  {time}");
    }
    text
}
