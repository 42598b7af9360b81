//! Kernel packet counters of a capture (pcap_stats(3PCAP)).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pcap::{Active, Capture};

use super::wall_clock_now;
use crate::packet::{Drops, Timestamp};
use crate::source::Losses;

/// Minimum interval between two reads of the kernel's counters while packets arrive.
const STATS_INTERVAL: Duration = Duration::from_millis(100);

/// 64-bit totals of libpcap's counters, which are 32 bits wide and wrap.
#[derive(Debug)]
pub(super) struct Counters {
    last: [u32; 3],
    /// Time of the last read of the kernel's counters.
    read_at: Instant,
    /// The same time, on the clock of packet timestamps.
    read_time: Timestamp,
    /// True if packets arrived after the last read.
    pub(super) is_outdated: bool,
    /// Drops that were not taken so far.
    drops: Option<Drops>,
    /// Totals that other threads may read.
    pub(super) total: Arc<Mutex<Losses>>,
}

impl Counters {
    pub(super) fn new(now: Instant) -> Counters {
        Counters {
            last: [0; 3],
            read_at: now,
            read_time: Timestamp(0),
            is_outdated: false,
            drops: None,
            total: Arc::default(),
        }
    }

    /// Restarts counting from the current values.
    pub(super) fn reset(&mut self, capture: &mut Capture<Active>) {
        self.read_time = wall_clock_now();
        if let Some(values) = read(capture) {
            self.last = values;
        }
    }

    /// Reads the counters if the last read was some time ago.
    pub(super) fn update_if_due(&mut self, capture: &mut Capture<Active>, now: Instant) {
        if now - self.read_at >= STATS_INTERVAL {
            self.update(capture, now);
        }
    }

    /// Reads the counters, and adds their increase since the last read.
    pub(super) fn update(&mut self, capture: &mut Capture<Active>, now: Instant) {
        self.read_at = now;
        self.is_outdated = false;
        // Taken before the read, which can miss drops that happen during it.
        let since = std::mem::replace(&mut self.read_time, wall_clock_now());
        let Some(values) = read(capture) else { return };
        let [received, dropped, by_interface] =
            std::array::from_fn(|at| u64::from(values[at].wrapping_sub(self.last[at])));
        self.last = values;
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        total.received += received;
        total.dropped += dropped;
        total.dropped_by_interface += by_interface;
        if dropped > 0 {
            let earlier = self.drops;
            self.drops = Some(Drops {
                since: earlier.map_or(since, |earlier| earlier.since),
                until: wall_clock_now(),
                count: dropped + earlier.map_or(0, |earlier| earlier.count),
            });
        }
    }

    /// Returns the drops since the last call.
    pub(super) fn take_drops(&mut self) -> Option<Drops> {
        self.drops.take()
    }

    /// Returns the totals.
    pub(super) fn total(&self) -> Losses {
        *self.total.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns libpcap's counters since the start: received, dropped, dropped by the interface.
fn read(capture: &mut Capture<Active>) -> Option<[u32; 3]> {
    let stat = capture.stats().ok()?;
    Some([stat.received, stat.dropped, stat.if_dropped])
}
