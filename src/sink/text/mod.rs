//! Packets as lines of text, in the format that tcpdump(1) 4.99 prints with `-nn`, without
//! application protocols.

mod arp;
pub(super) mod checksum;
mod colour;
mod dump;
mod enclosing_ip;
mod ethernet;
mod ethertype;
mod icmp;
mod icmp6;
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
mod timestamp;
mod udp;

pub use dump::Dump;
pub use printer::{Style, TimestampFormat};

use super::owner_cache::OwnerCache;
use super::{Format, LineFormatter, LineSink, SinkFactory, address, digits};
use crate::packet::{Frame, Packet};
use crate::process::Owners;
use printer::Printer;
use sequence::SeqBaseTable;
use timestamp::TimestampWriter;

/// Largest frame length that libpcap accepts, in bytes.
const MAX_FRAME_LEN: u32 = 262_144;

/// The entry of packet text in [`FORMATS`](super::FORMATS).
pub(super) const FORMAT: Format = Format {
    name: "text",
    extension: "txt",
    about: "lines as tcpdump prints them",
    factory: SinkFactory::Packets(|writer, style| {
        Box::new(LineSink::new(writer, Text::new(style.clone())))
    }),
};

/// Formatter that prints one line per packet, or several with `-v` or a dump.
#[derive(Debug)]
pub struct Text {
    style: Style,
    timestamps: TimestampWriter,
    sequences: SeqBaseTable,
    packets_printed: u64,
    owners: OwnerCache,
}

impl Text {
    /// Returns a formatter for lines in this style, in the local time zone.
    pub fn new(style: Style) -> Text {
        Text {
            timestamps: TimestampWriter::new(&style),
            style,
            sequences: SeqBaseTable::default(),
            packets_printed: 0,
            owners: OwnerCache::new(|owner, out| {
                out.extend_from_slice(owner.to_string().as_bytes());
            }),
        }
    }

    /// Prints a frame's line or lines, without the final newline.
    #[inline]
    fn print_frame(&mut self, frame: &Frame, owners: Option<&Owners>, out: &mut Vec<u8>) {
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
        if let Some(owners) = owners.filter(|_| self.style.processes) {
            out.extend_from_slice(b"  ");
            self.owners.write(owners.orig.as_ref(), out);
            out.extend_from_slice(" → ".as_bytes());
            self.owners.write(owners.resp.as_ref(), out);
        }
        dump::print(out, self.style.dump, frame.bytes, header);
    }
}

impl LineFormatter for Text {
    fn write_line(&mut self, packet: &Packet, out: &mut Vec<u8>) {
        self.packets_printed += 1;
        let start = out.len();
        self.print_frame(packet.frame, packet.owners, out);
        if self.style.colour {
            colour::paint(out, start, packet.endpoints(), &self.style.server_ports);
        }
        out.push(b'\n');
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
