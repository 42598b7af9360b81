//! Owners of the two ends of a connection, and the evidence for each.

use std::fmt::{self, Write};
use std::sync::Arc;

use super::escape::write_name;
use super::{Evidence, Process, ProxyTarget, RunMembership};
use crate::time::Timestamp;

/// The owner of one end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The processes that share the socket, starting with the process that received it most
    /// recently; empty if no process was identified.
    pub processes: Vec<Arc<Process>>,
    /// The evidence for the processes, or the reason why there are none.
    pub evidence: Evidence,
    /// The user ID of the socket.
    pub uid: Option<u32>,
    /// The time of the lookup.
    pub lookup_time: Timestamp,
    /// The relation of an unidentified process to the command of `lcap run`. `Other` if the process
    /// is one of several that cannot be inspected, and none of these is a process of the command.
    pub(crate) hidden_run: RunMembership,
}

impl Owner {
    /// Returns false if the processes of both owners are identified, and none is the same.
    pub(crate) fn may_be_same_process(&self, other: &Owner) -> bool {
        let (own, others) = (&self.processes, &other.processes);
        let is_shared =
            |process: &Arc<Process>| others.iter().any(|other| other.pid == process.pid);
        own.is_empty() || others.is_empty() || own.iter().any(is_shared)
    }
}

/// The owners of both ends of a flow. For a packet, `orig` is the owner of the sender.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// The owner of the originator; `None` if there was no lookup.
    pub orig: Option<Arc<Owner>>,
    /// The owner of the responder; `None` if there was no lookup.
    pub resp: Option<Arc<Owner>>,
}

impl Owners {
    /// Returns the same owners, with originator and responder exchanged.
    pub fn swapped(self) -> Owners {
        Owners {
            orig: self.resp,
            resp: self.orig,
        }
    }

    /// Returns the owners of a socket that is both ends: the owner of the originator for both.
    #[cfg(feature = "live")]
    pub(crate) fn of_one_socket(self) -> Owners {
        Owners {
            resp: self.orig.clone(),
            ..self
        }
    }

    /// True if there was no lookup for either end.
    pub fn is_empty(&self) -> bool {
        self.orig.is_none() && self.resp.is_none()
    }
}

/// Writes a summary: `curl[4121] → node[4100]`.
impl fmt::Display for Owners {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.write_summary(usize::MAX, f)
    }
}

/// Writes `curl[4121]`, `nginx[11,12]` or `sh[1]+cat[2]`; `nginx[11]?` for a listener;
/// `docker-proxy[11] ⇒ httpd[12]?` for a proxy; `nobody`, `kernel`, `?` or `?(uid 33)` if there is
/// no process. In names, characters that have a meaning here, control characters and invalid UTF-8
/// are escaped: `%5b` is `[`.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.write_summary(usize::MAX, f)
    }
}

impl Owners {
    /// Writes the text of [`Display`](fmt::Display) with at most this number of processes per end.
    pub(super) fn write_summary(&self, max_processes: usize, out: &mut impl Write) -> fmt::Result {
        let mut end = |separator, owner: &Option<Arc<Owner>>| {
            out.write_str(separator)?;
            match owner {
                Some(owner) => owner.write_summary(max_processes, out),
                None => out.write_str("?"),
            }
        };
        end("", &self.orig)?;
        end(" → ", &self.resp)
    }
}

impl Owner {
    /// Returns an owner without processes; `evidence`, which was found at this time, is the reason.
    pub(crate) fn without_process(evidence: Evidence, time: Timestamp) -> Owner {
        Owner {
            processes: Vec::new(),
            evidence,
            uid: None,
            lookup_time: time,
            hidden_run: RunMembership::Unknown,
        }
    }

    /// True if the end has a socket: its processes are identified, or cannot be inspected.
    pub(crate) fn has_socket(&self) -> bool {
        !self.processes.is_empty() || self.evidence == Evidence::NotPermitted
    }

    /// True if this owner has the same evidence and starts with the same processes.
    pub(crate) fn includes(&self, other: &Owner) -> bool {
        let mut pairs = self.processes.iter().zip(&other.processes);
        self.evidence == other.evidence
            && self.processes.len() >= other.processes.len()
            && pairs.all(|(own, other)| own.is_same_program(other))
    }

    /// Returns this owner, with the processes of an earlier owner after its own.
    pub(crate) fn followed_by(&self, earlier: &Owner) -> Owner {
        let mut owner = self.clone();
        for process in &earlier.processes {
            let mut processes = owner.processes.iter();
            if !processes.any(|other| other.is_same_program(process)) {
                owner.processes.push(Arc::clone(process));
            }
        }
        owner
    }

    /// Returns the service to which the first process forwards the connection.
    fn proxy_target(&self) -> Option<&ProxyTarget> {
        self.processes.first()?.details().forwards_to.as_deref()
    }

    fn write_summary(&self, max_processes: usize, out: &mut impl Write) -> fmt::Result {
        if self.processes.is_empty() {
            return match (&self.evidence, self.uid) {
                (Evidence::Nobody | Evidence::Kernel, _) => out.write_str(self.evidence.word()),
                (Evidence::NotPermitted, Some(uid)) => write!(out, "?(uid {uid})"),
                _ => out.write_str("?"),
            };
        }
        let mut previous: Option<&str> = None;
        for process in self.processes.iter().take(max_processes) {
            match previous {
                Some(name) if name == process.name() => out.write_str(",")?,
                _ => {
                    out.write_str(if previous.is_some() { "]+" } else { "" })?;
                    write_name(process.name(), out)?;
                    out.write_str("[")?;
                }
            }
            write!(out, "{}", process.pid)?;
            previous = Some(process.name());
        }
        let is_certain = self.evidence.is_certain();
        out.write_str(if is_certain { "]" } else { "]?" })?;
        match self.proxy_target() {
            Some(target) => {
                out.write_str(" ⇒ ")?;
                target.write_summary(out)
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{ProcessDetails, ProcessIdentity};

    fn process(name: &str, pid: u32) -> Arc<Process> {
        let identity = ProcessIdentity {
            pid,
            ..ProcessIdentity::default()
        };
        let details = ProcessDetails {
            name: name.into(),
            ..ProcessDetails::default()
        };
        Arc::new(Process::new(identity, details))
    }

    #[test]
    fn owners_are_displayed_with_names_and_pids() {
        let nginx = || vec![process("nginx", 11), process("nginx", 12)];
        let pipeline = || vec![process("sh", 1), process("cat", 2)];
        for (processes, evidence, uid, expected) in [
            (
                vec![process("curl", 4121)],
                Evidence::Sent,
                None,
                "curl[4121]",
            ),
            (nginx(), Evidence::Sent, None, "nginx[11,12]"),
            (pipeline(), Evidence::Sent, None, "sh[1]+cat[2]"),
            (
                vec![process("nginx", 11)],
                Evidence::Listener,
                Some(0),
                "nginx[11]?",
            ),
            (
                vec![process("a\x1b[31m\n", 7)],
                Evidence::Sent,
                None,
                "a%1b%5b31m%0a[7]",
            ),
            (
                vec![process("nginx[1] → a", 7)],
                Evidence::Reads,
                None,
                "nginx%5b1%5d %e2%86%92 a[7]",
            ),
            (vec![], Evidence::Nobody, None, "nobody"),
            (vec![], Evidence::Kernel, None, "kernel"),
            (vec![], Evidence::Gone, Some(5), "?"),
            (vec![], Evidence::NotPermitted, Some(33), "?(uid 33)"),
        ] {
            let owner = Owner {
                processes,
                evidence,
                uid,
                lookup_time: Timestamp(0),
                hidden_run: RunMembership::Unknown,
            };
            assert_eq!(owner.to_string(), expected);
        }
    }
}
