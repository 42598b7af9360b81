//! Raw bytes of one side of one flow, for other programs (`--raw`).

use std::io::Write;

use crate::error::Result;
use crate::flow::{FlowEvent, FlowEventKind, Side};
use crate::sink::{Requirement, Sink};

/// Sink that writes the payload of one side of one flow.
pub struct RawStream<W: Write> {
    writer: W,
    flow: u64,
    side: Side,
    /// True after the flow has ended.
    flow_ended: bool,
}

impl<W: Write> RawStream<W> {
    /// Returns a sink that writes to `writer` without a buffer, because stream data arrives in
    /// large chunks.
    pub fn new(writer: W, flow: u64, side: Side) -> RawStream<W> {
        RawStream {
            writer,
            flow,
            side,
            flow_ended: false,
        }
    }
}

impl<W: Write> Sink for RawStream<W> {
    fn handle_flow(&mut self, event: &FlowEvent) -> Result<()> {
        if event.id.number != self.flow {
            return Ok(());
        }
        match event.kind {
            FlowEventKind::Data { side, bytes, .. } if side == self.side => {
                self.writer.write_all(bytes)?;
            }
            FlowEventKind::Closed(_) => self.flow_ended = true,
            _ => {}
        }
        Ok(())
    }

    fn requires(&self) -> Requirement {
        Requirement::Streams
    }

    fn can_finish_early(&self) -> bool {
        true
    }

    fn should_continue(&self) -> bool {
        !self.flow_ended
    }

    fn flush(&mut self) -> Result<()> {
        Ok(self.writer.flush()?)
    }
}
