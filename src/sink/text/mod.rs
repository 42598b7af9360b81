//! Packets as lines of text, in the format that tcpdump(1) 4.99 prints with `-nn`, without
//! application protocols.

mod arp;
mod checksum;
mod colour;
mod dump;
mod enclosing_ip;
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
mod printer;
mod protocol;
mod sequence;
mod sll;
mod tcp;
mod tcp_options;
mod timestamp;
mod udp;

pub use printer::{Dump, Style, TimestampFormat};
pub(super) use timestamp::TimestampWriter;

use super::{Depends, Format, Lines, Requirement, Shown, SinkFactory, address, number};
use crate::packet::{Frame, Lane, Packet};
use crate::process::comment;
use interface::InterfaceNames;
use printer::Printer;
use sequence::SeqBaseTable;

/// Largest frame length that libpcap accepts, in bytes.
const MAX_FRAME_LEN: u32 = 262_144;

/// The entry of packet text in [`FORMATS`](super::FORMATS).
pub(super) const FORMAT: Format = Format {
    name: "text",
    extension: "txt",
    about: "lines as tcpdump prints them",
    factory: SinkFactory::Packets(|writer, style| {
        Box::new(Shown::new(writer, Text::new(style.clone())))
    }),
};

/// Formatter that prints one line per packet, or several with `-v` or a dump.
#[derive(Debug)]
pub struct Text {
    style: Style,
    timestamps: TimestampWriter,
    sequences: SeqBaseTable,
    interfaces: InterfaceNames,
    packets_printed: u64,
}

impl Text {
    /// Returns a formatter for lines in this style, in the local time zone.
    pub fn new(style: Style) -> Text {
        Text {
            style,
            timestamps: TimestampWriter::new(),
            sequences: SeqBaseTable::default(),
            interfaces: InterfaceNames::default(),
            packets_printed: 0,
        }
    }

    /// Prints a frame's line or lines, without the final newline.
    #[inline]
    fn print_frame(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        if self.style.packet_numbers {
            let number = self.packets_printed as u32;
            out.extend_from_slice(format!("{number:5}  ").as_bytes());
        }
        if print_invalid_lengths(out, frame) {
            return;
        }
        self.timestamps.write(out, frame.time, &self.style);
        let mut printer = Printer {
            out,
            style: &self.style,
            protocol: "",
            sequences: &mut self.sequences,
            interfaces: &mut self.interfaces,
            ip_depth: 0,
        };
        let header = match link::print(
            &mut printer,
            frame.link,
            frame.bytes,
            frame.wire_len as usize,
        ) {
            Ok(header) => header,
            Err(_) => {
                printer.push_truncated();
                0
            }
        };
        if self.style.processes
            && let Some(summary) = comment::summary(&frame.options)
        {
            out.extend_from_slice(b"  ");
            push_without_controls(out, summary);
        }
        dump::print(out, self.style.dump, frame.bytes, header);
    }
}

impl Lines for Text {
    fn line(&mut self, packet: &Packet, out: &mut Vec<u8>) {
        self.packets_printed += 1;
        self.sequences.lane = None;
        let start = out.len();
        self.print_frame(packet.frame, out);
        if self.style.colour {
            colour::paint(out, start, packet.tuple(), &self.style.server_ports);
        }
        out.push(b'\n');
    }

    fn fresh(&self) -> Box<dyn Lines> {
        Box::new(Text::new(self.style.clone()))
    }

    fn depends(&self) -> Depends {
        match self.style.timestamp_format {
            _ if self.style.packet_numbers => Depends::Order,
            TimestampFormat::Delta | TimestampFormat::SinceFirst => Depends::Order,
            _ => Depends::Connection,
        }
    }

    fn needs(&self) -> Requirement {
        match self.style.colour {
            true => Requirement::Packets,
            false => Requirement::Validity,
        }
    }

    fn lane(&self) -> Option<Lane> {
        self.sequences.lane
    }
}

/// Writes text, with control characters replaced by dots.
fn push_without_controls(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        let shown = if character.is_control() {
            '.'
        } else {
            character
        };
        out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Prints the invalid lengths of a frame; returns false if all lengths are valid.
#[inline]
fn print_invalid_lengths(out: &mut Vec<u8>, frame: &Frame) -> bool {
    let (captured, wire) = (frame.bytes.len(), frame.wire_len);
    if captured != 0 && captured <= wire as usize && wire <= MAX_FRAME_LEN {
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
    if captured > MAX_FRAME_LEN as usize {
        faults.push(format!("caplen({captured}) > {MAX_FRAME_LEN}"));
    }
    if wire > MAX_FRAME_LEN {
        faults.push(format!("len({wire}) > {MAX_FRAME_LEN}"));
    }
    out.extend_from_slice(format!("[Invalid header: {}]", faults.join(", ")).as_bytes());
    true
}

#[cfg(test)]
mod tests;
