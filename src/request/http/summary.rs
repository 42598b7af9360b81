//! Values of a request that the heads of its messages show.

use super::fields::HeaderFields;
use super::status;
use crate::request::analyzer::EndReason;
use crate::request::{Detail, Request, RequestOutcome, text};

/// Sets what the head of an answer shows.
pub(super) fn set_answer(request: &mut Request, code: u16, reason: &[u8], fields: &HeaderFields) {
    request.status = Some(status::status_text(code));
    let status_code = Detail::Count(u64::from(code));
    request.details.set("status_code", status_code);
    set_text(request, "content_type", fields.content_type);
    set_text(request, "content_encoding", fields.content_encoding);
    if request.outcome == RequestOutcome::Cut || code < 400 {
        return;
    }
    request.error = Some(status::reason_text(code, reason));
    if request.outcome == RequestOutcome::Ok {
        request.outcome = RequestOutcome::Error;
    }
}

pub(super) fn set_text(request: &mut Request, name: &'static str, value: Option<&[u8]>) {
    if let Some(value) = value {
        request.details.set(name, Detail::Text(text(value).into()));
    }
}

/// Records that bytes of a request or its answer are missing.
pub(super) fn mark_cut(request: &mut Request) {
    let (outcome, error) = EndReason::Missing.outcome(true);
    request.outcome = outcome;
    request.error = Some(error.into());
}
