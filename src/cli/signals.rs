//! Signals: end, counters, flush (signal(7); SIGUSR1 and SIGUSR2 as tcpdump has them).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::report;
use crate::error::Result;
use crate::pipeline::Totals;
use crate::source::{Losses, Stop};

/// Exit code of a program that was ended by an interrupt, as shells have it.
const INTERRUPTED: i32 = 130;

/// Listens for signals on a thread of its own, for as long as the program runs.
pub(super) fn listen(
    stop: Stop,
    flush: Arc<AtomicBool>,
    totals: Arc<Totals>,
    losses: Option<Arc<Mutex<Losses>>>,
) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1, SIGUSR2])?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if !is_ignored(SIGHUP, &status) {
        signals.add_signal(SIGHUP)?;
    }
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in &mut signals {
                match signal {
                    SIGUSR1 => {
                        let losses = losses
                            .as_ref()
                            .map(|losses| *losses.lock().unwrap_or_else(PoisonError::into_inner));
                        report::counters(&totals.now(), losses);
                    }
                    SIGUSR2 => flush.store(true, Ordering::Relaxed),
                    // Who asks twice does not want to wait for what is still on its way.
                    _ if stop.is_requested() => std::process::exit(INTERRUPTED),
                    _ => stop.request(),
                }
            }
        })?;
    Ok(())
}

/// Whether a process that has this proc_pid_status(5) was started with a signal ignored, as nohup(1) does with SIGHUP.
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
    fn nohup_is_seen() {
        let status = "Name:\tlcap\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\n";
        assert!(is_ignored(SIGHUP, status));
        assert!(!is_ignored(SIGINT, status));
        assert!(!is_ignored(SIGHUP, ""));
    }
}
