//! Conversion of options into a valid [`Plan`]: conflicts are found before any file is created.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{CaptureArgs, CommonArgs, Precision};
use super::child::ChildCommand;
use super::process_filter::{attribution_mode, enter_namespace, process_filter};
use super::style::{precision, style};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::flow::{FlowCondition, FlowSettings};
use crate::host::network::devices;
use crate::packet::{LinkType, Resolution};
use crate::pipeline::{AttributionMode, FlushPolicy, Limits};
use crate::process::ProcessFilter;
use crate::sink::flows::{FlowOrder, TableLayout};
use crate::sink::follow::StreamOptions;
use crate::sink::text::Style;
use crate::sink::{FORMATS, Format, Rotation, SinkFactory};
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

/// A capture file to write.
pub(super) struct SaveTarget {
    pub(super) path: PathBuf,
    pub(super) format: &'static Format,
    pub(super) rotation: Rotation,
    /// Timestamp resolution; `None` keeps the input's. Live default: microseconds, as in tcpdump.
    pub(super) resolution: Option<Resolution>,
}

/// Content of the output.
pub(super) enum OutputMode {
    Nothing,
    Count,
    Packets(&'static Format, Style),
    Flows(FlowReportOptions),
    Streams(StreamReportOptions),
}

/// Format and destination of stream contents.
pub(super) struct StreamReportOptions {
    pub(super) format: &'static Format,
    pub(super) options: StreamOptions,
    /// Directory for one file per stream; `None` is standard output.
    pub(super) directory: Option<PathBuf>,
}

/// Format, destination and order of the flows, and the conditions of `--fail-on`.
pub(super) struct FlowReportOptions {
    pub(super) format: &'static Format,
    pub(super) layout: TableLayout,
    /// Output file; `None` is standard output.
    pub(super) output: Option<PathBuf>,
    /// Sort order and the number of flows to write; `None` writes each flow when it closes.
    pub(super) order: Option<(&'static FlowOrder, Option<usize>)>,
    pub(super) conditions: Vec<&'static FlowCondition>,
}

impl OutputMode {
    /// True if the output goes to standard output.
    pub(super) fn is_on_stdout(&self) -> bool {
        match self {
            OutputMode::Nothing => false,
            OutputMode::Flows(report) => report.output.as_deref().is_none_or(is_stdout),
            OutputMode::Streams(report) => report.directory.is_none(),
            OutputMode::Count | OutputMode::Packets(..) => true,
        }
    }

    /// Returns the number of the flow to which the output is limited, if any.
    pub(super) fn only_flow(&self) -> Option<u64> {
        match self {
            OutputMode::Streams(report) => report.options.flow,
            OutputMode::Nothing
            | OutputMode::Count
            | OutputMode::Packets(..)
            | OutputMode::Flows(_) => None,
        }
    }
}

/// Interval at which timed-out flows are reported while no packets arrive.
const FLOW_REPORT_INTERVAL: Duration = Duration::from_millis(250);
/// Smallest ring, in bytes: one block.
const MIN_RING_BYTES: u64 = 256 << 10;
/// Size of the kernel ring without `-B`, in bytes.
const DEFAULT_RING_BYTES: u64 = 64 << 20;

/// Requested output, and the settings that it requires of the input and the flow table.
pub(super) struct OutputRequest {
    pub(super) output_mode: OutputMode,
    /// Settings of the flow table; `None` if flows are not tracked.
    pub(super) flows: Option<FlowSettings>,
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
    let filter = Filter::new(args.port.clone(), &expression)?;
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
        .map(|path| save_target(path, args, &input))
        .transpose()?;
    if let OutputMode::Flows(FlowReportOptions {
        output: Some(output),
        ..
    }) = &request.output_mode
    {
        check_output_path(output, &input, save.as_ref())?;
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
        flush,
        ..
    } = request;
    let process_filter = process_filter(&args.process_filter)?;
    let attribution_mode = match &input {
        InputSource::Device(options) => attribution_mode(
            args,
            options.is_loopback,
            &process_filter,
            &output_mode,
            save.as_ref(),
        )?,
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
            attribution_mode,
            process_filter,
            child: None,
        },
    })
}

/// Returns a usage error.
pub(super) fn usage_error<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::Usage(message.into()))
}

/// Returns the filter expression, from the command line or a `-F` file (`#` starts a comment).
fn expression(args: &CommonArgs) -> Result<String> {
    let Some(path) = &args.expression_file else {
        return Ok(args.expression.join(" "));
    };
    let failed = |source| Error::File {
        action: "cannot read",
        path: path.clone(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    Ok(lines.collect::<Vec<_>>().join(" "))
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
        tick_interval: request.flows.map(|_| FLOW_REPORT_INTERVAL),
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

fn save_target(path: PathBuf, args: &CommonArgs, input: &InputSource) -> Result<SaveTarget> {
    let name = path.to_string_lossy().to_ascii_lowercase();
    if [".gz", ".zst"].iter().any(|suffix| name.ends_with(suffix)) {
        return usage_error(format!(
            "-w {}: lcap does not write compressed files; use -w - and a pipe into gzip or zstd",
            path.display()
        ));
    }
    if is_stdout(&path) && std::io::stdout().is_terminal() {
        return usage_error(
            "-w -: standard output is a terminal, but capture files are binary; use a pipe",
        );
    }
    if let InputSource::File(read) = input
        && is_same_file(read, &path)
    {
        return usage_error(format!(
            "-w {} is the input file: choose another name",
            path.display()
        ));
    }
    let rotation = Rotation {
        size: args
            .save
            .rotate_size
            .map(|megabytes| megabytes.saturating_mul(1_000_000)),
        seconds: args.save.rotate_seconds,
        files: args.save.rotate_files,
    };
    if rotation.files.is_some() && rotation.size.is_none() && rotation.seconds.is_none() {
        return usage_error("-W limits the number of files of -C or -G: add one of these options");
    }
    if is_stdout(&path) && (rotation.size.is_some() || rotation.seconds.is_some()) {
        return usage_error("-w - is one stream, but -C and -G start new files: give a file name");
    }
    let resolution = match precision(args) {
        Some(Precision::Nano) => Some(Resolution::Nano),
        Some(Precision::Micro) => Some(Resolution::Micro),
        None => matches!(input, InputSource::Device(_)).then_some(Resolution::Micro),
    };
    let is_capture = |format: &Format| matches!(format.factory, SinkFactory::CaptureFile(_));
    let extension = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    let has_extension = |format: &Format| {
        is_capture(format) && extension.as_deref() == Some(format.extension.as_ref())
    };
    let Some(format) = find_format(has_extension).or_else(|| find_format(is_capture)) else {
        return usage_error("-w: no capture file format is available");
    };
    Ok(SaveTarget {
        path,
        format,
        rotation,
        resolution,
    })
}

/// Refuses an output file that is also the file being read or saved.
fn check_output_path(output: &Path, input: &InputSource, save: Option<&SaveTarget>) -> Result<()> {
    let name = output.display();
    if let InputSource::File(read) = input
        && is_same_file(read, output)
    {
        return usage_error(format!("-o {name} is the input file: choose another name"));
    }
    let is_target = |save: &SaveTarget| save.path == output || is_same_file(&save.path, output);
    match save {
        Some(save) if !is_stdout(output) && is_target(save) => usage_error(format!(
            "-o {name} is also the file of -w: choose another name"
        )),
        _ => Ok(()),
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Returns the first format that matches.
pub(super) fn find_format(matches: impl Fn(&Format) -> bool) -> Option<&'static Format> {
    FORMATS.iter().find(|format| matches(format))
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| {
        std::fs::metadata(path)
            .ok()
            .map(|meta| (meta.dev(), meta.ino(), meta.is_file()))
    };
    identity(a).is_some_and(|a| a.2 && Some(a) == identity(b))
}
