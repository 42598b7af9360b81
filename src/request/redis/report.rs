//! Reports of commands with their answers, and of messages.

use super::super::Detail;
use super::super::analyzer::{Context, UNCERTAIN_ORDER};
use super::command::RedisCommand;
use super::expected::ExpectedAnswer;
use super::reply::{RedisReply, error_code};
use super::secrets::{HIDDEN, without_quotes};
use super::text::{Quotes, push_string};
use super::{EndReason, Request, RequestOutcome, Side, Timestamp};

/// Reports a command with its answer. `database` is the one that the command used.
pub(super) fn report_answered(
    mut request: Request,
    expected: &ExpectedAnswer,
    database: Option<u64>,
    reply: &RedisReply,
    context: &mut Context,
) {
    if let Some(database) = database {
        request.details.set("database", Detail::Count(database));
    }
    add_reply(&mut request, reply);
    let mut text = reply.text.text();
    let safe_error;
    if expected.has_secret_error
        && let Some(error) = &request.error
    {
        let error = without_quotes(error);
        safe_error = format!("(error) {error}");
        request.error = Some(error.into());
        text = &safe_error;
    }
    if expected.has_secrets && !text.is_empty() {
        text = HIDDEN;
    }
    add_contents(&mut request, text, reply, context);
    report_complete(request, context);
}

/// Reports a command whose channels were all confirmed.
pub(super) fn report_confirmed(mut request: Request, confirmed: u64, context: &mut Context) {
    request.status = Some("OK".into());
    request.details.set("items", Detail::Count(confirmed));
    report_complete(request, context);
}

/// Reports an invalid command that the server rejected.
pub(super) fn report_rejected(command: RedisCommand, reply: &RedisReply, context: &mut Context) {
    let mut request = command.into_request(context);
    add_reply(&mut request, reply);
    add_contents(&mut request, reply.text.text(), reply, context);
    report_complete(request, context);
}

/// Reports a reply without a command.
pub(super) fn report_unrequested(reply: &RedisReply, context: &mut Context) {
    let mut request = context.new_request();
    request.time = reply.start;
    add_reply(&mut request, reply);
    add_contents(&mut request, reply.text.text(), reply, context);
    request.outcome = RequestOutcome::Unrequested;
    context.report(request);
}

/// Reports a message that is not an answer.
pub(super) fn report_message(reply: &RedisReply, context: &mut Context) {
    let mut request = context.new_request();
    request.time = reply.start;
    request.operation = "push".into();
    // The kind and the channel; of a message for a pattern, also the pattern before it.
    let names = match reply.message_kind() {
        b"PMESSAGE" => 3,
        _ => 2,
    };
    for element in reply.elements.iter().take(names) {
        if !request.target.is_empty() {
            request.target.push(' ');
        }
        let bytes = element.text.as_bytes();
        push_string(&mut request.target, bytes, false, Quotes::IfNecessary);
    }
    request.add_answer(reply.start, reply.end, reply.len);
    add_contents(&mut request, reply.text.text(), reply, context);
    request.outcome = RequestOutcome::Unrequested;
    if reply.is_damaged {
        request.error = Some(EndReason::Missing.outcome(true).1.into());
    }
    context.report(request);
}

/// Reports a command whose last bytes are missing, or that has no answer for this reason.
pub(super) fn report_partial(command: RedisCommand, reason: EndReason, context: &mut Context) {
    let mut request = command.into_request(context);
    request.request_end = Timestamp::ABSENT;
    context.report_incomplete(request, reason);
}

/// Reports a command whose answer cannot be determined.
pub(super) fn report_uncertain(mut request: Request, context: &mut Context) {
    request.outcome = RequestOutcome::Cut;
    request.error = Some(UNCERTAIN_ORDER.into());
    context.report(request);
}

/// Reports a request whose outcome is set.
pub(super) fn report_complete(mut request: Request, context: &mut Context) {
    if request.outcome == RequestOutcome::Cut {
        request.error = Some(EndReason::Missing.outcome(true).1.into());
    }
    context.report(request);
}

/// Adds the result of a reply to a request.
pub(super) fn add_reply(request: &mut Request, reply: &RedisReply) {
    request.add_answer(reply.start, reply.end, reply.len);
    if let Some(items) = reply.items {
        request.details.set("items", Detail::Count(items));
    }
    if let Some(len) = reply.value_len() {
        request.details.set("value_bytes", Detail::Count(len));
    }
    if reply.nested_errors > 0 {
        let errors = Detail::Count(reply.nested_errors);
        request.details.set("errors", errors);
    }
    let error = reply.error().or(reply.nested_error.as_deref());
    let status = error.map_or_else(|| reply.status(), error_code);
    request.status = Some(match status {
        "OK" => "OK".into(),
        "QUEUED" => "QUEUED".into(),
        status => status.to_owned().into(),
    });
    if reply.is_damaged {
        request.outcome = RequestOutcome::Cut;
    } else if let Some(error) = error
        && request.outcome == RequestOutcome::Ok
    {
        request.outcome = RequestOutcome::Error;
        request.error = Some(error.to_owned().into());
    }
    if request.outcome == RequestOutcome::Cut {
        request.error = Some(EndReason::Missing.outcome(true).1.into());
    }
}

/// Adds the text of an answer to the contents.
pub(super) fn add_contents(
    request: &mut Request,
    text: &str,
    reply: &RedisReply,
    context: &mut Context,
) {
    if !context.needs_contents() {
        return;
    }
    context.head(request, Side::Resp, text);
    if reply.text.left_out > 0 {
        context.missing(request, Side::Resp, reply.text.left_out);
    }
}
