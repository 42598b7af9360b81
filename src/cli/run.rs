//! Execution of a plan: open, filter, loop, finish, report.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use super::child::{self, ChildExit, ChildProcess, exit_code_of_signal};
use super::fail_on::FailOnResults;
use super::plan::{InputSource, OutputMode, Plan, ProcessingOptions};
use super::signals::{SignalTargets, Signals};
use super::ticker::{ConcurrentOutput, ProgressSource, Ticker};
use super::{report, signals, sinks};
use crate::attribution::{Attributor, LookupProcess};
use crate::error::{Error, Result, count_noun};
use crate::filter::Filter;
use crate::flow::{FlowCounts, FlowSettings, StreamMode};
use crate::host::processes::priority::UsualPriority;
use crate::host::processes::run_root::RunRoot;
use crate::packet::Timestamp;
use crate::pipeline::{
    self, Attribution, Counts, LiveCapture, Output, REQUEST_REPORT_INTERVAL, RunCommand,
    RunOptions, Totals,
};
use crate::privileges::sandbox::{self, Restrictions};
use crate::privileges::user::UserChange;
use crate::sink::rows::ProcessColumn;
use crate::sink::{Requirement, Sink};
use crate::source::live;
use crate::source::{Losses, Source, Stop, file};

/// Executes a plan and returns the exit code.
pub(super) fn run(plan: Plan) -> Result<u8> {
    signals::ignore_file_size_signal()?;
    let (filter, processing) = (plan.filter, &plan.processing);
    match plan.input {
        InputSource::File(path) => run_file(&path, filter, processing).map(|()| 0),
        InputSource::Device(options) => run_device(&options, filter, processing),
    }
}

fn run_file(path: &Path, mut filter: Filter, processing: &ProcessingOptions) -> Result<()> {
    let stop = Stop::new()?;
    let file = file::OpenFile::open(path)?;
    let interface = Arc::default();
    let no_owners = ProcessColumn::IfPresent;
    let sinks = sinks::open(processing, &stop, &interface, Timestamp::ABSENT, no_owners)?;
    let signals = signals::register()?;
    give_up_privileges(&sinks, processing)?;
    let mut source = file.into_source()?;
    source.set_stop(stop.clone());
    filter.check_link_types(source.interfaces().iter().map(|interface| interface.link))?;
    if let Some(first) = source.interfaces().first() {
        interface.get_or_init(|| first.clone());
    }
    let context = RunContext {
        signals,
        child: None,
        started_at: Timestamp::ABSENT,
        caller: rustix::process::geteuid().as_raw(),
        progress: ProgressSource::File(source.progress()),
        losses: None,
        attribution: Attribution::default(),
        tick_interval: None,
        stop,
    };
    let RunResult { counts, result, .. } =
        execute(&mut source, &mut filter, processing, sinks, context)?;
    report::unattributed(counts.unattributed);
    report::appended_captures(source.appended_captures());
    report::file_summary(&counts, source.losses(), &filter);
    report::flow_summary(counts.flows);
    report_unanalyzed(&processing.output_mode, &counts);
    if let OutputMode::Flows(report) = &processing.output_mode
        && let Some(command) = &report.follow_command
        && counts.flows.opened > 0
    {
        report::follow_command(command);
    }
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
    let mode = processing.attribution_mode;
    let run = processing.child.as_ref().map(|_| {
        let root = RunRoot::adopt_descendants();
        root.map_err(Error::file("cannot read", "/proc/self"))
    });
    let run = run.transpose()?;
    let lookups = || LookupProcess::fork(run);
    let capture = LiveCapture::open(options, filter, mode, lookups, stop.clone())?;
    let run = run.map(|run| run.excluding(capture.lookup_pid()));
    let is_selective = !processing.process_filter.is_empty() || processing.selects_command();
    let method = capture.method().cloned();
    match capture.attribution {
        Err(error) if is_selective => return Err(error),
        Err(ref error) => report::attribution_failed(error),
        Ok(_) => {}
    }
    let interface = Arc::new(OnceLock::from(capture.source.interface().clone()));
    let processes = match method {
        Some(_) => ProcessColumn::Shown,
        None => ProcessColumn::IfPresent,
    };
    let sinks = sinks::open(processing, &stop, &interface, now(), processes)?;
    let mut signals = signals::register()?;
    // Printed only now that signals are recorded and files exist: scripts wait for this line.
    report::listening(capture.source.interface(), ring, method.as_ref());
    let (started_at, caller) = (now(), rustix::process::geteuid().as_raw());
    let child = processing
        .child
        .as_ref()
        .map(|child| match signals.pending_end() {
            Some(signal) => Err(exit_code_of_signal(signal)),
            None => child.spawn(),
        });
    let priority = UsualPriority::before_raise();
    let restrictions = give_up_privileges(&sinks, processing)?;
    if let OutputMode::Packets(_, style) = &processing.output_mode
        && style.verbose > 0
    {
        method.as_ref().map(report::attribution_method);
        report::restrictions(&restrictions);
    }
    let mut capture = capture.start()?;
    priority.restore();
    let context = RunContext {
        signals,
        child: child.zip(run),
        started_at,
        caller,
        progress: ProgressSource::Device(capture.source.shared_losses()),
        losses: Some(capture.source.shared_losses()),
        attribution: capture.attribution(),
        // The rows of requests are awaited, also while the ring is never empty.
        tick_interval: processing
            .requests
            .map(|_| REQUEST_REPORT_INTERVAL.as_nanos() as u64),
        stop,
    };
    let (source, filter) = (&mut capture.source, &mut capture.filter);
    let RunResult {
        counts,
        result,
        exit_code,
    } = execute(source, filter, processing, sinks, context)?;
    let losses = source.losses();
    let (lost_events, lookup_error) = capture
        .attributor
        .map(Attributor::finish)
        .unwrap_or_default();
    report::unattributed(counts.unattributed);
    report::device_summary(&counts, losses, ring);
    if processing.selects_command() && counts.frames + counts.unattributed == 0 {
        report::none_of_command(losses.received);
    }
    report::unknown_traffic(counts.unknown, method.as_ref());
    report::lost_events(lost_events);
    if let Some(error) = lookup_error {
        report::lookups_ended(&error);
    }
    report::flow_summary(counts.flows);
    report_unanalyzed(&processing.output_mode, &counts);
    if let Some(run) = run {
        report::running_processes(&run.running_members());
    }
    print_count(&processing.output_mode, counts)?;
    match result {
        // The command's own code takes precedence over a failure of lcap.
        Err(error) if exit_code != 0 => {
            if !error.is_closed_pipe() {
                report::error(&error);
            }
            Ok(exit_code)
        }
        result => result.map(|()| exit_code),
    }
}

/// Gives up all privileges before the first packet is read, except to write to the directories of
/// the sinks. The command of `lcap run` may be signalled only by a process of the same user.
fn give_up_privileges(
    sinks: &[Box<dyn Sink>],
    processing: &ProcessingOptions,
) -> Result<Restrictions> {
    let directories: Vec<BorrowedFd> = sinks
        .iter()
        .filter_map(|sink| sink.output_directory())
        .collect();
    let user = match processing.child {
        Some(_) => UserChange::IfNeeded,
        None => UserChange::IfPossible,
    };
    let restricted = sandbox::enter_decoder(&directories, user);
    restricted.map_err(Error::Privileges)
}

/// Returns the current time on the clock of packet timestamps.
fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_nanosecond() as i64)
}

/// Environment of a run, apart from its source.
struct RunContext {
    signals: Signals,
    /// The command of `lcap run`, or its exit code if it cannot be run, and the ancestor of its
    /// processes.
    child: Option<(Result<Arc<ChildProcess>, u8>, RunRoot)>,
    /// The time before the command was started.
    started_at: Timestamp,
    /// The user who started lcap.
    caller: u32,
    /// Input whose progress is shown.
    progress: ProgressSource,
    /// Counters of the kernel; live captures only.
    losses: Option<Arc<Mutex<Losses>>>,
    /// Origin of the owners of packets and flows.
    attribution: Attribution,
    /// Interval of ticks while packets arrive, in nanoseconds.
    tick_interval: Option<u64>,
    stop: Stop,
}

/// Result of a run.
struct RunResult {
    counts: Counts,
    /// First error, if any.
    result: Result<()>,
    /// Exit code of the command of `lcap run`, else 0.
    exit_code: u8,
}

/// Runs the packet loop, with its outputs, signal handlers and status line, and waits for the child
/// process.
fn execute<S: Source>(
    source: &mut S,
    filter: &mut Filter,
    processing: &ProcessingOptions,
    sinks: Vec<Box<dyn Sink>>,
    context: RunContext,
) -> Result<RunResult> {
    let totals = Arc::new(Totals::default());
    let fail_on = FailOnResults::default();
    let observer = sinks::open_fail_on(processing, &fail_on);
    let stop = context.stop;
    let mut output =
        Output::new(sinks, processing.flush, Some(stop.clone())).with_observer(observer);
    let command = context.child.as_ref();
    let command = command.and_then(|(child, run)| Some((Arc::clone(child.as_ref().ok()?), *run)));
    let targets = SignalTargets {
        flush: output.flush_handle(),
        totals: Arc::clone(&totals),
        losses: context.losses,
        command,
    };
    context.signals.listen(stop.clone(), targets)?;
    let stream_mode = match output.requires() {
        Requirement::Packets | Requirement::Flows => StreamMode::Off,
        Requirement::Streams => StreamMode::Reassemble,
        Requirement::StreamsWithOverlaps => StreamMode::CompareOverlaps,
    };
    let ticker = Ticker::start(
        context.progress,
        Arc::clone(&totals),
        concurrent_output(&processing.output_mode),
    );
    let child = context.child.map(|(child, _)| child::watch(child, stop));
    let child = child.transpose()?;
    let options = RunOptions {
        limits: processing.limits,
        flows: processing.flows.map(|settings| FlowSettings {
            stream_mode,
            ..settings
        }),
        requests: processing.requests,
        attribution: context.attribution,
        process_filter: processing.process_filter.clone(),
        command: processing.selects_command().then_some(RunCommand {
            uid: context.caller,
            started_at: context.started_at,
        }),
        tick_interval: context.tick_interval,
    };
    let result = pipeline::run(source, filter, &mut output, options, &totals);
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
    let exit_code = child.map_or(0, ChildExit::wait);
    Ok(RunResult {
        counts,
        result,
        exit_code,
    })
}

/// Returns an error if the requested flow does not exist.
fn check_flow_exists(
    output_mode: &OutputMode,
    FlowCounts { opened: last, .. }: FlowCounts,
) -> Result<()> {
    if let OutputMode::Streams(report) = output_mode
        && let Some(uid) = &report.uid
        && !uid.is_found()
    {
        let flow = uid.text().to_owned();
        return Err(Error::NoSuchFlow { flow, last });
    }
    match output_mode.only_flow() {
        Some(number) if number > last => {
            let flow = number.to_string();
            Err(Error::NoSuchFlow { flow, last })
        }
        _ => Ok(()),
    }
}

/// Returns the output that shares the terminal with the status line.
fn concurrent_output(output_mode: &OutputMode) -> ConcurrentOutput {
    match output_mode {
        OutputMode::Nothing | OutputMode::Count => ConcurrentOutput::Nothing,
        OutputMode::Streams(report) if report.directory.is_some() => ConcurrentOutput::Nothing,
        OutputMode::Flows(_) | OutputMode::Requests(_) => match output_mode.row_destination() {
            Some(destination) if destination.output.is_some() => ConcurrentOutput::Nothing,
            _ => ConcurrentOutput::Rows,
        },
        OutputMode::Packets(..) | OutputMode::Streams(_) => ConcurrentOutput::Continuous,
    }
}

/// Reports the bytes that were not analyzed for requests. Conversations show them.
fn report_unanalyzed(output_mode: &OutputMode, counts: &Counts) {
    if !matches!(output_mode, OutputMode::Streams(_)) {
        report::request_summary(counts.requests);
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
