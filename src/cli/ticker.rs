//! Progress on standard error, where that is a terminal: counters while watching into a file, a bar while reading a long one.
//!
//! Ten times a second a thread looks at counters that the loop keeps anyway; the loop itself never draws.

use std::num::NonZero;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::{self, Terminal};
use crate::flow::FlowCounts;
use crate::pipeline::Totals;
use crate::source::{Losses, Progress};

/// What is going on.
pub(super) enum Subject {
    /// A file is being read.
    File(Progress),
    /// A device is being captured on.
    Device(Arc<Mutex<Losses>>),
}

/// Files below this size are read before other threads have begun, in bytes.
const WORTH_THREADS: u64 = 8 << 20;
/// More threads than this wait for the one that puts things in order.
const MOST_THREADS: NonZero<usize> = NonZero::<usize>::MIN.saturating_add(7);

impl Subject {
    /// How many threads are to share the work unless somebody says.
    pub(super) fn threads(&self) -> NonZero<usize> {
        match self {
            Subject::File(progress) if progress.total.unwrap_or(0) >= WORTH_THREADS => {
                let processors = std::thread::available_parallelism();
                processors.map_or(NonZero::<usize>::MIN, |count| count.min(MOST_THREADS))
            }
            Subject::File(_) | Subject::Device(_) => NonZero::<usize>::MIN,
        }
    }
}

/// What else goes to the terminal meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    /// Lines now and then, by who clears the counters' line first.
    Rows,
    /// Packets: there is no room for counters.
    Everything,
}

/// Draws until it is dropped.
pub(super) struct Ticker {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

const TICK: Duration = Duration::from_millis(100);
/// Files below this size are read before anybody could look.
const LONG: u64 = 64 << 20;

impl Ticker {
    /// Begins to draw, if nothing else is shown and somebody is there to see it.
    pub(super) fn start(subject: Subject, totals: Arc<Totals>, beside: Beside) -> Ticker {
        use std::io::IsTerminal;
        let is_full = beside == Beside::Everything && std::io::stdout().is_terminal();
        if !terminal::is_there() || is_full {
            return Ticker { running: None };
        }
        let Some(bar) = bar(&subject) else {
            return Ticker { running: None };
        };
        let (end, ended) = channel();
        let draw = move || {
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                show(&bar, &subject, &totals);
            }
            bar.finish_and_clear();
        };
        let thread = std::thread::Builder::new()
            .name("progress".into())
            .spawn(draw);
        Ticker {
            running: thread.ok().map(|thread| (end, thread)),
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.running.take() {
            drop(end);
            // A panic there was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn bar(subject: &Subject) -> Option<ProgressBar> {
    let style = |template| ProgressStyle::with_template(template).ok();
    match subject {
        Subject::File(progress) => {
            let total = progress.total.filter(|&total| total >= LONG)?;
            let template = "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}, {eta} left  {msg}";
            let bar = ProgressBar::with_draw_target(Some(total), target());
            Some(bar.with_style(style(template)?))
        }
        Subject::Device(_) => {
            let bar = ProgressBar::with_draw_target(None, target());
            Some(bar.with_style(style("{spinner} {elapsed}  {msg}")?))
        }
    }
}

fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like(Box::new(Terminal::default()))
}

fn show(bar: &ProgressBar, subject: &Subject, totals: &Totals) {
    let counts = totals.now();
    let mut packets = format!("{} packets", HumanCount(counts.packets));
    if counts.flows.opened > 0 {
        let FlowCounts { opened, open, .. } = counts.flows;
        packets += &format!(
            " in {} flows: {} open, {} ended",
            HumanCount(opened),
            HumanCount(open),
            HumanCount(opened - open)
        );
    }
    match subject {
        Subject::File(progress) => {
            bar.set_position(progress.done.load(Relaxed));
            bar.set_message(packets);
        }
        Subject::Device(losses) => {
            let losses = losses.lock().unwrap_or_else(PoisonError::into_inner);
            let dropped = losses.dropped;
            bar.set_message(format!(
                "{packets}, {}, {} dropped",
                HumanBytes(counts.bytes),
                HumanCount(dropped)
            ));
            bar.tick();
        }
    }
}
