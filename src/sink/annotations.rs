//! Options that are added to the packets of a live capture in a pcapng file
//! (draft-ietf-opsawg-pcapng section 4.3): flags, the owners of both ends as a comment, and the
//! process that sent the packet.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::offload::Offload;
use crate::packet::{Endpoints, OPT_COMMENT, Packet};
use crate::process::comment::{self, CommentDetail};
use crate::process::{Owner, Owners};

// Option codes: end of options, packet flags, process and thread that sent the packet.
const OPT_ENDOFOPT: u16 = 0;
const EPB_FLAGS: u16 = 2;
const EPB_PROCESS_THREAD_ID: u16 = 8;

/// Encodes the options of packets.
#[derive(Debug, Default)]
pub(super) struct Annotations {
    /// Options with the names only, by source and destination.
    connections: HashMap<Endpoints, AnnotatedConnection, RandomState>,
    offload: Offload,
}

#[derive(Debug)]
struct AnnotatedConnection {
    owners: Owners,
    /// Options whose comment contains only the summary.
    options: Vec<u8>,
}

/// Maximum number of connections; beyond it, all are removed.
const MAX_CONNECTIONS: usize = 1 << 14;

impl Annotations {
    /// Appends the options of a packet. The details of the owners are in the first packet of a
    /// connection, and in the first one after they changed.
    pub(super) fn push_options(&mut self, packet: &Packet, out: &mut Vec<u8>) {
        let endpoints = packet.endpoints();
        if let Some(endpoints) = &endpoints {
            push_flags(out, self.offload.flags(packet, endpoints));
        }
        let Some(owners) = packet.owners.filter(|owners| !owners.is_empty()) else {
            return;
        };
        let Some(endpoints) = endpoints else {
            // An ICMP message.
            return out.extend(encode_owners(owners, CommentDetail::Full));
        };
        let last = self.connections.get(&endpoints);
        if let Some(last) = last.filter(|last| is_same(&last.owners, owners)) {
            return out.extend_from_slice(&last.options);
        }
        let reverse = self.connections.get(&endpoints.reversed());
        let is_described =
            reverse.is_some_and(|last| is_same(&last.owners.clone().swapped(), owners));
        let options = encode_owners(owners, CommentDetail::Names);
        match is_described {
            true => out.extend_from_slice(&options),
            false => out.extend(encode_owners(owners, CommentDetail::Full)),
        }
        if self.connections.len() > MAX_CONNECTIONS {
            self.connections.clear();
        }
        let owners = owners.clone();
        let connection = AnnotatedConnection { owners, options };
        self.connections.insert(endpoints, connection);
    }
}

/// Appends the flags of a packet, if there are any.
fn push_flags(out: &mut Vec<u8>, flags: u32) {
    if flags != 0 {
        push_option(out, EPB_FLAGS, &flags.to_ne_bytes());
    }
}

/// Encodes the options for this sender (`orig`) and receiver (`resp`), in the byte order of this
/// machine.
fn encode_owners(owners: &Owners, detail: CommentDetail) -> Vec<u8> {
    let mut options = Vec::new();
    let comment = comment::encode(owners, detail);
    push_option(&mut options, OPT_COMMENT, comment.as_bytes());
    if let Some(owner) = &owners.orig
        && owner.evidence.is_certain()
        && let [process] = &*owner.processes
    {
        // The thread is unknown: 0.
        let sender = [process.pid, 0].map(u32::to_ne_bytes);
        push_option(&mut options, EPB_PROCESS_THREAD_ID, sender.as_flattened());
    }
    push_option(&mut options, OPT_ENDOFOPT, &[]);
    options
}

/// Appends an option whose value is at most 65,535 bytes long (a 16-bit number).
fn push_option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend(code.to_ne_bytes());
    out.extend((value.len() as u16).to_ne_bytes());
    out.extend_from_slice(value);
    let padding = value.len().wrapping_neg() & 3;
    out.extend(std::iter::repeat_n(0, padding));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::FrameOptions;
    use crate::process::{Evidence, Process, ProcessDetails, ProcessIdentity};

    #[test]
    fn options_contain_flags_comment_and_certain_sender() {
        let identity = ProcessIdentity {
            pid: 7,
            ..ProcessIdentity::default()
        };
        let process = Arc::new(Process::new(identity, ProcessDetails::default()));
        for (evidence, is_sender_written) in [(Evidence::Opened, true), (Evidence::Listener, false)]
        {
            let owner = Owner {
                processes: vec![Arc::clone(&process)],
                ..Owner::unknown(evidence, None)
            };
            let owners = Owners {
                orig: Some(Arc::new(owner)),
                resp: None,
            };
            for flags in [0, 0x200, 0] {
                let mut bytes = Vec::new();
                push_flags(&mut bytes, flags);
                bytes.extend(encode_owners(&owners, CommentDetail::Full));
                let options = FrameOptions {
                    bytes: &bytes,
                    big_endian: cfg!(target_endian = "big"),
                };
                let comment = options.comments().find_map(comment::parse);
                assert_eq!(comment.map(|comment| comment.owners), Some(owners.clone()));
                let value = |code| options.records().find(|(other, _)| *other == code);
                let flags_option = (flags != 0).then_some(flags.to_ne_bytes());
                assert_eq!(
                    value(EPB_FLAGS).map(|(_, value)| value),
                    flags_option.as_ref().map(<[u8; 4]>::as_slice)
                );
                assert_eq!(value(EPB_PROCESS_THREAD_ID).is_some(), is_sender_written);
            }
        }
    }
}
