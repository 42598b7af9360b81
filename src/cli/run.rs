//! A plan, carried out: open, filter, loop, finish, report.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::plan::{Input, Plan, Show, Work};
use super::ticker::{Subject, Ticker};
use super::{report, signals};
use crate::error::Result;
use crate::filter::Filter;
use crate::packet::{Interface, Timestamp};
use crate::pipeline::{self, Counts, Output, Totals};
use crate::sink::{Open, Saving, Sink};
use crate::source::live::{self, Live};
use crate::source::{Losses, Source, Stop, file};

/// Carries a plan out.
pub(super) fn run(plan: Plan) -> Result<()> {
    let Plan {
        input,
        filter,
        work,
    } = plan;
    match input {
        Input::File(path) => from_file(&path, filter, &work),
        Input::Device(options) => from_device(options, filter, &work),
    }
}

fn from_file(path: &Path, mut filter: Filter, work: &Work) -> Result<()> {
    let stop = Stop::new()?;
    let mut source = file::open(path)?;
    source.end_with(stop.clone());
    filter.check(source.interfaces().map(|interface| interface.link))?;
    let scene = Scene {
        interface: source.interfaces().next().cloned(),
        now: Timestamp::UNKNOWN,
        subject: Subject::File(source.progress()),
        losses: None,
        ring: None,
        stop,
    };
    let (counts, ran) = carry_out(&mut source, &mut filter, work, scene)?;
    report::file(&counts, source.losses(), &filter);
    count(&work.show, counts)?;
    ran
}

fn from_device(options: live::Options, filter: Filter, work: &Work) -> Result<()> {
    let stop = Stop::new()?;
    let ring = u64::from(options.buffer);
    let mut source = Live::open(options, stop.clone())?;
    let interface = source.interface().clone();
    let (kernel, mut filter) = filter.into_kernel(interface.link)?;
    source.set_filter(&kernel)?;
    let losses = source.shared_losses();
    let scene = Scene {
        interface: Some(interface),
        now: Timestamp(jiff::Timestamp::now().as_nanosecond() as i64),
        subject: Subject::Device(Arc::clone(&losses)),
        losses: Some(losses),
        ring: Some(ring),
        stop,
    };
    let (counts, ran) = carry_out(&mut source, &mut filter, work, scene)?;
    report::device(&counts, source.losses(), ring);
    count(&work.show, counts)?;
    ran
}

/// What a source has around it.
struct Scene {
    /// What a saved file without packets tells of.
    interface: Option<Interface>,
    /// The clock that names the first file; unknown where packets have their own.
    now: Timestamp,
    /// What progress is shown of.
    subject: Subject,
    /// The kernel's counters, live.
    losses: Option<Arc<Mutex<Losses>>>,
    /// Size of the kernel's ring in bytes, live.
    ring: Option<u64>,
    stop: Stop,
}

/// Runs the loop with everything that belongs to it; what it counted, and how it ended.
fn carry_out<S: Source>(
    source: &mut S,
    filter: &mut Filter,
    work: &Work,
    scene: Scene,
) -> Result<(Counts, Result<()>)> {
    let totals = Arc::new(Totals::default());
    let sinks = sinks(work, scene.interface.as_ref(), scene.now)?;
    let mut output = Output::new(sinks, work.flush, Some(scene.stop.clone()));
    let flush = output.flush_request();
    signals::listen(scene.stop, flush, Arc::clone(&totals), scene.losses)?;
    // Said when signals are heard and files are there: who waits for it may act on it.
    if let (Some(interface), Some(ring)) = (&scene.interface, scene.ring) {
        report::listening(interface, ring);
    }
    let quiet = matches!(work.show, Show::Nothing | Show::Count);
    let ticker = Ticker::start(scene.subject, Arc::clone(&totals), quiet);
    let ran = pipeline::run(source, filter, &mut output, work.limits, &totals);
    let finished = output.finish();
    drop(ticker);
    Ok((totals.now(), ran.and(finished)))
}

/// What `--count` prints, as tcpdump does.
fn count(show: &Show, Counts { packets, .. }: Counts) -> Result<()> {
    let plural = if packets == 1 { "" } else { "s" };
    match show {
        Show::Count => super::print(format!("{packets} packet{plural}\n").as_bytes()),
        _ => Ok(()),
    }
}

/// The sinks that a plan asks for.
fn sinks(work: &Work, interface: Option<&Interface>, now: Timestamp) -> Result<Vec<Box<dyn Sink>>> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(save) = &work.save
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
    if let Show::Packets(format, style) = &work.show
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
