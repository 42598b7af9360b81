//! Owners that a pcapng file records in the comments of its packets.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::packet::{Endpoints, Packet};
use crate::process::comment::{self, CommentDetail, RecordedComment};
use crate::process::{Owner, Owners};

/// Reads the owners of packets from their comments. The details of the owners are only in the first
/// packet of a connection, and in the first one after they changed; other packets have a summary.
#[derive(Debug, Default)]
pub struct RecordedOwners {
    /// The last comment and the owners that it describes, by source and destination.
    connections: HashMap<Endpoints, RecordedConnection, RandomState>,
    /// Owners of the last packet without ports.
    portless: Owners,
}

#[derive(Debug)]
struct RecordedConnection {
    comment: Box<str>,
    owners: Owners,
    detail: CommentDetail,
}

/// Maximum number of connections; beyond it, all are removed.
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
        let is_repeated = |known: &RecordedConnection| *known.comment == *comment;
        if !self.connections.get(&endpoints).is_some_and(is_repeated) {
            let parsed = self.with_known_details(&endpoints, comment::parse(comment)?);
            if self.connections.len() >= MAX_CONNECTIONS {
                self.connections.clear();
            }
            let connection = RecordedConnection {
                comment: comment.into(),
                owners: parsed.owners,
                detail: parsed.detail,
            };
            self.connections.insert(endpoints, connection);
        }
        self.connections.get(&endpoints).map(|known| &known.owners)
    }

    /// Returns the details that an earlier packet of the connection had, if a summary names the
    /// same processes.
    fn with_known_details(
        &self,
        endpoints: &Endpoints,
        parsed: RecordedComment,
    ) -> RecordedComment {
        if parsed.detail == CommentDetail::Full {
            return parsed;
        }
        let same_direction = self.connections.get(endpoints);
        let reverse = self.connections.get(&endpoints.reversed());
        let known = [
            same_direction.map(|known| (known.detail, known.owners.clone())),
            reverse.map(|known| (known.detail, known.owners.clone().swapped())),
        ];
        let known = known.into_iter().flatten().find(|(detail, owners)| {
            *detail == CommentDetail::Full
                && has_same_pids(&owners.orig, &parsed.owners.orig)
                && has_same_pids(&owners.resp, &parsed.owners.resp)
        });
        match known {
            Some((detail, owners)) => RecordedComment { owners, detail },
            None => parsed,
        }
    }
}

fn has_same_pids(a: &Option<Arc<Owner>>, b: &Option<Arc<Owner>>) -> bool {
    let processes = |owner: &Option<Arc<Owner>>| {
        let owner = owner.as_ref();
        owner.map_or_else(Vec::new, |owner| {
            owner.processes.iter().map(|process| process.pid).collect()
        })
    };
    processes(a) == processes(b)
}
