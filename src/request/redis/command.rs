//! A command: its name, its arguments, and what is reported of them.

use super::super::analyzer::Context;
use super::super::{Detail, MAX_TEXT_LEN, Request, Side};
use super::keyword::Keyword;
use super::secrets::{HIDDEN, SecretFilter};
use super::text::{BoundedBytes, BoundedText, Quotes, plain_text, push_string};

/// Maximum number of bytes of an argument in the target and in the details.
pub(super) const MAX_ARGUMENT_LEN: usize = 1 << 10;
/// Maximum number of arguments in the details.
const MAX_ARGUMENTS: usize = 256;
/// Maximum length of a name in the operation in bytes.
const MAX_NAME_LEN: usize = 64;

/// Commands whose first argument is the name of a subcommand.
const CONTAINERS: [&[u8]; 17] = [
    b"ACL",
    b"CLIENT",
    b"CLUSTER",
    b"COMMAND",
    b"CONFIG",
    b"DEBUG",
    b"FUNCTION",
    b"LATENCY",
    b"MEMORY",
    b"MODULE",
    b"OBJECT",
    b"PUBSUB",
    b"SCRIPT",
    b"SENTINEL",
    b"SLOWLOG",
    b"XGROUP",
    b"XINFO",
];

/// A command that is being received, or was.
#[derive(Debug)]
pub(super) struct RedisCommand {
    pub(super) request: Request,
    /// The first three strings: name, subcommand, and its argument.
    pub(super) keywords: [Keyword; 3],
    /// Number of strings, including the name.
    pub(super) count: u64,
    pub(super) secrets: SecretFilter,
    /// True if bytes are missing.
    pub(super) is_damaged: bool,
    /// True if an answer arrived before the end of the command: it can be the command's own, if
    /// packets of both sides are missing, or that of an earlier command.
    pub(super) is_doubtful: bool,
    arguments: Vec<Detail>,
    /// Number of bytes in `arguments`.
    arguments_len: usize,
    has_full_target: bool,
    line: BoundedText,
}

impl RedisCommand {
    /// Returns a command that starts at the first of the bytes.
    pub(super) fn new(context: &Context) -> RedisCommand {
        RedisCommand {
            request: context.new_request(),
            keywords: Default::default(),
            count: 0,
            secrets: SecretFilter::default(),
            is_damaged: false,
            is_doubtful: false,
            arguments: Vec::new(),
            arguments_len: 0,
            has_full_target: false,
            line: BoundedText::new(contents_limit(context)),
        }
    }

    /// Adds the name, or the next argument.
    pub(super) fn add(&mut self, string: &BoundedBytes) {
        let index = self.count;
        self.count += 1;
        if let Some(keyword) = self.keywords.get_mut(index as usize) {
            *keyword = Keyword::new(string.bytes());
        }
        if index > 0 {
            self.line.push(" ");
        }
        if index == 0 {
            self.request.operation = operation(string).into();
            self.line.push_string(string, Quotes::IfNecessary);
        } else if self.secrets.hide(&self.keywords[0], index, string) {
            self.add_hidden();
        } else {
            self.line.push_string(string, Quotes::IfNecessary);
            if index == 1 && self.is_subcommand(string) {
                let operation = format!("{} {}", self.request.operation, operation(string));
                self.request.operation = operation.into();
            } else {
                self.add_to_target(string);
            }
        }
    }

    /// Returns the number of bytes of an argument that must be kept.
    pub(super) fn kept_len(&self) -> usize {
        MAX_ARGUMENT_LEN.max(self.line.space())
    }

    /// Keeps no more contents.
    pub(super) fn close_line(&mut self) {
        self.line.close();
    }

    fn is_subcommand(&self, string: &BoundedBytes) -> bool {
        let is_word = |bytes: &[u8]| {
            let is_word_char = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
            !bytes.is_empty() && bytes.len() <= MAX_NAME_LEN && bytes.iter().all(is_word_char)
        };
        CONTAINERS.contains(&self.keywords[0].as_bytes())
            && is_word(string.bytes())
            && !string.is_damaged()
    }

    fn add_hidden(&mut self) {
        self.line.push(HIDDEN);
        // User and password are hidden as one.
        if !self.request.target.ends_with(HIDDEN) {
            self.add_word(HIDDEN);
            self.add_detail(HIDDEN.into());
        }
    }

    fn add_to_target(&mut self, string: &BoundedBytes) {
        if self.has_full_target && !self.has_space_for_detail() {
            return;
        }
        let (bytes, is_cut) = string.first(MAX_ARGUMENT_LEN);
        if !self.has_full_target {
            let mut word = String::new();
            push_string(&mut word, bytes, is_cut, Quotes::IfNecessary);
            self.add_word(&word);
        }
        self.add_detail(plain_text(bytes, is_cut));
    }

    fn add_word(&mut self, word: &str) {
        let target = &mut self.request.target;
        if self.has_full_target {
            return;
        }
        if target.len() + word.len() >= MAX_TEXT_LEN {
            self.has_full_target = true;
            target.push_str(" …");
            return;
        }
        if !target.is_empty() {
            target.push(' ');
        }
        target.push_str(word);
    }

    fn has_space_for_detail(&self) -> bool {
        self.arguments.len() < MAX_ARGUMENTS && self.arguments_len < MAX_TEXT_LEN
    }

    fn add_detail(&mut self, text: String) {
        if self.has_space_for_detail() {
            self.arguments_len += text.len();
            self.arguments.push(Detail::Text(text.into()));
        }
    }

    /// Returns the request, after the last byte that was received.
    pub(super) fn into_request(self, context: &mut Context) -> Request {
        let mut request = self.request;
        if !self.arguments.is_empty() {
            let arguments = Detail::List(self.arguments);
            request.details.set("arguments", arguments);
        }
        if context.needs_contents() {
            context.head(&mut request, Side::Orig, self.line.text());
            if self.line.left_out > 0 {
                context.missing(&mut request, Side::Orig, self.line.left_out);
            }
        }
        request
    }

    /// Returns the number of bytes of memory, approximately.
    pub(super) fn memory(&self) -> usize {
        let details = self.arguments.len() * size_of::<Detail>() + self.arguments_len;
        size_of::<RedisCommand>() + self.request.target.len() + details + self.line.memory()
    }
}

/// Returns the name of a command in upper case.
fn operation(name: &BoundedBytes) -> String {
    let (bytes, is_cut) = name.first(MAX_NAME_LEN);
    let mut operation = String::with_capacity(bytes.len());
    push_string(&mut operation, bytes, is_cut, Quotes::IfNecessary);
    operation.make_ascii_uppercase();
    operation
}

/// Limit of the contents of a message that are collected until it is complete, if the limit in the
/// settings is lower, in bytes.
const MIN_CONTENTS_LEN: usize = 64 << 10;

/// Returns the maximum number of bytes of a message's contents.
pub(super) fn contents_limit(context: &Context) -> usize {
    let settings = context.settings;
    match (settings.has_messages, context.is_memory_full()) {
        (_, true) => 0,
        (true, false) => settings.body_limit.max(MIN_CONTENTS_LEN),
        (false, false) => settings.body_limit,
    }
}
