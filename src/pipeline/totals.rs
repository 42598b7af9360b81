//! What has been seen so far: written by the loop, read by whoever shows it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::flow::{FlowCounts, FlowTable};
use crate::packet::{Body, Frame, Packet, Reason};

/// Counters of one run. Only the loop writes them, so a plain load and store does; others read at any time.
#[derive(Debug, Default)]
pub struct Totals {
    frames: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    unknown_link: AtomicU64,
    malformed: AtomicU64,
    flows: AtomicU64,
    open_flows: AtomicU64,
    evicted: AtomicU64,
    incomplete: AtomicU64,
    unreadable: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames read, whatever the filter said.
    pub frames: u64,
    /// Packets that passed the filter.
    pub packets: u64,
    /// Their captured bytes.
    pub bytes: u64,
    /// Frames of a link type that lcap does not read.
    pub unknown_link: u64,
    /// Frames with a cut or impossible header.
    pub malformed: u64,
    /// What there is to say of flows; what was not possible with them only at the end.
    pub flows: FlowCounts,
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(parts: I) -> Counts {
        parts.fold(Counts::default(), |all, part| Counts {
            frames: all.frames + part.frames,
            packets: all.packets + part.packets,
            bytes: all.bytes + part.bytes,
            unknown_link: all.unknown_link + part.unknown_link,
            malformed: all.malformed + part.malformed,
            flows: FlowCounts {
                opened: all.flows.opened + part.flows.opened,
                open: all.flows.open + part.flows.open,
                evicted: all.flows.evicted + part.flows.evicted,
                incomplete: all.flows.incomplete + part.flows.incomplete,
                unreadable: all.flows.unreadable + part.flows.unreadable,
            },
        })
    }
}

impl Totals {
    /// All counters now.
    pub fn now(&self) -> Counts {
        Counts {
            frames: self.frames.load(Relaxed),
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            unknown_link: self.unknown_link.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
            flows: FlowCounts {
                opened: self.flows.load(Relaxed),
                open: self.open_flows.load(Relaxed),
                evicted: self.evicted.load(Relaxed),
                incomplete: self.incomplete.load(Relaxed),
                unreadable: self.unreadable.load(Relaxed),
            },
        }
    }

    #[inline]
    pub(super) fn saw(&self, packet: &Packet) {
        add(&self.frames, 1);
        match packet.body {
            Body::Opaque(Reason::UnknownLink(_)) => add(&self.unknown_link, 1),
            // ARP and its like are whole, only not IP.
            Body::Opaque(Reason::NotIp(_) | Reason::NotRead) => {}
            Body::Opaque(_) | Body::Broken { .. } => add(&self.malformed, 1),
            _ => {}
        }
    }

    /// A frame with nothing that would have to be counted.
    #[inline]
    pub(super) fn saw_usual(&self) {
        add(&self.frames, 1);
    }

    #[inline]
    pub(super) fn matched(&self, frame: &Frame) {
        add(&self.packets, 1);
        add(&self.bytes, frame.bytes.len() as u64);
    }

    #[inline]
    pub(super) fn follow(&self, flows: &FlowTable) {
        let counts = flows.counts();
        self.flows.store(counts.opened, Relaxed);
        self.open_flows.store(counts.open, Relaxed);
    }

    /// All that is to be said of flows.
    pub(super) fn conclude(&self, counts: FlowCounts) {
        self.flows.store(counts.opened, Relaxed);
        self.open_flows.store(counts.open, Relaxed);
        self.evicted.store(counts.evicted, Relaxed);
        self.incomplete.store(counts.incomplete, Relaxed);
        self.unreadable.store(counts.unreadable, Relaxed);
    }

    /// Takes over what others counted.
    pub(super) fn set(&self, counts: &Counts) {
        self.frames.store(counts.frames, Relaxed);
        self.packets.store(counts.packets, Relaxed);
        self.bytes.store(counts.bytes, Relaxed);
        self.unknown_link.store(counts.unknown_link, Relaxed);
        self.malformed.store(counts.malformed, Relaxed);
        self.conclude(counts.flows);
    }

    pub(super) fn packets(&self) -> u64 {
        self.packets.load(Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

#[inline]
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed) + more, Relaxed);
}
