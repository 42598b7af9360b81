//! Watching the port for a while: flows as `lcap flows` has them, with the processes at both ends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::facts::{Ending, Seen, Watched};
use crate::error::Result;
use crate::filter::{Filter, Ports};
use crate::flow::{FlowEvent, FlowRecord, Settings, Verdict, What};
use crate::host::interfaces;
use crate::owners::{Asking, Watcher};
use crate::pipeline::{Flush, Output, Task, Totals, run};
use crate::sink::{Named, Needs, Sink};
use crate::source::Stop;
use crate::source::live::{Live, Options, Pace};

/// The kernel's ring, in bytes.
const RING: u32 = 16 << 20;
/// Headers tell all that is asked for.
const SNAP_LEN: u32 = 256;
/// How often flows that ended are reported.
const TICK: Duration = Duration::from_millis(250);
/// How long a flow that ended is waited for, in nanoseconds.
const LINGER: i64 = 1_000_000_000;
/// So many flows are kept.
const MOST: usize = 50;

/// Captures what is said on a port of the loopback, for so many seconds or until it is asked to stop.
pub fn watch(port: u16, seconds: u64, stop: Stop) -> Watched {
    let seen = Arc::new(Mutex::new(Watched {
        seconds,
        ..Watched::default()
    }));
    let captured = capture(port, seconds, stop, &seen);
    let mut seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    seen.error = captured.err().map(|error| error.to_string());
    seen
}

fn capture(port: u16, seconds: u64, stop: Stop, seen: &Arc<Mutex<Watched>>) -> Result<()> {
    let asking = Asking::begin();
    let device = interfaces::find(None)?;
    let options = Options {
        device: device.name,
        is_loopback: device.is_loopback,
        snap_len: SNAP_LEN,
        buffer: RING,
        link: None,
        duration: Some(Duration::from_secs(seconds)),
        pace: Pace::Prompt,
        tick: Some(TICK),
    };
    let ports: Option<Ports> = port.to_string().parse().ok();
    let mut source = Live::open(options.clone(), stop)?;
    let (kernel, mut filter) = Filter::new(ports, "")?.into_kernel(source.interface().link)?;
    source.set_filter(&kernel)?;
    // Without names it is still seen what was said.
    let watcher = asking
        .ok()
        .and_then(|asking| Watcher::start(&options, &kernel, asking).ok());
    let mut sink: Box<dyn Sink> = Box::new(Collector(Arc::clone(seen)));
    if let Some(watcher) = &watcher {
        sink = Box::new(Named::new(sink, Arc::clone(watcher.directory())));
    }
    let mut output = Output::new(vec![sink], Flush::Full, None);
    let task = Task {
        flows: Some(Settings {
            linger: LINGER,
            max_flows: 10_000,
            ..Settings::FLOWS
        }),
        ..Task::default()
    };
    run(
        &mut source,
        &mut filter,
        &mut output,
        &task,
        &Totals::default(),
    )?;
    output.finish()
}

/// Takes flows as they end.
struct Collector(Arc<Mutex<Watched>>);

impl Sink for Collector {
    fn flow(&mut self, event: &FlowEvent) -> Result<()> {
        if let What::Closed(record) = event.what {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match seen.flows.len() < MOST {
                true => seen.flows.push(line(record)),
                false => seen.more += 1,
            }
        }
        Ok(())
    }

    fn needs(&self) -> Needs {
        Needs::Flows
    }
}

fn line(record: &FlowRecord) -> Seen {
    let (orig, resp) = (record.id.orig(), record.id.resp());
    let who = match record.owners.are_unknown() {
        true => String::new(),
        false => format!("  {}", record.owners),
    };
    Seen {
        line: format!("{orig} → {resp}{who}: {}", record.outcome),
        ending: match record.outcome.verdict {
            Verdict::Refused => Ending::Refused,
            Verdict::Reset(_) | Verdict::GivenUp => Ending::Reset,
            Verdict::NoAnswer | Verdict::HalfOpen => Ending::NoAnswer,
            _ => Ending::Other,
        },
    }
}
