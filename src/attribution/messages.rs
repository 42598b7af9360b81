//! Messages between the side that records connections and the side that looks up processes. The
//! first receives packets and BPF events; the second reads /proc, and receives no packet.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lookup_queue::LookupRequest;
use crate::packet::Timestamp;
use crate::process::{Evidence, Owner, Process, ProcessDetails, ProcessIdentity, RunMembership};

/// A message to the side that looks up processes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Prepare for lookups. Before this request, processes are only described.
    Start(ConnectionOrigin),
    /// Look up the ends of a connection.
    LookUp(LookupRequest),
    /// Look up the senders of SYNs that arrived at the same time, and the listeners.
    LookUpSyns(Vec<LookupRequest>),
    /// A lookup is completed: no better result can follow.
    Complete(LookupRequest),
    /// Read the details of a process. There is exactly one answer.
    Describe {
        number: u64,
        process: ProcessIdentity,
        /// The address of the arguments, which identifies the program; `None` if it was not
        /// reported.
        arg_start: Option<u64>,
    },
}

/// The origin of the connections to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ConnectionOrigin {
    /// BPF events, which also report the processes.
    Bpf,
    /// SYNs.
    Syns,
}

/// A message from the side that looks up processes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Lookups are possible from now on. Contains the reason why there are no fork events, if
    /// forks must be detected and there are none.
    Started(Option<String>),
    /// The service ends because of this error.
    Failed(String),
    /// The originator of a connection.
    Originator(LookupRequest, OwnerMessage),
    /// The responder of a connection.
    Responder(LookupRequest, OwnerMessage),
    /// The responder of a connection, unless its processes are already identified.
    FallbackResponder(LookupRequest, OwnerMessage),
    /// No better result will follow.
    Settled(LookupRequest),
    /// There was no time for the lookup.
    NotLookedUp(LookupRequest),
    /// The details of a process.
    Details {
        number: u64,
        details: ProcessDetails,
    },
}

/// An [`Owner`] whose processes are described in other messages.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OwnerMessage {
    processes: Vec<ProcessIdentity>,
    evidence: Evidence,
    uid: Option<u32>,
    lookup_time: Timestamp,
    hidden_run: RunMembership,
}

impl OwnerMessage {
    pub(super) fn new(owner: &Owner) -> OwnerMessage {
        OwnerMessage {
            processes: owner
                .processes
                .iter()
                .map(|process| process.identity())
                .collect(),
            evidence: owner.evidence.clone(),
            uid: owner.uid,
            lookup_time: owner.lookup_time,
            hidden_run: owner.hidden_run,
        }
    }

    /// Returns the owner; `process` returns a process by its identity.
    pub(super) fn into_owner(self, process: impl Fn(ProcessIdentity) -> Arc<Process>) -> Owner {
        Owner {
            processes: self.processes.into_iter().map(process).collect(),
            evidence: self.evidence,
            uid: self.uid,
            lookup_time: self.lookup_time,
            hidden_run: self.hidden_run,
        }
    }
}
