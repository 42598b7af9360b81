//! Owners of the two ends of a connection, and the evidence for each.

use std::fmt;
use std::sync::Arc;

use super::Process;
use crate::packet::Timestamp;

/// The owner of one end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The processes that share the socket, starting with the process that received it most
    /// recently; empty if no process was identified.
    pub processes: Vec<Arc<Process>>,
    /// The evidence for the processes, or the reason why there are none.
    pub matched: Match,
    /// The user ID of the socket.
    pub uid: Option<u32>,
    /// The time of the lookup.
    pub lookup_time: Timestamp,
}

/// The evidence for an owner, or the reason why no process was identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Match {
    /// The processes have the connection's socket open.
    Socket,
    /// The processes accepted the connection, or were the last to have its socket open. A child
    /// process may have had the socket in the meantime.
    Acceptor,
    /// The processes have the listening socket open: at the time of the lookup, no process had
    /// accepted the connection, or the accepting process had already exited.
    Listener,
    /// No socket listens on the address and port.
    NoListener,
    /// The socket was closed, or its process exited, before the lookup.
    Exited,
    /// There was no lookup, because too many connections were waiting for one.
    NotLookedUp,
    /// The process belongs to another user and cannot be inspected.
    NotPermitted,
}

impl Match {
    /// All values.
    pub(super) const ALL: [Match; 7] = [
        Match::Socket,
        Match::Acceptor,
        Match::Listener,
        Match::NoListener,
        Match::Exited,
        Match::NotLookedUp,
        Match::NotPermitted,
    ];

    /// Returns the value of `how` in JSON and in pcapng comments.
    pub fn name(self) -> &'static str {
        match self {
            Match::Socket => "socket",
            Match::Acceptor => "acceptor",
            Match::Listener => "listener",
            Match::NoListener => "nobody",
            Match::Exited => "gone",
            Match::NotLookedUp => "missed",
            Match::NotPermitted => "not permitted",
        }
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

    /// True if there was no lookup for either end.
    pub fn is_empty(&self) -> bool {
        self.orig.is_none() && self.resp.is_none()
    }
}

/// Writes a summary: `curl[4121] → node[4100]`.
impl fmt::Display for Owners {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let end = |f: &mut fmt::Formatter, owner: &Option<Arc<Owner>>| match owner {
            Some(owner) => owner.fmt(f),
            None => f.write_str("?"),
        };
        end(f, &self.orig)?;
        f.write_str(" → ")?;
        end(f, &self.resp)
    }
}

/// Writes `curl[4121]`, `nginx[11,12]` or `sh[1]+cat[2]`; `nginx[11]?` for a listener; `nobody`,
/// `?` or `?(uid 33)` if there is no process. Control characters are replaced with `.`.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.processes.is_empty() {
            return match (self.matched, self.uid) {
                (Match::NoListener, _) => f.write_str("nobody"),
                (Match::NotPermitted, Some(uid)) => write!(f, "?(uid {uid})"),
                _ => f.write_str("?"),
            };
        }
        let mut previous: Option<&str> = None;
        for process in &self.processes {
            match previous {
                Some(name) if name == process.name() => f.write_str(",")?,
                _ => {
                    f.write_str(if previous.is_some() { "]+" } else { "" })?;
                    for c in process.name().chars() {
                        write!(f, "{}", if c.is_control() { '.' } else { c })?;
                    }
                    f.write_str("[")?;
                }
            }
            write!(f, "{}", process.pid)?;
            previous = Some(process.name());
        }
        let is_listener = self.matched == Match::Listener;
        f.write_str(if is_listener { "]?" } else { "]" })
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
        for (processes, matched, uid, expected) in [
            (
                vec![process("curl", 4121)],
                Match::Socket,
                None,
                "curl[4121]",
            ),
            (nginx(), Match::Socket, None, "nginx[11,12]"),
            (pipeline(), Match::Socket, None, "sh[1]+cat[2]"),
            (
                vec![process("nginx", 11)],
                Match::Listener,
                Some(0),
                "nginx[11]?",
            ),
            (
                vec![process("a\x1b[31m\n", 7)],
                Match::Socket,
                None,
                "a.[31m.[7]",
            ),
            (vec![], Match::NoListener, None, "nobody"),
            (vec![], Match::Exited, Some(5), "?"),
            (vec![], Match::NotPermitted, Some(33), "?(uid 33)"),
        ] {
            let owner = Owner {
                processes,
                matched,
                uid,
                lookup_time: Timestamp(0),
            };
            assert_eq!(owner.to_string(), expected);
        }
    }
}
