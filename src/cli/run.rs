//! Execution of a plan: open, filter, loop, finish, report.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::child::RunningChild;
use super::fail_on::{FailOn, FailOnResults};
use super::plan::{FlowReportOptions, InputSource, OutputMode, Plan, ProcessingOptions};
use super::process_filter::AttributionMode;
use super::terminal::AboveTicker;
use super::ticker::{ConcurrentOutput, ProgressSource, Ticker};
use super::{report, signals};
use crate::attribution::{
    AnnotatedSource, AttributionMethod, Attributor, ConnectionTable, PendingBpf,
    ProcessFilteredSource,
};
use crate::error::{Error, Result, count_noun};
use crate::filter::Filter;
use crate::flow::{FlowCounts, FlowSettings, StreamMode};
use crate::packet::{Interface, Timestamp};
use crate::pipeline::{self, Counts, Output, RunOptions, Totals};
use crate::process::comment;
use crate::sink::flows::SortedFlows;
use crate::sink::follow::{Conversation, RawStream, StreamDirectory};
use crate::sink::{
    CaptureFileOptions, Requirement, Sink, SinkFactory, WithOwners, create_output_file,
};
use crate::source::live::{self, LiveSource};
use crate::source::{Losses, Source, Stop, file};

/// Executes a plan and returns the exit code.
pub(super) fn run(plan: Plan) -> Result<u8> {
    let Plan {
        input,
        filter,
        processing,
    } = plan;
    match input {
        InputSource::File(path) => run_file(&path, filter, &processing).map(|()| 0),
        InputSource::Device(options) => run_device(&options, filter, &processing),
    }
}

fn run_file(path: &Path, mut filter: Filter, processing: &ProcessingOptions) -> Result<()> {
    let stop = Stop::new()?;
    let mut source = file::open(path)?;
    source.set_stop(stop.clone());
    filter.check_link_types(source.interfaces().map(|interface| interface.link))?;
    let is_showing_processes = match &processing.output_mode {
        OutputMode::Flows(flow_report) => flow_report.layout.show_processes,
        _ => false,
    };
    let context = RunContext {
        interface: source.interfaces().next().cloned(),
        now: Timestamp::ABSENT,
        progress: ProgressSource::File(source.progress()),
        losses: None,
        ring_bytes: None,
        connections: None,
        attribution_method: None,
        has_processes: is_showing_processes && source.contains_near_start(comment::COMMENT_PREFIX),
        stop,
    };
    let (
        RunResult {
            counts,
            unattributed,
            result,
            ..
        },
        losses,
    ) = execute_filtered(source, &mut filter, processing, context)?;
    report::unattributed(unattributed);
    report::file_summary(&counts, losses, &filter);
    report::flow_summary(counts.flows);
    print_count(&processing.output_mode, counts)?;
    result
}

fn run_device(
    options: &live::LiveOptions,
    filter: Filter,
    processing: &ProcessingOptions,
) -> Result<u8> {
    let stop = Stop::new()?;
    let ring = u64::from(options.ring_size);
    // Loading BPF takes longer than opening the device, so both are done at the same time.
    let pending_bpf = match processing.attribution_mode {
        AttributionMode::Off => None,
        AttributionMode::PerFlow | AttributionMode::PerPacket => Some(PendingBpf::start()?),
    };
    let mut source = LiveSource::open(options.clone(), stop.clone())?;
    let interface = source.interface().clone();
    let (kernel, mut filter) = filter.split_for_kernel(interface.link)?;
    source.set_filter(&kernel)?;
    let losses = source.shared_losses();
    let attributor = match pending_bpf.map(|bpf| Attributor::start(options, &kernel, bpf)) {
        None => None,
        Some(Ok(attributor)) => Some(attributor),
        Some(Err(error)) if !processing.process_filter.is_empty() => return Err(error),
        Some(Err(error)) => {
            report::attribution_failed(&error);
            None
        }
    };
    let context = RunContext {
        interface: Some(interface),
        now: Timestamp(jiff::Timestamp::now().as_nanosecond() as i64),
        progress: ProgressSource::Device(Arc::clone(&losses)),
        losses: Some(losses),
        ring_bytes: Some(ring),
        has_processes: attributor.is_some(),
        attribution_method: attributor
            .as_ref()
            .map(|attributor| attributor.method().clone()),
        connections: attributor
            .as_ref()
            .map(|attributor| Arc::clone(attributor.connection_table())),
        stop,
    };
    let connections = context.connections.clone();
    let (
        RunResult {
            counts,
            unattributed,
            result,
            exit_code,
        },
        losses,
    ) = match connections {
        Some(connections) if processing.attribution_mode == AttributionMode::PerPacket => {
            let source = AnnotatedSource::new(source, connections);
            execute_filtered(source, &mut filter, processing, context)?
        }
        _ => execute_filtered(source, &mut filter, processing, context)?,
    };
    let method = attributor
        .as_ref()
        .map(|attributor| attributor.method().clone());
    let lost_events = attributor.map(Attributor::finish);
    let is_run = !processing.process_filter.runs.is_empty();
    if is_run && counts.frames == 0 && losses.received > 0 {
        report::device_summary(&counts, losses, ring);
        report::none_of_command(losses.received, unattributed, method.as_ref());
    } else {
        report::unattributed(unattributed);
        report::device_summary(&counts, losses, ring);
    }
    report::lost_events(lost_events.unwrap_or_default());
    report::flow_summary(counts.flows);
    print_count(&processing.output_mode, counts)?;
    result.map(|()| exit_code)
}

/// Environment of a run, apart from its source.
struct RunContext {
    /// Interface that a saved file describes even if it contains no packets.
    interface: Option<Interface>,
    /// Time for the name of the first output file; absent if packets determine it.
    now: Timestamp,
    /// Input whose progress is shown.
    progress: ProgressSource,
    /// Counters of the kernel; live captures only.
    losses: Option<Arc<Mutex<Losses>>>,
    /// Size of the kernel ring in bytes; live captures only.
    ring_bytes: Option<u64>,
    /// Processes at both ends of connections; live captures only.
    connections: Option<Arc<ConnectionTable>>,
    /// Method of attribution; live captures only.
    attribution_method: Option<AttributionMethod>,
    /// True if processes can be shown.
    has_processes: bool,
    stop: Stop,
}

/// Result of a run.
struct RunResult {
    counts: Counts,
    /// Packets that the process filter skipped because their owner is unknown.
    unattributed: u64,
    /// First error, if any.
    result: Result<()>,
    /// Exit code of the command of `lcap run`, else 0.
    exit_code: u8,
}

/// Runs the packet loop over the packets that pass the process filter.
fn execute_filtered<S: Source>(
    mut source: S,
    filter: &mut Filter,
    processing: &ProcessingOptions,
    context: RunContext,
) -> Result<(RunResult, Losses)> {
    if processing.process_filter.is_empty() {
        let result = execute(&mut source, filter, processing, context)?;
        return Ok((result, source.losses()));
    }
    let mut source = ProcessFilteredSource::new(source, processing.process_filter.clone());
    let mut result = execute(&mut source, filter, processing, context)?;
    result.unattributed = source.unattributed();
    Ok((result, source.losses()))
}

/// Runs the packet loop, with its outputs, signal handlers, status line and child process.
fn execute<S: Source>(
    source: &mut S,
    filter: &mut Filter,
    processing: &ProcessingOptions,
    context: RunContext,
) -> Result<RunResult> {
    let totals = Arc::new(Totals::default());
    let fail_on = FailOnResults::default();
    let mut sinks = open_sinks(processing, &context, &fail_on)?;
    if let Some(connections) = &context.connections {
        let with_owners =
            |sink| -> Box<dyn Sink> { Box::new(WithOwners::new(sink, Arc::clone(connections))) };
        sinks = sinks.into_iter().map(with_owners).collect();
    }
    let mut output = Output::new(sinks, processing.flush, Some(context.stop.clone()));
    let flush = output.flush_handle();
    let stop = context.stop.clone();
    signals::listen(context.stop, flush, Arc::clone(&totals), context.losses)?;
    // Printed only now that signals are handled and files exist: scripts wait for this line.
    if let (Some(interface), Some(ring)) = (&context.interface, context.ring_bytes) {
        report::listening(interface, ring, context.attribution_method.as_ref());
        if let (Some(method), OutputMode::Packets(_, style)) =
            (&context.attribution_method, &processing.output_mode)
            && style.verbose > 0
        {
            report::attribution_method(method);
        }
    }
    let stream_mode = match output.requires() {
        Requirement::Bytes | Requirement::Validity | Requirement::Packets | Requirement::Flows => {
            StreamMode::Off
        }
        Requirement::Streams => StreamMode::Reassemble,
        Requirement::StreamsWithOverlaps => StreamMode::CompareOverlaps,
    };
    let options = RunOptions {
        limits: processing.limits,
        flows: processing.flows.map(|settings| FlowSettings {
            stream_mode,
            ..settings
        }),
        threads: processing
            .threads
            .unwrap_or_else(|| context.progress.default_threads()),
    };
    let ticker = Ticker::start(
        context.progress,
        Arc::clone(&totals),
        concurrent_output(&processing.output_mode),
    );
    let child = processing.child.as_ref().map(|child| child.start(stop));
    let result = pipeline::run(source, filter, &mut output, &options, &totals);
    let finished = output.finish();
    drop(ticker);
    let counts = totals.snapshot();
    let check = fail_on
        .result()
        .and(check_flow_exists(&processing.output_mode, counts.flows));
    let mut result = result.and(finished);
    match check {
        // Both errors are reported.
        Err(failed) if result.is_err() => report::error(&failed),
        check => result = result.and(check),
    }
    let exit_code = child.map_or(0, RunningChild::wait);
    Ok(RunResult {
        counts,
        unattributed: 0,
        result,
        exit_code,
    })
}

/// Returns an error if the requested flow does not exist.
fn check_flow_exists(
    output_mode: &OutputMode,
    FlowCounts { opened: last, .. }: FlowCounts,
) -> Result<()> {
    match output_mode.only_flow() {
        Some(number) if number > last => Err(Error::NoSuchFlow { number, last }),
        _ => Ok(()),
    }
}

/// Returns the output that shares the terminal with the status line.
fn concurrent_output(output_mode: &OutputMode) -> ConcurrentOutput {
    match output_mode {
        OutputMode::Nothing | OutputMode::Count | OutputMode::Directory(..) => {
            ConcurrentOutput::Nothing
        }
        OutputMode::Flows(report) if report.output.is_some() => ConcurrentOutput::Nothing,
        OutputMode::Flows(_) => ConcurrentOutput::Rows,
        OutputMode::Packets(..) | OutputMode::Conversation(_) | OutputMode::Raw(..) => {
            ConcurrentOutput::Continuous
        }
    }
}

/// Prints the result of `--count`, worded as in tcpdump.
fn print_count(output_mode: &OutputMode, Counts { packets, .. }: Counts) -> Result<()> {
    let packets = count_noun(packets, "packet");
    match output_mode {
        OutputMode::Count => super::print(format!("{packets}\n").as_bytes()),
        _ => Ok(()),
    }
}

/// Opens the sinks of a plan.
fn open_sinks(
    processing: &ProcessingOptions,
    context: &RunContext,
    fail_on: &FailOnResults,
) -> Result<Vec<Box<dyn Sink>>> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(save) = &processing.save
        && let SinkFactory::CaptureFile(open) = save.format.factory
    {
        sinks.push(open(&CaptureFileOptions {
            path: &save.path,
            rotation: save.rotation,
            resolution: save.resolution,
            interface: context.interface.as_ref(),
            now: context.now,
        })?);
    }
    match &processing.output_mode {
        OutputMode::Nothing | OutputMode::Count => {}
        OutputMode::Packets(format, style) => {
            if let SinkFactory::Packets(open) = format.factory {
                sinks.push(open(Box::new(output_stream(processing)?), style));
            }
        }
        OutputMode::Flows(flow_report) => {
            open_flow_sinks(processing, flow_report, context, fail_on, &mut sinks)?;
        }
        OutputMode::Conversation(style) => sinks.push(Box::new(Conversation::new(
            output_stream(processing)?,
            *style,
        ))),
        OutputMode::Raw(flow, side) => sinks.push(Box::new(RawStream::new(
            output_stream(processing)?,
            *flow,
            *side,
        ))),
        OutputMode::Directory(path, flow) => {
            sinks.push(Box::new(StreamDirectory::create(path, *flow)?));
        }
    }
    Ok(sinks)
}

fn open_flow_sinks(
    processing: &ProcessingOptions,
    flow_report: &FlowReportOptions,
    context: &RunContext,
    fail_on: &FailOnResults,
    sinks: &mut Vec<Box<dyn Sink>>,
) -> Result<()> {
    let writer: Box<dyn Write> = match &flow_report.output {
        None => Box::new(AboveTicker::new(output_stream(processing)?)),
        Some(path) => Box::new(create_output_file(path)?),
    };
    if let SinkFactory::Flows(open) = flow_report.format.factory {
        let mut layout = flow_report.layout;
        layout.show_processes &= context.has_processes;
        let rows = open(writer, &layout);
        sinks.push(match flow_report.order {
            Some((order, top)) => Box::new(SortedFlows::new(rows, order, top)),
            None => rows,
        });
    }
    if !flow_report.conditions.is_empty() {
        let conditions = flow_report.conditions.clone();
        sinks.push(Box::new(FailOn::new(conditions, fail_on.clone())));
    }
    Ok(())
}

/// Returns standard output, or standard error if a child process uses standard output. The standard
/// library's line buffer is bypassed, because sinks have their own buffers.
fn output_stream(processing: &ProcessingOptions) -> Result<File> {
    Ok(File::from(match processing.child {
        None => std::io::stdout().as_fd().try_clone_to_owned()?,
        Some(_) => std::io::stderr().as_fd().try_clone_to_owned()?,
    }))
}
