//! Heads of HTTP/1 messages: the start line and the header fields.
//!
//! httparse parses a complete head. A head that it rejects, because of obsolete line folding or a
//! header line that is not valid, is parsed again line by line: a request that its server answered
//! is a request, unless the length of its body is uncertain.

use super::fields::HeaderFields;
use crate::flow::Side;
use std::mem::MaybeUninit;

/// Maximum length of a head in bytes.
pub(super) const MAX_HEAD_LEN: usize = 64 << 10;

/// Maximum number of header lines of a head.
const MAX_HEADER_LINES: usize = 256;

/// Maximum length of a method; the longest registered method has 17 letters.
const MAX_METHOD_LEN: usize = 24;

/// A head.
pub(super) struct Head<'a> {
    pub(super) start: StartLine<'a>,
    pub(super) fields: HeaderFields<'a>,
    /// Length in bytes, with the empty line at the end.
    pub(super) len: usize,
}

/// The first line of a message.
pub(super) enum StartLine<'a> {
    Request { method: &'a [u8], target: &'a [u8] },
    Status { code: u16, reason: &'a [u8] },
}

/// Result of [`HeadSearch::parse`].
pub(super) enum ParsedHead<'a> {
    Complete(Head<'a>),
    Incomplete,
    Invalid,
}

/// Search for the end of one side's head. It remembers its position, because a head can arrive one
/// byte at a time.
#[derive(Debug, Default)]
pub(super) struct HeadSearch {
    /// Number of bytes without the end of the head.
    searched: usize,
    /// True if the first line is complete and valid.
    has_start_line: bool,
}

impl HeadSearch {
    /// Parses a head at the start of the bytes. `unfolded` is memory for a head with line folding.
    ///
    /// The result is that of the shortest prefix that decides it, however the bytes are split.
    pub(super) fn parse<'a>(
        &mut self,
        side: Side,
        bytes: &'a [u8],
        unfolded: &'a mut Vec<u8>,
    ) -> ParsedHead<'a> {
        if self.searched == 0
            && let Some(head) = parse_fast(side, bytes)
        {
            return checked(head);
        }
        match self.end(side, bytes) {
            Err(Invalid) => ParsedHead::Invalid,
            Ok(None) if bytes.len() > MAX_HEAD_LEN => ParsedHead::Invalid,
            Ok(None) => ParsedHead::Incomplete,
            Ok(Some(end)) => {
                *self = HeadSearch::default();
                let head = &bytes[..end];
                let parsed = parse_fast(side, head).or_else(|| parse_lines(side, head, unfolded));
                parsed.map_or(ParsedHead::Invalid, checked)
            }
        }
    }

    /// Returns true if a head has started and is incomplete.
    pub(super) fn has_started(&self) -> bool {
        self.searched > 0
    }

    /// Returns the end of the head; `None` if it is not in the bytes.
    fn end(&mut self, side: Side, bytes: &[u8]) -> Result<Option<usize>, Invalid> {
        if !starts_like_head(side, bytes) {
            return Err(Invalid);
        }
        while let Some(offset) = bytes[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n')
        {
            let at = self.searched + offset;
            if !self.has_start_line {
                start_line(side, &bytes[..at]).ok_or(Invalid)?;
                self.has_start_line = true;
            }
            match &bytes[at + 1..] {
                [b'\n', ..] => return Ok(Some(at + 2)),
                [b'\r', b'\n', ..] => return Ok(Some(at + 3)),
                [] | [b'\r'] => {
                    self.searched = at;
                    return Ok(None);
                }
                _ => self.searched = at + 1,
            }
        }
        self.searched = bytes.len();
        Ok(None)
    }
}

/// The bytes are not a head.
struct Invalid;

/// Returns true if these bytes, the first ones of a segment, are the beginning of a head, with a
/// complete start line.
pub(super) fn has_start_line(side: Side, bytes: &[u8]) -> bool {
    let line = bytes.split_inclusive(|byte| *byte == b'\n').next();
    let line = line.and_then(|line| line.strip_suffix(b"\n"));
    line.is_some_and(|line| start_line(side, line).is_some())
        && !matches!(
            HeadSearch::default().parse(side, bytes, &mut Vec::new()),
            ParsedHead::Invalid
        )
}

/// Returns true if these bytes can be the first ones of a status line.
pub(super) fn starts_like_status_line(bytes: &[u8]) -> bool {
    starts_like_head(Side::Resp, bytes)
}

/// Returns a head if it obeys the limits that do not depend on the parser.
fn checked(head: Head) -> ParsedHead {
    let is_valid = match head.start {
        StartLine::Request { method, .. } => {
            method.len() <= MAX_METHOD_LEN && method.iter().all(is_method_byte)
        }
        StartLine::Status { code, .. } => code >= 100,
    };
    match is_valid && head.len <= MAX_HEAD_LEN && !head.fields.is_invalid() {
        true => ParsedHead::Complete(head),
        false => ParsedHead::Invalid,
    }
}

/// Parses a head with httparse; returns `None` if it is incomplete or httparse rejects it.
fn parse_fast(side: Side, bytes: &[u8]) -> Option<Head<'_>> {
    let config = httparse::ParserConfig::default();
    // Not initialized: that costs more than parsing.
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADER_LINES];
    let (len, start, headers) = match side {
        Side::Orig => {
            let mut request = httparse::Request::new(&mut []);
            let status =
                config.parse_request_with_uninit_headers(&mut request, bytes, &mut headers);
            let httparse::Status::Complete(len) = status.ok()? else {
                return None;
            };
            let method = request.method?.as_bytes();
            let target = request.path?.as_bytes();
            let start = StartLine::Request { method, target };
            (len, start, request.headers)
        }
        Side::Resp => {
            let mut response = httparse::Response::new(&mut []);
            let status =
                config.parse_response_with_uninit_headers(&mut response, bytes, &mut headers);
            let httparse::Status::Complete(len) = status.ok()? else {
                return None;
            };
            let code = response.code?;
            let reason = response.reason?.as_bytes();
            (len, StartLine::Status { code, reason }, response.headers)
        }
    };
    let mut fields = HeaderFields::default();
    for header in headers {
        fields.add(header.name.as_bytes(), header.value);
    }
    Some(Head { start, fields, len })
}

/// Parses a complete head line by line: folded lines are joined, and lines that are not valid are
/// skipped, unless they determine the length of the body.
fn parse_lines<'a>(side: Side, head: &'a [u8], unfolded: &'a mut Vec<u8>) -> Option<Head<'a>> {
    let len = head.len();
    unfolded.extend_from_slice(head);
    for at in 1..unfolded.len() {
        if matches!(unfolded[at], b' ' | b'\t') && unfolded[at - 1] == b'\n' {
            let line_end = at - 1;
            unfolded[line_end] = b' ';
            if line_end > 0 && unfolded[line_end - 1] == b'\r' {
                unfolded[line_end - 1] = b' ';
            }
        }
    }
    let mut lines = unfolded.split(|byte| *byte == b'\n');
    let start = start_line(side, lines.next()?)?;
    let mut fields = HeaderFields::default();
    for (number, line) in lines.enumerate() {
        if number > MAX_HEADER_LINES {
            return None;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = &line[..colon];
        match name.trim_ascii() == name {
            true => fields.add(name, line[colon + 1..].trim_ascii()),
            // Recipients differ in their treatment of such a line.
            false => fields.add_malformed(name.trim_ascii()),
        }
    }
    Some(Head { start, fields, len })
}

/// Parses a start line without its LF.
fn start_line(side: Side, line: &[u8]) -> Option<StartLine<'_>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match side {
        Side::Orig => {
            let mut parts = line.splitn(3, |byte| *byte == b' ');
            let (method, target) = (parts.next()?, parts.next()?);
            let is_valid = !method.is_empty()
                && method.iter().all(is_method_byte)
                && !target.is_empty()
                && target.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
                && matches!(parts.next()?, b"HTTP/1.0" | b"HTTP/1.1");
            is_valid.then_some(StartLine::Request { method, target })
        }
        Side::Resp => {
            if line.len() < STATUS_LINE_LEN || !starts_like_head(side, line) {
                return None;
            }
            let (line, rest) = line.split_at(STATUS_LINE_LEN);
            let digits = &line[STATUS_LINE_LEN - 3..];
            let code = digits
                .iter()
                .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
            let reason = match rest {
                [] => rest,
                [b' ', reason @ ..] => reason,
                _ => return None,
            };
            Some(StartLine::Status { code, reason })
        }
    }
}

/// Length of a status line without the reason phrase: `HTTP/1.1 200`.
const STATUS_LINE_LEN: usize = 12;

/// Returns true if these bytes can be the beginning of a head, as far as its first bytes show.
fn starts_like_head(side: Side, bytes: &[u8]) -> bool {
    match side {
        Side::Orig => {
            let start = &bytes[..bytes.len().min(MAX_METHOD_LEN + 1)];
            match start.iter().position(|byte| !is_method_byte(byte)) {
                Some(end) => end > 0 && start[end] == b' ',
                None => start.len() <= MAX_METHOD_LEN,
            }
        }
        Side::Resp => {
            let is_valid = |(at, byte): (usize, &u8)| match at {
                0..7 => *byte == b"HTTP/1."[at],
                7 => matches!(byte, b'0' | b'1'),
                8 => *byte == b' ',
                9 => matches!(byte, b'1'..=b'9'),
                10..STATUS_LINE_LEN => byte.is_ascii_digit(),
                _ => matches!(byte, b' ' | b'\r' | b'\n'),
            };
            let start = bytes.iter().take(STATUS_LINE_LEN + 1);
            start.enumerate().all(is_valid)
        }
    }
}

/// Returns true for the bytes of methods, as the detector accepts them.
fn is_method_byte(byte: &u8) -> bool {
    byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_')
}

/// Returns a head as text lines, separated by LF, without the empty line at its end.
pub(super) fn head_text(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(head).replace("\r\n", "\n");
    text.trim_end_matches('\n').to_owned()
}
