//! Packets as lines of text, as tcpdump(1) 4.99 prints them with `-nn` where it dissects no further.

mod printer;

pub use printer::{Clock, Dump, Style};

use std::io::Write;

use super::Sink;
use crate::error::Result;
use crate::packet::Packet;

/// Prints a line (with `-v` or a dump, several) per packet.
pub struct Text<W: Write> {
    out: Vec<u8>,
    writer: W,
    style: Style,
}
