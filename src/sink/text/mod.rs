//! Packets as lines of text, as tcpdump(1) 4.99 prints them with `-nn` where it dissects no further.

mod arp;
mod checksum;
mod icmp;
mod icmp6;
mod interface;
mod ip4;
mod ip6;
mod network;
mod printer;
mod sequence;

pub use printer::{Clock, Dump, Style};

use std::io::Write;

use super::{Sink, address, number};
use crate::error::Result;
use crate::packet::Packet;

/// Prints a line (with `-v` or a dump, several) per packet.
pub struct Text<W: Write> {
    out: Vec<u8>,
    writer: W,
    style: Style,
}
