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
use crate::process::Owners;
use crate::sink::{
    CONTINUE, Event, Format, LocalTimeFormatter, Requirement, Sink, SinkFactory, address, digits,
    write_and_flush,
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
    writer: W,
    out: Vec<u8>,
    style: StreamOptions,
    clock: LocalTimeFormatter,
    /// Owners of both ends, by flow number.
    owners: HashMap<u64, Owners>,
    /// Flow number and side of the last data printed.
    last_sender: Option<(u64, Side)>,
    /// True if the current line is not empty.
    mid_line: bool,
}

/// Number of buffered bytes at which the buffer is written.
const FLUSH_THRESHOLD: usize = 64 << 10;
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
            writer,
            out: Vec::with_capacity(FLUSH_THRESHOLD * 2),
            style,
            clock: LocalTimeFormatter::new(style.nano),
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
            self.out.extend_from_slice(b"[empty datagram]\n");
            return;
        }
        let colour = self.colour(SIDE_COLOURS[side as usize]);
        self.out.extend_from_slice(colour.as_bytes());
        let is_text = self.style.content == ContentFormat::Text && is_text(bytes);
        if is_text {
            write_text(&mut self.out, bytes);
            self.mid_line = bytes.last() != Some(&b'\n');
        } else {
            self.end_line();
            let max_len = match self.style.content {
                ContentFormat::Text => MAX_HEX_ROWS * HEX_ROW_LEN,
                ContentFormat::Hex => bytes.len(),
            };
            write_hex(&mut self.out, offset, bytes.get(..max_len).unwrap_or(bytes));
            if bytes.len() > max_len {
                let hidden = count_noun(bytes.len() - max_len, "more byte");
                let note = format!("[{hidden}; --hex shows all]\n");
                self.out.extend_from_slice(note.as_bytes());
            }
        }
        let plain = self.colour(RESET);
        self.out.extend_from_slice(plain.as_bytes());
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
        let (dim, plain) = (self.colour(DIM), self.colour(RESET));
        let out = &mut self.out;
        out.extend_from_slice(dim.as_bytes());
        out.extend_from_slice("── ".as_bytes());
        self.clock.write(out, time);
        out.extend_from_slice(b"  ");
        digits::decimal(out, number);
        out.extend_from_slice(b"  ");
        address::write_socket_addr(out, from);
        out.extend_from_slice(" → ".as_bytes());
        address::write_socket_addr(out, to);
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(plain.as_bytes());
        out.push(b'\n');
    }

    /// Prints a note in place of data: `[gap 238 bytes]`.
    fn write_note(&mut self, event: &FlowEvent, side: Side, text: &str) {
        self.switch_sender(event, side);
        self.end_line();
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'\n');
    }

    /// Ends the current line if it is not empty.
    fn end_line(&mut self) {
        if std::mem::take(&mut self.mid_line) {
            self.out.push(b'\n');
        }
    }

    /// Returns the escape sequence, or an empty string if colours are off.
    fn colour(&self, colour: &'static str) -> &'static str {
        if self.style.colour { colour } else { "" }
    }

    fn write_event(&mut self, event: &FlowEvent) {
        if self.style.flow.is_some_and(|flow| flow != event.id.number) {
            return;
        }
        match event.kind {
            FlowEventKind::Opened | FlowEventKind::Detected(_) => {}
            FlowEventKind::Owners(owners) if self.style.show_processes => {
                self.owners.insert(event.id.number, owners.clone());
            }
            FlowEventKind::Owners(_) => {}
            FlowEventKind::Data {
                side,
                offset,
                bytes,
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
                let outcome = format!("  {}", record.outcome);
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
                if self.out.len() >= FLUSH_THRESHOLD {
                    self.flush()?;
                }
            }
            Event::Tick(_) => self.flush()?,
            Event::Packet(_) => {}
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        write_and_flush(&mut self.writer, &mut self.out)
    }

    fn finish(&mut self) -> Result<()> {
        self.end_line();
        self.flush()
    }
}

/// Returns true if the bytes are readable text: no control characters except tab, CR, LF and ESC,
/// and at most 6 bytes of invalid UTF-8.
fn is_text(bytes: &[u8]) -> bool {
    if bytes.iter().all(|&octet| is_plain(octet) || octet == b'\r') {
        return true;
    }
    let is_control = |&octet: &u8| octet < b' ' && !matches!(octet, b'\t' | b'\n' | b'\r' | 0x1b);
    if bytes.iter().any(is_control) {
        return false;
    }
    // A multi-byte character can be split at both ends of a chunk.
    let invalid: usize = bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    invalid <= 6
}

/// Writes text with control characters replaced by `.`, and CR LF by LF.
fn write_text(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        // Usually, almost all of the text is plain.
        let (plain, tail) = rest.split_at(leading_count(rest, is_plain));
        out.extend_from_slice(plain);
        rest = match tail {
            [b'\r', b'\n', ..] => &tail[1..],
            [b'\r', ..] => {
                out.push(b'.');
                &tail[1..]
            }
            _ => {
                let (other, tail) = tail.split_at(leading_count(tail, |octet| {
                    !is_plain(octet) && octet != b'\r'
                }));
                write_unusual(out, other);
                tail
            }
        };
    }
}

/// Returns true for printable ASCII, LF and tab.
fn is_plain(octet: u8) -> bool {
    matches!(octet, b' '..=b'~' | b'\n' | b'\t')
}

/// Returns the number of leading bytes that match a predicate.
fn leading_count(bytes: &[u8], matches: impl Fn(u8) -> bool) -> usize {
    let mismatch = bytes.iter().position(|&octet| !matches(octet));
    mismatch.unwrap_or(bytes.len())
}

/// Writes bytes that are not plain: UTF-8 characters unchanged, control characters and invalid
/// bytes as `.`.
fn write_unusual(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character.is_control() {
                true => out.push(b'.'),
                false => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        out.extend(chunk.invalid().iter().map(|_| b'.'));
    }
}

/// Writes lines of hexadecimal:
/// `00000010  48 6f 73 74 3a 20 31 32  37 2e 30 2e 30 2e 31 3a  |Host: 127.0.0.1:|`.
fn write_hex(out: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    for (at, row) in bytes.chunks(HEX_ROW_LEN).enumerate() {
        let [.., a, b, c, d] = (offset + (at * HEX_ROW_LEN) as u64).to_be_bytes();
        for octet in [a, b, c, d] {
            digits::hex(out, octet);
        }
        out.push(b' ');
        for column in 0..HEX_ROW_LEN {
            if column == HEX_ROW_LEN / 2 {
                out.push(b' ');
            }
            out.push(b' ');
            match row.get(column) {
                Some(&octet) => digits::hex(out, octet),
                None => out.extend_from_slice(b"  "),
            }
        }
        out.extend_from_slice(b"  |");
        let visible = |&octet: &u8| match octet {
            b' '..=b'~' => octet,
            _ => b'.',
        };
        out.extend(row.iter().map(visible));
        out.extend_from_slice(b"|\n");
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
