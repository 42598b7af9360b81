//! Capture API of the library: packets, flows and streams of a file or of a device.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use super::live::{AttributionMode, LiveCapture};
use super::streams::{FlowStreams, StreamCollector};
use super::{Counts, FlushPolicy, Output, RunOptions, Totals, run};
use crate::error::Result;
use crate::filter::{Filter, Ports};
use crate::flow::{FlowEvent, FlowEventKind, FlowRecord, FlowSettings, StreamMode};
use crate::packet::Packet;
use crate::sink::{CONTINUE, Event, Requirement, Sink};
use crate::source::live::LiveOptions;
use crate::source::{FileSource, Stop, file};

/// A capture file or a device, of which packets, flows or streams are read.
pub struct Capture {
    input: CaptureInput,
    ports: Option<Ports>,
    expression: String,
    flow_settings: FlowSettings,
}

enum CaptureInput {
    File(Box<FileSource>),
    Device(LiveOptions, Stop),
}

/// Opens a capture file (pcap or pcapng, plain or compressed with gzip or zstd); `-` is standard
/// input.
///
/// # Errors
/// The file cannot be opened, or is not a capture file.
pub fn open(path: impl AsRef<Path>) -> Result<Capture> {
    let source = Box::new(file::open(path.as_ref())?);
    Ok(Capture::new(
        CaptureInput::File(source),
        FlowSettings::FLOWS,
    ))
}

/// Prepares a live capture on a device, by default on the loopback. The capture starts with
/// [`packets`](Capture::packets), [`flows`](Capture::flows) or [`streams`](Capture::streams), and
/// ends after its duration or when `stop` is requested.
pub fn live(options: LiveOptions, stop: Stop) -> Capture {
    let settings = FlowSettings {
        linger_ns: LIVE_LINGER_NS,
        ..FlowSettings::FLOWS
    };
    Capture::new(CaptureInput::Device(options, stop), settings)
}

/// Time for which a closed flow of a live capture waits for late packets before it is reported, in
/// nanoseconds. It is short, because the flow is awaited.
pub const LIVE_LINGER_NS: i64 = 1_000_000_000;

/// Interval at which timed-out flows are reported while no packets arrive.
const FLOW_REPORT_INTERVAL: Duration = Duration::from_millis(250);

impl Capture {
    fn new(input: CaptureInput, flow_settings: FlowSettings) -> Capture {
        Capture {
            input,
            ports: None,
            expression: String::new(),
            flow_settings,
        }
    }

    /// Keeps only TCP and UDP packets with this source or destination port, and ICMP errors about
    /// such packets.
    #[must_use]
    pub fn port(self, port: u16) -> Capture {
        Capture {
            ports: Some(Ports::from(port)),
            ..self
        }
    }

    /// Keeps only packets that match this pcap-filter(7) expression.
    ///
    /// # Errors
    /// The expression does not compile.
    pub fn filter(mut self, expression: &str) -> Result<Capture> {
        Filter::new(None, expression)?;
        expression.clone_into(&mut self.expression);
        Ok(self)
    }

    /// Sets the limits of flow tracking.
    #[must_use]
    pub fn flow_settings(self, flow_settings: FlowSettings) -> Capture {
        Capture {
            flow_settings,
            ..self
        }
    }

    /// Calls `handle` with every packet until the capture ends, and returns the counters.
    ///
    /// # Errors
    /// The file is damaged, or the device cannot be opened or failed. Every good packet before that
    /// was handled.
    pub fn packets(self, handle: impl FnMut(&Packet)) -> Result<Counts> {
        self.run_into(PacketCallback(handle), None, AttributionMode::PerPacket)
    }

    /// Returns all flows, in the order of their first packets.
    ///
    /// # Errors
    /// The same as [`packets`](Self::packets); [`each_flow`](Self::each_flow) also reports the
    /// flows before the damage.
    pub fn flows(self) -> Result<Vec<FlowRecord>> {
        let mut flows = Vec::new();
        self.each_flow(|flow| flows.push(flow.clone()))?;
        flows.sort_unstable_by_key(|flow| flow.id.number);
        Ok(flows)
    }

    /// Calls `handle` with every flow when it ends, and returns the counters.
    ///
    /// # Errors
    /// The same as [`packets`](Self::packets), after all remaining flows.
    pub fn each_flow(self, mut handle: impl FnMut(&FlowRecord)) -> Result<Counts> {
        self.flow_events(StreamMode::Off, |event| {
            if let FlowEventKind::Closed(record) = event.kind {
                handle(record);
            }
        })
    }

    /// Calls `handle` with every flow event until the capture ends, and returns the counters; the
    /// mode selects the events of streams.
    ///
    /// # Errors
    /// The same as [`each_flow`](Self::each_flow).
    pub fn flow_events(
        self,
        stream_mode: StreamMode,
        handle: impl FnMut(&FlowEvent),
    ) -> Result<Counts> {
        let settings = FlowSettings {
            stream_mode,
            ..self.flow_settings
        };
        let sink = FlowEventCallback(handle);
        self.run_into(sink, Some(settings), AttributionMode::PerFlow)
    }

    /// Returns the streams of all flows, in the order of their first packets.
    ///
    /// # Errors
    /// The same as [`packets`](Self::packets).
    pub fn streams(self) -> Result<Vec<FlowStreams>> {
        let mut collector = StreamCollector::default();
        self.flow_events(StreamMode::Reassemble, |event| collector.add(event))?;
        Ok(collector.into_streams())
    }

    fn run_into(
        self,
        sink: impl Sink,
        flows: Option<FlowSettings>,
        attribution_mode: AttributionMode,
    ) -> Result<Counts> {
        let filter = Filter::new(self.ports, &self.expression)?;
        let totals = Totals::default();
        let mut output = Output::new(vec![Box::new(sink)], FlushPolicy::WhenFull, None);
        let mut options = RunOptions {
            flows,
            ..RunOptions::default()
        };
        match self.input {
            CaptureInput::File(mut source) => {
                let mut filter = filter;
                run(&mut *source, &mut filter, &mut output, options, &totals)?;
            }
            CaptureInput::Device(device, stop) => {
                let device = LiveOptions {
                    tick_interval: flows.map(|_| FLOW_REPORT_INTERVAL),
                    ..device
                };
                let capture = LiveCapture::open(device, attribution_mode, stop)?;
                let mut capture = capture.start(filter)?;
                options.attribution = capture.attribution();
                let (source, filter) = (&mut capture.source, &mut capture.filter);
                run(source, filter, &mut output, options, &totals)?;
            }
        }
        Ok(totals.snapshot())
    }
}

/// A sink that calls a function with every packet.
struct PacketCallback<F>(F);

impl<F: FnMut(&Packet)> Sink for PacketCallback<F> {
    fn requires(&self) -> Requirement {
        Requirement::Packets
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        if let Event::Packet(packet) = event {
            (self.0)(packet);
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A sink that calls a function with every flow event.
struct FlowEventCallback<F>(F);

impl<F: FnMut(&FlowEvent)> Sink for FlowEventCallback<F> {
    fn requires(&self) -> Requirement {
        Requirement::Flows
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        if let Event::Flow(event) = event {
            (self.0)(event);
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
