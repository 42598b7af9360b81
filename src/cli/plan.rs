//! Conversion of options into a valid [`Plan`]: conflicts are found before any file is created.

use std::path::{Path, PathBuf};

use super::args::{CaptureArgs, CommonArgs};
use super::child::ChildCommand;
use super::process_filter::{enter_namespace, process_filter};
use super::row_report::{FlowReportOptions, RequestReportOptions, RowDestination};
use super::save::{SaveTarget, check_output_path, is_stdout, save_target};
use super::style::style;
use super::usage_error;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::flow::FlowSettings;
use crate::host::network::devices;
use crate::packet::LinkType;
use crate::pipeline::{
    AttributionMode, FLOW_REPORT_INTERVAL, FlushPolicy, Limits, REQUEST_REPORT_INTERVAL,
};
use crate::printable;
use crate::process::ProcessFilter;
use crate::request::RequestSettings;
use crate::sink::follow::{FlowUid, StreamOptions};
use crate::sink::text::Style;
use crate::sink::{FORMATS, Format};
use crate::source::live;

/// A validated command line that captures or reads packets.
pub(super) struct Plan {
    pub(super) input: InputSource,
    pub(super) filter: Filter,
    pub(super) processing: ProcessingOptions,
}

/// Processing of packets, independent of the input.
pub(super) struct ProcessingOptions {
    pub(super) limits: Limits,
    pub(super) save: Option<SaveTarget>,
    pub(super) output_mode: OutputMode,
    pub(super) flush: FlushPolicy,
    /// Settings of the flow table; `None` if flows are not tracked.
    pub(super) flows: Option<FlowSettings>,
    /// Settings of request tracking; `None` if requests are not tracked.
    pub(super) requests: Option<RequestSettings>,
    /// Attribution of packets or flows to the processes at both ends.
    pub(super) attribution_mode: AttributionMode,
    /// Processes whose packets are captured; empty for all.
    pub(super) process_filter: ProcessFilter,
    /// Command to run during the capture; its exit ends the capture.
    pub(super) child: Option<ChildCommand>,
}

/// Source of packets.
pub(super) enum InputSource {
    File(PathBuf),
    Device(live::LiveOptions),
}

impl InputSource {
    fn file(&self) -> Option<&Path> {
        match self {
            InputSource::File(path) => Some(path),
            InputSource::Device(_) => None,
        }
    }
}

/// Content of the output.
pub(super) enum OutputMode {
    Nothing,
    Count,
    Packets(&'static Format, Style),
    Flows(FlowReportOptions),
    Requests(RequestReportOptions),
    Streams(StreamReportOptions),
}

/// Format and destination of stream contents.
pub(super) struct StreamReportOptions {
    pub(super) format: &'static Format,
    pub(super) options: StreamOptions,
    /// Selected flow; `None` selects by number, or all flows.
    pub(super) uid: Option<FlowUid>,
    /// Directory for one file per stream; `None` is standard output.
    pub(super) directory: Option<PathBuf>,
}

impl Plan {
    /// Adds a command to run during the capture.
    ///
    /// # Errors
    /// The input is not the loopback.
    pub(super) fn attach_child(&mut self, command: ChildCommand) -> Result<()> {
        match &self.input {
            InputSource::Device(options) if options.is_loopback => {}
            _ => {
                return usage_error(
                    "lcap run captures live on the loopback device: remove -r or -i",
                );
            }
        }
        self.processing.attribution_mode = AttributionMode::PerPacket;
        self.processing.child = Some(command);
        Ok(())
    }
}

impl ProcessingOptions {
    /// True if only the packets of a command are captured. A private loopback carries no packets of
    /// other processes.
    pub(super) fn selects_command(&self) -> bool {
        let child = self.child.as_ref();
        child.is_some_and(|child| !child.is_private)
    }
}

impl OutputMode {
    /// True if the output goes to standard output.
    pub(super) fn is_on_stdout(&self) -> bool {
        match self {
            OutputMode::Nothing => false,
            OutputMode::Flows(_) | OutputMode::Requests(_) => self
                .row_destination()
                .and_then(|destination| destination.output.as_deref())
                .is_none_or(is_stdout),
            OutputMode::Streams(report) => report.directory.is_none(),
            OutputMode::Count | OutputMode::Packets(..) => true,
        }
    }

    /// Returns the format and the destination of rows, if the output is rows.
    pub(super) fn row_destination(&self) -> Option<&RowDestination> {
        match self {
            OutputMode::Flows(report) => Some(&report.destination),
            OutputMode::Requests(report) => Some(&report.destination),
            OutputMode::Nothing
            | OutputMode::Count
            | OutputMode::Packets(..)
            | OutputMode::Streams(_) => None,
        }
    }

    /// Returns the number of the flow to which the output is limited, if any.
    pub(super) fn only_flow(&self) -> Option<u64> {
        match self {
            OutputMode::Streams(report) => report.options.flow,
            OutputMode::Nothing
            | OutputMode::Count
            | OutputMode::Packets(..)
            | OutputMode::Flows(_)
            | OutputMode::Requests(_) => None,
        }
    }
}

/// Smallest ring, in bytes: one block.
const MIN_RING_BYTES: u64 = 256 << 10;
/// Size of the kernel ring without `-B`, in bytes.
const DEFAULT_RING_BYTES: u64 = 64 << 20;

/// Requested output, and the settings that it requires of the input and the flow table.
pub(super) struct OutputRequest {
    pub(super) output_mode: OutputMode,
    /// Settings of the flow table; `None` if flows are not tracked.
    pub(super) flows: Option<FlowSettings>,
    /// Settings of request tracking; `None` if requests are not tracked.
    pub(super) requests: Option<RequestSettings>,
    pub(super) flush: FlushPolicy,
    /// Interactive if the user sees the output while it is produced.
    pub(super) delivery: live::DeliveryMode,
}

/// Validates the options of a capture of packets.
pub(super) fn capture_plan(args: &CaptureArgs) -> Result<Plan> {
    let (common, display) = (&args.common, &args.display);
    let is_only_saved = common.save.write.is_some() && !display.print;
    let output_mode = match find_format(|format| format.name == display.format) {
        _ if display.count_only => OutputMode::Count,
        _ if is_only_saved => OutputMode::Nothing,
        Some(format) => OutputMode::Packets(format, style(args)),
        None => return usage_error(format!("--format {}: unknown format", display.format)),
    };
    build_plan(
        common,
        OutputRequest {
            output_mode,
            flows: None,
            requests: None,
            flush: if display.line_buffered {
                FlushPolicy::EveryPacket
            } else {
                FlushPolicy::WhenFull
            },
            delivery: if is_only_saved {
                live::DeliveryMode::Batched
            } else {
                live::DeliveryMode::Interactive
            },
        },
    )
}

/// Validates the options of all capturing commands, and builds the plan.
pub(super) fn build_plan(args: &CommonArgs, request: OutputRequest) -> Result<Plan> {
    let expression = expression(args)?;
    let filter = Filter::new(args.port.clone(), &expression)
        .map_err(|error| unquoted(error, args.expression_file.as_deref()))?;
    let input = input(args, &request)?;
    if let InputSource::Device(options) = &input
        && options.is_loopback
    {
        // Reports an invalid filter now; opening the device could fail first, e.g. for lack of
        // privileges.
        let link = options.link.unwrap_or(LinkType::ETHERNET);
        Filter::new(None, &expression)?.split_for_kernel(link)?;
    }
    let save = args
        .save
        .write
        .clone()
        .map(|path| save_target(path, args, input.file()))
        .transpose()?;
    if let Some(RowDestination {
        output: Some(output),
        ..
    }) = request.output_mode.row_destination()
    {
        check_output_path(output, input.file(), save.as_ref())?;
    }
    let to_stdout = save.as_ref().is_some_and(|save| is_stdout(&save.path));
    if to_stdout && request.output_mode.is_on_stdout() {
        return usage_error(
            "-w - and the printed output both use standard output: save to a file instead",
        );
    }
    let OutputRequest {
        output_mode,
        flows,
        requests,
        flush,
        ..
    } = request;
    let process_filter = process_filter(&args.process_filter)?;
    let attribution_mode = match &input {
        InputSource::Device(_) => {
            attribution_mode(args, &process_filter, &output_mode, save.as_ref())
        }
        InputSource::File(_) => AttributionMode::Off,
    };
    Ok(Plan {
        input,
        filter,
        processing: ProcessingOptions {
            limits: Limits {
                packets: args.stop.count,
                bytes: args.stop.max_bytes,
            },
            save,
            output_mode,
            flush: if args.save.packet_buffered {
                FlushPolicy::EveryPacket
            } else {
                flush
            },
            flows,
            requests,
            attribution_mode,
            process_filter,
            child: None,
        },
    })
}

/// Returns the attribution mode of a capture on a device.
fn attribution_mode(
    args: &CommonArgs,
    process_filter: &ProcessFilter,
    output_mode: &OutputMode,
    save: Option<&SaveTarget>,
) -> AttributionMode {
    let has_comments = save.is_some_and(|save| save.format.has_comments());
    match output_mode {
        _ if !process_filter.is_empty() => AttributionMode::PerPacket,
        _ if args.input.no_processes => AttributionMode::Off,
        _ if has_comments => AttributionMode::PerPacket,
        OutputMode::Packets(..) | OutputMode::Requests(_) => AttributionMode::PerPacket,
        // Only a conversation shows the processes.
        OutputMode::Streams(report) if report.options.show_processes => AttributionMode::PerPacket,
        OutputMode::Flows(_) => AttributionMode::PerFlow,
        _ => AttributionMode::Off,
    }
}

/// Returns the filter expression, from the command line or a `-F` file (`#` starts a comment).
fn expression(args: &CommonArgs) -> Result<String> {
    let Some(path) = &args.expression_file else {
        return Ok(args.expression.join(" "));
    };
    let text = std::fs::read_to_string(path).map_err(Error::file("cannot read", path))?;
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    Ok(lines.collect::<Vec<_>>().join(" "))
}

/// Returns the error for an expression from a file without the text of the file: it can be a file
/// that was named by mistake.
fn unquoted(error: Error, file: Option<&Path>) -> Error {
    match (error, file) {
        (Error::Filter { what, .. }, Some(file)) => {
            let file = printable::line(&file.to_string_lossy());
            Error::Usage(format!("{file}: not a filter expression: {what}"))
        }
        (error, _) => error,
    }
}

fn input(args: &CommonArgs, request: &OutputRequest) -> Result<InputSource> {
    if let Some(path) = &args.input.read {
        if args.stop.duration.is_some() {
            return usage_error("--duration applies only to live captures: remove it or -r");
        }
        return Ok(InputSource::File(path.clone()));
    }
    enter_namespace(&args.input)?;
    let device = devices::find(args.input.interface.as_deref())?;
    let buffer = args.input.buffer_size.unwrap_or(DEFAULT_RING_BYTES);
    let snap_len = match args.input.snapshot_length {
        0 => live::MAX_SNAP_LEN,
        len if len > live::MAX_SNAP_LEN => {
            return usage_error(format!("-s {len}: the maximum is {}", live::MAX_SNAP_LEN));
        }
        len => len,
    };
    Ok(InputSource::Device(live::LiveOptions {
        device: device.name,
        is_loopback: device.is_loopback,
        snap_len,
        ring_size: match u32::try_from(buffer.max(MIN_RING_BYTES))
            .ok()
            .filter(|&size| size <= i32::MAX as u32)
        {
            Some(size) => size,
            None => return usage_error("-B: the ring must be smaller than 2 GiB"),
        },
        link: args.input.linktype.as_deref().map(link_type).transpose()?,
        delivery: request.delivery,
        tick_interval: match request.requests {
            Some(_) => Some(REQUEST_REPORT_INTERVAL),
            None => request.flows.map(|_| FLOW_REPORT_INTERVAL),
        },
        duration: args.stop.duration.map(jiff::SignedDuration::unsigned_abs),
    }))
}

/// Parses a link type that a device may offer.
fn link_type(name: &str) -> Result<LinkType> {
    let offered = [
        LinkType::ETHERNET,
        LinkType::LINUX_SLL,
        LinkType::LINUX_SLL2,
        LinkType::RAW,
    ];
    let found = offered.into_iter().find(|link| {
        link.name()
            .is_some_and(|link_name| link_name.eq_ignore_ascii_case(name))
    });
    found.ok_or_else(|| {
        Error::Usage(format!(
            "-y {name}: unknown link type; use EN10MB, LINUX_SLL, LINUX_SLL2 or RAW"
        ))
    })
}

/// Returns the first format that matches.
pub(super) fn find_format(matches: impl Fn(&Format) -> bool) -> Option<&'static Format> {
    FORMATS.iter().find(|format| matches(format))
}
