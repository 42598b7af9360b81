//! Counters of a run: written by the main loop, read by progress displays and reports.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::flow::{FlowCounts, FlowTable};
use crate::packet::{Body, DecodeProblem, Frame, Packet};

/// The counters of one run. Only the main loop writes them, so a plain load and store is enough;
/// other threads may read them at any time.
#[derive(Debug, Default)]
pub struct Totals {
    frames: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    unknown_link: AtomicU64,
    malformed: AtomicU64,
    opened_flows: AtomicU64,
    open_flows: AtomicU64,
    evicted: AtomicU64,
    incomplete: AtomicU64,
    unreadable: AtomicU64,
}

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
    /// Flow counters; `evicted`, `incomplete` and `unreadable` are set only at the end.
    pub flows: FlowCounts,
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(parts: I) -> Counts {
        parts.fold(Counts::default(), |total, part| Counts {
            frames: total.frames + part.frames,
            packets: total.packets + part.packets,
            bytes: total.bytes + part.bytes,
            unknown_link: total.unknown_link + part.unknown_link,
            malformed: total.malformed + part.malformed,
            flows: FlowCounts {
                opened: total.flows.opened + part.flows.opened,
                open: total.flows.open + part.flows.open,
                evicted: total.flows.evicted + part.flows.evicted,
                incomplete: total.flows.incomplete + part.flows.incomplete,
                unreadable: total.flows.unreadable + part.flows.unreadable,
            },
        })
    }
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
            flows: FlowCounts {
                opened: self.opened_flows.load(Relaxed),
                open: self.open_flows.load(Relaxed),
                evicted: self.evicted.load(Relaxed),
                incomplete: self.incomplete.load(Relaxed),
                unreadable: self.unreadable.load(Relaxed),
            },
        }
    }

    #[inline]
    pub(super) fn count_frame(&self, packet: &Packet) {
        add(&self.frames, 1);
        match packet.body {
            Body::Opaque(DecodeProblem::UnsupportedLinkType(_)) => add(&self.unknown_link, 1),
            // ARP and similar frames are valid, only not IP.
            Body::Opaque(DecodeProblem::NotIp(_) | DecodeProblem::NotDecoded) => {}
            Body::Opaque(_) | Body::Broken { .. } => add(&self.malformed, 1),
            _ => {}
        }
    }

    /// Counts a frame that is valid and of a supported link type.
    #[inline]
    pub(super) fn count_valid_frame(&self) {
        add(&self.frames, 1);
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

    /// Stores all flow counters.
    pub(super) fn store_flows(&self, counts: FlowCounts) {
        self.opened_flows.store(counts.opened, Relaxed);
        self.open_flows.store(counts.open, Relaxed);
        self.evicted.store(counts.evicted, Relaxed);
        self.incomplete.store(counts.incomplete, Relaxed);
        self.unreadable.store(counts.unreadable, Relaxed);
    }

    /// Stores counters that were collected elsewhere.
    pub(super) fn store(&self, counts: &Counts) {
        self.frames.store(counts.frames, Relaxed);
        self.packets.store(counts.packets, Relaxed);
        self.bytes.store(counts.bytes, Relaxed);
        self.unknown_link.store(counts.unknown_link, Relaxed);
        self.malformed.store(counts.malformed, Relaxed);
        self.store_flows(counts.flows);
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
