//! Status line on standard error, if that is a terminal: counters during a live capture, a progress
//! bar while a large file is read.
//!
//! A thread reads the loop's counters ten times a second; the loop itself never draws.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::terminal::{self, Terminal};
use crate::error::count_noun;
use crate::flow::FlowCounts;
use crate::pipeline::Totals;
use crate::sink::ByteCount;
use crate::source::{Losses, Progress};

/// Input whose progress is shown.
pub(super) enum ProgressSource {
    /// A file is being read.
    File(Progress),
    /// Packets are being captured on a device.
    Device(Arc<Mutex<Losses>>),
}

/// Other output to the same terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConcurrentOutput {
    Nothing,
    /// Occasional lines, whose writer clears the status line first ([`terminal::AboveTicker`]).
    Rows,
    /// Packets: no room for a status line.
    Continuous,
}

/// Status line, drawn by a thread until this is dropped.
pub(super) struct Ticker {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Time between two updates of the status line.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);
/// Smallest file with a progress bar, in bytes. A smaller one is read too quickly to need one.
const MIN_PROGRESS_FILE_BYTES: u64 = 64 << 20;

impl Ticker {
    /// Starts to draw, if standard error is a terminal and no continuous output goes to it.
    pub(super) fn start(
        subject: ProgressSource,
        totals: Arc<Totals>,
        output: ConcurrentOutput,
    ) -> Ticker {
        use std::io::IsTerminal;
        let is_occupied = output == ConcurrentOutput::Continuous && std::io::stdout().is_terminal();
        if !terminal::is_available() || is_occupied {
            return Ticker { running: None };
        }
        let Some(bar) = bar(&subject) else {
            return Ticker { running: None };
        };
        let (end, end_signal) = channel();
        let draw = move || {
            while end_signal.recv_timeout(DRAW_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                update(&bar, &subject, &totals);
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
            // A panic of the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn bar(subject: &ProgressSource) -> Option<ProgressBar> {
    let style = |template| ProgressStyle::with_template(template).ok();
    match subject {
        ProgressSource::File(progress) => {
            let total = progress
                .total
                .filter(|&total| total >= MIN_PROGRESS_FILE_BYTES)?;
            let template = "{bar:30} {done}/{total}  {rate}/s, {eta} left  {msg}";
            let style = style(template)?
                .with_key("done", size_key(ProgressState::pos))
                .with_key("total", size_key(|state| state.len().unwrap_or(0)))
                .with_key("rate", size_key(|state| state.per_sec() as u64));
            let bar = ProgressBar::with_draw_target(Some(total), draw_target());
            Some(bar.with_style(style))
        }
        ProgressSource::Device(_) => {
            let bar = ProgressBar::with_draw_target(None, draw_target());
            Some(bar.with_style(style("{spinner} {elapsed}  {msg}")?))
        }
    }
}

/// Returns a template key for a size, in the same units as the other numbers on the screen.
fn size_key(
    size: fn(&ProgressState) -> u64,
) -> impl Fn(&ProgressState, &mut dyn fmt::Write) + Clone + Send + Sync {
    move |state, out| {
        // Writing to indicatif's buffer cannot fail.
        let _ = write!(out, "{}", ByteCount(size(state)));
    }
}

fn draw_target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like(Box::new(Terminal::default()))
}

fn update(bar: &ProgressBar, subject: &ProgressSource, totals: &Totals) {
    let counts = totals.snapshot();
    let mut packets = count_noun(counts.packets, "packet");
    if counts.flows.opened > 0 {
        let FlowCounts { opened, open, .. } = counts.flows;
        packets += &format!(
            " in {} ({open} open, {} ended)",
            count_noun(opened, "flow"),
            opened - open
        );
    }
    if counts.requests.requests > 0 {
        packets += &format!(", {}", count_noun(counts.requests.requests, "request"));
    }
    if counts.pending_requests > 0 {
        packets += &format!(", {} waiting for more than 1 s", counts.pending_requests);
    }
    match subject {
        ProgressSource::File(progress) => {
            bar.set_position(progress.done.load(Relaxed));
            bar.set_message(packets);
        }
        ProgressSource::Device(losses) => {
            let losses = losses.lock().unwrap_or_else(PoisonError::into_inner);
            let dropped = losses.dropped;
            bar.set_message(format!(
                "{packets}, {}, {dropped} dropped",
                ByteCount(counts.bytes)
            ));
            bar.tick();
        }
    }
}
