//! Signal handling (signal(7)): stop, print counters, flush. SIGUSR1 and SIGUSR2 have the same
//! meaning as in tcpdump.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::report;
use crate::error::Result;
use crate::pipeline::Totals;
use crate::source::{Losses, Stop};

/// Exit code of a program terminated by SIGINT, as shells report it.
const EXIT_INTERRUPTED: i32 = 130;

/// Starts a thread that handles signals until the program exits.
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
                        report::counters(&totals.snapshot(), losses);
                    }
                    SIGUSR2 => flush.store(true, Ordering::Relaxed),
                    // A second signal: exit without reading the remaining packets.
                    _ if stop.is_requested() => std::process::exit(EXIT_INTERRUPTED),
                    _ => stop.request(),
                }
            }
        })?;
    Ok(())
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
