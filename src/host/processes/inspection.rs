//! Process details for diagnosis: sockets, working directory, environment and executable.

use super::{ProcHandle, split_strings};
use rustix::fs::AtFlags;

/// Details that are read only for the processes under diagnosis.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessInspection {
    /// The working directory; `None` if it cannot be read.
    pub working_directory: Option<String>,
    /// The environment variables, `NAME=value`; `None` if they cannot be read.
    pub environment: Option<Vec<String>>,
    /// The executable file; `None` if it cannot be read.
    pub executable: Option<Executable>,
    /// True if the process is stopped by a signal or a debugger.
    pub is_stopped: bool,
    /// The systemd service that the process belongs to, derived from its control group.
    pub systemd_unit: Option<String>,
}

/// The file that a process runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Executable {
    /// True if the file was deleted or replaced by another file.
    pub is_deleted: bool,
    /// True if all users can write to the file.
    pub is_world_writable: bool,
    /// The user ID of the file's owner.
    pub uid: u32,
}

impl ProcHandle {
    /// Reads the details; those that cannot be read are `None`.
    pub fn inspect(&self) -> ProcessInspection {
        ProcessInspection {
            working_directory: self.read_link("cwd"),
            environment: self.read_file("environ").ok().as_deref().map(split_strings),
            executable: self.executable(),
            // Stopped by a signal, or by a debugger.
            is_stopped: matches!(self.state(), Some(b'T' | b't')),
            systemd_unit: parse_systemd_unit(&self.read_file("cgroup").unwrap_or_default()),
        }
    }

    /// Returns the letter of the state (proc_pid_status(5)): `Z` if the process has exited and its
    /// parent has not waited for it; `None` if it cannot be read.
    pub(super) fn state(&self) -> Option<u8> {
        let status = self.read_file("status").ok()?;
        let mut lines = status.split(|&byte| byte == b'\n');
        let state = lines.find_map(|line| line.strip_prefix(b"State:"))?;
        state.trim_ascii_start().first().copied()
    }

    fn read_link(&self, name: &str) -> Option<String> {
        let target = rustix::fs::readlinkat(&self.directory, name, Vec::new()).ok()?;
        Some(target.to_string_lossy().into_owned())
    }

    fn executable(&self) -> Option<Executable> {
        // The link refers to the file itself, even after the file was unlinked.
        let file = rustix::fs::statat(&self.directory, "exe", AtFlags::empty()).ok()?;
        Some(Executable {
            is_deleted: file.st_nlink == 0,
            is_world_writable: file.st_mode & 0o002 != 0,
            uid: file.st_uid,
        })
    }
}

/// Returns the boot time in seconds since 1970-01-01 UTC.
/// [`Process::start_time`](super::Process::start_time) is relative to this time.
pub fn boot_time() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

/// Returns the innermost systemd service in the path of a control group, ignoring user managers
/// (`user@1000.service`).
fn parse_systemd_unit(cgroup: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(cgroup).ok()?;
    let parts = text.lines().flat_map(|line| line.rsplit('/'));
    let mut units = parts.filter(|part| part.ends_with(".service") && !part.starts_with("user@"));
    units.next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_unit_is_parsed_from_the_cgroup() {
        for (cgroup, name) in [
            ("0::/system.slice/nginx.service\n", Some("nginx.service")),
            ("0::/user.slice/user-0.slice/session-1.scope\n", None),
            (
                "0::/user.slice/user@1.service/app.slice/a.service\n",
                Some("a.service"),
            ),
            ("0::/user.slice/user@1.service/init.scope\n", None),
            ("", None),
        ] {
            assert_eq!(
                parse_systemd_unit(cgroup.as_bytes()).as_deref(),
                name,
                "{cgroup}"
            );
        }
    }

    #[test]
    fn own_process_can_be_inspected() {
        let handle = ProcHandle::new(std::process::id()).expect("this process");
        let details = handle.inspect();
        assert!(details.working_directory.is_some() && details.environment.is_some());
        assert!(!details.is_stopped);
        assert_eq!(
            details.executable.map(|program| program.is_deleted),
            Some(false)
        );
        assert!(boot_time() > Some(1_000_000_000));
    }
}
