//! Only the packets of some processes, live and from files that tell whose packets are.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::{Owner, Owners, comment};
use crate::decode::decode;
use crate::error::Result;
use crate::packet::{Body, Flags, Frame, Tuple};
use crate::source::{Losses, Next, Source, Take};

/// Whose packets are wanted: of any of these, at either end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Process numbers.
    pub pids: Vec<u32>,
    /// Names of processes.
    pub names: Vec<String>,
    /// Users.
    pub uids: Vec<u32>,
    /// What `lcap run` began, by its own process number.
    pub runs: Vec<u32>,
}

/// A source of which only some frames are given.
pub struct Selected<S> {
    source: S,
    choice: Choice,
}

struct Choice {
    wanted: Wanted,
    /// Whether a connection is wanted, by who sends to whom and the other way round.
    known: HashMap<Tuple, bool>,
    /// How many frames were left out because nobody told whose they are.
    untold: u64,
}

/// So many connections are remembered; then all are asked anew.
const MOST: usize = 1 << 16;

impl<S: Source> Selected<S> {
    /// Gives those frames of a source that are wanted.
    pub fn new(source: S, wanted: Wanted) -> Selected<S> {
        Selected {
            source,
            choice: Choice {
                wanted,
                known: HashMap::new(),
                untold: 0,
            },
        }
    }

    /// How many frames were left out because nobody told whose they are.
    pub fn untold(&self) -> u64 {
        self.choice.untold
    }
}

impl<S: Source> Source for Selected<S> {
    fn each(&mut self, take: &mut impl Take) -> Result<()> {
        let choice = &mut self.choice;
        self.source.each(&mut |next: &Next<'_>| match next {
            Next::Frame(frame) if !choice.wants(frame) => ControlFlow::Continue(()),
            next => take.take(next),
        })
    }

    fn losses(&mut self) -> Losses {
        self.source.losses()
    }
}

impl Choice {
    fn wants(&mut self, frame: &Frame) -> bool {
        let packet = decode(frame);
        let Some(tuple) = packet.tuple() else {
            // No socket sends it, or it cannot be told which.
            self.untold += 1;
            return false;
        };
        if let Some(owners) = comment::owners(&frame.options) {
            let is_wanted = self.wanted.has(&owners);
            if self.known.len() >= MOST {
                self.known.clear();
            }
            self.known.insert(tuple.reversed(), is_wanted);
            self.known.insert(tuple, is_wanted);
            return is_wanted;
        }
        if let Body::Tcp { tcp, .. } = packet.body
            && tcp.flags.has(Flags::SYN)
            && !tcp.flags.has(Flags::ACK)
        {
            // Another connection, of which nothing is known.
            self.known.remove(&tuple);
            self.known.remove(&tuple.reversed());
        }
        if let Some(is_wanted) = self.known.get(&tuple) {
            return *is_wanted;
        }
        let words = comment::in_words(&frame.options).and_then(comment::named);
        match words {
            Some(ends) => ends
                .iter()
                .flatten()
                .any(|named| self.wanted.has_named(named)),
            None => {
                self.untold += 1;
                false
            }
        }
    }
}

impl Wanted {
    /// Whether nothing is asked for.
    pub fn is_everything(&self) -> bool {
        *self == Wanted::default()
    }

    /// Whether either end is wanted.
    fn has(&self, owners: &Owners) -> bool {
        let ends = [&owners.orig, &owners.resp];
        ends.into_iter()
            .flatten()
            .any(|owner| self.has_owner(owner))
    }

    fn has_owner(&self, owner: &Owner) -> bool {
        let has_process = owner.processes.iter().any(|process| {
            let is_run = process
                .more()
                .run
                .is_some_and(|run| self.runs.contains(&run));
            is_run
                || self.has_named(&(process.name(), process.pid, true))
                || self.uids.contains(&process.uid)
        });
        has_process || owner.uid.is_some_and(|uid| self.uids.contains(&uid))
    }

    fn has_named(&self, &(name, pid, _): &comment::Named) -> bool {
        self.pids.contains(&pid) || self.names.iter().any(|wanted| wanted == name)
    }
}
