//! Parser of a client's stream: arrays of strings, and inline commands.

use super::super::analyzer::{Context, Step};
use super::command::RedisCommand;
use super::head::{SizeHead, head};
use super::text::BoundedBytes;

/// Maximum length of an inline command in bytes, that of Redis.
const MAX_INLINE_LEN: usize = 64 << 10;

/// Position within a client's stream, and the command there.
#[derive(Debug, Default)]
pub(super) struct CommandParser {
    position: Position,
    /// The command at the position; `None` between commands, and if it was reported already.
    pub(super) command: Option<Box<RedisCommand>>,
    string: BoundedBytes,
    /// Number of bytes of an inline command in which its end was not found.
    searched: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Position {
    /// Between commands.
    #[default]
    Start,
    /// At the head of a string, one of this number that are left.
    Head(u64),
    /// Within a string with this number of bytes left, before the CR LF. The second number is that
    /// of the strings after it.
    String(u64, u64),
}

impl CommandParser {
    /// Parses a part of a command, up to its end. Returns the command when it is complete.
    pub(super) fn parse(
        &mut self,
        bytes: &[u8],
        context: &mut Context,
    ) -> (Step, Option<Box<RedisCommand>>) {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            let step = match self.position {
                _ if rest.is_empty() => Step::Incomplete(1),
                Position::Start if rest[0] == b'*' => self.array(rest, context),
                Position::Start => self.inline(rest, context),
                Position::Head(left) => self.string_head(rest, left),
                Position::String(len, left) => self.string(rest, len, left),
            };
            match step {
                Step::Consumed(len) => used += len,
                Step::Incomplete(_) | Step::Unrecognized if used > 0 => {
                    self.count(used, context);
                    return (Step::Consumed(used), None);
                }
                step => return (step, None),
            }
            if self.position == Position::Start {
                self.count(used, context);
                // The next command has a start of its own.
                return (Step::Consumed(used), self.command.take());
            }
        }
    }

    /// Continues after missing bytes. Returns false if the position is lost.
    pub(super) fn skip(&mut self, len: u64) -> bool {
        let Position::String(left, strings) = self.position else {
            return false;
        };
        // The name determines the number of answers.
        let is_argument = self.command.as_ref().is_none_or(|command| {
            // So do the arguments of CLIENT REPLY.
            let names = match command.keywords[0].as_bytes() {
                b"CLIENT" => 3,
                _ => 1,
            };
            command.count >= names
        });
        if !is_argument || len > left {
            return false;
        }
        self.string.skip(len);
        self.position = Position::String(left - len, strings);
        if let Some(command) = &mut self.command {
            command.is_damaged = true;
            command.request.request_bytes += len;
        }
        true
    }

    /// Forgets the position; returns the command there.
    pub(super) fn reset(&mut self) -> Option<Box<RedisCommand>> {
        self.position = Position::Start;
        self.searched = 0;
        self.string.start(0);
        self.command.take()
    }

    /// Returns true between commands.
    pub(super) fn is_at_start(&self) -> bool {
        self.position == Position::Start
    }

    /// Returns the number of bytes of memory.
    pub(super) fn memory(&self) -> usize {
        let command = self.command.as_ref().map_or(0, |command| command.memory());
        self.string.memory() + command
    }

    fn count(&mut self, len: usize, context: &Context) {
        if let Some(command) = &mut self.command {
            command.request.add_request(context.time, len as u64);
            if context.is_memory_full() {
                command.close_line();
            }
        }
    }

    fn array(&mut self, bytes: &[u8], context: &Context) -> Step {
        match head(bytes) {
            SizeHead::Complete(count, len) => {
                // Servers ignore an empty array.
                if let count @ 1.. = count {
                    self.position = Position::Head(count as u64);
                    self.command = Some(Box::new(RedisCommand::new(context)));
                }
                Step::Consumed(len)
            }
            SizeHead::Incomplete => Step::Incomplete(0),
            SizeHead::Invalid => Step::Unrecognized,
        }
    }

    fn string_head(&mut self, bytes: &[u8], left: u64) -> Step {
        if bytes[0] != b'$' {
            return Step::Unrecognized;
        }
        match head(bytes) {
            SizeHead::Complete(count @ 0.., len) => {
                let kept = self
                    .command
                    .as_ref()
                    .map_or(0, |command| command.kept_len());
                self.string.start(kept);
                self.position = Position::String(count as u64, left - 1);
                Step::Consumed(len)
            }
            SizeHead::Incomplete => Step::Incomplete(0),
            _ => Step::Unrecognized,
        }
    }

    fn string(&mut self, bytes: &[u8], len: u64, left: u64) -> Step {
        if len > 0 {
            let part = bytes.len().min(usize::try_from(len).unwrap_or(usize::MAX));
            self.string.push(&bytes[..part]);
            self.position = Position::String(len - part as u64, left);
            return Step::Consumed(part);
        }
        match bytes {
            [b'\r', b'\n', ..] => {
                if let Some(command) = &mut self.command {
                    command.add(&self.string);
                }
                self.position = match left {
                    0 => Position::Start,
                    left => Position::Head(left),
                };
                Step::Consumed(2)
            }
            [b'\r'] => Step::Incomplete(2),
            _ => Step::Unrecognized,
        }
    }

    /// Parses a line of words.
    fn inline(&mut self, bytes: &[u8], context: &Context) -> Step {
        let searched = self.searched.min(bytes.len());
        let found = bytes[searched..].iter().position(|&byte| byte == b'\n');
        let Some(end) = found.map(|at| searched + at) else {
            self.searched = bytes.len();
            return match bytes.len() <= MAX_INLINE_LEN {
                true => Step::Incomplete(0),
                false => Step::Unrecognized,
            };
        };
        self.searched = 0;
        let line = &bytes[..end];
        let Some(words) = words(line.strip_suffix(b"\r").unwrap_or(line)) else {
            return Step::Unrecognized;
        };
        if !words.is_empty() {
            let mut command = Box::new(RedisCommand::new(context));
            for word in words {
                self.string.start(command.kept_len());
                self.string.push(&word);
                command.add(&self.string);
            }
            self.command = Some(command);
        }
        Step::Consumed(end + 1)
    }
}

/// Returns true if bytes start with the head of an array and of its first string, the name of a
/// command.
pub(super) fn is_command_head(bytes: &[u8]) -> bool {
    let Some((b'*', SizeHead::Complete(1.., array))) =
        bytes.first().map(|first| (*first, head(bytes)))
    else {
        return false;
    };
    let Some(string) = bytes
        .get(array..)
        .filter(|rest| rest.first() == Some(&b'$'))
    else {
        return false;
    };
    match head(string) {
        SizeHead::Complete(len @ 1..=64, at) => string[at..]
            .iter()
            .take(len as usize)
            .all(u8::is_ascii_graphic),
        _ => false,
    }
}

/// Returns the words of an inline command as Redis splits it; `None` if its quotes are not
/// balanced.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut words, mut rest) = (Vec::new(), line.trim_ascii_start());
    while !rest.is_empty() {
        let (word, after) = word(rest)?;
        words.push(word);
        rest = after.trim_ascii_start();
    }
    Some(words)
}

/// Returns the first word, and the bytes after it.
fn word(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut word, mut quote) = (Vec::new(), None);
    loop {
        rest = match (quote, rest) {
            (None, []) => return Some((word, rest)),
            (None, [byte, ..]) if byte.is_ascii_whitespace() => return Some((word, rest)),
            (None, [byte @ (b'"' | b'\''), after @ ..]) => {
                quote = Some(*byte);
                after
            }
            (Some(_), []) => return None,
            (Some(open), [byte, after @ ..]) if *byte == open => {
                let is_separated = after.first().is_none_or(u8::is_ascii_whitespace);
                return is_separated.then_some((word, after));
            }
            (Some(b'"'), [b'\\', b'x', high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
                word.push(digit(*high) << 4 | digit(*low));
                after
            }
            (Some(b'"'), [b'\\', escaped, after @ ..]) => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                after
            }
            (Some(b'\''), [b'\\', b'\'', after @ ..]) => {
                word.push(b'\'');
                after
            }
            (_, [byte, after @ ..]) => {
                word.push(*byte);
                after
            }
        };
    }
}
