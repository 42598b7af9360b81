//! Capture API of the library: packets, flows and streams of a file or of a device.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
#[cfg(feature = "live")]
use std::time::Duration;

#[cfg(feature = "live")]
use super::live::{AttributionMode, LiveCapture};
use super::streams::{FlowStreams, StreamCollector};
use super::{Counts, FlushPolicy, Output, RunOptions, Totals, run};
#[cfg(feature = "live")]
use crate::attribution::LookupProcess;
use crate::error::Result;
use crate::event::{CONTINUE, Event, Requirement, Sink};
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowEventKind, FlowRecord, FlowSettings, StreamMode};
use crate::packet::Packet;
use crate::request::{Request, RequestEvent, RequestSettings};
use crate::source::{FileSource, Source, file};
#[cfg(feature = "live")]
use crate::source::{Losses, Stop, live::LiveOptions};

/// A capture file or a device, of which packets, flows or streams are read.
///
/// [`open`], [`read`] and `live` return a capture; [`port`](Self::port) and `filter` select its
/// packets; [`packets`](Self::packets), [`flows`](Self::flows), [`streams`](Self::streams) and
/// their variants run it to its end.
#[must_use = "a capture reads nothing until its packets, flows or streams are requested"]
pub struct Capture {
    input: CaptureInput,
    filter: Filter,
    flow_settings: FlowSettings,
}

enum CaptureInput {
    File(Box<FileSource>),
    #[cfg(feature = "live")]
    Device(LiveOptions, Stop),
    /// A device that is already open; its filter is already set.
    #[cfg(feature = "cli")]
    OpenDevice(Box<LiveCapture>),
}

/// Opens a capture file (pcap or pcapng, plain or compressed with gzip or, with the feature `zstd`,
/// zstd); `-` is standard input.
///
/// # Errors
/// [`Error::File`](crate::Error::File) if the file cannot be read,
/// [`Error::Format`](crate::Error::Format) if it is not a capture file, and
/// [`Error::Damaged`](crate::Error::Damaged) if it ends inside its header.
///
/// # Examples
/// ```
/// let counts = lcap::open("fixtures/http.pcap")?.packets(|_| {})?;
/// assert_eq!(counts.frames, 12);
/// assert!(matches!(lcap::open("README.md"), Err(lcap::Error::Format { .. })));
/// # Ok::<(), lcap::Error>(())
/// ```
pub fn open(path: impl AsRef<Path>) -> Result<Capture> {
    Ok(Capture::of_file(file::open(path.as_ref())?))
}

/// Reads a capture from any reader, e.g. from bytes in memory; `name` identifies it in error
/// messages.
///
/// # Errors
/// The same as [`open`].
///
/// # Examples
/// ```
/// let bytes: &[u8] = include_bytes!("../../fixtures/http.pcap.gz");
/// assert_eq!(lcap::read("http", bytes)?.flows()?.len(), 1);
/// # Ok::<(), lcap::Error>(())
/// ```
pub fn read(name: &str, reader: impl Read + Send + 'static) -> Result<Capture> {
    Ok(Capture::of_file(file::read(name, reader)?))
}

/// Prepares a live capture on a device, by default on the loopback.
///
/// The capture starts with the call that requests its packets, flows or streams, e.g.
/// [`Capture::packets`], and that call returns after the duration in the options, or when `stop` is
/// requested from another thread. Its packets and flows have the processes at both ends as
/// [owners](crate::Owners). It requires the capability CAP_NET_RAW (capabilities(7)); an error of
/// that call names the missing permission.
///
/// # Examples
/// ```no_run
/// use std::time::Duration;
///
/// let options = lcap::LiveOptions {
///     duration: Some(Duration::from_secs(2)),
///     ..lcap::LiveOptions::default()
/// };
/// for flow in lcap::live(options, lcap::Stop::new()?).port(8080).flows()? {
///     println!("{}: {}", flow.owners, flow.outcome);
/// }
/// # Ok::<(), lcap::Error>(())
/// ```
#[cfg(feature = "live")]
pub fn live(options: LiveOptions, stop: Stop) -> Capture {
    Capture::of_live(CaptureInput::Device(options, stop))
}

/// Time for which a closed flow of a live capture waits for late packets before it is reported, in
/// nanoseconds. It is short, because the flow is awaited.
pub const LIVE_LINGER_NS: i64 = 1_000_000_000;

/// Interval at which timed-out flows are reported while no packets arrive.
#[cfg(feature = "live")]
pub const FLOW_REPORT_INTERVAL: Duration = Duration::from_millis(250);

/// Interval at which requests are reported, with or without packets: short enough to report an
/// answer within 50 ms, also if its end is only that no more of it follows for 30 ms.
#[cfg(feature = "live")]
pub const REQUEST_REPORT_INTERVAL: Duration = Duration::from_millis(15);

impl Capture {
    /// Returns a capture on an open device.
    #[cfg(feature = "cli")]
    pub(crate) fn of_device(capture: LiveCapture) -> Capture {
        Capture::of_live(CaptureInput::OpenDevice(Box::new(capture)))
    }

    #[cfg(feature = "live")]
    fn of_live(input: CaptureInput) -> Capture {
        Capture {
            input,
            filter: Filter::default(),
            flow_settings: FlowSettings {
                linger_ns: LIVE_LINGER_NS,
                ..FlowSettings::FLOWS
            },
        }
    }

    fn of_file(source: FileSource) -> Capture {
        Capture {
            input: CaptureInput::File(Box::new(source)),
            filter: Filter::default(),
            flow_settings: FlowSettings::FLOWS,
        }
    }

    /// Keeps only TCP and UDP packets with this source or destination port, and ICMP errors about
    /// such packets. After several calls, packets with any of the ports are kept.
    ///
    /// # Examples
    /// ```
    /// let other = lcap::open("fixtures/http.pcap")?.port(80).packets(|_| {})?;
    /// let both = lcap::open("fixtures/http.pcap")?.port(80).port(8080).packets(|_| {})?;
    /// assert_eq!((other.packets, both.packets), (0, 12));
    /// # Ok::<(), lcap::Error>(())
    /// ```
    pub fn port(mut self, port: u16) -> Capture {
        self.filter.add_port(port);
        self
    }

    /// Keeps only packets that match this pcap-filter(7) expression, which replaces an earlier one.
    /// Packets must match the [ports](Self::port) as well.
    ///
    /// # Errors
    /// [`Error::Filter`](crate::Error::Filter) if the expression does not compile.
    ///
    /// # Examples
    /// ```
    /// let syns = lcap::open("fixtures/http.pcap")?.filter("tcp[tcpflags] & tcp-syn != 0")?;
    /// assert_eq!(syns.packets(|_| {})?.packets, 2);
    /// # Ok::<(), lcap::Error>(())
    /// ```
    #[cfg(feature = "live")]
    pub fn filter(mut self, expression: &str) -> Result<Capture> {
        self.filter.set_expression(expression)?;
        Ok(self)
    }

    /// Sets the limits of flow tracking; the default is [`FlowSettings::FLOWS`], with a shorter
    /// `linger_ns` for live captures. On a pipe from a live capture, `linger_ns` is at most 1 s.
    /// The stream mode is set by the method that runs the capture.
    pub fn flow_settings(self, flow_settings: FlowSettings) -> Capture {
        Capture {
            flow_settings,
            ..self
        }
    }

    /// Calls `handle` with every packet until the capture ends, and returns the counters.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) if the file is damaged, with the byte offset;
    /// [`Error::Device`](crate::Error::Device) if the device cannot be opened or failed. Every good
    /// packet before that was handled.
    ///
    /// # Examples
    /// ```
    /// let mut bytes = 0;
    /// let counts = lcap::open("fixtures/http.pcap")?.packets(|packet| {
    ///     bytes += u64::from(packet.payload().len);
    /// })?;
    /// assert_eq!((counts.packets, bytes), (12, 1084));
    /// # Ok::<(), lcap::Error>(())
    /// ```
    pub fn packets(self, mut handle: impl FnMut(&Packet)) -> Result<Counts> {
        self.run(None, None, |event| {
            if let Event::Packet(packet) = event {
                handle(packet);
            }
        })
    }

    /// Returns all flows, in the order of their first packets.
    ///
    /// # Errors
    /// The same as [`packets`](Self::packets); [`each_flow`](Self::each_flow) also reports the
    /// flows before the damage.
    ///
    /// # Examples
    /// ```
    /// let flows = lcap::open("fixtures/http.pcap")?.flows()?;
    /// assert_eq!(flows[0].id.resp().port(), 8080);
    /// assert_eq!(flows[0].outcome.to_string(), "closed normally");
    /// # Ok::<(), lcap::Error>(())
    /// ```
    pub fn flows(self) -> Result<Vec<FlowRecord>> {
        let mut flows = Vec::new();
        self.each_flow(|flow| flows.push(flow.clone()))?;
        flows.sort_unstable_by_key(|flow| flow.id.number);
        Ok(flows)
    }

    /// Calls `handle` with every flow when it ends, and returns the counters. Flows that are open
    /// at the end of the capture end with it.
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
        mut handle: impl FnMut(&FlowEvent),
    ) -> Result<Counts> {
        let settings = FlowSettings {
            stream_mode,
            ..self.flow_settings
        };
        self.run(Some(settings), None, |event| {
            if let Event::Flow(event) = event {
                handle(event);
            }
        })
    }

    /// Returns the streams of all flows, in the order of their first packets. They are kept in
    /// memory; [`flow_events`](Self::flow_events) passes them on in pieces.
    ///
    /// # Errors
    /// The same as [`packets`](Self::packets).
    ///
    /// # Examples
    /// ```
    /// let streams = lcap::open("fixtures/http.pcap")?.streams()?;
    /// assert!(streams[0].orig.starts_with(b"GET / HTTP/1.1\r\n"));
    /// assert_eq!(streams[0].missing_bytes, [0, 0]);
    /// # Ok::<(), lcap::Error>(())
    /// ```
    pub fn streams(self) -> Result<Vec<FlowStreams>> {
        let mut collector = StreamCollector::default();
        self.flow_events(StreamMode::Reassemble, |event| collector.add(event))?;
        Ok(collector.into_streams())
    }

    /// Returns all requests, in the order of the ends of their answers.
    ///
    /// # Errors
    /// The same as [`packets`](Self::packets).
    ///
    /// # Examples
    /// ```
    /// let requests = lcap::open("fixtures/http.pcap")?.requests()?;
    /// assert_eq!(requests.len(), 1);
    /// assert_eq!(requests[0].outcome, lcap::RequestOutcome::Ok);
    /// # Ok::<(), lcap::Error>(())
    /// ```
    pub fn requests(self) -> Result<Vec<Request>> {
        let settings = RequestSettings {
            body_limit: 64 << 10,
            ..RequestSettings::default()
        };
        let mut requests = Vec::new();
        self.each_request(settings, |request| requests.push(request.clone()))?;
        Ok(requests)
    }

    /// Calls `handle` with every request when its answer is complete, or when it is certain that
    /// there will be none. Returns the counters.
    ///
    /// # Errors
    /// The same as [`packets`](Self::packets), after all requests until then.
    pub fn each_request(
        self,
        settings: RequestSettings,
        mut handle: impl FnMut(&Request),
    ) -> Result<Counts> {
        let flows = FlowSettings {
            stream_mode: StreamMode::Reassemble,
            ..self.flow_settings
        };
        self.run(Some(flows), Some(settings), |event| {
            if let Event::Request(RequestEvent::Request(request)) = event {
                handle(request);
            }
        })
    }

    /// Runs the capture to its end, with flows and requests if there are settings for them.
    fn run(
        self,
        flows: Option<FlowSettings>,
        requests: Option<RequestSettings>,
        handle: impl FnMut(Event),
    ) -> Result<Counts> {
        let mut filter = self.filter;
        let totals = Totals::default();
        let requirement = match flows.map(|settings| settings.stream_mode) {
            None => Requirement::Packets,
            Some(StreamMode::Off) => Requirement::Flows,
            Some(StreamMode::Reassemble) => Requirement::Streams,
            Some(StreamMode::CompareOverlaps) => Requirement::StreamsWithOverlaps,
        };
        let sink = Callback {
            requirement,
            handle,
        };
        let mut output = Output::new(vec![Box::new(sink)], FlushPolicy::WhenFull, None);
        let options = RunOptions {
            flows,
            requests,
            ..RunOptions::default()
        };
        let (losses, attribution_failed) = match self.input {
            CaptureInput::File(mut source) => {
                run(&mut *source, &mut filter, &mut output, options, &totals)?;
                (source.losses(), false)
            }
            #[cfg(feature = "live")]
            CaptureInput::Device(device, stop) => {
                let device = LiveOptions {
                    tick_interval: match requests {
                        Some(_) => Some(REQUEST_REPORT_INTERVAL),
                        None => flows.map(|_| FLOW_REPORT_INTERVAL),
                    },
                    ..device
                };
                let attribution_mode = match (flows, requests) {
                    (Some(_), None) => AttributionMode::PerFlow,
                    _ => AttributionMode::PerPacket,
                };
                let lookups = || LookupProcess::start_thread(None);
                let capture = LiveCapture::open(&device, filter, attribution_mode, lookups, stop)?;
                run_device(capture, &mut output, options, &totals)?
            }
            #[cfg(feature = "cli")]
            CaptureInput::OpenDevice(capture) => {
                run_device(*capture, &mut output, options, &totals)?
            }
        };
        output.finish()?;
        Ok(Counts {
            losses,
            attribution_failed,
            ..totals.snapshot()
        })
    }
}

/// Runs a capture on a device to its end. Returns the losses, and true if attribution failed.
#[cfg(feature = "live")]
fn run_device(
    capture: LiveCapture,
    output: &mut Output,
    options: RunOptions,
    totals: &Totals,
) -> Result<(Losses, bool)> {
    let attribution_failed = capture.attribution.is_err();
    let mut capture = capture.start()?;
    let options = RunOptions {
        attribution: capture.attribution(),
        ..options
    };
    let (source, filter) = (&mut capture.source, &mut capture.filter);
    run(source, filter, output, options, totals)?;
    Ok((source.losses(), attribution_failed))
}

/// A sink that calls a function with every event.
struct Callback<F> {
    requirement: Requirement,
    handle: F,
}

impl<F: FnMut(Event)> Sink for Callback<F> {
    fn requires(&self) -> Requirement {
        self.requirement
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        (self.handle)(event);
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
