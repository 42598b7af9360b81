//! Header fields that the analysis needs, and the length of a message's body.

use super::coding::{Coding, Codings};

/// Values of header fields.
#[derive(Debug, Default)]
pub(super) struct HeaderFields<'a> {
    pub(super) host: Option<&'a [u8]>,
    pub(super) content_type: Option<&'a [u8]>,
    /// Value of the first `Content-Encoding` line.
    pub(super) content_encoding: Option<&'a [u8]>,
    /// Encodings of the content, then those of the transfer, in the order in which they were
    /// applied.
    pub(super) content_codings: Codings,
    pub(super) transfer_codings: Codings,
    content_length: Option<u64>,
    transfer: Transfer,
    /// True if the length of the body is uncertain.
    is_invalid: bool,
}

/// Values of the `Transfer-Encoding` lines.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Transfer {
    #[default]
    Absent,
    /// The last coding is chunked.
    Chunked,
    /// The last coding is another one.
    Other,
}

/// Length of a body (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    Bytes(u64),
    Chunked,
    UntilClose,
}

impl<'a> HeaderFields<'a> {
    /// Adds a header line.
    pub(super) fn add(&mut self, name: &[u8], value: &'a [u8]) {
        // Most names are excluded by their length.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host = self.host.or(Some(value)),
            12 if name.eq_ignore_ascii_case(b"content-type") => {
                self.content_type = self.content_type.or(Some(value));
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.add_length(value),
            16 if name.eq_ignore_ascii_case(b"content-encoding") => {
                self.content_encoding = self.content_encoding.or(Some(value));
                tokens(value).for_each(|token| self.content_codings.push(Coding::named(token)));
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.add_transfer(value),
            _ => {}
        }
    }

    /// Adds a header line that is not valid, and that recipients accept or ignore.
    pub(super) fn add_malformed(&mut self, name: &[u8]) {
        self.is_invalid |= name.eq_ignore_ascii_case(b"content-length")
            || name.eq_ignore_ascii_case(b"transfer-encoding");
    }

    /// Returns true if the length of the body is uncertain.
    pub(super) fn is_invalid(&self) -> bool {
        self.is_invalid
    }

    /// Returns the length of a request's body; `None` if it cannot be determined.
    pub(super) fn request_length(&self) -> Option<BodyLength> {
        match (self.transfer, self.content_length) {
            (Transfer::Chunked, _) => Some(BodyLength::Chunked),
            (Transfer::Other, _) => None,
            (Transfer::Absent, len) => Some(BodyLength::Bytes(len.unwrap_or(0))),
        }
    }

    /// Returns the length of the body of an answer that can have one.
    pub(super) fn answer_length(&self) -> BodyLength {
        match (self.transfer, self.content_length) {
            (Transfer::Chunked, _) => BodyLength::Chunked,
            (Transfer::Absent, Some(len)) => BodyLength::Bytes(len),
            (Transfer::Other, _) | (Transfer::Absent, None) => BodyLength::UntilClose,
        }
    }

    /// Returns true if the content is a stream of Server-Sent Events.
    pub(super) fn is_event_stream(&self) -> bool {
        let media_type = self.content_type.unwrap_or_default().split(|b| *b == b';');
        let media_type = media_type.map(<[u8]>::trim_ascii).next();
        media_type.is_some_and(|name| name.eq_ignore_ascii_case(b"text/event-stream"))
    }

    /// Adds a length: a list of equal decimal numbers.
    fn add_length(&mut self, value: &[u8]) {
        for number in value.split(|byte| *byte == b',') {
            let len = decimal(number.trim_ascii());
            let is_contradiction = self.content_length.is_some() && self.content_length != len;
            self.is_invalid |= len.is_none() || is_contradiction;
            self.content_length = len;
        }
    }

    fn add_transfer(&mut self, value: &[u8]) {
        for token in tokens(value) {
            // Chunked is the last coding, and occurs once.
            self.is_invalid |= self.transfer == Transfer::Chunked;
            if token.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            self.transfer = match token.eq_ignore_ascii_case(b"chunked") {
                true => Transfer::Chunked,
                false => {
                    self.transfer_codings.push(Coding::named(token));
                    Transfer::Other
                }
            };
        }
    }
}

/// Returns the names in a list of codings, without their parameters.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let items = value.split(|byte| *byte == b',');
    let names = items.filter_map(|item| item.split(|byte| *byte == b';').next());
    names
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty())
}

/// Parses a decimal number of digits only.
fn decimal(digits: &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    for digit in digits {
        let digit = char::from(*digit).to_digit(10)?;
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (!digits.is_empty()).then_some(number)
}
