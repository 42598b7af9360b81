//! Packets as lines on a stream: what makes the lines, and what writes them.

use std::io::Write;

use super::{Requirement, Sink, write_and_flush};
use crate::error::Result;
use crate::packet::{Lane, Packet};

/// How a packet becomes a line, or several.
pub trait Lines: Send {
    /// Writes the line of a packet.
    fn line(&mut self, packet: &Packet, out: &mut Vec<u8>);

    /// Another one that makes the same lines, and has seen no packet yet.
    fn fresh(&self) -> Box<dyn Lines>;

    /// What a line depends on beside its packet.
    fn depends(&self) -> Depends;

    /// How far packets must be understood for it.
    fn needs(&self) -> Requirement {
        Requirement::Packets
    }

    /// The lane of the connection that the last line depended on, if it did on any.
    fn lane(&self) -> Option<Lane> {
        None
    }
}

/// What a line depends on beside its packet: whatever it is, one and the same maker has to see it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depends {
    /// Nothing.
    Nothing,
    /// The packets of its connection.
    Connection,
    /// The packets before it.
    Order,
}

/// Writes lines as packets come.
pub struct Shown<W: Write, L> {
    writer: W,
    lines: L,
    out: Vec<u8>,
}

/// Written at once when more than this is waiting, in bytes.
const BUFFER: usize = 64 << 10;

impl<W: Write, L: Lines> Shown<W, L> {
    /// Writes to `writer`, which need not have a buffer.
    pub fn new(writer: W, lines: L) -> Shown<W, L> {
        Shown {
            writer,
            lines,
            out: Vec::with_capacity(BUFFER + BUFFER / 4),
        }
    }
}

impl<W: Write, L: Lines> Sink for Shown<W, L> {
    fn handle_packet(&mut self, packet: &Packet) -> Result<()> {
        self.lines.line(packet, &mut self.out);
        if self.out.len() > BUFFER {
            self.hand_on()
        } else {
            Ok(())
        }
    }

    fn requires(&self) -> Requirement {
        self.lines.needs()
    }

    fn line_worker(&self) -> Option<Box<dyn Lines>> {
        Some(self.lines.fresh())
    }

    fn append_lines(&mut self, lines: &[u8]) -> Result<()> {
        self.hand_on()?;
        Ok(self.writer.write_all(lines)?)
    }

    fn flush(&mut self) -> Result<()> {
        write_and_flush(&mut self.writer, &mut self.out)
    }
}

impl<W: Write, L> Shown<W, L> {
    fn hand_on(&mut self) -> Result<()> {
        let written = self.writer.write_all(&self.out);
        // What could not be written is not tried again: the error is final.
        self.out.clear();
        Ok(written?)
    }
}
