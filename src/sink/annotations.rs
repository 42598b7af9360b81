//! Options that are added to the packets of a live capture in a pcapng file: flags, and a comment
//! with the owners of both ends.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::offload::Offload;
use super::packet_options::EncodedOptions;
use crate::packet::{Endpoints, Packet};
use crate::process::comment::CommentDetail;
use crate::process::{Owner, Owners};

/// Encodes the options of packets.
#[derive(Debug)]
pub(super) struct Annotations {
    /// Options with the names only, by source and destination.
    connections: HashMap<Endpoints, AnnotatedConnection, RandomState>,
    /// Options with all details of the owners.
    full_options: EncodedOptions,
    /// Options of a packet with unknown owners.
    unknown_options: EncodedOptions,
    offload: Offload,
}

#[derive(Debug)]
struct AnnotatedConnection {
    owners: Owners,
    /// Options whose comment contains only the summary.
    options: EncodedOptions,
}

/// Maximum number of connections; beyond it, all are removed.
const MAX_CONNECTIONS: usize = 1 << 14;

impl Default for Annotations {
    fn default() -> Annotations {
        Annotations {
            connections: HashMap::default(),
            full_options: EncodedOptions::flags_only(),
            unknown_options: EncodedOptions::flags_only(),
            offload: Offload::default(),
        }
    }
}

impl Annotations {
    /// Returns the encoded options of a packet. The details of the owners are in the first packet
    /// of a connection, and in the first one after they changed.
    pub(super) fn options(&mut self, packet: &Packet) -> &[u8] {
        let Some(endpoints) = packet.endpoints() else {
            return &[];
        };
        let flags = self.offload.flags(packet, &endpoints);
        let Some(owners) = packet.owners.filter(|owners| !owners.is_empty()) else {
            return self.unknown_options.with_flags(flags);
        };
        if self.connections.len() > MAX_CONNECTIONS {
            self.connections.clear();
        }
        let has_same = |connection: &AnnotatedConnection| is_same(&connection.owners, owners);
        if !self.connections.get(&endpoints).is_some_and(has_same) {
            let reverse = self.connections.get(&endpoints.reversed());
            let is_described = reverse
                .is_some_and(|connection| is_same(&connection.owners.clone().swapped(), owners));
            let connection = AnnotatedConnection {
                owners: owners.clone(),
                options: EncodedOptions::with_owners(owners, CommentDetail::Names),
            };
            self.connections.insert(endpoints, connection);
            if !is_described {
                self.full_options = EncodedOptions::with_owners(owners, CommentDetail::Full);
                return self.full_options.with_flags(flags);
            }
        }
        let connection = self.connections.get_mut(&endpoints);
        connection.map_or(&[], |connection| connection.options.with_flags(flags))
    }
}

/// True if both refer to the same owners in memory, which implies that they are equal.
fn is_same(a: &Owners, b: &Owners) -> bool {
    let is_same = |a: &Option<Arc<Owner>>, b: &Option<Arc<Owner>>| match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    };
    is_same(&a.orig, &b.orig) && is_same(&a.resp, &b.resp)
}
