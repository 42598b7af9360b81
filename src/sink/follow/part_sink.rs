//! Sink that writes the parts of conversations in one format.

use std::io::Write;
use std::ops::ControlFlow;

use super::StreamOptions;
use super::part::ConversationPart;
use super::parts::PartTracker;
use crate::error::Result;
use crate::request::RequestEvent;
use crate::sink::{BufferedOutput, CONTINUE, Event, Requirement, Sink};

/// Formatter of the parts of conversations.
pub(super) trait PartFormatter {
    /// Writes a part.
    fn write_part(&mut self, part: &ConversationPart, out: &mut Vec<u8>);

    /// Completes the output after the last part.
    fn write_end(&mut self, _out: &mut Vec<u8>) {}
}

/// Sink that writes the parts of conversations.
pub(super) struct PartSink<W: Write, F> {
    out: BufferedOutput<W>,
    tracker: PartTracker,
    formatter: F,
}

impl<W: Write, F: PartFormatter> PartSink<W, F> {
    /// Returns a sink that writes to `writer`, with at most `max_binary_len` bytes of each binary
    /// message unless messages are complete; the sink buffers its output.
    pub(super) fn new(
        writer: W,
        options: &StreamOptions,
        max_binary_len: usize,
        formatter: F,
    ) -> PartSink<W, F> {
        PartSink {
            out: BufferedOutput::new(writer),
            tracker: PartTracker::new(options, max_binary_len),
            formatter,
        }
    }

    /// Calls `action` with the tracker, and a callback that writes its parts.
    fn with_tracker(
        &mut self,
        action: impl FnOnce(&mut PartTracker, &mut dyn FnMut(&ConversationPart)),
    ) {
        let (formatter, out) = (&mut self.formatter, &mut self.out.bytes);
        action(&mut self.tracker, &mut |part| {
            formatter.write_part(part, out);
        });
    }
}

impl<W: Write, F: PartFormatter> Sink for PartSink<W, F> {
    fn requires(&self) -> Requirement {
        Requirement::StreamsWithOverlaps
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        match event {
            Event::Request(RequestEvent::Message(message)) => {
                self.with_tracker(|tracker, show| tracker.add_message(message, show));
                self.out.write_if_full()?;
            }
            Event::Request(RequestEvent::Request(request)) => {
                self.with_tracker(|tracker, show| tracker.end_request(&request.flow, show));
            }
            Event::Flow(event) => {
                self.with_tracker(|tracker, show| tracker.add_flow_event(event, show));
                self.out.write_if_full()?;
            }
            Event::Tick(tick) => {
                self.with_tracker(|tracker, show| tracker.advance(tick.time, show));
                self.flush()?;
            }
            Event::Packet(_) | Event::Dropped(_) => {}
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.with_tracker(|tracker, show| tracker.finish(show));
        self.formatter.write_end(&mut self.out.bytes);
        self.out.finish("")
    }
}
