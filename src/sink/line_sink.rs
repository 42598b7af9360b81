//! Sink that writes packets as lines.

use std::io::Write;
use std::ops::ControlFlow;

use super::{BufferedOutput, CONTINUE, Event, Requirement, Sink};
use crate::error::Result;
use crate::packet::Packet;

/// Formatter of packets as lines.
pub trait LineFormatter {
    /// Writes the line or lines of a packet.
    fn write_line(&mut self, packet: &Packet, out: &mut Vec<u8>);
}

/// Sink that writes the lines of a formatter.
pub struct LineSink<W: Write, F> {
    out: BufferedOutput<W>,
    formatter: F,
}

impl<W: Write, F: LineFormatter> LineSink<W, F> {
    /// Returns a sink that writes to `writer`; the sink buffers its output.
    pub fn new(writer: W, formatter: F) -> LineSink<W, F> {
        LineSink {
            out: BufferedOutput::new(writer),
            formatter,
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
                self.formatter.write_line(packet, &mut self.out.bytes);
                self.out.end_record()?;
            }
            Event::Tick(_) => self.flush()?,
            Event::Flow(_) | Event::Request(_) | Event::Dropped(_) => {}
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.out.finish("packet")
    }
}
