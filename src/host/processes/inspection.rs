//! Process details for diagnosis: sockets, working directory, environment and executable.

use super::{ProcHandle, split_strings};
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;

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

/// Standard input, output and error, which are rarely connections.
const STANDARD_FDS: [&CStr; 3] = [c"0", c"1", c"2"];

impl ProcHandle {
    /// Calls `each` with the descriptor number and the inode of every open socket until `each`
    /// returns `Break`. Standard input, output and error are visited last.
    ///
    /// # Errors
    /// The process has exited, or its descriptors cannot be read.
    pub fn for_each_socket(
        &self,
        mut each: impl FnMut(u32, u32) -> ControlFlow<()>,
    ) -> io::Result<()> {
        use rustix::fs::{Mode, OFlags, RawDir, openat, readlinkat_raw};
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let descriptors = openat(&self.directory, c"fd", flags, Mode::empty())?;
        let mut target = [MaybeUninit::uninit(); 64];
        let mut visit = |number: u32, name: &CStr| {
            match readlinkat_raw(&descriptors, name, &mut target) {
                Ok((target, _)) => Ok(match parse_socket_link(target) {
                    Some(inode) => each(number, inode),
                    None => ControlFlow::Continue(()),
                }),
                // The permission is the same for all descriptors of a process.
                Err(error @ rustix::io::Errno::ACCESS) => Err(error),
                // The descriptor was closed in the meantime.
                Err(_) => Ok(ControlFlow::Continue(())),
            }
        };
        let mut standard = [false; STANDARD_FDS.len()];
        let mut entries = [MaybeUninit::uninit(); super::DIRENT_BUFFER_BYTES];
        let mut entries = RawDir::new(&descriptors, &mut entries);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            // `.` and `..` are not descriptors.
            let Some(number) = name.to_str().ok().and_then(|name| name.parse().ok()) else {
                continue;
            };
            match standard.get_mut(number as usize) {
                Some(is_open) => *is_open = true,
                None if visit(number, name)?.is_break() => return Ok(()),
                None => {}
            }
        }
        for (number, name) in STANDARD_FDS.into_iter().enumerate() {
            if standard[number] && visit(number as u32, name)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Returns the inode of the socket that a descriptor refers to; `None` if it is not a socket.
    pub fn socket_inode(&self, descriptor: u32) -> Option<u32> {
        let mut target = [MaybeUninit::uninit(); 64];
        let name = format!("fd/{descriptor}");
        let link = rustix::fs::readlinkat_raw(&self.directory, name, &mut target);
        link.ok().and_then(|(target, _)| parse_socket_link(target))
    }

    /// Reads the details; those that cannot be read are `None`.
    pub fn inspect(&self) -> ProcessInspection {
        // The state begins with a letter: T means stopped, t means stopped by a debugger.
        let status = self.read_file("status").unwrap_or_default();
        let is_stopped = status
            .split(|&byte| byte == b'\n')
            .filter_map(|line| line.strip_prefix(b"State:"))
            .any(|state| matches!(state.trim_ascii_start(), [b'T' | b't', ..]));
        ProcessInspection {
            working_directory: self.read_link("cwd"),
            environment: self
                .read_file("environ")
                .ok()
                .map(|bytes| split_strings(&bytes)),
            executable: self.executable(),
            is_stopped,
            systemd_unit: self
                .read_file("cgroup")
                .ok()
                .as_deref()
                .and_then(parse_systemd_unit),
        }
    }

    fn executable(&self) -> Option<Executable> {
        // The link refers to the file itself, even after the file was unlinked.
        let meta = std::fs::metadata(format!("/proc/{}/exe", self.pid)).ok()?;
        // If the handle is still valid, the PID was not reused in the meantime.
        self.identity().ok()?;
        Some(Executable {
            is_deleted: meta.nlink() == 0,
            is_world_writable: meta.mode() & 0o002 != 0,
            uid: meta.uid(),
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

/// Parses `socket:[4121]`.
fn parse_socket_link(target: &[u8]) -> Option<u32> {
    let digits = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
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
        assert_eq!(parse_socket_link(b"socket:[12]"), Some(12));
        assert_eq!(parse_socket_link(b"pipe:[12]"), None);
    }
}
