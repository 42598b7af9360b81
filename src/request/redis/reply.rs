//! A reply: what is reported of it.

use super::super::MAX_TEXT_LEN;
use super::keyword::Keyword;
use super::subscriptions::SubscriptionKind;
use super::text::{BoundedBytes, BoundedText, plain_text};
use crate::packet::Timestamp;

/// Maximum length of a status in bytes.
const MAX_STATUS_LEN: usize = 256;
/// Maximum length of a channel's name in a report in bytes.
const MAX_CHANNEL_LEN: usize = 1 << 10;
/// Number of first elements that are kept of push messages: kind, channel, number of subscriptions.
const KEPT_ELEMENTS: usize = 3;

/// A reply that is being received, or was.
#[derive(Debug)]
pub(super) struct RedisReply {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// Length in bytes.
    pub(super) len: u64,
    /// First byte: the type, of the reply itself and not of an attribute before it.
    pub(super) kind: u8,
    /// Value of a reply that is not an array or another collection.
    pub(super) value: Value,
    /// Message of the first error in an array.
    pub(super) nested_error: Option<String>,
    /// Number of errors in an array.
    pub(super) nested_errors: u64,
    /// Number of elements, or of pairs in a map.
    pub(super) items: Option<u64>,
    /// First elements of a push message, or an array that can be one.
    pub(super) elements: Vec<Element>,
    /// True if bytes are missing.
    pub(super) is_damaged: bool,
    /// The reply as redis-cli prints it.
    pub(super) text: BoundedText,
}

/// Value of a reply.
#[derive(Debug, Default)]
pub(super) enum Value {
    /// None so far, or elements.
    #[default]
    Other,
    Nil,
    /// Text, an integer, or another number.
    Text(String),
    /// Message of an error.
    Error(String),
    /// A string of this length.
    String(u64),
}

/// First bytes of an element.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) keyword: Keyword,
    pub(super) text: String,
}

impl RedisReply {
    pub(super) fn new(start: Timestamp, text: BoundedText) -> RedisReply {
        RedisReply {
            start,
            end: start,
            len: 0,
            kind: 0,
            value: Value::Other,
            nested_error: None,
            nested_errors: 0,
            items: None,
            elements: Vec::new(),
            is_damaged: false,
            text,
        }
    }

    /// Returns the status in a report.
    pub(super) fn status(&self) -> &str {
        match &self.value {
            Value::Nil => "nil",
            Value::Text(text) => first_bytes(text, MAX_STATUS_LEN),
            Value::Error(error) => error_code(error),
            Value::String(_) | Value::Other => "OK",
        }
    }

    /// Returns the message if the reply is an error.
    pub(super) fn error(&self) -> Option<&str> {
        match &self.value {
            Value::Error(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the length of a string.
    pub(super) fn value_len(&self) -> Option<u64> {
        match self.value {
            Value::String(len) => Some(len),
            _ => None,
        }
    }

    /// Returns the text of a simple string.
    pub(super) fn simple_string(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) if self.kind == b'+' => Some(text),
            _ => None,
        }
    }

    /// Returns the kind of a push message, or of an array that can be one: its first element.
    pub(super) fn message_kind(&self) -> &[u8] {
        let kind = self.elements.first().map(|kind| &kind.keyword);
        kind.map_or(b"", Keyword::as_bytes)
    }

    /// Adds an element of the reply itself, not of an array in it.
    pub(super) fn add_element(&mut self, index: u64, element: &BoundedBytes) {
        let can_be_message = self.kind == b'>'
            || self.kind == b'*' && (index == 0 || is_subscription_kind(self.message_kind()));
        if can_be_message
            && self.elements.len() as u64 == index
            && self.elements.len() < KEPT_ELEMENTS
        {
            let (bytes, is_cut) = element.first(MAX_CHANNEL_LEN);
            self.elements.push(Element {
                keyword: Keyword::new(bytes),
                text: plain_text(bytes, is_cut),
            });
        }
    }

    /// Adds an error in an array.
    pub(super) fn add_nested_error(&mut self, message: &BoundedBytes) {
        self.nested_errors += 1;
        if self.nested_error.is_none() {
            self.nested_error = Some(message_text(message));
        }
    }

    /// Returns the number of bytes of memory, approximately.
    pub(super) fn memory(&self) -> usize {
        let value = match &self.value {
            Value::Text(text) | Value::Error(text) => text.len(),
            _ => 0,
        };
        let elements: usize = self.elements.iter().map(|element| element.text.len()).sum();
        let nested = self.nested_error.as_ref().map_or(0, String::len);
        size_of::<RedisReply>() + value + elements + nested + self.text.memory()
    }
}

/// Returns true for the kinds of arrays that a server sends without a request in RESP2, or as
/// several answers of one request.
pub(super) fn is_subscription_kind(kind: &[u8]) -> bool {
    let is_message = matches!(kind, b"MESSAGE" | b"PMESSAGE" | b"SMESSAGE");
    is_message || SubscriptionKind::of(kind).is_some()
}

/// Returns a message of one line.
pub(super) fn message_text(message: &BoundedBytes) -> String {
    let (bytes, is_cut) = message.first(MAX_TEXT_LEN);
    plain_text(bytes, is_cut)
}

/// Returns the code of an error: its first word.
pub(super) fn error_code(error: &str) -> &str {
    let code = error.split(' ').next().unwrap_or(error);
    first_bytes(code, MAX_STATUS_LEN)
}

fn first_bytes(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
