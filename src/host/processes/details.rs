//! What is asked of a few processes only: where they work, with what variables, what their program is like.

use super::Held;
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;

/// More of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// The directory that it works in; none where that may not be seen.
    pub directory: Option<String>,
    /// The variables of its environment, `NAME=value`; none where they may not be seen.
    pub environment: Option<Vec<String>>,
    /// Its program; none where that may not be seen.
    pub program: Option<Program>,
    /// Whether it is stopped, by a signal or by a debugger.
    pub is_stopped: bool,
    /// The systemd unit that it is in, by its control group.
    pub unit: Option<String>,
}

/// The file that a process runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Program {
    /// Whether it has no name any more: it was deleted, or another was put into its place.
    pub is_deleted: bool,
    /// Whether everybody may write to it.
    pub is_world_writable: bool,
    /// Whose it is.
    pub uid: u32,
}

/// What a process has open from the start is rarely a connection.
const STANDARD: [&CStr; 3] = [c"0", c"1", c"2"];

impl Held {
    /// Tells every descriptor that is a socket, and its inode, until that is enough: the standard ones last.
    ///
    /// # Errors
    /// It has ended, or its descriptors may not be seen.
    pub fn each_socket(&self, mut each: impl FnMut(u32, u32) -> ControlFlow<()>) -> io::Result<()> {
        use rustix::fs::{Mode, OFlags, RawDir, openat, readlinkat_raw};
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let descriptors = openat(&self.directory, c"fd", flags, Mode::empty())?;
        let mut target = [MaybeUninit::uninit(); 64];
        let mut look = |number: u32, name: &CStr| {
            match readlinkat_raw(&descriptors, name, &mut target) {
                Ok((target, _)) => Ok(match socket(target) {
                    Some(inode) => each(number, inode),
                    None => ControlFlow::Continue(()),
                }),
                // Who may not see one may see none.
                Err(error @ rustix::io::Errno::ACCESS) => Err(error),
                // It may have been closed in between.
                Err(_) => Ok(ControlFlow::Continue(())),
            }
        };
        let mut standard = [false; STANDARD.len()];
        let mut entries = [MaybeUninit::uninit(); super::ENTRIES];
        let mut entries = RawDir::new(&descriptors, &mut entries);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            // The directory itself and the one above it have no numbers.
            let Some(number) = name.to_str().ok().and_then(|name| name.parse().ok()) else {
                continue;
            };
            match standard.get_mut(number as usize) {
                Some(is_open) => *is_open = true,
                None if look(number, name)?.is_break() => return Ok(()),
                None => {}
            }
        }
        for (number, name) in STANDARD.into_iter().enumerate() {
            if standard[number] && look(number as u32, name)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The inode of the socket that one of its descriptors is.
    pub fn socket_at(&self, descriptor: u32) -> Option<u32> {
        let mut target = [MaybeUninit::uninit(); 64];
        let name = format!("fd/{descriptor}");
        let link = rustix::fs::readlinkat_raw(&self.directory, name, &mut target);
        link.ok().and_then(|(target, _)| socket(target))
    }

    /// What is asked of a few processes only; what may not be seen is none.
    pub fn details(&self) -> Details {
        let link = |name: &str| {
            let path = rustix::fs::readlinkat(&self.directory, name, Vec::new()).ok()?;
            Some(path.to_string_lossy().into_owned())
        };
        let environment = self.read("environ").ok().map(|bytes| {
            let variables = bytes.split(|&byte| byte == 0);
            variables
                .filter(|variable| !variable.is_empty())
                .map(|variable| String::from_utf8_lossy(variable).into_owned())
                .collect()
        });
        // The number of the state is its letter.
        let status = self.read("status").unwrap_or_default();
        let is_stopped = status
            .split(|&byte| byte == b'\n')
            .filter_map(|line| line.strip_prefix(b"State:"))
            .any(|state| matches!(state.trim_ascii_start(), [b'T' | b't', ..]));
        Details {
            directory: link("cwd"),
            environment,
            program: self.program(),
            is_stopped,
            unit: self.read("cgroup").ok().as_deref().and_then(unit),
        }
    }

    fn program(&self) -> Option<Program> {
        // Through the link: the file itself, though it may have no name any more.
        let meta = std::fs::metadata(format!("/proc/{}/exe", self.pid)).ok()?;
        // Asked of whom is held: the number may be another's by now.
        self.identity().ok()?;
        Some(Program {
            is_deleted: meta.nlink() == 0,
            is_world_writable: meta.mode() & 0o002 != 0,
            uid: meta.uid(),
        })
    }
}

/// When this machine began, in seconds since 1970; [`Process::start_time`](super::Process::start_time) counts from there.
pub fn boot_time() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

/// `socket:[4121]`
fn socket(target: &[u8]) -> Option<u32> {
    let digits = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The last part of a control group's path that is a service, a socket or a scope of systemd.
fn unit(cgroup: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(cgroup).ok()?;
    let parts = text.lines().flat_map(|line| line.rsplit('/'));
    let mut units = parts.filter(|part| part.ends_with(".service") && !part.starts_with("user@"));
    units.next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_control_groups() {
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
            assert_eq!(unit(cgroup.as_bytes()).as_deref(), name, "{cgroup}");
        }
    }

    #[test]
    fn this_process_is_seen_by_itself() {
        let held = Held::new(std::process::id()).expect("this process");
        let details = held.details();
        assert!(details.directory.is_some() && details.environment.is_some());
        assert!(!details.is_stopped);
        assert_eq!(
            details.program.map(|program| program.is_deleted),
            Some(false)
        );
        assert!(boot_time() > Some(1_000_000_000));
        assert_eq!(socket(b"socket:[12]"), Some(12));
        assert_eq!(socket(b"pipe:[12]"), None);
    }
}
