//! Filter by process, for live captures and for files with owners.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::decode::decode;
use crate::error::Result;
use crate::packet::{Body, Frame, TcpFlags, Tuple};
use crate::process::{Owner, Owners, comment};
use crate::source::{Losses, Source, SourceEvent, SourceHandler};

/// A filter that matches packets with any of these processes at either end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessFilter {
    /// Process IDs.
    pub pids: Vec<u32>,
    /// Process names.
    pub names: Vec<String>,
    /// User IDs.
    pub uids: Vec<u32>,
    /// PIDs of `lcap run` processes: the processes that they started match.
    pub runs: Vec<u32>,
}

/// A source with only the frames that match a process filter.
pub struct ProcessFilteredSource<S> {
    source: S,
    selector: PacketSelector,
}

struct PacketSelector {
    filter: ProcessFilter,
    /// The decision for each connection, by tuple in both directions.
    decisions: HashMap<Tuple, bool>,
    /// Number of frames that were skipped because their owners are unknown.
    unattributed: u64,
}

/// Maximum number of cached decisions; beyond it, the cache is cleared.
const MAX_CACHED_DECISIONS: usize = 1 << 16;

impl<S: Source> ProcessFilteredSource<S> {
    /// Restricts a source to the frames that match the filter.
    pub fn new(source: S, filter: ProcessFilter) -> ProcessFilteredSource<S> {
        ProcessFilteredSource {
            source,
            selector: PacketSelector {
                filter,
                decisions: HashMap::new(),
                unattributed: 0,
            },
        }
    }

    /// Returns the number of frames that were skipped because their owners are unknown.
    pub fn unattributed(&self) -> u64 {
        self.selector.unattributed
    }
}

impl<S: Source> Source for ProcessFilteredSource<S> {
    fn for_each(&mut self, handler: &mut impl SourceHandler) -> Result<()> {
        let selector = &mut self.selector;
        self.source
            .for_each(&mut |event: &SourceEvent<'_>| match event {
                SourceEvent::Frame(frame) if !selector.select(frame) => ControlFlow::Continue(()),
                event => handler.handle(event),
            })
    }

    fn losses(&mut self) -> Losses {
        self.source.losses()
    }
}

impl PacketSelector {
    fn select(&mut self, frame: &Frame) -> bool {
        let packet = decode(frame);
        let Some(tuple) = packet.tuple() else {
            // No socket sent the packet, or the socket cannot be determined.
            self.unattributed += 1;
            return false;
        };
        if let Some(owners) = comment::parse_owners(&frame.options) {
            let is_match = self.filter.matches_owners(&owners);
            if self.decisions.len() >= MAX_CACHED_DECISIONS {
                self.decisions.clear();
            }
            self.decisions.insert(tuple.reversed(), is_match);
            self.decisions.insert(tuple, is_match);
            return is_match;
        }
        if let Body::Tcp { tcp, .. } = packet.body
            && tcp.flags.contains(TcpFlags::SYN)
            && !tcp.flags.contains(TcpFlags::ACK)
        {
            // A new connection, whose owners are unknown.
            self.decisions.remove(&tuple);
            self.decisions.remove(&tuple.reversed());
        }
        if let Some(is_match) = self.decisions.get(&tuple) {
            return *is_match;
        }
        let summary = comment::summary(&frame.options).and_then(comment::parse_summary);
        match summary {
            Some(ends) => ends
                .iter()
                .flatten()
                .any(|process| self.filter.matches_process(process)),
            None => {
                self.unattributed += 1;
                false
            }
        }
    }
}

impl ProcessFilter {
    /// True if the filter has no criteria.
    pub fn is_empty(&self) -> bool {
        *self == ProcessFilter::default()
    }

    /// True if either end matches.
    fn matches_owners(&self, owners: &Owners) -> bool {
        let ends = [&owners.orig, &owners.resp];
        ends.into_iter()
            .flatten()
            .any(|owner| self.matches_owner(owner))
    }

    fn matches_owner(&self, owner: &Owner) -> bool {
        let has_process = owner.processes.iter().any(|process| {
            let is_started_by_run = process
                .details()
                .run_id
                .is_some_and(|run| self.runs.contains(&run));
            is_started_by_run
                || self.matches_process(&(process.name(), process.pid, true))
                || self.uids.contains(&process.uid)
        });
        has_process || owner.uid.is_some_and(|uid| self.uids.contains(&uid))
    }

    fn matches_process(&self, &(name, pid, _): &comment::NamedProcess) -> bool {
        self.pids.contains(&pid) || self.names.iter().any(|expected| expected == name)
    }
}
