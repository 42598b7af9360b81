//! Owners that a pcapng file records in the comments of its packets.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::packet::{Endpoints, Packet};
use crate::process::comment::{self, CommentDetail};
use crate::process::{Owner, Owners};

/// Reads the owners of packets from their comments. The details of the owners are only in the first
/// packet of a connection, and in the first one after they changed; other packets have a summary.
#[derive(Debug, Default)]
pub struct RecordedOwners {
    /// The last comment and the owners that it describes, by source and destination.
    comments: HashMap<Endpoints, (Box<str>, Owners), RandomState>,
    /// The last owners with details, by source and destination of the packet that had them; only
    /// one direction of a connection is in the map.
    details: HashMap<Endpoints, Owners, RandomState>,
    /// Owners of the last packet without ports.
    portless: Owners,
}

/// Maximum number of entries of a map; beyond it, all are removed.
const MAX_CONNECTIONS: usize = 1 << 16;

impl RecordedOwners {
    /// Returns the owners of a packet's sender (`orig`) and receiver, if the file records them.
    #[inline]
    pub(super) fn owners(&mut self, packet: &Packet) -> Option<&Owners> {
        match packet.frame.options.bytes {
            [] => None,
            _ => self.read(packet),
        }
    }

    fn read(&mut self, packet: &Packet) -> Option<&Owners> {
        let mut comments = packet.frame.options.comments();
        let comment = comments.find(|text| text.starts_with(comment::COMMENT_PREFIX))?;
        let Some(endpoints) = packet.endpoints() else {
            self.portless = comment::parse(comment)?.owners;
            return Some(&self.portless);
        };
        let last = self.comments.get(&endpoints);
        if last.is_none_or(|(last, _)| **last != *comment) {
            let parsed = comment::parse(comment)?;
            let owners = match parsed.detail {
                CommentDetail::Full => self.add_details(endpoints, parsed.owners),
                CommentDetail::Names => self.with_details(&endpoints, parsed.owners),
            };
            if self.comments.len() >= MAX_CONNECTIONS {
                self.comments.clear();
            }
            self.comments.insert(endpoints, (comment.into(), owners));
        }
        self.comments.get(&endpoints).map(|(_, owners)| owners)
    }

    /// Adds details, which also apply to later summaries of the opposite direction.
    fn add_details(&mut self, endpoints: Endpoints, owners: Owners) -> Owners {
        if self.details.len() >= MAX_CONNECTIONS {
            self.details.clear();
        }
        self.details.remove(&endpoints.reversed());
        self.comments.remove(&endpoints.reversed());
        self.details.insert(endpoints, owners.clone());
        owners
    }

    /// Returns the details of the connection if a summary describes the same owners, or the summary
    /// alone.
    fn with_details(&self, endpoints: &Endpoints, summary: Owners) -> Owners {
        let same_direction = self.details.get(endpoints).cloned();
        let details = same_direction.or_else(|| {
            let reverse = self.details.get(&endpoints.reversed());
            reverse.cloned().map(Owners::swapped)
        });
        let is_same = |details: &Owners| {
            let ends = [
                (&details.orig, &summary.orig),
                (&details.resp, &summary.resp),
            ];
            ends.into_iter().all(|(a, b)| names(a) == names(b))
        };
        details.filter(is_same).unwrap_or(summary)
    }
}

/// Returns the processes of an end as a summary names them.
fn names(owner: &Option<Arc<Owner>>) -> Vec<(u32, &str)> {
    let processes = owner.iter().flat_map(|owner| &owner.processes);
    processes
        .map(|process| (process.pid, process.name()))
        .collect()
}
