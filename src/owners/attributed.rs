//! A source whose frames tell whose they are, as a file's do that was saved with owners.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::allowance::Allowance;
use super::comment::{self, Extent, Written};
use super::offload::Offload;
use super::{Directory, Owner, Owners, Which};
use crate::decode::decode;
use crate::error::Result;
use crate::packet::{Body, Flags, Frame, Options, Packet, Timestamp, Tuple};
use crate::source::{Losses, Next, Source, Take};

/// Frames with comments on their owners.
pub struct Attributed<S> {
    source: S,
    labels: Labels,
}

/// What is written on frames.
struct Labels {
    directory: Arc<Directory>,
    /// By who sends to whom.
    known: HashMap<Tuple, Label>,
    /// For how long answers are waited for.
    patience: Allowance,
    /// What stands on a frame that tells details, and on one of which it is not known whose it is.
    details: Written,
    nobody: Written,
    offload: Offload,
}

struct Label {
    owners: Owners,
    /// The options of a frame without details.
    words: Written,
}

/// An answer is waited for so long: the first packet is to have it too.
const PATIENCE: Duration = Duration::from_millis(5);
/// So many are remembered; then all are made anew.
const MOST: usize = 1 << 14;

impl<S: Source> Attributed<S> {
    /// Has the frames of a source tell what a directory knows.
    pub fn new(source: S, directory: Arc<Directory>) -> Attributed<S> {
        Attributed {
            source,
            labels: Labels {
                directory,
                known: HashMap::new(),
                patience: Allowance::new(Instant::now()),
                details: Written::default(),
                nobody: Written::only_flags(),
                offload: Offload::default(),
            },
        }
    }
}

impl<S: Source> Source for Attributed<S> {
    fn each(&mut self, take: &mut impl Take) -> Result<()> {
        let labels = &mut self.labels;
        self.source.each(&mut |next: &Next<'_>| match next {
            Next::Frame(frame) => take.take(&Next::Frame(Frame {
                options: labels.of(&decode(frame)),
                ..*frame
            })),
            next => take.take(next),
        })
    }

    fn losses(&mut self) -> Losses {
        self.source.losses()
    }
}

impl Labels {
    /// Asks for the owners of a connection that has just begun, or of which nobody saw that.
    fn ask(&mut self, tuple: &Tuple, time: Timestamp, which: Which) -> Option<Owners> {
        let now = Instant::now();
        let patience = match self.patience.is_left(now) {
            true => PATIENCE,
            false => Duration::ZERO,
        };
        let owners = self.directory.answer(tuple, time, which, patience);
        self.patience.pay(now.elapsed());
        owners
    }

    /// The options of a packet's frame.
    fn of(&mut self, packet: &Packet) -> Options<'_> {
        let frame = packet.frame;
        // Later fragments have no ports.
        let Some(tuple) = packet.tuple() else {
            return frame_options(&[]);
        };
        let flags = self.offload.flags(packet);
        let which = match packet.body {
            Body::Tcp { tcp, .. } if tcp.flags.has(Flags::SYN) && !tcp.flags.has(Flags::ACK) => {
                Which::First
            }
            _ => Which::Any,
        };
        let known = match self.directory.of_packet(&tuple, frame.time, which) {
            Some(owners) if owners.orig.is_some() && owners.resp.is_some() => Some(owners),
            _ => self.ask(&tuple, frame.time, which),
        };
        let Some(owners) = known.filter(|owners| !owners.are_unknown()) else {
            return frame_options(self.nobody.with(flags));
        };
        if self.known.len() > MOST {
            self.known.clear();
        }
        let is_known = self
            .known
            .get(&tuple)
            .is_some_and(|label| label.owners.are(&owners));
        if !is_known {
            let back = self.known.get(&tuple.reversed());
            let is_told = back.is_some_and(|label| label.owners.clone().swapped().are(&owners));
            let words = comment::write(&owners, Extent::Words);
            if !is_told {
                self.details = comment::write(&owners, Extent::Details);
            }
            self.known.insert(tuple, Label { owners, words });
            if !is_told {
                return frame_options(self.details.with(flags));
            }
        }
        let label = self.known.get_mut(&tuple);
        frame_options(label.map_or(&[], |label| label.words.with(flags)))
    }
}

fn frame_options(bytes: &[u8]) -> Options<'_> {
    Options {
        bytes,
        big_endian: cfg!(target_endian = "big"),
    }
}

impl Owners {
    /// Whether they are the very same, and not only alike.
    fn are(&self, other: &Owners) -> bool {
        let same = |one: &Option<Arc<Owner>>, other: &Option<Arc<Owner>>| match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        same(&self.orig, &other.orig) && same(&self.resp, &other.resp)
    }
}
