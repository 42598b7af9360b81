//! Answers that the client expects, in the order in which the server sends them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Header;
use super::bind::Bind;
use super::catalog::{Column, Statement};
use super::fields::ObjectName;
use crate::packet::Timestamp;
use crate::request::Request;
use crate::request::analyzer::{Context, EndReason};

/// Maximum number of entries of a queue: some messages of the client, e.g. Sync, are short, and are
/// no requests.
const MAX_ENTRIES: usize = 1 << 20;
/// Maximum number of messages of one request.
const MAX_MESSAGES_PER_REQUEST: usize = 1 << 10;

/// A message of the client that the server answers.
#[derive(Debug)]
pub(super) enum Awaited {
    /// SSLRequest or GSSENCRequest, with the byte that accepts it.
    Encryption(u8),
    Startup,
    /// Query: results, then ReadyForQuery.
    Query,
    /// The rest of an answer whose request was not captured, up to ReadyForQuery.
    Uncaptured,
    /// FunctionCall: a result, then ReadyForQuery.
    FunctionCall,
    Parse(ObjectName, Statement),
    Bind(Box<Bind>),
    DescribeStatement(ObjectName),
    DescribePortal(ObjectName),
    Execute(ObjectName),
    CloseStatement(ObjectName),
    ClosePortal(ObjectName),
    /// CancelRequest: the end of the connection.
    Cancel,
}

impl Awaited {
    /// Returns the number of bytes of memory that the message uses, approximately.
    fn memory(&self) -> u64 {
        let heap = match self {
            Awaited::Parse(name, statement) => name.len() as u64 + statement.memory(),
            Awaited::Bind(bind) => bind.memory(),
            Awaited::DescribeStatement(name)
            | Awaited::DescribePortal(name)
            | Awaited::Execute(name)
            | Awaited::CloseStatement(name)
            | Awaited::ClosePortal(name) => name.len() as u64,
            _ => 0,
        };
        size_of::<Awaited>() as u64 + heap
    }
}

/// An entry of the queue.
#[derive(Debug)]
pub(super) enum Entry {
    /// Messages that are one row.
    Group(Box<Group>),
    /// A Query that was already reported because of a limit.
    ReportedQuery,
    /// Close after an Execute of the same batch, which is not a row of its own.
    Close(Box<Awaited>),
    /// Sync, and the times of its first and last byte.
    Sync(Timestamp, Timestamp),
    /// CopyDone or CopyFail that was sent before the server requested the data: no answer.
    EndOfCopy,
}

/// Messages of the client that are one row.
#[derive(Debug)]
pub(super) struct Group {
    /// The row; `None` if it was already reported because of a limit.
    pub(super) row: Option<Box<Request>>,
    /// Messages without a complete answer.
    pub(super) awaited: VecDeque<Awaited>,
    /// True until the client's last message of the group.
    pub(super) is_open: bool,
    /// True after the Sync or Flush for which the server sends the answer.
    pub(super) is_flushed: bool,
    pub(super) progress: AnswerContent,
    /// Columns of the result of a Query, if contents are required.
    pub(super) columns: Option<Arc<[Column]>>,
    /// Name of the statement of Parse, Bind and Describe messages.
    pub(super) statement: Option<ObjectName>,
    /// Name of the portal of the Bind message.
    pub(super) portal: Option<ObjectName>,
    /// Number of bytes of memory that are counted for the row.
    row_memory: u64,
}

/// Content of the answer so far.
#[derive(Debug, Default)]
pub(super) struct AnswerContent {
    /// True if a statement of a Query has ended, or failed.
    pub(super) has_result: bool,
    /// True if the answer contains a description of columns, or rows.
    pub(super) has_rows: bool,
    pub(super) rows: u64,
    pub(super) affected: Option<u64>,
    /// Command tags, separated by `; `.
    pub(super) tags: String,
    pub(super) copy_bytes: Option<u64>,
    /// True if the answer ends with PortalSuspended.
    pub(super) is_suspended: bool,
    /// True if bytes of the request or the answer are missing.
    pub(super) is_cut: bool,
    /// True if the text of the statement is not in the capture.
    pub(super) has_unknown_statement: bool,
}

impl AnswerContent {
    /// Counts a row, or copied data.
    pub(super) fn add_data(&mut self, header: Header) {
        match header.kind {
            b'd' => *self.copy_bytes.get_or_insert(0) += header.len,
            _ => {
                self.has_rows = true;
                self.rows += 1;
            }
        }
    }
}

/// Whether the client has sent the end of copied data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CopyEnd {
    Sent,
    NotSent,
    /// Another message follows, which fails, and has no answer of its own.
    OtherMessage,
}

/// Expected answers of a connection.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    /// Number of groups with rows.
    rows: usize,
    /// Number of entries at the front without rows that can be reported because of a limit.
    reported: usize,
    /// Number of entries at the back that were added after the last Sync or Flush.
    unflushed: usize,
}

impl Queue {
    pub(super) fn front_mut(&mut self) -> Option<&mut Entry> {
        self.entries.front_mut()
    }

    pub(super) fn front_group(&mut self) -> Option<&mut Group> {
        match self.entries.front_mut()? {
            Entry::Group(group) => Some(group),
            _ => None,
        }
    }

    pub(super) fn back_group(&mut self) -> Option<&mut Group> {
        match self.entries.back_mut()? {
            Entry::Group(group) => Some(group),
            _ => None,
        }
    }

    /// Returns the group that receives further messages of the client.
    pub(super) fn open_group(&mut self) -> Option<&mut Group> {
        self.back_group().filter(|group| group.is_open)
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_ENTRIES
    }

    /// Adds a message without a row.
    pub(super) fn push(&mut self, entry: Entry, context: &mut Context) {
        context.allocate(entry.memory());
        self.entries.push_back(entry);
        self.unflushed += 1;
    }

    /// Adds a group with its first message. Above the limits, the row of the oldest one is
    /// reported.
    pub(super) fn push_group(&mut self, row: Request, first: Awaited, context: &mut Context) {
        let row_memory = row.memory();
        let group = Group {
            row: Some(Box::new(row)),
            awaited: VecDeque::with_capacity(1),
            is_open: true,
            is_flushed: false,
            progress: AnswerContent::default(),
            columns: None,
            statement: None,
            portal: None,
            row_memory,
        };
        self.push(Entry::Group(Box::new(group)), context);
        self.rows += 1;
        self.add(first, context);
        if self.rows > context.settings.max_pending || context.is_memory_full() {
            self.report_oldest(context);
        }
    }

    /// Returns true if the open group has space for another message.
    pub(super) fn can_add(&self) -> bool {
        match self.entries.back() {
            Some(Entry::Group(group)) => {
                group.is_open && group.awaited.len() < MAX_MESSAGES_PER_REQUEST
            }
            _ => false,
        }
    }

    /// Adds a message to the open group.
    pub(super) fn add(&mut self, awaited: Awaited, context: &mut Context) {
        if let Some(group) = self.open_group() {
            context.allocate(awaited.memory());
            group.awaited.push_back(awaited);
        }
    }

    /// Removes the first message of the first group.
    pub(super) fn pop_awaited(&mut self, context: &mut Context) -> Option<Awaited> {
        let awaited = self.front_group()?.awaited.pop_front()?;
        context.free(awaited.memory());
        Some(awaited)
    }

    /// Removes all messages of the first group.
    pub(super) fn clear_awaited(&mut self, context: &mut Context) {
        while self.pop_awaited(context).is_some() {}
    }

    /// Removes the first entry.
    pub(super) fn pop(&mut self, context: &mut Context) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.reported = self.reported.saturating_sub(1);
        context.free(entry.memory());
        if let Entry::Group(group) = &entry
            && group.row.is_some()
        {
            self.rows -= 1;
        }
        Some(entry)
    }

    /// Puts a group, which replaces the first entry, at the front.
    pub(super) fn replace_front(&mut self, row: Request, first: Awaited, context: &mut Context) {
        self.pop(context);
        let mut later = std::mem::take(&mut self.entries);
        self.push_group(row, first, context);
        if let Some(group) = self.open_group() {
            group.is_open = false;
        }
        self.entries.append(&mut later);
        self.reported = 0;
    }

    /// Removes the Sync messages after the first entry that were sent before the end of the copied
    /// data, which the server ignores.
    pub(super) fn remove_ignored_syncs(&mut self, context: &mut Context) -> CopyEnd {
        loop {
            let is_end = match self.entries.get(1) {
                None => return CopyEnd::NotSent,
                Some(Entry::EndOfCopy) => true,
                Some(Entry::Sync(..)) => false,
                Some(_) => return CopyEnd::OtherMessage,
            };
            if let Some(entry) = self.entries.remove(1) {
                context.free(entry.memory());
                if self.reported > 1 {
                    self.reported -= 1;
                }
            }
            if is_end {
                return CopyEnd::Sent;
            }
        }
    }

    /// Marks the end of the requests for which the server sends answers because of this message.
    pub(super) fn flush(&mut self, context: &Context) {
        let count = std::mem::take(&mut self.unflushed);
        for entry in self.entries.iter_mut().rev().take(count) {
            let Entry::Group(group) = entry else {
                continue;
            };
            if !std::mem::replace(&mut group.is_flushed, true)
                && let Some(row) = &mut group.row
                && !row.answer_start.is_present()
            {
                row.request_end = context.time;
            }
        }
    }

    /// Reports the oldest row that was not reported.
    fn report_oldest(&mut self, context: &mut Context) {
        while let Some(entry) = self.entries.get_mut(self.reported) {
            self.reported += 1;
            let Entry::Group(group) = entry else {
                continue;
            };
            let Some(row) = group.row.take() else {
                continue;
            };
            self.rows -= 1;
            context.free(std::mem::take(&mut group.row_memory));
            context.report_incomplete(*row, EndReason::Limit);
            if let [Awaited::Query] = group.awaited.make_contiguous() {
                let memory = entry.memory();
                *entry = Entry::ReportedQuery;
                context.free(memory - entry.memory());
            }
            return;
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Request> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Group(group) => group.row.as_deref(),
            _ => None,
        })
    }
}

impl Entry {
    /// Returns the number of bytes of memory that are counted for the entry.
    fn memory(&self) -> u64 {
        let heap = match self {
            Entry::Group(group) => {
                let awaited: u64 = group.awaited.iter().map(Awaited::memory).sum();
                size_of::<Group>() as u64 + awaited + group.row_memory
            }
            Entry::Close(awaited) => awaited.memory(),
            Entry::Sync(..) | Entry::EndOfCopy | Entry::ReportedQuery => 0,
        };
        size_of::<Entry>() as u64 + heap
    }
}
