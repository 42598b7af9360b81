//! Raw bytes of one side of one flow, for other programs (`--raw`).

use std::io::Write;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::flow::{FlowEventKind, Side};
use crate::sink::{BufferedOutput, CONTINUE, Event, Format, Requirement, Sink, SinkFactory};

/// The entry of raw streams in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "raw",
    extension: "bin",
    about: "raw bytes of one side of one flow",
    factory: SinkFactory::Streams(|writer, options| {
        Box::new(RawStream::new(writer, options.flow, options.side))
    }),
};

/// Sink that writes the payload of one side of one flow. Complete when the flow ends.
pub struct RawStream<W: Write> {
    out: BufferedOutput<W>,
    flow: Option<u64>,
    side: Side,
}

impl<W: Write> RawStream<W> {
    /// Returns a sink that writes to `writer`; the sink buffers its output. Without the number of
    /// the flow, only the events of one flow must be passed to it.
    pub fn new(writer: W, flow: Option<u64>, side: Side) -> RawStream<W> {
        RawStream {
            out: BufferedOutput::new(writer),
            flow,
            side,
        }
    }
}

impl<W: Write> Sink for RawStream<W> {
    fn requires(&self) -> Requirement {
        Requirement::Streams
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        match event {
            Event::Flow(event) if self.flow.is_none_or(|flow| flow == event.id.number) => {
                match event.kind {
                    FlowEventKind::Data { side, bytes, .. } if side == self.side => {
                        self.out.bytes.extend_from_slice(bytes);
                        self.out.write_if_full()?;
                    }
                    FlowEventKind::Closed(_) => return Ok(ControlFlow::Break(())),
                    _ => {}
                }
            }
            Event::Tick(_) => self.flush()?,
            Event::Packet(_) | Event::Flow(_) | Event::Request(_) | Event::Dropped(_) => {}
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.out.finish("")
    }
}
