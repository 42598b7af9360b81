//! Signal handling (signal(7)): stop, print counters, flush. SIGUSR1 and SIGUSR2 have the same
//! meaning as in tcpdump.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithRawSiginfo;

use super::child::{ChildProcess, SignalSender, exit_code_of_signal};
use super::report;
use crate::error::{Error, Result};
use crate::host::processes::run_root::RunRoot;
use crate::pipeline::Totals;
use crate::source::{Losses, Stop};

/// Code of signals that the kernel sent, in particular for keys of the terminal (sigaction(2)).
const SI_KERNEL: i32 = 0x80;

/// Makes a write beyond the limit of file sizes (`ulimit -f`) fail, instead of ending lcap.
///
/// # Errors
/// The signal handler cannot be installed.
pub(super) fn ignore_file_size_signal() -> Result<()> {
    let registered = signal_hook::flag::register(SIGXFSZ, Arc::default());
    Ok(registered.map(drop)?)
}

/// Signals that are recorded until a thread handles them.
pub(super) struct Signals(SignalsInfo<WithRawSiginfo>);

/// Records signals from now on.
///
/// # Errors
/// A signal handler cannot be installed.
pub(super) fn register() -> Result<Signals> {
    let signals = SignalsInfo::<WithRawSiginfo>::new([SIGINT, SIGTERM, SIGUSR1, SIGUSR2])?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if !is_ignored(SIGHUP, &status) {
        signals.add_signal(SIGHUP)?;
    }
    Ok(Signals(signals))
}

/// The state that signals change or report.
#[derive(Default)]
pub(super) struct SignalTargets {
    pub(super) flush: Arc<AtomicBool>,
    pub(super) totals: Arc<Totals>,
    /// Counters of the kernel; live captures only.
    pub(super) losses: Option<Arc<Mutex<Losses>>>,
    /// The command of `lcap run`, if it was started.
    pub(super) command: Option<(Arc<ChildProcess>, RunRoot)>,
}

impl Signals {
    /// Returns a signal that ends the program and has arrived so far, if any.
    pub(super) fn pending_end(&mut self) -> Option<i32> {
        let mut pending = self.0.pending().map(|info| info.si_signo);
        pending.find(|signal| ![SIGUSR1, SIGUSR2].contains(signal))
    }

    /// Starts a thread that handles signals until the program exits. Those that end it are passed
    /// on to the command, if there is one, whose exit ends the capture.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub(super) fn listen(self, stop: Stop, targets: SignalTargets) -> Result<()> {
        let thread = std::thread::Builder::new().name("signals".into());
        let started = thread.spawn(move || handle(self.0, &stop, &targets));
        let failed = Error::file("cannot start", "the thread for signals");
        started.map(drop).map_err(failed)
    }
}

fn handle(mut signals: SignalsInfo<WithRawSiginfo>, stop: &Stop, targets: &SignalTargets) {
    let SignalTargets {
        flush,
        totals,
        losses,
        command,
    } = targets;
    let mut is_interrupted = false;
    for info in &mut signals {
        let signal = info.si_signo;
        let sender = match info.si_code {
            SI_KERNEL => SignalSender::Kernel,
            _ => SignalSender::Process,
        };
        match signal {
            SIGUSR1 => {
                let losses = losses
                    .as_ref()
                    .map(|losses| *losses.lock().unwrap_or_else(PoisonError::into_inner));
                report::counters(&totals.snapshot(), losses);
            }
            SIGUSR2 => flush.store(true, Ordering::Relaxed),
            _ => {
                let is_repeated = match command {
                    Some((process, _)) => {
                        process.forward(signal, sender);
                        std::mem::replace(&mut is_interrupted, true)
                    }
                    None => stop.is_requested(),
                };
                if is_repeated {
                    // The remaining packets are not read.
                    if let Some((_, run)) = command {
                        report::running_processes(&run.running_members());
                    }
                    std::process::exit(i32::from(exit_code_of_signal(signal)));
                }
                if command.is_none() {
                    stop.request();
                }
            }
        }
    }
}

/// True if a signal is ignored in this proc_pid_status(5), e.g. SIGHUP under nohup(1).
fn is_ignored(signal: i32, status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::is_ignored;
    use signal_hook::consts::{SIGHUP, SIGINT};

    #[test]
    fn ignored_signals_are_read_from_the_sigign_mask() {
        let status = "Name:\tlcap\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\n";
        assert!(is_ignored(SIGHUP, status));
        assert!(!is_ignored(SIGINT, status));
        assert!(!is_ignored(SIGHUP, ""));
    }
}
