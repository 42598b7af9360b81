//! Counters of a run: written by the main loop, read by progress displays and reports.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::flow::{FlowCounts, FlowTable};
use crate::packet::{DecodeProblem, Frame, Packet, Timestamp};
use crate::request::{RequestCounts, RequestTable};
use crate::source::Losses;

/// The counters of one run. Only the main loop writes them, so a plain load and store is enough;
/// other threads may read them at any time.
#[derive(Debug, Default)]
pub struct Totals {
    frames: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    unknown_link: AtomicU64,
    malformed: AtomicU64,
    unattributed: AtomicU64,
    unknown_packets: AtomicU64,
    unknown_connections: AtomicU64,
    opened_flows: AtomicU64,
    open_flows: AtomicU64,
    evicted: AtomicU64,
    incomplete: AtomicU64,
    unreadable: AtomicU64,
    requests: AtomicU64,
    pending_requests: AtomicU64,
    /// Time at which the pending requests were counted, in nanoseconds.
    pending_time: AtomicI64,
    unanalyzed_bytes: AtomicU64,
    unanalyzed_flows: AtomicU64,
}

/// Age in nanoseconds from which on a request without an answer is counted as pending, and the
/// interval at which they are counted.
const PENDING_AGE: i64 = 1_000_000_000;

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames read, including those that the filter rejected.
    pub frames: u64,
    /// Packets that matched the filter.
    pub packets: u64,
    /// Captured bytes of the packets that matched the filter.
    pub bytes: u64,
    /// Frames with a link type that lcap does not support.
    pub unknown_link: u64,
    /// Frames with a truncated or invalid header.
    pub malformed: u64,
    /// Packets that the process filter skipped because their owners are unknown; they are not
    /// counted as frames.
    pub unattributed: u64,
    /// Traffic that `lcap run` kept although its processes are unknown; set only at the end.
    pub(crate) unknown: UnknownTraffic,
    /// Flow counters; `evicted`, `incomplete` and `unreadable` are set only at the end.
    pub flows: FlowCounts,
    /// Request counters; set only at the end.
    pub requests: RequestCounts,
    /// Number of requests that have waited for their answers for more than a second.
    pub pending_requests: u64,
    /// Packets that the kernel or the interface dropped, and skipped blocks of a file; set only at
    /// the end of a [`Capture`](super::Capture).
    pub losses: Losses,
    /// True if a live [`Capture`](super::Capture) on the loopback could not look up processes, e.g.
    /// for lack of privileges: packets and flows then have no owners. Set only at its end.
    pub attribution_failed: bool,
}

/// Traffic whose processes are unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnknownTraffic {
    /// Number of packets.
    pub packets: u64,
    /// Number of connections that these packets belong to.
    pub connections: u64,
}

impl Totals {
    /// Returns the current values of all counters.
    pub fn snapshot(&self) -> Counts {
        Counts {
            frames: self.frames.load(Relaxed),
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            unknown_link: self.unknown_link.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
            unattributed: self.unattributed.load(Relaxed),
            unknown: UnknownTraffic {
                packets: self.unknown_packets.load(Relaxed),
                connections: self.unknown_connections.load(Relaxed),
            },
            flows: FlowCounts {
                opened: self.opened_flows.load(Relaxed),
                open: self.open_flows.load(Relaxed),
                evicted: self.evicted.load(Relaxed),
                incomplete: self.incomplete.load(Relaxed),
                unreadable: self.unreadable.load(Relaxed),
            },
            requests: RequestCounts {
                requests: self.requests.load(Relaxed),
                unanalyzed_bytes: self.unanalyzed_bytes.load(Relaxed),
                unanalyzed_flows: self.unanalyzed_flows.load(Relaxed),
            },
            pending_requests: self.pending_requests.load(Relaxed),
            losses: Losses::default(),
            attribution_failed: false,
        }
    }

    #[inline]
    pub(super) fn count_frame(&self, packet: &Packet) {
        add(&self.frames, 1);
        match packet.problem() {
            // ARP and similar frames are valid, only not IP.
            None | Some(DecodeProblem::NotIp(_)) => {}
            Some(DecodeProblem::UnsupportedLinkType(_)) => add(&self.unknown_link, 1),
            Some(_) => add(&self.malformed, 1),
        }
    }

    /// Counts a packet that the process filter skipped because its owners are unknown.
    #[inline]
    pub(super) fn count_unattributed(&self) {
        add(&self.unattributed, 1);
    }

    #[inline]
    pub(super) fn count_packet(&self, frame: &Frame) {
        add(&self.packets, 1);
        add(&self.bytes, frame.bytes.len() as u64);
    }

    #[inline]
    pub(super) fn update_flows(&self, flows: &FlowTable) {
        let counts = flows.counts();
        self.opened_flows.store(counts.opened, Relaxed);
        self.open_flows.store(counts.open, Relaxed);
    }

    /// Stores the traffic whose processes remained unknown.
    #[cfg(feature = "cli")]
    pub(super) fn store_unknown(&self, unknown: UnknownTraffic) {
        self.unknown_packets.store(unknown.packets, Relaxed);
        self.unknown_connections.store(unknown.connections, Relaxed);
    }

    /// Stores all flow counters.
    pub(super) fn store_flows(&self, counts: FlowCounts) {
        self.opened_flows.store(counts.opened, Relaxed);
        self.open_flows.store(counts.open, Relaxed);
        self.evicted.store(counts.evicted, Relaxed);
        self.incomplete.store(counts.incomplete, Relaxed);
        self.unreadable.store(counts.unreadable, Relaxed);
    }

    /// Counts the requests that wait for their answers, if the last count is old enough.
    pub(super) fn update_pending_requests(&self, requests: &RequestTable, now: Timestamp) {
        let last = self.pending_time.load(Relaxed);
        if now.is_present() && now.0.abs_diff(last) >= PENDING_AGE as u64 {
            let since = Timestamp(now.0.saturating_sub(PENDING_AGE));
            self.pending_requests
                .store(requests.pending_since(since), Relaxed);
            self.pending_time.store(now.0, Relaxed);
        }
        self.requests.store(requests.counts().requests, Relaxed);
    }

    /// Stores all request counters.
    pub(super) fn store_requests(&self, counts: RequestCounts) {
        self.requests.store(counts.requests, Relaxed);
        self.unanalyzed_bytes
            .store(counts.unanalyzed_bytes, Relaxed);
        self.unanalyzed_flows
            .store(counts.unanalyzed_flows, Relaxed);
    }

    pub(super) fn packets(&self) -> u64 {
        self.packets.load(Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

#[inline]
fn add(counter: &AtomicU64, value: u64) {
    counter.store(counter.load(Relaxed) + value, Relaxed);
}
