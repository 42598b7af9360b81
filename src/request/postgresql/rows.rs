//! Rows of requests: what the client's messages and the server's answers add to them.

use super::catalog::{Catalog, Portal, Statement};
use super::contents::Report;
use super::queue::{AnswerContent, Awaited, Group};
use super::sql;
use crate::request::analyzer::{Context, EndReason};
use crate::request::{Detail, Request, RequestOutcome, text};

/// SQLSTATE of success.
const SUCCESS: &str = "00000";
/// SQLSTATE of a statement that was cancelled, by the client or by a time limit.
const QUERY_CANCELED: &str = "57014";
/// Message of a statement that the client cancelled, in the language of an untranslated server.
const CANCELLED_BY_USER: &str = "canceling statement due to user request";
/// Reason of requests that the server skipped.
const SKIPPED: &str = "skipped after the error of an earlier statement";
/// Target of statements that were prepared before the capture, or exceed a limit.
pub(in crate::request) const UNKNOWN_STATEMENT: &str = "?";
/// Maximum number of bytes of the command tags of a Query.
const MAX_TAGS_LEN: usize = 1 << 10;

/// Applies a message that the server has processed, or would have processed, to the objects of the
/// connection, and describes the row with it.
pub(super) fn apply(
    awaited: &Awaited,
    row: Option<&mut Request>,
    progress: &mut AnswerContent,
    catalog: &mut Catalog,
    context: &mut Context,
) {
    match awaited {
        Awaited::Parse(name, statement) => {
            catalog.insert_statement(name, statement.clone(), context);
            if let Some(row) = row {
                row.operation = "PREPARE".into();
                row.target = statement.text.to_string();
                set_name(row, "statement", name);
            }
        }
        Awaited::Bind(bind) => {
            let portal = catalog.bind(bind, context);
            if let Some(row) = row {
                describe_portal(row, "BIND", portal, &bind.portal, progress);
            }
        }
        Awaited::Execute(name) => {
            let portal = catalog.portal(name).cloned();
            if let Some(row) = row {
                let operation = match portal.as_ref().and_then(|portal| portal.statement.as_ref()) {
                    Some(statement) => sql::first_keyword(&statement.text),
                    None => "EXECUTE".into(),
                };
                match portal {
                    Some(portal) => describe_portal(row, "", portal, name, progress),
                    None => describe(row, None, progress),
                }
                row.operation = operation;
            }
        }
        Awaited::DescribeStatement(name) | Awaited::CloseStatement(name) => {
            let is_close = matches!(awaited, Awaited::CloseStatement(_));
            if let Some(row) = row.filter(|row| row.operation.is_empty()) {
                row.operation = if is_close { "CLOSE" } else { "DESCRIBE" }.into();
                describe(row, catalog.statement(name), progress);
                set_name(row, "statement", name);
            }
            if is_close {
                catalog.remove_statement(name, context);
            }
        }
        Awaited::DescribePortal(name) | Awaited::ClosePortal(name) => {
            let is_close = matches!(awaited, Awaited::ClosePortal(_));
            if let Some(row) = row.filter(|row| row.operation.is_empty()) {
                let portal = catalog.portal(name);
                row.operation = if is_close { "CLOSE" } else { "DESCRIBE" }.into();
                describe(
                    row,
                    portal.and_then(|portal| portal.statement.as_ref()),
                    progress,
                );
                set_name(row, "portal", name);
            }
            if is_close {
                catalog.remove_portal(name, context);
            }
        }
        Awaited::Encryption(_)
        | Awaited::Startup
        | Awaited::Query
        | Awaited::Uncaptured
        | Awaited::FunctionCall
        | Awaited::Cancel => {}
    }
}

fn describe(row: &mut Request, statement: Option<&Statement>, progress: &mut AnswerContent) {
    progress.has_unknown_statement = statement.is_none();
    row.target = match statement {
        Some(statement) => statement.text.to_string(),
        None => UNKNOWN_STATEMENT.to_owned(),
    };
}

fn describe_portal(
    row: &mut Request,
    operation: &'static str,
    portal: Portal,
    name: &[u8],
    progress: &mut AnswerContent,
) {
    row.operation = operation.into();
    describe(row, portal.statement.as_ref(), progress);
    set_name(row, "statement", &portal.statement_name);
    set_name(row, "portal", name);
    if !portal.parameters.is_empty() {
        row.details
            .set("parameters", Detail::List(portal.parameters));
    }
}

/// Adds the name of an object, unless it is unnamed.
fn set_name(row: &mut Request, detail: &'static str, name: &[u8]) {
    if !name.is_empty() {
        row.details.set(detail, Detail::Text(text(name).into()));
    }
}

impl AnswerContent {
    /// Adds the tag of a CommandComplete message: `SELECT 2`, `INSERT 0 1`.
    pub(super) fn add_tag(&mut self, tag: &str) {
        self.has_result = true;
        let command = tag.split(' ').next().unwrap_or("");
        if let Some((_, count)) = tag.rsplit_once(' ')
            && let Ok(count) = count.parse::<u64>()
        {
            match command {
                "SELECT" => self.has_rows = true,
                _ => self.affected = Some(self.affected.unwrap_or(0).saturating_add(count)),
            }
        }
        let separator = if self.tags.is_empty() { "" } else { "; " };
        if self.tags.len() + separator.len() + tag.len() <= MAX_TAGS_LEN {
            self.tags.push_str(separator);
            self.tags.push_str(tag);
        }
    }
}

impl Group {
    /// Sets the error of the row, unless it already has one.
    pub(super) fn fail(&mut self, report: &Report) {
        self.progress.has_result = true;
        if let Some(row) = self.row.as_deref_mut().filter(|row| row.error.is_none()) {
            let is_cancelled = report.code.as_deref() == Some(QUERY_CANCELED)
                && report.message == CANCELLED_BY_USER;
            row.outcome = match row.outcome {
                RequestOutcome::Unrequested => RequestOutcome::Unrequested,
                _ if is_cancelled => RequestOutcome::Cancelled,
                _ => RequestOutcome::Error,
            };
            row.status = report.code.clone().map(Into::into);
            row.error = Some(format!("{}: {}", report.severity, report.message).into());
        }
    }

    /// Sets the result of a row that the server skipped.
    pub(super) fn skip(&mut self) {
        if let Some(row) = self.row.as_deref_mut().filter(|row| row.error.is_none()) {
            row.outcome = RequestOutcome::Error;
            row.error = Some(SKIPPED.into());
        }
    }

    /// Applies the messages without an answer, to describe the row with them.
    pub(super) fn describe(&mut self, catalog: &mut Catalog, context: &mut Context) {
        for awaited in &self.awaited {
            apply(
                awaited,
                self.row.as_deref_mut(),
                &mut self.progress,
                catalog,
                context,
            );
        }
    }

    /// Reports the row, whose answer is complete.
    pub(super) fn report(mut self, context: &mut Context) {
        let Some(mut row) = self.row.take() else {
            return;
        };
        if row.error.is_none() {
            row.status.get_or_insert(SUCCESS.into());
        }
        self.progress.add_details(&mut row);
        if self.progress.is_cut {
            let (outcome, error) = EndReason::Missing.outcome(true);
            row.outcome = outcome;
            row.error = Some(error.into());
        }
        context.report(*row);
    }

    /// Reports the row, whose answer is not complete.
    pub(super) fn report_incomplete(mut self, reason: EndReason, context: &mut Context) {
        let is_closed = matches!(reason, EndReason::Closed | EndReason::Reset);
        match self.awaited.front() {
            // The server closes the connection without an answer.
            Some(Awaited::Cancel) if is_closed => return self.report_without_status(context),
            _ if self.row.as_ref().is_some_and(|row| row.error.is_some()) => {
                return self.report(context);
            }
            _ => {}
        }
        if let Some(mut row) = self.row.take() {
            self.progress.add_details(&mut row);
            context.report_incomplete(*row, reason);
        }
    }

    fn report_without_status(mut self, context: &mut Context) {
        if let Some(row) = self.row.take() {
            context.report(*row);
        }
    }
}

impl AnswerContent {
    fn add_details(&self, row: &mut Request) {
        if self.has_rows {
            row.details.set("rows", Detail::Count(self.rows));
        }
        if let Some(affected) = self.affected {
            row.details.set("affected", Detail::Count(affected));
        }
        if let Some(bytes) = self.copy_bytes {
            row.details.set("copy_bytes", Detail::Count(bytes));
        }
        if !self.tags.is_empty() {
            row.details
                .set("command_tag", Detail::Text(self.tags.clone().into()));
            if self.has_unknown_statement {
                row.operation = sql::keyword(self.tags.split(' ').next().unwrap_or(""));
            }
        }
        if self.is_suspended {
            row.details.set("suspended", Detail::Bool(true));
        }
    }
}
