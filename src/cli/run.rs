//! A plan, carried out: open, filter, loop, finish, report.

use std::fs::File;
use std::os::fd::AsFd;

use super::plan::{Input, Plan, Save, Show};
use super::ticker::{Subject, Ticker};
use super::{report, signals};
use crate::error::Result;
use crate::filter::Filter;
use crate::packet::{Interface, Timestamp};
use crate::pipeline::{self, Output, Totals};
use crate::sink::{Open, Saving, Sink};
use crate::source::live::Live;
use crate::source::{Source, Stop, file};
use std::sync::Arc;

/// Carries a plan out.
pub(super) fn run(plan: Plan) -> Result<()> {
    match plan.input {
        Input::File(_) => from_file(plan),
        Input::Device(_) => from_device(plan),
    }
}

fn from_file(plan: Plan) -> Result<()> {
    let Plan {
        input: Input::File(path),
        mut filter,
        limits,
        save,
        show,
        flush,
    } = plan
    else {
        return Ok(());
    };
    let stop = Stop::new()?;
    let mut source = file::open(&path)?;
    source.end_with(stop.clone());

    let totals = Arc::new(Totals::default());
    let quiet = matches!(show, Show::Nothing | Show::Count);
    let interface = source.interfaces().next().cloned();
    filter.check(source.interfaces().map(|interface| interface.link))?;
    let sinks = sinks(save, &show, interface.as_ref(), Timestamp::UNKNOWN)?;
    let mut output = Output::new(sinks, flush, Some(stop.clone()));
    signals::listen(stop, output.flush_request(), Arc::clone(&totals), None)?;
    let ticker = Ticker::start(Subject::File(source.progress()), Arc::clone(&totals), quiet);
    let ran = pipeline::run(&mut source, &mut filter, &mut output, limits, &totals);
    let finished = output.finish();
    drop(ticker);
    report::file(&totals.now(), source.losses(), &filter);
    count(&show, &totals)?;
    ran.and(finished)
}

fn from_device(plan: Plan) -> Result<()> {
    let Plan {
        input: Input::Device(options),
        filter,
        limits,
        save,
        show,
        flush,
    } = plan
    else {
        return Ok(());
    };
    let stop = Stop::new()?;
    let ring = u64::from(options.buffer);
    let mut source = Live::open(options, stop.clone())?;
    let interface = source.interface().clone();
    let (kernel, mut filter): (String, Filter) = filter.into_kernel(interface.link)?;
    source.set_filter(&kernel)?;
    let totals = Arc::new(Totals::default());
    let quiet = matches!(show, Show::Nothing | Show::Count);
    let sinks = sinks(save, &show, Some(&interface), now())?;
    let mut output = Output::new(sinks, flush, Some(stop.clone()));
    let losses = Some(source.shared_losses());
    signals::listen(
        stop,
        output.flush_request(),
        Arc::clone(&totals),
        losses.clone(),
    )?;
    report::listening(&interface, ring);
    let ticker = Ticker::start(Subject::Device(losses), Arc::clone(&totals), quiet);
    let ran = pipeline::run(&mut source, &mut filter, &mut output, limits, &totals);
    let finished = output.finish();
    drop(ticker);
    report::device(&totals.now(), source.losses(), ring);
    count(&show, &totals)?;
    ran.and(finished)
}

/// What `--count` prints, as tcpdump does.
fn count(show: &Show, totals: &Totals) -> Result<()> {
    let packets = totals.now().packets;
    let plural = if packets == 1 { "" } else { "s" };
    match show {
        Show::Count => super::print(format!("{packets} packet{plural}\n").as_bytes()),
        _ => Ok(()),
    }
}

/// The sinks that a plan asks for.
fn sinks(
    save: Option<Save>,
    show: &Show,
    interface: Option<&Interface>,
    now: Timestamp,
) -> Result<Vec<Box<dyn Sink>>> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(save) = save
        && let Open::Saved(open) = save.format.open
    {
        sinks.push(open(&Saving {
            path: &save.path,
            rotation: save.rotation,
            resolution: save.resolution,
            interface,
            now,
        })?);
    }
    if let Show::Packets(format, style) = show
        && let Open::Shown(open) = format.open
    {
        sinks.push(open(Box::new(stdout()?), style));
    }
    Ok(sinks)
}

/// Standard output without the standard library's line buffer: sinks have their own.
fn stdout() -> Result<File> {
    Ok(File::from(std::io::stdout().as_fd().try_clone_to_owned()?))
}

/// The clock of this machine, for the names of files that are begun before the first packet.
fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_nanosecond() as i64)
}
