//! Hexadecimal dumps of `lcap follow --hex`: the bytes of both sides of each flow, as they were
//! sent.

use std::collections::HashMap;
use std::io::Write;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;

use super::payload::write_hex;
use super::status_line::StatusLines;
use super::{StreamOptions, gap_note, mismatch_note};
use crate::error::Result;
use crate::flow::{FlowEvent, FlowEventKind, Side};
use crate::packet::UDP;
use crate::process::Owners;
use crate::sink::{BufferedOutput, CONTINUE, Event, Format, Requirement, Sink, SinkFactory};

/// The entry of hexadecimal dumps in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "hex",
    extension: "txt",
    about: "bytes of both sides of each flow, in hexadecimal",
    factory: SinkFactory::Streams(|writer, options| Box::new(HexDump::new(writer, options))),
};

/// Sink that prints the bytes of both sides.
struct HexDump<W: Write> {
    out: BufferedOutput<W>,
    /// Number of the selected flow; `None` selects all flows.
    only_flow: Option<u64>,
    status_lines: StatusLines,
    /// Owners of both ends, by flow number.
    owners: HashMap<u64, Owners, RandomState>,
}

impl<W: Write> HexDump<W> {
    fn new(writer: W, options: &StreamOptions) -> HexDump<W> {
        HexDump {
            out: BufferedOutput::new(writer),
            only_flow: options.flow,
            status_lines: StatusLines::new(options),
            owners: HashMap::default(),
        }
    }

    fn write_data(&mut self, event: &FlowEvent, side: Side, offset: u64, bytes: &[u8]) {
        if event.id.proto() == UDP {
            // Each datagram is printed as a separate message, even an empty one.
            self.status_lines.start_message();
        }
        if bytes.is_empty() {
            return self.write_note(event, side, "[empty datagram]");
        }
        self.switch_sender(event, side);
        self.status_lines
            .in_colour(&mut self.out.bytes, side, |out| {
                write_hex(out, "", offset, bytes);
            });
    }

    /// Prints a note in place of data: `[gap 238 bytes]`.
    fn write_note(&mut self, event: &FlowEvent, side: Side, text: &str) {
        self.switch_sender(event, side);
        self.out.bytes.extend_from_slice(text.as_bytes());
        self.out.bytes.push(b'\n');
    }

    fn switch_sender(&mut self, event: &FlowEvent, side: Side) {
        let unidentified = Owners::default();
        let owners = self.owners.get(&event.id.number).unwrap_or(&unidentified);
        let (time, id) = (event.time, event.id);
        self.status_lines
            .switch_sender(&mut self.out.bytes, time, id, side, owners);
    }

    fn write_event(&mut self, event: &FlowEvent) {
        if self.only_flow.is_some_and(|flow| flow != event.id.number) {
            return;
        }
        match event.kind {
            FlowEventKind::Opened { .. }
            | FlowEventKind::Detected(_)
            | FlowEventKind::End { .. } => {}
            FlowEventKind::Owners(owners) => {
                self.owners.insert(event.id.number, owners.clone());
            }
            FlowEventKind::Data {
                side,
                offset,
                bytes,
                ..
            } => self.write_data(event, side, offset, bytes),
            FlowEventKind::Gap {
                side, len, cause, ..
            } => self.write_note(event, side, &gap_note(len, cause)),
            FlowEventKind::Mismatch { side, offset, len } => {
                self.write_note(event, side, &mismatch_note(offset, len));
            }
            FlowEventKind::Closed(record) => {
                self.owners.remove(&event.id.number);
                self.status_lines
                    .write_outcome(&mut self.out.bytes, event.time, record);
            }
        }
    }
}

impl<W: Write> Sink for HexDump<W> {
    fn requires(&self) -> Requirement {
        Requirement::StreamsWithOverlaps
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        match event {
            Event::Flow(event) => {
                self.write_event(event);
                self.out.write_if_full()?;
            }
            Event::Tick(_) => self.flush()?,
            Event::Packet(_) | Event::Request(_) | Event::Dropped(_) => {}
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
