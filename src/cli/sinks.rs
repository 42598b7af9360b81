//! Outputs of a plan: opened before privileges are given up, without starting a thread.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use super::fail_on::{FailOn, FailOnResults};
use super::output_stream::OutputStream;
use super::plan::{OutputMode, ProcessingOptions, StreamReportOptions};
use super::row_report::{FlowReportOptions, RequestReportOptions, RowDestination};
use super::terminal::AboveTicker;
use crate::error::Result;
use crate::packet::{Interface, Timestamp};
use crate::sink::flows::RequestCounter;
use crate::sink::follow::SelectedFlow;
use crate::sink::requests::{FilteredRequests, RepeatRecorder};
use crate::sink::rows::{ProcessColumn, RowOrder, RowRecord, SortedRows, TableLayout};
use crate::sink::{CaptureFileOptions, Sink, SinkFactory, create_output_file};
use crate::source::Stop;

/// Opens the sinks of a plan.
pub(super) fn open(
    processing: &ProcessingOptions,
    stop: &Stop,
    interface: &Arc<OnceLock<Interface>>,
    now: Timestamp,
    processes: ProcessColumn,
) -> Result<Vec<Box<dyn Sink>>> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    let printed = || printed_output(processing, stop);
    let has_attribution = processes == ProcessColumn::Shown;
    if let Some(save) = &processing.save
        && let SinkFactory::CaptureFile(open) = save.format.factory
    {
        let stream = OutputStream::open(&save.path, stop)?;
        let options = CaptureFileOptions {
            path: &save.path,
            rotation: save.rotation,
            resolution: save.resolution,
            interface,
            now,
            annotate: has_attribution,
        };
        sinks.push(open(&options, stream.map(|stream| Box::new(stream) as _))?);
    }
    match &processing.output_mode {
        OutputMode::Nothing | OutputMode::Count => {}
        OutputMode::Packets(format, style) => {
            if let SinkFactory::Packets(open) = format.factory {
                sinks.push(open(Box::new(printed()?), style));
            }
        }
        OutputMode::Flows(report) => {
            sinks.extend(open_flows(processing, stop, report, has_attribution)?);
        }
        OutputMode::Requests(report) => {
            sinks.extend(open_requests(processing, stop, report, has_attribution)?);
        }
        OutputMode::Streams(StreamReportOptions {
            format,
            options,
            uid,
            directory,
        }) => {
            let contents = match (format.factory, directory) {
                (SinkFactory::Directory(open), Some(path)) => Some(open(path, options)?),
                (SinkFactory::Streams(open), _) => Some(open(Box::new(printed()?), options)),
                _ => None,
            };
            sinks.extend(contents.map(|contents| match uid {
                Some(uid) => Box::new(SelectedFlow::new(contents, uid.clone())),
                None => contents,
            }));
        }
    }
    Ok(sinks)
}

/// Returns standard output, or standard error if a child process uses standard output.
fn printed_output(processing: &ProcessingOptions, stop: &Stop) -> Result<OutputStream> {
    match processing.child {
        None => OutputStream::stdout(stop),
        Some(_) => OutputStream::stderr(stop),
    }
}

/// Opens the destination of rows.
fn open_rows(
    processing: &ProcessingOptions,
    stop: &Stop,
    destination: &RowDestination,
) -> Result<Box<dyn Write>> {
    Ok(match &destination.output {
        None => Box::new(AboveTicker::new(printed_output(processing, stop)?)),
        Some(path) => match OutputStream::open(path, stop)? {
            Some(stream) => Box::new(stream),
            None => Box::new(create_output_file(path)?),
        },
    })
}

fn open_flows(
    processing: &ProcessingOptions,
    stop: &Stop,
    report: &FlowReportOptions,
    has_attribution: bool,
) -> Result<Option<Box<dyn Sink>>> {
    let writer = open_rows(processing, stop, &report.destination)?;
    let SinkFactory::Flows(open) = report.destination.format.factory else {
        return Ok(None);
    };
    let layout = with_processes(report.layout, has_attribution);
    let rows = sorted(open(writer, &layout), report.order);
    Ok(Some(match report.counts_requests {
        true => Box::new(RequestCounter::new(rows)),
        false => rows,
    }))
}

fn open_requests(
    processing: &ProcessingOptions,
    stop: &Stop,
    report: &RequestReportOptions,
    has_attribution: bool,
) -> Result<Option<Box<dyn Sink>>> {
    let writer = open_rows(processing, stop, &report.destination)?;
    let SinkFactory::Requests(open) = report.destination.format.factory else {
        return Ok(None);
    };
    let mut layout = report.layout.clone();
    layout.table = with_processes(layout.table, has_attribution);
    let mut rows = sorted(open(writer, &layout), report.order);
    if !report.filter.is_empty() {
        let filter = report.filter.clone();
        rows = Box::new(FilteredRequests::new(rows, filter, layout.left_out));
    }
    // Only the text has a summary.
    if report.destination.format.name == "text" {
        rows = Box::new(RepeatRecorder::new(rows, layout.repeats));
    }
    Ok(Some(rows))
}

/// Returns the layout for a run with or without attribution.
fn with_processes(layout: TableLayout, has_attribution: bool) -> TableLayout {
    TableLayout {
        processes: match layout.processes {
            ProcessColumn::IfPresent if has_attribution => ProcessColumn::Shown,
            processes => processes,
        },
        ..layout
    }
}

/// Returns rows in this order, or as they are reported.
fn sorted<R: RowRecord>(
    rows: Box<dyn Sink>,
    order: Option<(&'static RowOrder<R>, Option<usize>)>,
) -> Box<dyn Sink> {
    match order {
        Some((order, top)) => Box::new(SortedRows::new(rows, order, top)),
        None => rows,
    }
}

/// Returns the check of the conditions of `--fail-on`, if there are any.
pub(super) fn open_fail_on(
    processing: &ProcessingOptions,
    results: &FailOnResults,
) -> Option<Box<dyn Sink>> {
    match &processing.output_mode {
        OutputMode::Flows(report) if !report.conditions.is_empty() => Some(Box::new(FailOn::new(
            report.conditions.clone(),
            results.clone(),
        ))),
        OutputMode::Requests(report) if !report.conditions.is_empty() => Some(Box::new(
            FailOn::new(report.conditions.clone(), results.clone()),
        )),
        _ => None,
    }
}
