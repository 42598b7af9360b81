//! Attribution of a connection's two ends to processes, with the evidence for each.
//!
//! Both ends of a loopback connection belong to processes of this machine. Each end is looked up
//! separately: the kernel is queried for the socket of the end, and /proc for the processes that
//! have that socket. A client can exit a millisecond after its last byte, so BPF reports the
//! process when it connects. Without BPF, the client is looked up as soon as its SYN is on the
//! device, by a separate capture that receives only SYNs ([`Attributor`]). A server is identified
//! in advance, by its listening socket; the process that accepts the connection is looked up a
//! little later. An end that cannot be identified is reported as unknown: a process is never
//! guessed, and never transferred from one connection to another.

mod attributor;
mod bpf_reader;
mod connection_table;
mod cpu_budget;
mod datagrams;
mod described_processes;
mod entries;
mod entry;
mod link;
mod live_owners;
mod lookup_answers;
mod lookup_process;
mod lookup_queue;
mod lookup_results;
mod lookup_service;
mod messages;
mod pending;
mod proc_cache;
mod proc_worker;
mod recent_forks;
mod scheduler;
mod socket_resolver;
mod syn_capture;
mod syn_filter;
mod syn_lookup;
mod task_cache;

#[cfg(feature = "cli")]
pub use attributor::AttributionMethod;
pub use attributor::{Attributor, OpenAttribution, PendingBpf};
pub use connection_table::ConnectionTable;
pub use entries::PacketPosition;
pub use live_owners::LiveOwners;
pub use lookup_process::LookupProcess;

use std::io;
use std::thread::JoinHandle;
use std::time::SystemTime;

use crate::packet::Timestamp;
use crate::process::{Evidence, Owner};

impl Owner {
    /// Returns an owner without processes: there was no time for a lookup.
    fn not_looked_up() -> Owner {
        Owner::unknown(Evidence::Missed, None)
    }

    /// Returns an owner without processes; `evidence` is the reason.
    pub(crate) fn unknown(evidence: Evidence, uid: Option<u32>) -> Owner {
        Owner {
            uid,
            ..Owner::without_process(evidence, now())
        }
    }

    /// Returns this owner of a responder, found by a lookup, updated with the last process that had
    /// the socket. A tool that scans /proc briefly holds each socket that it inspects, and can be
    /// that process.
    fn merge_last_closer(&self, last: &Owner) -> Owner {
        let contains_pid = |pid: u32| self.processes.iter().any(|process| process.pid == pid);
        let mut processes = last.processes.iter();
        let is_subset = processes.all(|process| contains_pid(process.pid));
        let mut processes = last.processes.iter();
        let is_child = processes.all(|process| contains_pid(process.parent));
        let last_with = |evidence| Owner {
            evidence,
            ..last.clone()
        };
        match self.evidence {
            // One of the listening processes accepted the connection.
            Evidence::Listener if is_subset => last_with(Evidence::Acceptor),
            Evidence::Acceptor | Evidence::Holds if is_subset || !is_child => self.clone(),
            // The accepting process passed the connection on, or both processes had it.
            Evidence::Acceptor | Evidence::Holds => {
                let processes = last.processes.iter().chain(&self.processes);
                Owner {
                    processes: processes.cloned().collect(),
                    ..last_with(Evidence::Holds)
                }
            }
            Evidence::Listener if !is_child => self.clone(),
            // A child of a listener: the connection was passed on to it.
            Evidence::Listener => last.clone(),
            // The listener is unknown, but the process was the last to close the socket.
            _ => last_with(Evidence::Acceptor),
        }
    }
}

/// Returns the current time on the clock of packet timestamps.
fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(now.map_or(0, |now| now.as_nanos() as i64))
}

/// Starts a thread with a name.
fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.into()).spawn(run)
}
