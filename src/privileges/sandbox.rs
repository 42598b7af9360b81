//! Restriction of this process before it reads the first packet: no capabilities, few files, few
//! system calls. It cannot be undone.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
};
use rustix::thread::{CapabilitySet, secure_computing_mode, set_no_new_privs};

use super::capabilities::{self, READ_PROCESSES};
use super::system_calls::{self, CallSet};
use super::user::{self, UserChange, UserIds};
use crate::time::zone;

/// The restrictions that are in force, for messages.
#[derive(Debug)]
pub struct Restrictions {
    /// True if a part of the files cannot be restricted: Landlock is older than this program.
    pub is_partial: bool,
    /// The reason why files are not restricted; `None` if they are.
    pub files_error: Option<String>,
    /// The reason why system calls are not restricted; `None` if they are.
    pub calls_error: Option<String>,
}

/// Restricts the process that decodes packets. It keeps no capability, may become another user, and
/// opens no files except those in /proc and in the directories `writable`, where it can create
/// files.
///
/// # Errors
/// The capabilities or the user cannot be given up, or no user can then write to the directories.
pub fn enter_decoder(writable: &[BorrowedFd], change: UserChange) -> io::Result<Restrictions> {
    // Loads the time zone, whose file may be anywhere.
    zone::local();
    let ids = user::choose(writable, change)?;
    give_up_capabilities(CapabilitySet::empty(), ids)?;
    let files = restrict_files(writable);
    let calls_error = restrict_calls(CallSet::Decode);
    Ok(Restrictions::new(&files, calls_error))
}

/// Returns the restrictions of the process that decodes packets, which this kernel supports.
pub fn possible() -> Restrictions {
    // Landlock restricts only the calling thread, which ends.
    let attempt = std::thread::Builder::new().spawn(|| {
        set_no_new_privs(true)?;
        restrict_files(&[])
    });
    let failed = || io::Error::other("the thread that tried it has failed");
    let files = attempt.and_then(|thread| thread.join().unwrap_or_else(|_| Err(failed())));
    let calls_error = secure_computing_mode().err();
    Restrictions::new(&files, calls_error.map(|error| error.to_string()))
}

/// Restricts the process that looks up processes. As far as it has them, it keeps the capabilities
/// that make the sockets, the executables and the /proc directories of other users' processes
/// readable. Landlock would deny exactly that (ptrace(2)), so only its system calls are restricted.
///
/// # Errors
/// The capabilities cannot be given up.
pub fn enter_lookups() -> io::Result<()> {
    give_up_capabilities(READ_PROCESSES, None)?;
    restrict_calls(CallSet::LookUp);
    Ok(())
}

fn give_up_capabilities(kept: CapabilitySet, ids: Option<UserIds>) -> io::Result<()> {
    capabilities::clear_bounding_set(kept);
    ids.map_or(Ok(()), UserIds::assume)?;
    capabilities::keep(kept)?;
    Ok(set_no_new_privs(true)?)
}

/// Returns the reason why system calls are not restricted, if they are not.
fn restrict_calls(set: CallSet) -> Option<String> {
    system_calls::restrict(set)
        .err()
        .map(|error| error.to_string())
}

/// The directory that can be read: `lcap run` reports the processes that are still running.
const READABLE_DIRECTORY: &str = "/proc";

fn restrict_files(writable: &[BorrowedFd]) -> io::Result<RulesetStatus> {
    enforce_rules(writable).map_err(io::Error::other)
}

fn enforce_rules(writable: &[BorrowedFd]) -> Result<RulesetStatus, RulesetError> {
    let abi = ABI::V5;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .create()?;
    if let Ok(directory) = PathFd::new(READABLE_DIRECTORY) {
        let read = AccessFs::ReadDir | AccessFs::ReadFile;
        ruleset = ruleset.add_rule(PathBeneath::new(directory, read))?;
    }
    let write = AccessFs::ReadDir
        | AccessFs::ReadFile
        | AccessFs::WriteFile
        | AccessFs::MakeReg
        | AccessFs::RemoveFile
        | AccessFs::Truncate
        | AccessFs::Refer;
    for directory in writable {
        ruleset = ruleset.add_rule(PathBeneath::new(directory, write))?;
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

impl Restrictions {
    fn new(files: &io::Result<RulesetStatus>, calls_error: Option<String>) -> Restrictions {
        Restrictions {
            is_partial: matches!(files, Ok(RulesetStatus::PartiallyEnforced)),
            files_error: match files {
                Ok(RulesetStatus::NotEnforced) => Some("the kernel has none".to_owned()),
                Ok(_) => None,
                Err(error) => Some(error.to_string()),
            },
            calls_error,
        }
    }
}

/// Writes what is in force: `no capabilities, landlock, seccomp`.
impl fmt::Display for Restrictions {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("no capabilities")?;
        match &self.files_error {
            None if self.is_partial => f.write_str(", Landlock in part")?,
            None => f.write_str(", Landlock")?,
            Some(error) => write!(f, ", no Landlock ({error})")?,
        }
        match &self.calls_error {
            None => f.write_str(", seccomp"),
            Some(error) => write!(f, ", no seccomp ({error})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::ErrorKind;
    use std::os::fd::AsFd;

    /// Only the directory is writable, and only it and /proc are readable.
    #[test]
    fn only_proc_and_the_output_directory_can_be_opened() {
        let [output, other] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        let existing = other.path().join("existing");
        fs::write(&existing, "text").expect("a file");
        let directory = fs::File::open(output.path()).expect("a directory");
        // The restriction is that of the thread.
        let thread = std::thread::spawn(move || {
            set_no_new_privs(true).expect("no new privileges");
            let status = restrict_files(&[directory.as_fd()]);
            // The kernel has no Landlock.
            if matches!(status, Err(_) | Ok(RulesetStatus::NotEnforced)) {
                return;
            }
            let is_denied = |result: io::Result<()>| {
                result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
            };
            for path in ["/etc/passwd".as_ref(), &*existing] {
                assert!(is_denied(fs::read(path).map(drop)), "{path:?}");
            }
            assert!(is_denied(fs::write(&existing, "")));
            assert!(is_denied(fs::write(other.path().join("new"), "")));
            assert!(is_denied(fs::remove_file(&existing)));
            assert!(is_denied(fs::create_dir(output.path().join("new"))));
            assert!(is_denied(fs::write("/proc/self/comm", "other")));
            fs::read("/proc/self/status").expect("a readable file");
            for text in ["first", "second"] {
                let path = output.path().join("file");
                fs::write(&path, text).expect("a written file");
                assert_eq!(fs::read_to_string(&path).ok().as_deref(), Some(text));
                fs::remove_file(&path).expect("a removed file");
            }
        });
        thread.join().expect("no failed assertion");
    }
}
