//! Packets as lines of text, as tcpdump(1) 4.99 prints them with `-nn` where it dissects no further.

mod arp;
mod checksum;
mod clock;
mod colour;
mod dump;
mod ethernet;
mod ethertype;
mod icmp;
mod icmp6;
mod interface;
mod ip4;
mod ip4_options;
mod ip6;
mod ip6_extensions;
mod ipsec;
mod link;
mod mptcp;
mod network;
mod printer;
mod protocol;
mod sequence;
mod sll;
mod tcp;
mod tcp_options;
mod udp;

pub(super) use clock::Times;
pub use printer::{Clock, Dump, Style};

use super::{Depends, Format, Lines, Needs, Open, Shown, address, number};
use crate::owners::comment;
use crate::packet::{Frame, Lane, Packet};
use interface::Interfaces;
use printer::Printer;
use sequence::Sequences;

/// The most that libpcap takes for a frame's length, in bytes.
const MAX_FRAME: u32 = 262_144;

/// Text's row of the formats.
pub(super) const FORMAT: Format = Format {
    name: "text",
    extension: "txt",
    about: "lines as tcpdump prints them",
    open: Open::Shown(|writer, style| Box::new(Shown::new(writer, Text::new(style.clone())))),
};

/// Makes a line (with `-v` or a dump, several) of a packet.
#[derive(Debug)]
pub struct Text {
    style: Style,
    times: Times,
    sequences: Sequences,
    interfaces: Interfaces,
    /// Packets printed.
    printed: u64,
}

impl Text {
    /// Lines of this style.
    pub fn new(style: Style) -> Text {
        Text {
            style,
            times: Times::new(),
            sequences: Sequences::default(),
            interfaces: Interfaces::default(),
            printed: 0,
        }
    }

    /// Everything of a packet but the newline at its end.
    #[inline]
    fn print(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        if self.style.number {
            let number = self.printed as u32;
            out.extend_from_slice(format!("{number:5}  ").as_bytes());
        }
        if invalid_lengths(out, frame) {
            return;
        }
        self.times.write(out, frame.time, &self.style);
        let mut printer = Printer {
            out,
            style: &self.style,
            protocol: "",
            sequences: &mut self.sequences,
            interfaces: &mut self.interfaces,
            depth: 0,
        };
        let header = match link::print(
            &mut printer,
            frame.link,
            frame.bytes,
            frame.wire_len as usize,
        ) {
            Ok(header) => header,
            Err(_) => {
                printer.truncated();
                0
            }
        };
        if self.style.processes
            && let Some(words) = comment::in_words(&frame.options)
        {
            out.extend_from_slice(b"  ");
            visible(out, words);
        }
        dump::print(out, self.style.dump, frame.bytes, header);
    }
}

impl Lines for Text {
    fn line(&mut self, packet: &Packet, out: &mut Vec<u8>) {
        self.printed += 1;
        self.sequences.lane = None;
        let start = out.len();
        self.print(packet.frame, out);
        if self.style.colour {
            colour::paint(out, start, packet.tuple(), &self.style.ports);
        }
        out.push(b'\n');
    }

    fn fresh(&self) -> Box<dyn Lines> {
        Box::new(Text::new(self.style.clone()))
    }

    fn depends(&self) -> Depends {
        match self.style.clock {
            _ if self.style.number => Depends::Order,
            Clock::Delta | Clock::SinceFirst => Depends::Order,
            _ => Depends::Connection,
        }
    }

    fn needs(&self) -> Needs {
        match self.style.colour {
            true => Needs::Packets,
            false => Needs::Counts,
        }
    }

    fn lane(&self) -> Option<Lane> {
        self.sequences.lane
    }
}

/// Text without control characters.
fn visible(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        let shown = if character.is_control() {
            '.'
        } else {
            character
        };
        out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Says what is wrong with a frame's lengths; true where anything is.
#[inline]
fn invalid_lengths(out: &mut Vec<u8>, frame: &Frame) -> bool {
    let (captured, wire) = (frame.bytes.len(), frame.wire_len);
    if captured != 0 && captured <= wire as usize && wire <= MAX_FRAME {
        return false;
    }
    let mut faults = Vec::new();
    if captured == 0 {
        faults.push("caplen==0".to_owned());
    }
    if wire == 0 {
        faults.push("len==0".to_owned());
    } else if (wire as usize) < captured {
        faults.push(format!("len({wire}) < caplen({captured})"));
    }
    if captured > MAX_FRAME as usize {
        faults.push(format!("caplen({captured}) > {MAX_FRAME}"));
    }
    if wire > MAX_FRAME {
        faults.push(format!("len({wire}) > {MAX_FRAME}"));
    }
    out.extend_from_slice(format!("[Invalid header: {}]", faults.join(", ")).as_bytes());
    true
}

#[cfg(test)]
mod tests;
