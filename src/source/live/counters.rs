//! What the kernel counts for a capture (pcap_stats(3PCAP)).

use std::sync::{Arc, Mutex, PoisonError};

use crate::source::Losses;

/// libpcap's counters are 32 bits wide and wrap.
#[derive(Debug, Default)]
pub(super) struct Counters {
    last: [u32; 3],
    /// For other threads to look at.
    pub(super) total: Arc<Mutex<Losses>>,
}

impl Counters {
    /// Begins to count from what libpcap says now.
    pub(super) fn begin(&mut self, now: [u32; 3]) {
        self.last = now;
    }

    /// Takes what libpcap says now: received, dropped, dropped by the interface, each since the start.
    pub(super) fn add(&mut self, now: [u32; 3]) {
        let [received, dropped, by_interface] =
            std::array::from_fn(|at| u64::from(now[at].wrapping_sub(self.last[at])));
        self.last = now;
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        total.received += received;
        total.dropped += dropped;
        total.dropped_by_interface += by_interface;
    }
}
