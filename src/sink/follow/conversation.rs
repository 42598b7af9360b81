//! Conversations as they happen: who says what to whom, as text where it is text and in hexadecimal where it is not.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;

use crate::error::Result;
use crate::flow::{Cause, FlowEvent, Side, What};
use crate::owners::Owners;
use crate::packet::{Timestamp, UDP};
use crate::sink::{Clock, Needs, Sink, address, number, write_out};

/// How conversations look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// How what is said is shown.
    pub content: Content,
    /// Whether the sides have colours.
    pub colour: bool,
    /// Only this flow.
    pub flow: Option<u64>,
    /// Nanoseconds in times, not microseconds.
    pub nano: bool,
    /// Whether processes are named, where they are known.
    pub processes: bool,
}

/// How what is said is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Content {
    /// As text; what is no text in hexadecimal, and of that no more than 16 lines at once.
    #[default]
    Text,
    /// In hexadecimal, all of it.
    Hex,
}

/// Prints conversations.
pub struct Conversation<W: Write> {
    writer: W,
    out: Vec<u8>,
    look: Look,
    clock: Clock,
    /// Whose the ends of flows are, by their numbers.
    names: HashMap<u64, Owners>,
    /// Who spoke last.
    speaker: Option<(u64, Side)>,
    /// Whether the line is not at its begin.
    in_line: bool,
}

/// Written at once when more than this is waiting, in bytes.
const BUFFER: usize = 64 << 10;
/// Bytes of a line in hexadecimal.
const ROW: usize = 16;
/// Lines that are shown of what is no text.
const MOST_ROWS: usize = 16;
/// The originator's colour and the responder's, as for packets.
const COLOURS: [&str; 2] = ["\x1b[36m", "\x1b[33m"];
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

impl<W: Write> Conversation<W> {
    /// Prints to `writer`, which need not have a buffer.
    pub fn new(writer: W, look: Look) -> Conversation<W> {
        Conversation {
            writer,
            out: Vec::with_capacity(BUFFER * 2),
            look,
            clock: Clock::new(look.nano),
            names: HashMap::new(),
            speaker: None,
            in_line: false,
        }
    }

    fn say(&mut self, event: &FlowEvent, side: Side, offset: u64, bytes: &[u8]) {
        if event.id.proto() == UDP {
            // A datagram is something for itself, even an empty one.
            self.speaker = None;
        }
        self.turn_to(event, side);
        if bytes.is_empty() {
            self.out.extend_from_slice(b"[empty datagram]\n");
            return;
        }
        let colour = self.colour(COLOURS[side as usize]);
        self.out.extend_from_slice(colour.as_bytes());
        let is_text = self.look.content == Content::Text && is_text(bytes);
        if is_text {
            text(&mut self.out, bytes);
            self.in_line = bytes.last() != Some(&b'\n');
        } else {
            self.end_line();
            let most = match self.look.content {
                Content::Text => MOST_ROWS * ROW,
                Content::Hex => bytes.len(),
            };
            hex(&mut self.out, offset, bytes.get(..most).unwrap_or(bytes));
            if bytes.len() > most {
                let more = format!("[{} more bytes; --hex shows all]\n", bytes.len() - most);
                self.out.extend_from_slice(more.as_bytes());
            }
        }
        let plain = self.colour(PLAIN);
        self.out.extend_from_slice(plain.as_bytes());
    }

    /// Says who speaks, unless it is who spoke last: `── 07:16:56.183003  1  127.0.0.1:59526 → 127.0.0.1:62893`.
    fn turn_to(&mut self, event: &FlowEvent, side: Side) {
        let (id, number) = (event.id, event.id.number);
        if self.speaker.replace((number, side)) == Some((number, side)) {
            return;
        }
        let (from, to) = match side {
            Side::Orig => (id.orig(), id.resp()),
            Side::Resp => (id.resp(), id.orig()),
        };
        let names = self
            .names
            .get(&number)
            .map_or_else(String::new, |owners| match side {
                Side::Orig => format!("  {owners}"),
                Side::Resp => format!("  {}", owners.clone().swapped()),
            });
        self.line(event.time, number, [from, to], &names);
    }

    /// A line of our own.
    fn line(&mut self, time: Timestamp, number: u64, [from, to]: [SocketAddr; 2], text: &str) {
        self.end_line();
        let (dim, plain) = (self.colour(DIM), self.colour(PLAIN));
        let out = &mut self.out;
        out.extend_from_slice(dim.as_bytes());
        out.extend_from_slice("── ".as_bytes());
        self.clock.write(out, time);
        out.extend_from_slice(b"  ");
        number::decimal64(out, number);
        out.extend_from_slice(b"  ");
        address::socket(out, from);
        out.extend_from_slice(" → ".as_bytes());
        address::socket(out, to);
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(plain.as_bytes());
        out.push(b'\n');
    }

    /// Something that stands where bytes should: `[gap 238 bytes]`.
    fn note(&mut self, event: &FlowEvent, side: Side, text: &str) {
        self.turn_to(event, side);
        self.end_line();
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'\n');
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.in_line) {
            self.out.push(b'\n');
        }
    }

    fn colour(&self, colour: &'static str) -> &'static str {
        if self.look.colour { colour } else { "" }
    }
}

impl<W: Write> Sink for Conversation<W> {
    fn flow(&mut self, event: &FlowEvent) -> Result<()> {
        if self.look.flow.is_some_and(|only| only != event.id.number) {
            return Ok(());
        }
        match event.what {
            What::Opened => {}
            What::Named(owners) if self.look.processes => {
                self.names.insert(event.id.number, owners.clone());
            }
            What::Named(_) => {}
            What::Data {
                side,
                offset,
                bytes,
            } => self.say(event, side, offset, bytes),
            What::Gap {
                side, len, cause, ..
            } => {
                let word = match cause {
                    Cause::Lost => "gap",
                    Cause::Cut => "cut",
                };
                self.note(event, side, &format!("[{word} {}]", bytes_of(len)));
            }
            What::Mismatch { side, offset, len } => {
                let text = format!(
                    "[{} from offset {offset} on sent again, and different: shown is what came first]",
                    bytes_of(len)
                );
                self.note(event, side, &text);
            }
            What::Closed(record) => {
                self.speaker = None;
                let id = event.id;
                self.names.remove(&id.number);
                let end = format!("  {}", record.outcome);
                self.line(event.time, id.number, [id.orig(), id.resp()], &end);
            }
        }
        match self.out.len() >= BUFFER {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn needs(&self) -> Needs {
        Needs::Repeats
    }

    fn flush(&mut self) -> Result<()> {
        write_out(&mut self.writer, &mut self.out)
    }

    fn finish(&mut self) -> Result<()> {
        self.end_line();
        self.flush()
    }
}

fn bytes_of(len: u64) -> String {
    format!("{len} byte{}", if len == 1 { "" } else { "s" })
}

/// Whether this is meant to be read: no control characters but those of text, and at most a few bytes that are no UTF-8.
fn is_text(bytes: &[u8]) -> bool {
    if bytes.iter().all(|&octet| is_plain(octet) || octet == b'\r') {
        return true;
    }
    let is_control = |&octet: &u8| octet < b' ' && !matches!(octet, b'\t' | b'\n' | b'\r' | 0x1b);
    if bytes.iter().any(is_control) {
        return false;
    }
    // A character may be divided at either end.
    let broken: usize = bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    broken <= 6
}

/// Text without what would act on a terminal.
fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        // Nearly all of it, mostly.
        let (plain, behind) = rest.split_at(count(rest, is_plain));
        out.extend_from_slice(plain);
        rest = match behind {
            [b'\r', b'\n', ..] => &behind[1..],
            [b'\r', ..] => {
                out.push(b'.');
                &behind[1..]
            }
            _ => {
                let (other, behind) =
                    behind.split_at(count(behind, |octet| !is_plain(octet) && octet != b'\r'));
                unusual(out, other);
                behind
            }
        };
    }
}

fn is_plain(octet: u8) -> bool {
    matches!(octet, b' '..=b'~' | b'\n' | b'\t')
}

/// How many octets at the begin are so.
fn count(bytes: &[u8], are_so: impl Fn(u8) -> bool) -> usize {
    let other = bytes.iter().position(|&octet| !are_so(octet));
    other.unwrap_or(bytes.len())
}

fn unusual(out: &mut Vec<u8>, bytes: &[u8]) {
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

/// `00000010  48 6f 73 74 3a 20 31 32  37 2e 30 2e 30 2e 31 3a  |Host: 127.0.0.1:|`
fn hex(out: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    for (at, row) in bytes.chunks(ROW).enumerate() {
        let [.., a, b, c, d] = (offset + (at * ROW) as u64).to_be_bytes();
        for octet in [a, b, c, d] {
            number::hex8(out, octet);
        }
        out.push(b' ');
        for place in 0..ROW {
            if place == ROW / 2 {
                out.push(b' ');
            }
            out.push(b' ');
            match row.get(place) {
                Some(&octet) => number::hex8(out, octet),
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

    fn shown(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn text_acts_on_no_terminal() {
        let said = b"GET / HTTP/1.1\r\nX: \x1b[2Jpl\xc3\xa4in \xff\x9b\r\nlone\rhere\t\xc2\x9b.\n";
        assert!(is_text(said));
        assert_eq!(
            shown(|out| text(out, said)),
            "GET / HTTP/1.1\nX: .[2Jpläin ..\nlone.here\t..\n"
        );
        assert!(!is_text(b"\x00\x00\x00\x08\x04\xd2\x16\x2f"));
        assert!(!is_text(&[0xfe; 40]));
    }

    #[test]
    fn rows_of_hexadecimal() {
        assert_eq!(
            shown(|out| hex(out, 0x10, b"Host: 127.0.0.1:8\n")),
            "00000010  48 6f 73 74 3a 20 31 32  37 2e 30 2e 30 2e 31 3a  |Host: 127.0.0.1:|\n\
             00000020  38 0a                                             |8.|\n"
        );
    }
}
