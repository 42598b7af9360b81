//! Data types of socket ownership: processes, owners of a connection's ends, and the evidence for
//! the owners.
//!
//! These types are filled in by `host` and `attribution`, and read by flows, filters and sinks. The
//! module does no I/O. [`comment`] encodes owners as comments of a pcapng file, and decodes them.

pub mod comment;
mod escape;
mod evidence;
mod filter;
mod owner;
mod proxy_target;
mod run_membership;

#[cfg(feature = "live")]
pub(crate) use escape::{name_from_bytes, unescape};
pub use evidence::Evidence;
pub use filter::ProcessFilter;
pub use owner::{Owner, Owners};
pub use proxy_target::{ProxyListener, ProxyTarget};
pub use run_membership::RunMembership;

use std::fmt;
use std::sync::LazyLock;

/// The user ID that the kernel assigns to no user: `(uid_t) -1` (setreuid(2)).
pub const UNKNOWN_UID: u32 = u32::MAX;

/// A process at the time of its lookup. Details that are slow to read are read on first use.
#[derive(Debug)]
pub struct Process {
    /// The process ID.
    pub pid: u32,
    /// Start time in clock ticks since boot. Together with the PID it identifies a process within
    /// one boot.
    pub start_time: u64,
    /// The PID of the parent process.
    pub parent: u32,
    /// The effective user ID; `u32::MAX` if a file does not contain it.
    pub uid: u32,
    /// The command name, at most 15 bytes (`comm` in proc(5)), with escapes as in
    /// [`ProcessDetails::name`].
    pub comm: String,
    /// The relation to the command of `lcap run`.
    pub(crate) run: RunMembership,
    details: LazyLock<ProcessDetails, Box<dyn FnOnce() -> ProcessDetails + Send>>,
}

/// Details of a process that are slow to read: a busy process delays access to its memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "live", derive(serde::Serialize, serde::Deserialize))]
pub struct ProcessDetails {
    /// The name: `comm`, or the full name where the kernel truncated it to 15 bytes. An octet that
    /// is not UTF-8 is `%` and two hexadecimal digits, and a `%` before two hexadecimal digits is
    /// `%25`.
    pub name: String,
    /// The path of the executable; `None` if it cannot be read.
    pub exe: Option<String>,
    /// The command line, including argument 0.
    pub command_line: Vec<String>,
    /// The short ID of the container, derived from the control group.
    pub container: Option<String>,
    /// The service to which a proxy forwards its connections: Docker's docker-proxy.
    pub forwards_to: Option<Box<ProxyTarget>>,
}

#[cfg(feature = "live")]
impl ProcessIdentity {
    /// Returns the details of a process of which only the identity is available: its short name.
    pub(crate) fn short_details(&self) -> ProcessDetails {
        ProcessDetails {
            name: self.comm.clone(),
            ..ProcessDetails::default()
        }
    }
}

impl Process {
    /// Returns a process whose details were already read.
    pub(crate) fn new(identity: ProcessIdentity, details: ProcessDetails) -> Process {
        Process::with_lazy_details(identity, move |_| details)
    }

    /// Returns a process whose details are read on first use.
    pub(crate) fn with_lazy_details(
        identity: ProcessIdentity,
        read: impl FnOnce(ProcessIdentity) -> ProcessDetails + Send + 'static,
    ) -> Process {
        Process {
            pid: identity.pid,
            start_time: identity.start_time,
            parent: identity.parent,
            uid: identity.uid,
            comm: identity.comm.clone(),
            run: identity.run,
            details: LazyLock::new(Box::new(move || read(identity))),
        }
    }

    /// Returns the identity.
    #[cfg(feature = "live")]
    pub(crate) fn identity(&self) -> ProcessIdentity {
        ProcessIdentity {
            pid: self.pid,
            start_time: self.start_time,
            parent: self.parent,
            comm: self.comm.clone(),
            uid: self.uid,
            run: self.run,
        }
    }

    /// Returns the details. For a process in a live capture, the first call reads them from /proc:
    /// this takes a tenth of a millisecond, or more if the process is busy.
    pub fn details(&self) -> &ProcessDetails {
        &self.details
    }

    /// Returns the name from the [details](Self::details).
    pub fn name(&self) -> &str {
        &self.details.name
    }

    /// Returns the PID of the `lcap run` that started this process or one of its ancestors; `None`
    /// if there is none, or if this was not determined before the process exited.
    pub fn run_id(&self) -> Option<u32> {
        match self.run {
            RunMembership::Member { root } => Some(root),
            RunMembership::Other | RunMembership::Unknown => None,
        }
    }

    /// True if both are the same process, even if it has executed another program in the meantime.
    pub fn is_same(&self, other: &Process) -> bool {
        (self.pid, self.start_time) == (other.pid, other.start_time)
    }

    /// True if both are the same process with the same command name.
    pub fn is_same_program(&self, other: &Process) -> bool {
        self.is_same(other) && self.comm == other.comm
    }
}

/// Writes `curl[4121]`, with the same escapes in the name as an [`Owner`].
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        escape::write_name(self.name(), f)?;
        write!(f, "[{}]", self.pid)
    }
}

/// Compares all fields, including the details, except `comm`, which pcapng files do not contain.
impl PartialEq for Process {
    fn eq(&self, other: &Process) -> bool {
        let fields = |process: &Process| (process.parent, process.uid, process.run_id());
        self.is_same(other) && fields(self) == fields(other) && self.details() == other.details()
    }
}

impl Eq for Process {}

/// The identity of a process. It changes if the PID is reused or another program is executed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "live", derive(serde::Serialize, serde::Deserialize))]
pub struct ProcessIdentity {
    /// The process ID.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start_time: u64,
    /// The PID of the parent process.
    pub parent: u32,
    /// The command name, at most 15 bytes (`comm` in proc(5)), with escapes as in
    /// [`ProcessDetails::name`].
    pub comm: String,
    /// The effective user ID.
    pub uid: u32,
    /// The relation to the command of `lcap run`.
    pub run: RunMembership,
}
