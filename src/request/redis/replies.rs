//! Parser of a server's stream: replies, and messages that are no replies.

use super::super::analyzer::{Context, Step};
use super::command::contents_limit;
use super::head::{SizeHead, head, integer};
use super::layout::{Layout, Level};
use super::reply::{RedisReply, Value, message_text};
use super::text::{BoundedBytes, BoundedText};

/// Maximum number of arrays within each other.
const MAX_DEPTH: usize = 32;
/// Maximum number of bytes of a line or a string that are kept, unless contents are required.
const MAX_VALUE_LEN: usize = 1 << 10;
/// Maximum length of a line with a number, a truth value, or nothing.
const MAX_SHORT_LINE_LEN: usize = 64;

/// Position within a server's stream, and the reply there.
#[derive(Debug, Default)]
pub(super) struct ReplyParser {
    position: Position,
    reply: Option<Box<RedisReply>>,
    /// Collections around the position, the outermost first.
    levels: Vec<Level>,
    value: BoundedBytes,
    layout: Layout,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Position {
    /// At the type of a reply or an element.
    #[default]
    Head,
    /// Within a line of this type.
    Line(u8),
    /// Within a string of this type with this number of bytes left, before the CR LF.
    String(u8, u64),
}

/// Progress within a reply.
enum Progress {
    /// This number of bytes was processed.
    Used(usize),
    /// The reply ends after this number of bytes.
    End(usize),
    Incomplete(usize),
    Invalid,
}

impl ReplyParser {
    /// Parses a part of a reply, up to its end. Returns the reply when it is complete.
    pub(super) fn parse(
        &mut self,
        bytes: &[u8],
        context: &mut Context,
    ) -> (Step, Option<Box<RedisReply>>) {
        let mut used = 0;
        loop {
            match self.advance(&bytes[used..], context) {
                Progress::Used(len) => used += len,
                Progress::Incomplete(_) | Progress::Invalid if used > 0 => {
                    self.count(used, context);
                    return (Step::Consumed(used), None);
                }
                Progress::Incomplete(required) => return (Step::Incomplete(required), None),
                Progress::End(len) => {
                    self.count(used + len, context);
                    return (Step::Consumed(used + len), self.reply.take());
                }
                Progress::Invalid => return (Step::Unrecognized, None),
            }
        }
    }

    /// Continues after missing bytes. Returns false if the position is lost.
    pub(super) fn skip(&mut self, len: u64, context: &Context) -> bool {
        let (Position::String(kind, left), Some(reply)) = (self.position, &mut self.reply) else {
            return false;
        };
        // The first element distinguishes messages from answers.
        let is_kind = matches!(&self.levels[..], [level] if level.index == 0);
        if len > left || is_kind && self.value.len() + left <= MAX_SHORT_LINE_LEN as u64 {
            return false;
        }
        self.value.skip(len);
        self.position = Position::String(kind, left - len);
        reply.is_damaged = true;
        reply.len += len;
        reply.end = context.time;
        true
    }

    /// Forgets the position; returns the incomplete reply there.
    pub(super) fn reset(&mut self) -> Option<Box<RedisReply>> {
        self.position = Position::Head;
        self.levels.clear();
        self.value.start(0);
        self.reply.take()
    }

    /// Returns true between replies.
    pub(super) fn is_at_start(&self) -> bool {
        self.reply.is_none()
    }

    /// Returns the number of bytes of memory.
    pub(super) fn memory(&self) -> usize {
        let reply = self.reply.as_ref().map_or(0, |reply| reply.memory());
        let levels = self.levels.capacity() * size_of::<Level>();
        self.value.memory() + levels + reply
    }

    fn count(&mut self, len: usize, context: &Context) {
        if let Some(reply) = &mut self.reply {
            reply.len += len as u64;
            reply.end = context.time;
            if context.is_memory_full() {
                reply.text.close();
            }
        }
    }

    fn advance(&mut self, bytes: &[u8], context: &Context) -> Progress {
        let Some(&first) = bytes.first() else {
            return Progress::Incomplete(1);
        };
        match self.position {
            Position::Line(kind) => self.line(bytes, kind),
            Position::String(kind, left) => self.string(bytes, kind, left),
            Position::Head => match first {
                b'+' | b'-' | b'(' | b',' => {
                    self.begin(first, context);
                    self.position = Position::Line(first);
                    Progress::Used(1)
                }
                b'$' | b'!' | b'=' | b'*' | b'~' | b'%' | b'>' | b'|' => match head(bytes) {
                    SizeHead::Complete(number, len) => self.head(first, number, len, context),
                    SizeHead::Incomplete => Progress::Incomplete(0),
                    SizeHead::Invalid => Progress::Invalid,
                },
                b':' | b'#' | b'_' => self.short_line(bytes, context),
                _ => Progress::Invalid,
            },
        }
    }

    /// Starts a reply or an element.
    fn begin(&mut self, kind: u8, context: &Context) {
        let levels = &self.levels;
        let reply = self.reply.get_or_insert_with(|| {
            let text = BoundedText::new(contents_limit(context));
            Box::new(RedisReply::new(context.start, text))
        });
        if levels.is_empty() {
            reply.kind = kind;
        }
        if kind != b'|' {
            self.layout.begin(&mut reply.text, &self.levels);
        }
        self.value.start(MAX_VALUE_LEN.max(reply.text.space()));
    }

    fn head(&mut self, kind: u8, number: i64, len: usize, context: &Context) -> Progress {
        let is_string = matches!(kind, b'$' | b'!' | b'=');
        let Ok(number) = u64::try_from(number) else {
            self.begin(kind, context);
            return match kind {
                b'$' | b'*' => self.end_of_value(b'_', len),
                _ => Progress::Invalid,
            };
        };
        if is_string {
            self.begin(kind, context);
            self.position = Position::String(kind, number);
            return Progress::Used(len);
        }
        if self.levels.len() >= MAX_DEPTH || kind == b'>' && !self.levels.is_empty() {
            return Progress::Invalid;
        }
        self.begin(kind, context);
        if let (Some(reply), true) = (&mut self.reply, self.levels.is_empty()) {
            reply.items = (kind != b'|').then_some(number);
        }
        if number == 0 && kind != b'|' {
            return self.end_of_value(kind, len);
        }
        let level = Level::new(kind, number, self.levels.last());
        self.levels.push(level);
        match number {
            0 => self.end_of_element(len),
            _ => Progress::Used(len),
        }
    }

    /// Parses a line that is short: an integer, a truth value, or null.
    fn short_line(&mut self, bytes: &[u8], context: &Context) -> Progress {
        let start = &bytes[..bytes.len().min(MAX_SHORT_LINE_LEN)];
        let Some(end) = start.iter().position(|&byte| byte == b'\n') else {
            return match start.len() < MAX_SHORT_LINE_LEN {
                true => Progress::Incomplete(0),
                false => Progress::Invalid,
            };
        };
        let line = start[1..end].strip_suffix(b"\r");
        let value: &[u8] = match (bytes[0], line) {
            (b':', Some(digits)) if integer(digits).is_some() => digits,
            (b'#', Some(b"t")) => b"true",
            (b'#', Some(b"f")) => b"false",
            (b'_', Some(b"")) => b"",
            _ => return Progress::Invalid,
        };
        self.begin(bytes[0], context);
        self.value.push(value);
        self.end_of_value(bytes[0], end + 1)
    }

    /// Parses a part of a line of any length.
    fn line(&mut self, bytes: &[u8], kind: u8) -> Progress {
        let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        match end {
            Some(0) => match bytes {
                [b'\r', b'\n', ..] => self.end_of_value(kind, 2),
                [b'\r'] => Progress::Incomplete(2),
                _ => Progress::Invalid,
            },
            end => {
                let len = end.unwrap_or(bytes.len());
                self.value.push(&bytes[..len]);
                Progress::Used(len)
            }
        }
    }

    /// Parses a part of a string.
    fn string(&mut self, bytes: &[u8], kind: u8, left: u64) -> Progress {
        if left > 0 {
            let len = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.value.push(&bytes[..len]);
            self.position = Position::String(kind, left - len as u64);
            return Progress::Used(len);
        }
        match bytes {
            [b'\r', b'\n', ..] => self.end_of_value(kind, 2),
            [b'\r'] => Progress::Incomplete(2),
            _ => Progress::Invalid,
        }
    }

    /// Ends a value that has no elements, which is complete after `len` bytes.
    fn end_of_value(&mut self, kind: u8, len: usize) -> Progress {
        let Some(reply) = &mut self.reply else {
            return Progress::Invalid;
        };
        self.position = Position::Head;
        let is_attribute = self.levels.iter().any(|level| level.kind == b'|');
        if !is_attribute {
            self.layout.value(&mut reply.text, kind, &self.value);
            match &self.levels[..] {
                [] => reply.value = value(kind, &self.value),
                [level] => reply.add_element(level.index, &self.value),
                _ => {}
            }
            if matches!(kind, b'-' | b'!') && !self.levels.is_empty() {
                reply.add_nested_error(&self.value);
            }
        }
        self.end_of_element(len)
    }

    /// Ends a value, and the collections that end with it.
    fn end_of_element(&mut self, len: usize) -> Progress {
        while let Some(level) = self.levels.last_mut() {
            // An empty attribute has no element that ends.
            if level.left > 0 {
                level.left -= 1;
                level.index += 1;
            }
            if level.left > 0 {
                return Progress::Used(len);
            }
            let is_attribute = level.kind == b'|';
            self.levels.pop();
            if is_attribute {
                // The value that has the attribute follows.
                return Progress::Used(len);
            }
        }
        Progress::End(len)
    }
}

fn value(kind: u8, bytes: &BoundedBytes) -> Value {
    match kind {
        b'_' => Value::Nil,
        b'+' | b':' | b',' | b'#' | b'(' => Value::Text(message_text(bytes)),
        b'-' | b'!' => Value::Error(message_text(bytes)),
        b'$' | b'=' => Value::String(bytes.len()),
        _ => Value::Other,
    }
}
