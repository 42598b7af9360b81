//! Ends of connections to the processes that have them, and how sure that is.
//!
//! Both ends of a connection on loopback are processes of this machine. Each is found by itself: the kernel is asked which socket has the
//! end, and /proc which processes have that socket. A client may be gone a millisecond after its last byte, so the question is asked as soon
//! as its SYN is on the device, by a capture of its own that sees nothing else ([`Watcher`]). A server is known before anybody comes, by its
//! listening socket; who of its processes accepts is asked a little later. What cannot be known is said to be unknown: a name is never
//! guessed, and never moved from one connection to another.

mod allowance;
mod asked;
mod attributed;
pub mod comment;
mod directory;
mod entries;
mod errands;
mod finder;
mod later;
mod offload;
mod open;
mod questions;
mod selected;
mod syn;
mod tasks;
mod told;
mod watcher;
mod young;

pub use attributed::Attributed;
pub use directory::Directory;
pub use entries::Which;
pub use selected::{Selected, Wanted};
pub use watcher::{Asking, Watcher, Way};

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::host::processes::Process;
use crate::packet::Timestamp;
use entries::Had;

/// Who has one end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The processes: several where they share the socket, first who was handed it; none where it is not known.
    pub processes: Vec<Arc<Process>>,
    /// How they were found, or why not.
    pub how: How,
    /// The user whose socket it is.
    pub uid: Option<u32>,
    /// When they were looked for.
    pub looked_up: Timestamp,
}

/// How the owner of an end was found, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum How {
    /// They have the very socket.
    Socket,
    /// They accepted the connection, or were the last to have it; whether a child of theirs had it meanwhile is not known.
    Acceptor,
    /// They have the socket that listens: nobody had accepted the connection when that was asked, or whoever did was gone already.
    Listener,
    /// Nothing listens there.
    Nobody,
    /// The socket was closed, or its process had ended, before it could be looked up.
    Gone,
    /// It was not looked up: there were too many at once.
    Missed,
    /// Some other user's process, which may not be looked at.
    NotPermitted,
}

impl How {
    /// All there are.
    const ALL: [How; 7] = [
        How::Socket,
        How::Acceptor,
        How::Listener,
        How::Nobody,
        How::Gone,
        How::Missed,
        How::NotPermitted,
    ];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            How::Socket => "socket",
            How::Acceptor => "acceptor",
            How::Listener => "listener",
            How::Nobody => "nobody",
            How::Gone => "gone",
            How::Missed => "missed",
            How::NotPermitted => "not permitted",
        }
    }
}

impl Owner {
    /// Nobody: there was no time to look.
    fn missed() -> Owner {
        Owner::unknown(How::Missed, None)
    }

    /// Nobody, and why.
    pub(crate) fn unknown(how: How, uid: Option<u32>) -> Owner {
        Owner {
            processes: Vec::new(),
            how,
            uid,
            looked_up: now(),
        }
    }
}

impl Owner {
    /// What is known of a responder with what the kernel has told of who had it.
    fn as_had_by(&self, had: &Had) -> Owner {
        let (last, is_sure) = match had {
            Had::Read(owner) => (owner, true),
            // Whoever looks through /proc has what he looks at for a moment, and may be the last.
            Had::LetGo(owner) => (owner, false),
        };
        let has = |pid: u32| self.processes.iter().any(|known| known.pid == pid);
        let is_known = last.processes.iter().all(|one| has(one.pid));
        let is_child = last.processes.iter().all(|one| has(one.parent));
        match self.how {
            // They listen, and one of them accepted: that one.
            How::Listener if is_known => Owner {
                how: How::Acceptor,
                ..last.clone()
            },
            How::Acceptor | How::Socket if is_known => self.clone(),
            // Another tool, as it would seem.
            How::Listener | How::Acceptor | How::Socket if !is_child && !is_sure => self.clone(),
            // Whoever accepted has handed it on, or both had it.
            How::Acceptor | How::Socket => {
                let all = last.processes.iter().chain(&self.processes);
                Owner {
                    how: How::Socket,
                    processes: all.cloned().collect(),
                    ..last.clone()
                }
            }
            // Another than those who listen: it was handed on.
            How::Listener => last.clone(),
            // Nobody knows who listened, but he who reads it has it.
            _ if is_sure => last.clone(),
            // Nobody knows who listened.
            _ => Owner {
                how: How::Acceptor,
                ..last.clone()
            },
        }
    }
}

/// The clock that packets are stamped with.
fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(now.map_or(0, |now| now.as_nanos() as i64))
}

/// The owners of both ends of a flow; of a packet, the sender's is `orig`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// The originator's; none if it was not looked up.
    pub orig: Option<Arc<Owner>>,
    /// The responder's.
    pub resp: Option<Arc<Owner>>,
}

impl Owners {
    /// The same, seen from the other end.
    pub fn swapped(self) -> Owners {
        Owners {
            orig: self.resp,
            resp: self.orig,
        }
    }

    /// Whether nothing is to be said of either end.
    pub fn are_unknown(&self) -> bool {
        self.orig.is_none() && self.resp.is_none()
    }
}

/// `curl[4121] → node[4100]`.
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

/// `curl[4121]`, `nginx[11,12]`, `sh[1]+cat[2]`; `nginx[11]?` who only listens; else why it is not known: `nobody`, `?`, `?(uid 33)`. Control
/// characters stand as `.`.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.processes.is_empty() {
            return match (self.how, self.uid) {
                (How::Nobody, _) => f.write_str("nobody"),
                (How::NotPermitted, Some(uid)) => write!(f, "?(uid {uid})"),
                _ => f.write_str("?"),
            };
        }
        let mut last: Option<&str> = None;
        for process in &self.processes {
            match last {
                Some(name) if name == process.name() => f.write_str(",")?,
                _ => {
                    f.write_str(if last.is_some() { "]+" } else { "" })?;
                    for character in process.name().chars() {
                        let shown = if character.is_control() {
                            '.'
                        } else {
                            character
                        };
                        write!(f, "{shown}")?;
                    }
                    f.write_str("[")?;
                }
            }
            write!(f, "{}", process.pid)?;
            last = Some(process.name());
        }
        f.write_str("]")?;
        f.write_str(if self.how == How::Listener { "?" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::processes::{Identity, More};

    fn process(name: &str, pid: u32) -> Arc<Process> {
        let identity = Identity {
            pid,
            ..Identity::default()
        };
        let more = More {
            name: name.into(),
            ..More::default()
        };
        Arc::new(Process::new(identity, more))
    }

    #[test]
    fn owners_in_words() {
        for (processes, how, uid, text) in [
            (vec![process("curl", 4121)], How::Socket, None, "curl[4121]"),
            (
                vec![process("nginx", 11), process("nginx", 12)],
                How::Socket,
                None,
                "nginx[11,12]",
            ),
            (
                vec![process("sh", 1), process("cat", 2)],
                How::Socket,
                None,
                "sh[1]+cat[2]",
            ),
            (
                vec![process("nginx", 11)],
                How::Listener,
                Some(0),
                "nginx[11]?",
            ),
            (
                vec![process("a\x1b[31m\n", 7)],
                How::Socket,
                None,
                "a.[31m.[7]",
            ),
            (vec![], How::Nobody, None, "nobody"),
            (vec![], How::Gone, Some(5), "?"),
            (vec![], How::NotPermitted, Some(33), "?(uid 33)"),
        ] {
            let owner = Owner {
                processes,
                how,
                uid,
                looked_up: Timestamp(0),
            };
            assert_eq!(owner.to_string(), text);
        }
    }
}
