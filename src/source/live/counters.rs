//! Kernel packet counters of a capture (pcap_stats(3PCAP)).

use std::sync::{Arc, Mutex, PoisonError};

use crate::source::Losses;

/// 64-bit totals of libpcap's counters, which are 32 bits wide and wrap.
#[derive(Debug, Default)]
pub(super) struct Counters {
    last: [u32; 3],
    /// Totals that other threads may read.
    pub(super) total: Arc<Mutex<Losses>>,
}

impl Counters {
    /// Restarts counting from these values of libpcap's counters.
    pub(super) fn reset(&mut self, now: [u32; 3]) {
        self.last = now;
    }

    /// Adds the increase since the last call. `now` is libpcap's counters since the start:
    /// received, dropped, dropped by the interface.
    pub(super) fn update(&mut self, now: [u32; 3]) {
        let [received, dropped, by_interface] =
            std::array::from_fn(|at| u64::from(now[at].wrapping_sub(self.last[at])));
        self.last = now;
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        total.received += received;
        total.dropped += dropped;
        total.dropped_by_interface += by_interface;
    }
}
