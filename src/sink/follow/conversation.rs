//! Conversations of `lcap follow` as text: the messages of both sides, each line after `>` for the
//! client and `<` for the server, and binary data in hexadecimal.
//!
//! lcap's own lines have no prefix: status lines, and notes in brackets. Payload cannot imitate
//! them.

use super::part::{BodyPart, ConversationPart, PartContent, SidePart};
use super::part_sink::{PartFormatter, PartSink};
use super::payload::{HEX_ROW_LEN, prefix, write_hex, write_text};
use super::status_line::StatusLines;
use super::{StreamOptions, gap_note, mismatch_note};
use crate::error::count_noun;
use crate::flow::Side;
use crate::packet::UDP;
use crate::sink::{Format, SinkFactory};

/// The entry of conversations in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "text",
    extension: "txt",
    about: "messages of both sides of each flow: heads as text, bodies as text or hexadecimal",
    factory: SinkFactory::Streams(|writer, options| {
        let text = ConversationText::new(options);
        Box::new(PartSink::new(writer, options, MAX_BINARY_LEN, text))
    }),
};

/// Maximum number of bytes of binary data per message.
const MAX_BINARY_LEN: usize = 16 * HEX_ROW_LEN;

/// Formatter of conversations as text.
struct ConversationText {
    status_lines: StatusLines,
    /// True if the current line is not empty.
    mid_line: bool,
}

impl ConversationText {
    fn new(options: &StreamOptions) -> ConversationText {
        ConversationText {
            status_lines: StatusLines::new(options),
            mid_line: false,
        }
    }

    fn write_side(
        &mut self,
        part: &ConversationPart,
        side: Side,
        content: &SidePart,
        out: &mut Vec<u8>,
    ) {
        match content {
            SidePart::Head(head) => self.write_head(part, side, head, out),
            SidePart::Body(body) => self.write_body(part, side, body, out),
            SidePart::LeftOut(len) => {
                let left_out = count_noun(*len, "more byte");
                self.write_note(part, side, &format!("[{left_out}; --full shows all]"), out);
            }
            SidePart::Undecoded(len) => {
                let undecoded = count_noun(*len, "byte");
                self.write_note(part, side, &format!("[{undecoded} not decoded]"), out);
            }
            SidePart::Gap(len, cause) => {
                self.write_note(part, side, &gap_note(*len, *cause), out);
            }
            SidePart::Mismatch { offset, len } => {
                self.write_note(part, side, &mismatch_note(*offset, *len), out);
            }
        }
    }

    fn write_head(&mut self, part: &ConversationPart, side: Side, head: &str, out: &mut Vec<u8>) {
        if head.contains('\n') {
            self.status_lines.start_message();
        }
        self.switch_sender(part, side, out);
        self.end_line(out);
        let mid_line = &mut self.mid_line;
        self.status_lines.in_colour(out, side, |out| {
            write_text(out, prefix(side), mid_line, head.as_bytes());
        });
        self.end_line(out);
    }

    fn write_body(
        &mut self,
        part: &ConversationPart,
        side: Side,
        body: &BodyPart,
        out: &mut Vec<u8>,
    ) {
        if part.id.proto() == UDP {
            self.status_lines.start_message();
        }
        if body.bytes.is_empty() {
            return self.write_note(part, side, "[empty datagram]", out);
        }
        self.switch_sender(part, side, out);
        if body.is_first {
            self.end_line(out);
            if body.has_long_head {
                out.extend_from_slice(prefix(side).trim_end().as_bytes());
                out.push(b'\n');
            }
            if let Some(encoding) = body.encoding {
                let note = format!("[decoded from {}]", crate::printable::line(encoding));
                self.write_note(part, side, &note, out);
            }
        }
        if !body.is_text {
            self.end_line(out);
        }
        let mid_line = &mut self.mid_line;
        self.status_lines
            .in_colour(out, side, |out| match body.is_text {
                true => write_text(out, prefix(side), mid_line, body.bytes),
                false => write_hex(out, prefix(side), body.offset, body.bytes),
            });
    }

    /// Writes a note in place of data: `[gap 238 bytes]`.
    fn write_note(&mut self, part: &ConversationPart, side: Side, note: &str, out: &mut Vec<u8>) {
        self.switch_sender(part, side, out);
        self.end_line(out);
        out.extend_from_slice(note.as_bytes());
        out.push(b'\n');
    }

    /// Writes a status line unless this side also sent the last data.
    fn switch_sender(&mut self, part: &ConversationPart, side: Side, out: &mut Vec<u8>) {
        if !self.status_lines.is_current(part.id, side) {
            self.end_line(out);
            self.status_lines
                .switch_sender(out, part.time, part.id, side, part.owners);
        }
    }

    /// Ends the current line if it is not empty.
    fn end_line(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.mid_line) {
            out.push(b'\n');
        }
    }
}

impl PartFormatter for ConversationText {
    fn write_part(&mut self, part: &ConversationPart, out: &mut Vec<u8>) {
        match &part.content {
            PartContent::Side {
                side,
                part: content,
                ..
            } => self.write_side(part, *side, content, out),
            PartContent::Closed(record) => {
                self.end_line(out);
                self.status_lines.write_outcome(out, part.time, record);
            }
        }
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        self.end_line(out);
    }
}
