//! A plan, carried out: open, filter, loop, finish, report.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::judge::{Findings, Judge};
use super::plan::{Input, Plan, Show, Table, Work};
use super::program::Running;
use super::terminal::AboveTicker;
use super::ticker::{Beside, Subject, Ticker};
use super::whose::Processes;
use super::{report, signals};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::flow::{FlowCounts, Settings, Wanted};
use crate::owners::{Asking, Attributed, Directory as Owners, Selected, Watcher, Way, comment};
use crate::packet::{Interface, Timestamp};
use crate::pipeline::{self, Counts, Output, Task, Totals};
use crate::sink::flows::Ranked;
use crate::sink::follow::{Conversation, Directory, Raw};
use crate::sink::{Named, Needs, Open, Saving, Sink, create};
use crate::source::live::{self, Live};
use crate::source::{Losses, Source, Stop, file};

/// Carries a plan out.
pub(super) fn run(plan: Plan) -> Result<u8> {
    let Plan {
        input,
        filter,
        work,
    } = plan;
    match input {
        Input::File(path) => from_file(&path, filter, &work).map(|()| 0),
        Input::Device(options) => from_device(&options, filter, &work),
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
        directory: None,
        way: None,
        tells_processes: matches!(&work.show, Show::Flows(table) if table.layout.processes)
            && source.may_say(comment::OURS),
        stop,
    };
    let (Done { counts, ran, .. }, losses) = select(source, &mut filter, work, scene)?;
    report::file(&counts, losses, &filter);
    report::flows(counts.flows);
    count(&work.show, counts)?;
    ran
}

fn from_device(options: &live::Options, filter: Filter, work: &Work) -> Result<u8> {
    let stop = Stop::new()?;
    let ring = u64::from(options.buffer);
    let asking = match work.processes {
        Processes::No => None,
        Processes::Flows | Processes::Packets => Some(Asking::begin()?),
    };
    let mut source = Live::open(options.clone(), stop.clone())?;
    let interface = source.interface().clone();
    let (kernel, mut filter) = filter.into_kernel(interface.link)?;
    source.set_filter(&kernel)?;
    let losses = source.shared_losses();
    let watcher = match asking.map(|asking| Watcher::start(options, &kernel, asking)) {
        None => None,
        Some(Ok(watcher)) => Some(watcher),
        Some(Err(error)) if !work.whose.is_everything() => return Err(error),
        Some(Err(error)) => {
            report::no_processes(&error);
            None
        }
    };
    let scene = Scene {
        interface: Some(interface),
        now: Timestamp(jiff::Timestamp::now().as_nanosecond() as i64),
        subject: Subject::Device(Arc::clone(&losses)),
        losses: Some(losses),
        ring: Some(ring),
        tells_processes: watcher.is_some(),
        way: watcher.as_ref().map(|watcher| watcher.way().clone()),
        directory: watcher
            .as_ref()
            .map(|watcher| Arc::clone(watcher.directory())),
        stop,
    };
    let directory = scene.directory.clone();
    let (Done { counts, ran, code }, losses) = match directory {
        Some(directory) if work.processes == Processes::Packets => {
            let source = Attributed::new(source, directory);
            select(source, &mut filter, work, scene)?
        }
        _ => select(source, &mut filter, work, scene)?,
    };
    let untold = watcher.map(Watcher::end);
    report::device(&counts, losses, ring);
    report::untold_changes(untold.unwrap_or_default());
    report::flows(counts.flows);
    count(&work.show, counts)?;
    ran.map(|()| code)
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
    /// What is known of processes, live.
    directory: Option<Arc<Owners>>,
    /// How that is found out, live.
    way: Option<Way>,
    /// Whether there is something to be told of them.
    tells_processes: bool,
    stop: Stop,
}

/// What a run came to.
struct Done {
    counts: Counts,
    /// How it ended.
    ran: Result<()>,
    /// The exit code of what was run meanwhile.
    code: u8,
}

/// Runs the loop over the packets of those processes that are wanted.
fn select<S: Source>(
    mut source: S,
    filter: &mut Filter,
    work: &Work,
    scene: Scene,
) -> Result<(Done, Losses)> {
    if work.whose.is_everything() {
        let done = carry_out(&mut source, filter, work, scene)?;
        return Ok((done, source.losses()));
    }
    let mut source = Selected::new(source, work.whose.clone());
    let done = carry_out(&mut source, filter, work, scene)?;
    report::untold(source.untold());
    Ok((done, source.losses()))
}

/// Runs the loop with everything that belongs to it.
fn carry_out<S: Source>(
    source: &mut S,
    filter: &mut Filter,
    work: &Work,
    scene: Scene,
) -> Result<Done> {
    let totals = Arc::new(Totals::default());
    let findings = Findings::default();
    let mut sinks = sinks(work, &scene, &findings)?;
    if let Some(directory) = &scene.directory {
        let named = |sink| -> Box<dyn Sink> { Box::new(Named::new(sink, Arc::clone(directory))) };
        sinks = sinks.into_iter().map(named).collect();
    }
    let mut output = Output::new(sinks, work.flush, Some(scene.stop.clone()));
    let flush = output.flush_request();
    let stop = scene.stop.clone();
    signals::listen(scene.stop, flush, Arc::clone(&totals), scene.losses)?;
    // Said when signals are heard and files are there: who waits for it may act on it.
    if let (Some(interface), Some(ring)) = (&scene.interface, scene.ring) {
        report::listening(interface, ring, scene.way.as_ref());
        if let (Some(way), Show::Packets(_, style)) = (&scene.way, &work.show)
            && style.verbose > 0
        {
            report::way(way);
        }
    }
    let streams = match output.needs() {
        Needs::Frames | Needs::Counts | Needs::Packets | Needs::Flows => Wanted::No,
        Needs::Streams => Wanted::Yes,
        Needs::Repeats => Wanted::Compared,
    };
    let task = Task {
        limits: work.limits,
        flows: work.flows.map(|bounds| Settings { streams, ..bounds }),
        threads: work.threads.unwrap_or_else(|| scene.subject.threads()),
    };
    let ticker = Ticker::start(scene.subject, Arc::clone(&totals), beside(&work.show));
    let running = work.program.as_ref().map(|program| program.start(stop));
    let ran = pipeline::run(source, filter, &mut output, &task, &totals);
    let finished = output.finish();
    drop(ticker);
    let counts = totals.now();
    let judged = findings.verdict().and(came(&work.show, counts.flows));
    let mut ran = ran.and(finished);
    match judged {
        // Both are to be told.
        Err(verdict) if ran.is_err() => report::error(&verdict),
        judged => ran = ran.and(judged),
    }
    let code = running.map_or(0, Running::code);
    Ok(Done { counts, ran, code })
}

/// An error if the one flow that was to be shown never came.
fn came(show: &Show, FlowCounts { opened: last, .. }: FlowCounts) -> Result<()> {
    match show.only_flow() {
        Some(number) if number > last => Err(Error::NoSuchFlow { number, last }),
        _ => Ok(()),
    }
}

/// What else is on the terminal while counters are drawn.
fn beside(show: &Show) -> Beside {
    match show {
        Show::Nothing | Show::Count | Show::Directory(..) => Beside::Nothing,
        Show::Flows(table) if table.output.is_some() => Beside::Nothing,
        Show::Flows(_) => Beside::Rows,
        Show::Packets(..) | Show::Conversation(_) | Show::Raw(..) => Beside::Everything,
    }
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
fn sinks(work: &Work, scene: &Scene, findings: &Findings) -> Result<Vec<Box<dyn Sink>>> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(save) = &work.save
        && let Open::Saved(open) = save.format.open
    {
        sinks.push(open(&Saving {
            path: &save.path,
            rotation: save.rotation,
            resolution: save.resolution,
            interface: scene.interface.as_ref(),
            now: scene.now,
        })?);
    }
    match &work.show {
        Show::Nothing | Show::Count => {}
        Show::Packets(format, style) => {
            if let Open::Shown(open) = format.open {
                sinks.push(open(Box::new(stream(work)?), style));
            }
        }
        Show::Flows(table) => flow_sinks(work, table, scene, findings, &mut sinks)?,
        Show::Conversation(look) => sinks.push(Box::new(Conversation::new(stream(work)?, *look))),
        Show::Raw(flow, side) => sinks.push(Box::new(Raw::new(stream(work)?, *flow, *side))),
        Show::Directory(path, only) => sinks.push(Box::new(Directory::create(path, *only)?)),
    }
    Ok(sinks)
}

fn flow_sinks(
    work: &Work,
    table: &Table,
    scene: &Scene,
    findings: &Findings,
    sinks: &mut Vec<Box<dyn Sink>>,
) -> Result<()> {
    let writer: Box<dyn Write> = match &table.output {
        None => Box::new(AboveTicker::new(stream(work)?)),
        Some(path) => Box::new(create(path)?),
    };
    if let Open::Flows(open) = table.format.open {
        let mut layout = table.layout;
        layout.processes &= scene.tells_processes;
        let rows = open(writer, &layout);
        sinks.push(match table.order {
            Some((order, top)) => Box::new(Ranked::new(rows, order, top)),
            None => rows,
        });
    }
    if !table.conditions.is_empty() {
        let conditions = table.conditions.clone();
        sinks.push(Box::new(Judge::new(conditions, findings.clone())));
    }
    Ok(())
}

/// Standard output, or error if a program has that for itself; without the standard library's line buffer: sinks have their own.
fn stream(work: &Work) -> Result<File> {
    Ok(File::from(match work.program {
        None => std::io::stdout().as_fd().try_clone_to_owned()?,
        Some(_) => std::io::stderr().as_fd().try_clone_to_owned()?,
    }))
}
