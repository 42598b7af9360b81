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
mod llc;
mod mobility;
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

use std::io::Write;

use super::{Format, Open, Sink, address, number};
use crate::error::Result;
use crate::packet::{Frame, Packet};
use interface::Interfaces;
use printer::Printer;
use sequence::Sequences;

/// Text is handed to the writer when there is more of it than this, in bytes.
const BUFFER: usize = 64 * 1024;

/// The most that libpcap takes for a frame's length, in bytes.
const MAX_FRAME: u32 = 262_144;

/// Text's row of the formats.
pub(super) const FORMAT: Format = Format {
    name: "text",
    extension: "txt",
    about: "lines as tcpdump prints them",
    open: Open::Shown(|writer, style| Box::new(Text::new(writer, style.clone()))),
};

/// Prints a line (with `-v` or a dump, several) per packet.
pub struct Text<W: Write> {
    out: Vec<u8>,
    writer: W,
    style: Style,
    times: Times,
    sequences: Sequences,
    interfaces: Interfaces,
    /// Packets printed.
    printed: u64,
}

impl<W: Write> Text<W> {
    /// Prints to `writer`, which need not have a buffer.
    pub fn new(writer: W, style: Style) -> Text<W> {
        Text {
            out: Vec::with_capacity(BUFFER + BUFFER / 4),
            writer,
            style,
            times: Times::new(),
            sequences: Sequences::default(),
            interfaces: Interfaces::default(),
            printed: 0,
        }
    }

    fn write_out(&mut self) -> Result<()> {
        let written = self.writer.write_all(&self.out);
        self.out.clear();
        Ok(written?)
    }

    /// Everything of a packet but the newline at its end.
    #[inline]
    fn print(&mut self, frame: &Frame) {
        if self.style.number {
            let number = self.printed as u32;
            self.out
                .extend_from_slice(format!("{number:5}  ").as_bytes());
        }
        if invalid_lengths(&mut self.out, frame) {
            return;
        }
        self.times.write(&mut self.out, frame.time, &self.style);
        let mut printer = Printer {
            out: &mut self.out,
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
        dump::print(&mut self.out, self.style.dump, frame.bytes, header);
    }
}

impl<W: Write> Sink for Text<W> {
    fn packet(&mut self, packet: &Packet) -> Result<()> {
        self.printed += 1;
        if self.style.colour {
            let start = self.out.len();
            self.print(packet.frame);
            colour::paint(&mut self.out, start, packet.tuple(), &self.style.ports);
        } else {
            self.print(packet.frame);
        }
        self.out.push(b'\n');
        if self.out.len() > BUFFER {
            self.write_out()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.write_out()?;
        Ok(self.writer.flush()?)
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
