//! Sink that writes packets as lines.

use std::io::Write;
use std::ops::ControlFlow;

use super::{CONTINUE, Event, Requirement, Sink, write_and_flush};
use crate::error::Result;
use crate::packet::Packet;

/// Formatter of packets as lines.
pub trait LineFormatter {
    /// Writes the line or lines of a packet.
    fn write_line(&mut self, packet: &Packet, out: &mut Vec<u8>);
}

/// Sink that writes the lines of a formatter.
pub struct LineSink<W: Write, F> {
    writer: W,
    formatter: F,
    out: Vec<u8>,
}

/// Number of buffered bytes at which the buffer is written.
const FLUSH_THRESHOLD: usize = 64 << 10;

impl<W: Write, F: LineFormatter> LineSink<W, F> {
    /// Returns a sink that writes to `writer`; the sink buffers its output.
    pub fn new(writer: W, formatter: F) -> LineSink<W, F> {
        LineSink {
            writer,
            formatter,
            out: Vec::with_capacity(FLUSH_THRESHOLD + FLUSH_THRESHOLD / 4),
        }
    }
}

impl<W: Write, F: LineFormatter> Sink for LineSink<W, F> {
    fn requires(&self) -> Requirement {
        Requirement::Packets
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        match event {
            Event::Packet(packet) => {
                self.formatter.write_line(packet, &mut self.out);
                if self.out.len() > FLUSH_THRESHOLD {
                    let written = self.writer.write_all(&self.out);
                    // A failed write is not retried: the error is final.
                    self.out.clear();
                    written?;
                }
            }
            Event::Tick(_) => self.flush()?,
            Event::Flow(_) => {}
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        write_and_flush(&mut self.writer, &mut self.out)
    }

    fn finish(&mut self) -> Result<()> {
        self.flush()
    }
}
