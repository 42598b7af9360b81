//! Conversations of `lcap follow`: the payload of both sides, as text or, if it is binary, in
//! hexadecimal.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::ops::ControlFlow;

use super::{ContentFormat, StreamOptions};
use crate::error::{Result, count_noun};
use crate::flow::{FlowEvent, FlowEventKind, GapCause, Side};
use crate::packet::{Timestamp, UDP};
use crate::printable::is_printable;
use crate::process::Owners;
use crate::sink::clock::{Clock, TIME_OF_DAY};
use crate::sink::{
    BufferedOutput, CONTINUE, Event, Format, Requirement, Sink, SinkFactory, address, digits,
};

/// The entry of conversations in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "text",
    extension: "txt",
    about: "what both sides of each flow send, as text or hexadecimal",
    factory: SinkFactory::Streams(|writer, options| Box::new(Conversation::new(writer, *options))),
};

/// Sink that prints conversations.
pub struct Conversation<W: Write> {
    out: BufferedOutput<W>,
    style: StreamOptions,
    clock: Clock,
    /// Owners of both ends, by flow number.
    owners: HashMap<u64, Owners>,
    /// Flow number and side of the last data printed.
    last_sender: Option<(u64, Side)>,
    /// True if the current line is not empty.
    mid_line: bool,
}

/// Bytes per line of hexadecimal.
const HEX_ROW_LEN: usize = 16;
/// Maximum number of hexadecimal lines per chunk of binary data.
const MAX_HEX_ROWS: usize = 16;
/// Colours of the originator and the responder, as in packet lines.
const SIDE_COLOURS: [&str; 2] = ["\x1b[36m", "\x1b[33m"];
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

impl<W: Write> Conversation<W> {
    /// Returns a sink that prints to `writer`; the sink buffers its output.
    pub fn new(writer: W, style: StreamOptions) -> Conversation<W> {
        Conversation {
            out: BufferedOutput::new(writer),
            style,
            clock: Clock::local(TIME_OF_DAY, style.nano),
            owners: HashMap::new(),
            last_sender: None,
            mid_line: false,
        }
    }

    fn write_data(&mut self, event: &FlowEvent, side: Side, offset: u64, bytes: &[u8]) {
        if event.id.proto() == UDP {
            // Each datagram is printed as a separate message, even an empty one.
            self.last_sender = None;
        }
        self.switch_sender(event, side);
        if bytes.is_empty() {
            return self.push("[empty datagram]\n");
        }
        self.push_colour(SIDE_COLOURS[side as usize]);
        let is_text = self.style.content == ContentFormat::Text && is_text(bytes);
        if is_text {
            write_text(&mut self.out.bytes, bytes);
            self.mid_line = bytes.last() != Some(&b'\n');
        } else {
            self.end_line();
            let max_len = match self.style.content {
                ContentFormat::Text => MAX_HEX_ROWS * HEX_ROW_LEN,
                ContentFormat::Hex => bytes.len(),
            };
            write_hex(
                &mut self.out.bytes,
                offset,
                bytes.get(..max_len).unwrap_or(bytes),
            );
            if bytes.len() > max_len {
                let hidden = count_noun(bytes.len() - max_len, "more byte");
                self.push(&format!("[{hidden}; --hex shows all]\n"));
            }
        }
        self.push_colour(RESET);
    }

    /// Prints a line with the time, the flow and both ends unless this side also sent the last
    /// data: `── 07:16:56.183003  1  127.0.0.1:59526 → 127.0.0.1:62893`.
    fn switch_sender(&mut self, event: &FlowEvent, side: Side) {
        let (id, number) = (event.id, event.id.number);
        if self.last_sender.replace((number, side)) == Some((number, side)) {
            return;
        }
        let (from, to) = match side {
            Side::Orig => (id.orig(), id.resp()),
            Side::Resp => (id.resp(), id.orig()),
        };
        let names = self
            .owners
            .get(&number)
            .map_or_else(String::new, |owners| match side {
                Side::Orig => format!("  {owners}"),
                Side::Resp => format!("  {}", owners.clone().swapped()),
            });
        self.write_status_line(event.time, number, [from, to], &names);
    }

    /// Prints a status line, in a dim colour.
    fn write_status_line(
        &mut self,
        time: Timestamp,
        number: u64,
        [from, to]: [SocketAddr; 2],
        text: &str,
    ) {
        self.end_line();
        self.push_colour(DIM);
        self.push("── ");
        let out = &mut self.out.bytes;
        self.clock.write(out, time);
        out.extend_from_slice(b"  ");
        digits::decimal(out, number);
        out.extend_from_slice(b"  ");
        address::write_socket_addr(out, from);
        out.extend_from_slice(" → ".as_bytes());
        address::write_socket_addr(out, to);
        self.push(text);
        self.push_colour(RESET);
        self.push("\n");
    }

    /// Prints a note in place of data: `[gap 238 bytes]`.
    fn write_note(&mut self, event: &FlowEvent, side: Side, text: &str) {
        self.switch_sender(event, side);
        self.end_line();
        self.push(text);
        self.push("\n");
    }

    /// Ends the current line if it is not empty.
    fn end_line(&mut self) {
        if std::mem::take(&mut self.mid_line) {
            self.push("\n");
        }
    }

    fn push(&mut self, text: &str) {
        self.out.bytes.extend_from_slice(text.as_bytes());
    }

    /// Writes an escape sequence if colours are on.
    fn push_colour(&mut self, colour: &str) {
        if self.style.colour {
            self.push(colour);
        }
    }

    fn write_event(&mut self, event: &FlowEvent) {
        if self.style.flow.is_some_and(|flow| flow != event.id.number) {
            return;
        }
        match event.kind {
            FlowEventKind::Opened | FlowEventKind::Detected(_) | FlowEventKind::End { .. } => {}
            FlowEventKind::Owners(owners) if self.style.show_processes => {
                self.owners.insert(event.id.number, owners.clone());
            }
            FlowEventKind::Owners(_) => {}
            FlowEventKind::Data {
                side,
                offset,
                bytes,
                ..
            } => self.write_data(event, side, offset, bytes),
            FlowEventKind::Gap {
                side, len, cause, ..
            } => {
                let label = match cause {
                    GapCause::Lost => "gap",
                    GapCause::Cut => "cut",
                };
                self.write_note(
                    event,
                    side,
                    &format!("[{label} {}]", count_noun(len, "byte")),
                );
            }
            FlowEventKind::Mismatch { side, offset, len } => {
                let text = format!(
                    "[{} at offset {offset} retransmitted with different content; original shown]",
                    count_noun(len, "byte")
                );
                self.write_note(event, side, &text);
            }
            FlowEventKind::Closed(record) => {
                self.last_sender = None;
                let id = event.id;
                self.owners.remove(&id.number);
                let outcome = format!("  {}", record.outcome.with_drops());
                self.write_status_line(event.time, id.number, [id.orig(), id.resp()], &outcome);
            }
        }
    }
}

impl<W: Write> Sink for Conversation<W> {
    fn requires(&self) -> Requirement {
        Requirement::StreamsWithOverlaps
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        match event {
            Event::Flow(event) => {
                self.write_event(event);
                self.out.write_if_full()?;
            }
            Event::Tick(_) => self.flush()?,
            Event::Packet(_) | Event::Request(_) | Event::Dropped(_) => {}
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.end_line();
        self.out.finish("")
    }
}

/// Returns true if the bytes are readable text: no control characters except tab, CR, LF and ESC,
/// and at most 6 bytes of invalid UTF-8.
fn is_text(bytes: &[u8]) -> bool {
    let is_control = |&octet: &u8| octet < b' ' && !matches!(octet, b'\t' | b'\n' | b'\r' | 0x1b);
    // A multi-byte character can be split at both ends of a chunk.
    let invalid = |bytes: &[u8]| bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    let invalid: usize = if bytes.is_ascii() { 0 } else { invalid(bytes) };
    invalid <= 6 && !bytes.iter().any(is_control)
}

/// Writes text with unprintable characters and invalid bytes replaced by `.`, and CR LF by LF.
fn write_text(out: &mut Vec<u8>, bytes: &[u8]) {
    let is_plain = |octet: &u8| matches!(octet, b' '..=b'~' | b'\n' | b'\t');
    for line in bytes.split_inclusive(|&octet| octet == b'\n') {
        let (text, end) = match line.strip_suffix(b"\r\n") {
            Some(text) => (text, "\n"),
            None => (line, ""),
        };
        // Nearly all lines are plain, and faster to copy as a whole.
        match text.iter().all(is_plain) {
            true => out.extend_from_slice(text),
            false => write_unusual(out, text),
        }
        out.extend_from_slice(end.as_bytes());
    }
}

fn write_unusual(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match is_printable(character) || matches!(character, '\n' | '\t') {
                true => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                false => out.push(b'.'),
            }
        }
        out.extend(chunk.invalid().iter().map(|_| b'.'));
    }
}

/// Writes lines of hexadecimal:
/// `00000010  48 6f 73 74 3a 20 31 32  37 2e 30 2e 30 2e 31 3a  |Host: 127.0.0.1:|`.
fn write_hex(out: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    for (at, row) in bytes.chunks(HEX_ROW_LEN).enumerate() {
        let offset = (offset + (at * HEX_ROW_LEN) as u64) as u32;
        let (left, right) = row.split_at(row.len().min(HEX_ROW_LEN / 2));
        let [left, right] = [left, right].map(|octets| {
            let digits = octets.iter().map(|&octet| digits::HEX[usize::from(octet)]);
            let cells = digits.flat_map(|[high, low]| [high, low, b' ']);
            cells.map(char::from).collect::<String>()
        });
        let visible = |&octet: &u8| match octet {
            b' '..=b'~' => char::from(octet),
            _ => '.',
        };
        let text: String = row.iter().map(visible).collect();
        // Writing to a Vec cannot fail.
        let _ = writeln!(out, "{offset:08x}  {left:24} {right:24} |{text}|");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn text_has_no_terminal_controls() {
        let payload =
            b"GET / HTTP/1.1\r\nX: \x1b[2Jpl\xc3\xa4in \xff\x9b\r\nlone\rhere\t\xc2\x9b.\n";
        assert!(is_text(payload));
        assert_eq!(
            written(|out| write_text(out, payload)),
            "GET / HTTP/1.1\nX: .[2Jpläin ..\nlone.here\t..\n"
        );
        assert!(!is_text(b"\x00\x00\x00\x08\x04\xd2\x16\x2f"));
        assert!(!is_text(&[0xfe; 40]));
    }

    #[test]
    fn hex_rows_have_offset_and_ascii() {
        assert_eq!(
            written(|out| write_hex(out, 0x10, b"Host: 127.0.0.1:8\n")),
            "00000010  48 6f 73 74 3a 20 31 32  37 2e 30 2e 30 2e 31 3a  |Host: 127.0.0.1:|\n\
             00000020  38 0a                                             |8.|\n"
        );
    }
}
