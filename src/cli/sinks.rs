//! Outputs of a plan: opened before privileges are given up, without starting a thread.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use super::fail_on::{FailOn, FailOnResults};
use super::output_stream::OutputStream;
use super::plan::{FlowReportOptions, OutputMode, ProcessingOptions, StreamReportOptions};
use super::terminal::AboveTicker;
use crate::error::Result;
use crate::packet::{Interface, Timestamp};
use crate::sink::flows::{ProcessColumn, SortedFlows};
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
            sinks.extend(open_rows(processing, stop, report, has_attribution)?);
        }
        OutputMode::Streams(StreamReportOptions {
            format,
            options,
            directory,
        }) => match (format.factory, directory) {
            (SinkFactory::Directory(open), Some(path)) => sinks.push(open(path, options)?),
            (SinkFactory::Streams(open), _) => {
                sinks.push(open(Box::new(printed()?), options));
            }
            _ => {}
        },
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

fn open_rows(
    processing: &ProcessingOptions,
    stop: &Stop,
    report: &FlowReportOptions,
    has_attribution: bool,
) -> Result<Option<Box<dyn Sink>>> {
    let writer: Box<dyn Write> = match &report.output {
        None => Box::new(AboveTicker::new(printed_output(processing, stop)?)),
        Some(path) => match OutputStream::open(path, stop)? {
            Some(stream) => Box::new(stream),
            None => Box::new(create_output_file(path)?),
        },
    };
    let SinkFactory::Flows(open) = report.format.factory else {
        return Ok(None);
    };
    let mut layout = report.layout;
    if has_attribution && layout.processes == ProcessColumn::IfPresent {
        layout.processes = ProcessColumn::Shown;
    }
    let rows = open(writer, &layout);
    Ok(Some(match report.order {
        Some((order, top)) => Box::new(SortedFlows::new(rows, order, top)),
        None => rows,
    }))
}

/// Returns the check of the conditions of `--fail-on`, if there are any.
pub(super) fn open_fail_on(
    processing: &ProcessingOptions,
    results: &FailOnResults,
) -> Option<Box<dyn Sink>> {
    let OutputMode::Flows(report) = &processing.output_mode else {
        return None;
    };
    let conditions = report.conditions.clone();
    (!conditions.is_empty())
        .then(|| -> Box<dyn Sink> { Box::new(FailOn::new(conditions, results.clone())) })
}
