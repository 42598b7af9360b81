//! One side of one flow, byte for byte: for other programs.

use std::io::Write;

use crate::error::Result;
use crate::flow::{FlowEvent, Side, What};
use crate::sink::{Needs, Sink};

/// Writes what one side of one flow says.
pub struct Raw<W: Write> {
    writer: W,
    flow: u64,
    side: Side,
    /// Whether that flow has ended.
    ended: bool,
}

impl<W: Write> Raw<W> {
    /// Writes to `writer`, without a buffer: streams come in large pieces.
    pub fn new(writer: W, flow: u64, side: Side) -> Raw<W> {
        Raw {
            writer,
            flow,
            side,
            ended: false,
        }
    }
}

impl<W: Write> Sink for Raw<W> {
    fn flow(&mut self, event: &FlowEvent) -> Result<()> {
        if event.id.number != self.flow {
            return Ok(());
        }
        match event.what {
            What::Data { side, bytes, .. } if side == self.side => {
                self.writer.write_all(bytes)?;
            }
            What::Closed(_) => self.ended = true,
            _ => {}
        }
        Ok(())
    }

    fn needs(&self) -> Needs {
        Needs::Streams
    }

    fn may_have_enough(&self) -> bool {
        true
    }

    fn wants_more(&self) -> bool {
        !self.ended
    }

    fn flush(&mut self) -> Result<()> {
        Ok(self.writer.flush()?)
    }
}
