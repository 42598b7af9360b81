//! A capture as a library sees it: packets, one after the other.

use std::path::Path;

use super::{Counts, Flush, Output, Task, Totals, run};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowRecord, Settings, What};
use crate::packet::Packet;
use crate::sink::{Needs, Sink};
use crate::source::{FileSource, Source, file};

/// Packets of a source that pass a filter.
pub struct Capture<S> {
    source: S,
    filter: Filter,
}

/// Opens a capture file (pcap or pcapng, plain or packed by gzip or zstd); `-` is standard input.
///
/// # Errors
/// It cannot be opened, or is no capture file.
pub fn open(path: impl AsRef<Path>) -> Result<Capture<FileSource>> {
    Ok(Capture::new(file::open(path.as_ref())?))
}

impl<S: Source> Capture<S> {
    /// Packets of any source: a live device's, for one.
    pub fn new(source: S) -> Capture<S> {
        Capture {
            source,
            filter: Filter::default(),
        }
    }

    /// Only TCP and UDP with either port among these (`80,8000-8100`; none is all) that match this pcap-filter(7) expression too.
    ///
    /// # Errors
    /// The ports are none, or the expression does not compile.
    pub fn only(mut self, ports: &str, expression: &str) -> Result<Capture<S>> {
        let ports = Some(ports)
            .filter(|ports| !ports.is_empty())
            .map(str::parse)
            .transpose();
        self.filter = Filter::new(ports.map_err(Error::Usage)?, expression)?;
        Ok(self)
    }

    /// Calls `see` with every packet until the source ends, and tells how many there were.
    ///
    /// # Errors
    /// The source failed or the file is damaged, after every good packet was seen.
    pub fn each(&mut self, see: impl FnMut(&Packet)) -> Result<Counts> {
        self.pass_to(Each(see), None)
    }

    /// Calls `see` with everything that happens to flows until the source ends; the settings say what is wanted.
    ///
    /// # Errors
    /// As [`each`](Self::each), after the last flow ended.
    pub fn each_event(
        &mut self,
        settings: Settings,
        see: impl FnMut(&FlowEvent),
    ) -> Result<Counts> {
        self.pass_to(EachEvent(see), Some(settings))
    }

    /// All flows, in the order of their first packets.
    ///
    /// # Errors
    /// As [`each`](Self::each); [`each_event`](Self::each_event) gives the flows before the damage too.
    pub fn flows(&mut self) -> Result<Vec<FlowRecord>> {
        let mut flows = Vec::new();
        self.each_event(Settings::FLOWS, |event| {
            if let What::Closed(record) = event.what {
                flows.push(record.clone());
            }
        })?;
        flows.sort_unstable_by_key(|flow| flow.id.number);
        Ok(flows)
    }

    fn pass_to(&mut self, sink: impl Sink, flows: Option<Settings>) -> Result<Counts> {
        let totals = Totals::default();
        let mut output = Output::new(vec![Box::new(sink)], Flush::Full, None);
        let task = Task {
            flows,
            ..Task::default()
        };
        run(
            &mut self.source,
            &mut self.filter,
            &mut output,
            &task,
            &totals,
        )?;
        Ok(totals.now())
    }

    /// Where the packets come from.
    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }
}

/// A function as a sink.
struct Each<F>(F);

impl<F: FnMut(&Packet)> Sink for Each<F> {
    fn packet(&mut self, packet: &Packet) -> Result<()> {
        (self.0)(packet);
        Ok(())
    }
}

/// A function as a sink of flows.
struct EachEvent<F>(F);

impl<F: FnMut(&FlowEvent)> Sink for EachEvent<F> {
    fn flow(&mut self, event: &FlowEvent) -> Result<()> {
        (self.0)(event);
        Ok(())
    }

    fn needs(&self) -> Needs {
        Needs::Flows
    }
}
