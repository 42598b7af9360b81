//! Capture API of the library: packets and flows of one source.

use std::path::Path;

use super::{Counts, FlushPolicy, Output, RunOptions, Totals, run};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowEventKind, FlowRecord, FlowSettings};
use crate::packet::Packet;
use crate::sink::{Requirement, Sink};
use crate::source::{FileSource, Source, file};

/// The packets of a source that match a filter.
pub struct Capture<S> {
    source: S,
    filter: Filter,
}

/// Opens a capture file (pcap or pcapng, plain or compressed with gzip or zstd); `-` is standard
/// input.
///
/// # Errors
/// The file cannot be opened, or is not a capture file.
pub fn open(path: impl AsRef<Path>) -> Result<Capture<FileSource>> {
    Ok(Capture::new(file::open(path.as_ref())?))
}

impl<S: Source> Capture<S> {
    /// Creates a capture from any source, for example a live device.
    pub fn new(source: S) -> Capture<S> {
        Capture {
            source,
            filter: Filter::default(),
        }
    }

    /// Keeps only TCP and UDP packets with a source or destination port in `ports` (`80,8000-8100`;
    /// an empty string keeps all packets) that also match this pcap-filter(7) expression.
    ///
    /// # Errors
    /// The port list is invalid, or the expression does not compile.
    pub fn only(mut self, ports: &str, expression: &str) -> Result<Capture<S>> {
        let ports = Some(ports)
            .filter(|ports| !ports.is_empty())
            .map(str::parse)
            .transpose();
        self.filter = Filter::new(ports.map_err(Error::Usage)?, expression)?;
        Ok(self)
    }

    /// Calls `handle` with every packet until the source ends, and returns the counters.
    ///
    /// # Errors
    /// The source failed or the file is damaged. Every good packet before that was handled.
    pub fn each(&mut self, handle: impl FnMut(&Packet)) -> Result<Counts> {
        self.run_into(PacketCallback(handle), None)
    }

    /// Calls `handle` with every flow event until the source ends; the settings select the events.
    ///
    /// # Errors
    /// The same as [`each`](Self::each), after the events of all remaining flows.
    pub fn each_event(
        &mut self,
        settings: FlowSettings,
        handle: impl FnMut(&FlowEvent),
    ) -> Result<Counts> {
        self.run_into(FlowEventCallback(handle), Some(settings))
    }

    /// Returns all flows, in the order of their first packets.
    ///
    /// # Errors
    /// The same as [`each`](Self::each); [`each_event`](Self::each_event) also reports the flows
    /// before the damage.
    pub fn flows(&mut self) -> Result<Vec<FlowRecord>> {
        let mut flows = Vec::new();
        self.each_event(FlowSettings::FLOWS, |event| {
            if let FlowEventKind::Closed(record) = event.kind {
                flows.push(record.clone());
            }
        })?;
        flows.sort_unstable_by_key(|flow| flow.id.number);
        Ok(flows)
    }

    fn run_into(&mut self, sink: impl Sink, flows: Option<FlowSettings>) -> Result<Counts> {
        let totals = Totals::default();
        let mut output = Output::new(vec![Box::new(sink)], FlushPolicy::WhenFull, None);
        let options = RunOptions {
            flows,
            ..RunOptions::default()
        };
        run(
            &mut self.source,
            &mut self.filter,
            &mut output,
            &options,
            &totals,
        )?;
        Ok(totals.snapshot())
    }

    /// Returns the source of the packets.
    pub fn source_mut(&mut self) -> &mut S {
        &mut self.source
    }
}

/// A sink that calls a function with every packet.
struct PacketCallback<F>(F);

impl<F: FnMut(&Packet)> Sink for PacketCallback<F> {
    fn handle_packet(&mut self, packet: &Packet) -> Result<()> {
        (self.0)(packet);
        Ok(())
    }
}

/// A sink that calls a function with every flow event.
struct FlowEventCallback<F>(F);

impl<F: FnMut(&FlowEvent)> Sink for FlowEventCallback<F> {
    fn handle_flow(&mut self, event: &FlowEvent) -> Result<()> {
        (self.0)(event);
        Ok(())
    }

    fn requires(&self) -> Requirement {
        Requirement::Flows
    }
}
