//! Analyzer of PostgreSQL's protocol, versions 3.0 and 3.2 (PostgreSQL documentation,
//! "Frontend/Backend Protocol", "Message Flow" and "Message Formats").
//!
//! # Rows
//!
//! | messages | operation | target |
//! |---|---|---|
//! | Query | first word of the text: `SELECT`; `EMPTY` without a word | text |
//! | Parse, Bind, Describe, Execute | first word of the statement | text of the statement |
//! | the same without Execute | `PREPARE`, `BIND`, `DESCRIBE`, `CLOSE` | text of the statement |
//! | FunctionCall | `CALL` | object identifier of the function |
//! | StartupMessage | `CONNECT` | `user@database` |
//! | SSLRequest, GSSENCRequest | `SSL`, `GSSENC`; no row if the server refuses | |
//! | CancelRequest | `CANCEL` | `process 7`; the server closes the connection as an answer |
//! | Sync, if the commit fails | `SYNC` | |
//! | NotificationResponse | `notification`, unrequested | channel |
//! | an error between requests | `error`, unrequested | |
//!
//! A Query with several statements is one row. Each Execute is a row, also of a portal that was
//! suspended. Close after an Execute in the same batch, Sync and Flush are no rows. A statement
//! whose Parse message is not in the capture has the target `?`, and the operation of its command
//! tag or `EXECUTE`.
//!
//! The status is the SQLSTATE. An error is that of the row whose messages failed. The server skips
//! the other rows up to the next Sync: they are errors without a status. A statement that the
//! client cancelled is `cancelled`, if the server's messages are in English.
//!
//! Details: `statement` and `portal` (names, unless empty), `parameters`, `rows` (number of rows in
//! the answer), `affected` (number in the command tags, except that of SELECT), `command_tag` (of
//! all statements of a Query, separated by `; `), `copy_bytes` (COPY data of both sides),
//! `suspended` (the portal has more rows), `application` (of CONNECT), `payload` (of a
//! notification).
//!
//! Parameters in the text format are texts. In the binary format, those of common types are decoded
//! if their types are in the capture: in Parse, or in the answer to Describe. Other bytes are texts
//! like `\x0102`.
//!
//! # Times and lengths
//!
//! A request ends with its Query, FunctionCall or StartupMessage; passwords and copied data that
//! follow are counted in its length only. An extended request ends with the Sync or Flush after it,
//! for which the server sends the answer, unless the answer starts earlier. The answer ends with
//! ReadyForQuery, or with the completion of the Execute or of the last message before Sync or
//! Flush. Sync and the ReadyForQuery of a batch belong to no row. The times of pipelined statements
//! include those of the earlier statements of the same batch.
//!
//! # Missing bytes
//!
//! Bytes that are missing within a row or within copied data are skipped, and the request is `cut`.
//! After any other gap, it is impossible to determine how many answers are missing: the client can
//! send requests without waiting for answers. All requests that wait are then `cut`. If bytes of
//! the server are missing, so are all later requests of the connection; if bytes of the client are
//! missing, the rest is not analyzed.
//!
//! In a capture that starts within a connection, the first answer can belong to an earlier request:
//! it is `unrequested`. If the client sends another request before the first answer is complete,
//! the number of earlier requests cannot be determined, and the connection is not analyzed.

mod bind;
mod catalog;
mod client;
mod contents;
mod fields;
mod grouping;
mod queue;
mod results;
mod rows;
mod server;
mod sql;
mod startup;
mod values;

use super::analyzer::{Analyzer, AnalyzerEntry, Context, EndReason, Step};
use super::{MessagePart, Request};
use crate::flow::Side;
use catalog::Catalog;
use queue::{Awaited, Entry, Group, Queue};
pub(in crate::request) use rows::UNKNOWN_STATEMENT;

pub(super) const ENTRY: AnalyzerEntry = AnalyzerEntry {
    services: &["postgresql"],
    protocol: "postgresql",
    create: || Box::new(Postgresql::default()),
};

/// Maximum length of a message in bytes: PostgreSQL's `PQ_LARGE_MESSAGE_LIMIT`.
const MAX_MESSAGE_LEN: u32 = 0x3fff_ffff;
/// Length of the type and the length of a message in bytes.
const HEADER_LEN: usize = 5;

/// Connection of a PostgreSQL client.
#[derive(Debug, Default)]
struct Postgresql {
    phase: Phase,
    /// Number of bytes of each side's current message that remain.
    remaining: [u64; 2],
    /// True if the rest of the client's message ends its request.
    has_request_rest: bool,
    /// Each side's incomplete message, if its contents can be skipped.
    incomplete: [Option<Header>; 2],
    queue: Queue,
    catalog: Catalog,
    /// True while the server skips messages up to the next Sync, after an error.
    is_skipping: bool,
    /// True while the client sends copied data at the server's request.
    is_copying: bool,
    /// Format of copied data.
    copy_format: u16,
    /// True if a row started after the last Sync.
    has_batch_row: bool,
    /// True if the first answer can belong to a request before the capture.
    is_late: bool,
    /// True while the answer to a batch is expected, after a late start.
    has_late_batch: bool,
    /// The reason why answers cannot be matched with requests any more.
    lost: Option<EndReason>,
}

/// Phase of the client's stream.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Messages without a type: requests for encryption, then StartupMessage or CancelRequest.
    #[default]
    Start,
    /// Messages with a type.
    Messages,
}

/// The header of a message with a type.
#[derive(Debug, Clone, Copy)]
struct Header {
    kind: u8,
    /// Length of the body.
    len: u64,
}

impl Header {
    /// Parses the first [`HEADER_LEN`] bytes of a message. Returns `None` if its length is invalid.
    fn parse(bytes: &[u8]) -> Option<Header> {
        let (kind, rest) = bytes.split_first()?;
        let len = u32::from_be_bytes(*rest.first_chunk()?);
        (4..=MAX_MESSAGE_LEN).contains(&len).then(|| Header {
            kind: *kind,
            len: u64::from(len) - 4,
        })
    }

    /// Returns the number of bytes of the body that are buffered, of at most `limit`.
    fn buffered_len(&self, limit: usize, context: &Context) -> usize {
        let max_message_len = context.settings.max_message_len;
        let limit = limit.min(max_message_len.saturating_sub(HEADER_LEN));
        usize::try_from(self.len).map_or(limit, |len| len.min(limit))
    }
}

/// The beginning of the body of a message.
#[derive(Debug, Clone, Copy)]
struct Body<'a> {
    bytes: &'a [u8],
    is_complete: bool,
}

/// A message that is not valid at its position.
struct Invalid;

impl Postgresql {
    /// Returns the row that copied data of the client belongs to.
    fn copying_group(&mut self) -> Option<&mut Group> {
        match self.is_copying {
            true => self.queue.front_group(),
            false => self.queue.back_group(),
        }
    }

    /// Counts bytes of a message after its beginning.
    fn count_rest(&mut self, side: Side, len: u64, context: &Context) {
        let has_request_rest = self.has_request_rest;
        let group = match side {
            Side::Orig if has_request_rest => self.queue.back_group(),
            Side::Orig => self.copying_group(),
            Side::Resp => self.queue.front_group(),
        };
        let Some(row) = group.and_then(|group| group.row.as_deref_mut()) else {
            return;
        };
        match side {
            Side::Orig if has_request_rest => row.add_request(context.time, len),
            Side::Orig => row.request_bytes += len,
            Side::Resp => row.add_answer(context.start, context.time, len),
        }
    }

    /// Reports the rows at the front whose answers are complete, and those that the server skips.
    fn settle(&mut self, context: &mut Context) {
        while let Some(entry) = self.queue.front_mut() {
            let is_done = match entry {
                Entry::EndOfCopy => true,
                Entry::Sync(..) if self.is_skipping => {
                    self.is_skipping = false;
                    self.catalog.end_skipping(context);
                    false
                }
                Entry::Sync(..) => false,
                Entry::Close(_) | Entry::ReportedQuery => self.is_skipping,
                Entry::Group(group) if group.is_open => false,
                Entry::Group(group) => self.is_skipping || group.awaited.is_empty(),
            };
            if !is_done {
                return;
            }
            if let Some(Entry::Group(mut group)) = self.queue.pop(context) {
                if !group.awaited.is_empty() {
                    group.describe(&mut self.catalog, context);
                    group.skip();
                }
                group.report(context);
            }
        }
    }

    /// Ends the row that the client's messages belong to.
    fn close_group(&mut self, context: &mut Context) {
        if let Some(group) = self.queue.open_group() {
            group.is_open = false;
            self.settle(context);
        }
    }

    /// Adds a row with a single message.
    fn push_single(&mut self, row: Request, awaited: Awaited, context: &mut Context) {
        self.close_group(context);
        self.queue.push_group(row, awaited, context);
        if let Some(group) = self.queue.open_group() {
            group.is_open = false;
            group.is_flushed = true;
        }
        self.settle(context);
    }

    /// Adds a line to the contents of the client's last row, or of the current answer.
    fn show(&mut self, side: Side, line: &str, context: &mut Context) {
        if !context.needs_contents() {
            return;
        }
        let group = match side {
            Side::Orig => self.queue.back_group(),
            Side::Resp => self.queue.front_group(),
        };
        match group.and_then(|group| group.row.as_deref_mut()) {
            Some(row) => context.head(row, side, line),
            None => context.emit_part(side, MessagePart::Head(line)),
        }
    }

    /// Reports all rows, whose answers are not complete.
    fn report_all(&mut self, reason: EndReason, context: &mut Context) {
        self.catalog.start_skipping();
        while let Some(entry) = self.queue.pop(context) {
            if let Entry::Group(mut group) = entry {
                group.describe(&mut self.catalog, context);
                group.report_incomplete(reason, context);
            }
        }
    }
}

impl Analyzer for Postgresql {
    fn parse(&mut self, side: Side, bytes: &[u8], context: &mut Context) -> Step {
        let at = side as usize;
        let rest = self.remaining[at];
        if rest > 0 {
            let available = bytes.len() as u64;
            let len = available.min(rest);
            self.remaining[at] -= len;
            self.count_rest(side, len, context);
            return Step::Consumed(usize::try_from(len).unwrap_or(bytes.len()));
        }
        self.incomplete[at] = None;
        let step = match side {
            Side::Orig => client::parse_client(self, bytes, context),
            Side::Resp if self.lost.is_some() => Step::Unrecognized,
            Side::Resp => server::parse_server(self, bytes, context),
        };
        if side == Side::Orig
            && let Some(reason) = self.lost
            && self.queue.open_group().is_none()
        {
            self.report_all(reason, context);
        }
        step
    }

    fn skip(&mut self, side: Side, len: u64, context: &mut Context) -> bool {
        let at = side as usize;
        let incomplete = self.incomplete[at].take();
        let total = match &incomplete {
            Some(header) => HEADER_LEN as u64 + header.len,
            None => self.remaining[at],
        };
        if len > total {
            return false;
        }
        self.remaining[at] = total - len;
        let group = match side {
            Side::Orig => self.copying_group(),
            Side::Resp => self.queue.front_group(),
        };
        if let Some(group) = group {
            group.progress.is_cut = true;
            if let Some(header) = incomplete {
                group.progress.add_data(header);
            }
        }
        self.count_rest(side, len, context);
        true
    }

    fn resume(&mut self, _side: Side, _bytes: &[u8], _context: &mut Context) -> bool {
        false
    }

    fn end_of_stream(&mut self, side: Side, context: &mut Context) {
        let is_cancelling = matches!(
            self.queue
                .front_group()
                .and_then(|group| group.awaited.front()),
            Some(Awaited::Cancel)
        );
        if side == Side::Resp && is_cancelling {
            self.report_all(EndReason::Closed, context);
        }
    }

    fn finish(&mut self, reason: EndReason, context: &mut Context) {
        self.report_all(reason, context);
        self.catalog.clear(context);
    }

    fn lose(&mut self, side: Side, reason: EndReason, context: &mut Context) {
        if side == Side::Orig {
            // The rest of the request is lost.
            self.close_group(context);
        }
        self.lost.get_or_insert(reason);
        self.report_all(reason, context);
    }

    fn for_each_pending(&self, visit: &mut dyn FnMut(&Request)) {
        self.queue.rows().for_each(visit);
    }
}

#[cfg(test)]
mod tests;
