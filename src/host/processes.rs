//! Processes, from /proc (proc(5)).

#[cfg(feature = "cli")]
pub mod capabilities;
pub mod capture_permission;
#[cfg(feature = "cli")]
pub mod descriptors;
#[cfg(feature = "cli")]
pub mod fork;
pub mod fork_events;
#[cfg(feature = "cli")]
mod inspection;
pub mod priority;
pub mod run_root;
#[cfg(feature = "cli")]
pub mod users;

#[cfg(test)]
pub use inspection::Executable;
#[cfg(feature = "cli")]
pub use inspection::{ProcessInspection, boot_time};

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::ops::ControlFlow;

use crate::process::{
    Process, ProcessDetails, ProcessIdentity, RunMembership, name_from_bytes, unescape,
};
use run_root::RunRoot;

/// The inode of the initial PID namespace (linux/proc_ns.h).
pub(super) const INITIAL_PID_NAMESPACE_INODE: u64 = 0xefff_fffc;
/// The inode of the initial user namespace.
const INITIAL_USER_NAMESPACE_INODE: u64 = 0xefff_fffd;
/// Length of the short form of a container ID, in digits.
const SHORT_CONTAINER_ID_LEN: usize = 12;
/// The kernel truncates names to this number of bytes.
const MAX_COMM_LEN: usize = 15;
/// Standard input, output and error, which are rarely connections.
const STANDARD_FDS: [&CStr; 3] = [c"0", c"1", c"2"];
/// Size of the buffer for directory entries, in bytes.
const DIRENT_BUFFER_BYTES: usize = 2 << 10;
/// Size of one read from a file in /proc, in bytes: most files are shorter and require only one.
const READ_CHUNK_BYTES: usize = 4 << 10;
/// Reading a file in /proc stops as soon as this number of bytes was read.
const MAX_PROC_FILE_BYTES: usize = 64 << 10;

/// An open /proc directory of a process: it never refers to another process, even if the PID is
/// reused. Queries fail after the process has exited.
#[derive(Debug)]
pub struct ProcHandle {
    directory: std::os::fd::OwnedFd,
}

impl ProcHandle {
    /// Opens the directory of a process. A thread ID is accepted, too, but then
    /// [`identity`](Self::identity) fails.
    ///
    /// # Errors
    /// There is no such process.
    pub fn new(pid: u32) -> io::Result<ProcHandle> {
        use rustix::fs::{Mode, OFlags, open};
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        let directory = open(format!("/proc/{pid}"), flags, Mode::empty())?;
        Ok(ProcHandle { directory })
    }

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
        let mut entries = [MaybeUninit::uninit(); DIRENT_BUFFER_BYTES];
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

    /// Returns the effective user ID, which is the owner of the directory (proc(5)). The directory
    /// of an exited process belongs to root.
    ///
    /// # Errors
    /// The owner of the directory cannot be read.
    pub fn uid(&self) -> io::Result<u32> {
        Ok(rustix::fs::fstat(&self.directory)?.st_uid)
    }

    /// Reads the current identity.
    ///
    /// # Errors
    /// The process has exited, the ID is a thread ID, or /proc/PID/stat is not in the format of
    /// proc(5).
    pub fn identity(&self) -> io::Result<ProcessIdentity> {
        let uid = self.uid()?;
        let text = self.read_file("stat")?;
        parse_stat(&text, uid).ok_or_else(|| {
            let message = "/proc/PID/stat does not describe a process (proc(5))";
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    }

    /// Returns the address of the arguments, which changes when the process executes another
    /// program; `None` if the process has exited or its addresses cannot be read.
    pub fn arg_start(&self) -> Option<u64> {
        let text = self.read_file("stat").ok()?;
        let close = text.iter().rposition(|&byte| byte == b')')?;
        // Field 3 follows the name; the address is field 48.
        let mut fields = str::from_utf8(&text[close + 1..])
            .ok()?
            .split_ascii_whitespace();
        fields.nth(45)?.parse().ok().filter(|address| *address != 0)
    }

    /// Reads the current identity, and its relation to the command of `lcap run`, if there is one.
    ///
    /// # Errors
    /// The identity cannot be read: see [`identity`](Self::identity).
    pub fn identity_in_run(&self, run: Option<RunRoot>) -> io::Result<ProcessIdentity> {
        let identity = self.identity()?;
        let run = run.map_or(RunMembership::Unknown, |run| run.membership(&identity));
        Ok(ProcessIdentity { run, ..identity })
    }

    /// Returns the process with this identity, after reading all details.
    pub fn describe(&self, identity: ProcessIdentity) -> Process {
        let details = self.read_details(&identity);
        Process::new(identity, details)
    }

    /// Reads the details of the process with this identity, as far as it still exists.
    pub fn read_details(&self, identity: &ProcessIdentity) -> ProcessDetails {
        let command_line = self.read_file("cmdline").unwrap_or_default();
        let argument_0 = command_line.split(|&byte| byte == 0).next();
        let exe = rustix::fs::readlinkat(&self.directory, "exe", Vec::new()).ok();
        let exe = exe.as_deref().map(CStr::to_bytes);
        let container = self.container_id().ok().flatten();
        ProcessDetails {
            name: full_name(&identity.comm, exe, argument_0),
            exe: exe.map(|path| String::from_utf8_lossy(path).into_owned()),
            command_line: split_strings(&command_line),
            container: container.map(|id| id[..SHORT_CONTAINER_ID_LEN].to_owned()),
            forwards_to: None,
        }
    }

    /// Returns the full ID of the process's container; `None` if the process is not in a container.
    ///
    /// # Errors
    /// The process has exited.
    pub fn container_id(&self) -> io::Result<Option<String>> {
        Ok(parse_container_id(&self.read_file("cgroup")?))
    }

    fn read_file(&self, name: &str) -> io::Result<Vec<u8>> {
        use rustix::fs::{Mode, OFlags, openat};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(&self.directory, name, flags, Mode::empty())?;
        let mut bytes = Vec::new();
        loop {
            bytes.reserve(READ_CHUNK_BYTES);
            let free = bytes.capacity() - bytes.len();
            let read = rustix::io::read(&file, rustix::buffer::spare_capacity(&mut bytes))?;
            // The kernel fills the buffer unless the file ends.
            if read < free || bytes.len() >= MAX_PROC_FILE_BYTES {
                return Ok(bytes);
            }
        }
    }
}

/// Returns the PIDs of all visible processes in descending order.
pub fn all_pids() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable_by(|a, b| b.cmp(a));
    pids
}

/// True if /proc contains the directory of this process.
pub fn is_visible(pid: u32) -> bool {
    std::path::Path::new("/proc").join(pid.to_string()).exists()
}

/// True if there is a process with this PID; false for a thread ID.
pub fn is_process(pid: u32) -> bool {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| pidfd_open(pid, PidfdFlags::empty()).is_ok())
}

/// Returns the inode of this thread's namespace of a kind: `pid`, `net`, … (namespaces(7)).
pub(super) fn namespace_inode(kind: &str) -> io::Result<u64> {
    Ok(rustix::fs::stat(format!("/proc/thread-self/ns/{kind}"))?.st_ino)
}

/// Returns the offset of the boot time in this process's time namespace (time_namespaces(7)), in
/// nanoseconds: the start times in /proc include it.
pub(super) fn boot_time_offset() -> i64 {
    // Kernels without time namespaces have no such file.
    let text = std::fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    parse_boot_time_offset(&text).unwrap_or(0)
}

/// Parses the line `boottime        3600         500`: seconds and nanoseconds.
fn parse_boot_time_offset(text: &str) -> Option<i64> {
    let mut lines = text.lines();
    let mut fields = lines
        .find_map(|line| line.strip_prefix("boottime"))?
        .split_ascii_whitespace();
    let [seconds, nanos]: [i64; 2] = [fields.next()?.parse().ok()?, fields.next()?.parse().ok()?];
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// An open file that contains the ID that the kernel allocated most recently for a process or a
/// thread in this process's PID namespace.
#[derive(Debug)]
pub struct LastPid(std::os::fd::OwnedFd);

impl LastPid {
    /// Opens /proc/sys/kernel/ns_last_pid.
    ///
    /// # Errors
    /// The file does not exist: the kernel was built without CONFIG_CHECKPOINT_RESTORE.
    pub fn open() -> io::Result<LastPid> {
        use rustix::fs::{Mode, OFlags, open};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = open("/proc/sys/kernel/ns_last_pid", flags, Mode::empty())?;
        Ok(LastPid(file))
    }

    /// Returns the most recently allocated ID; `None` if it cannot be read.
    pub fn read(&self) -> Option<u32> {
        let mut text = [0; 16];
        let len = rustix::io::pread(&self.0, &mut text, 0).ok()?;
        str::from_utf8(&text[..len]).ok()?.trim().parse().ok()
    }
}

/// Parses `4121 (a name) S 4100 …`: the name can contain spaces and parentheses, and ends at the
/// last parenthesis. Returns `None` for a thread.
pub(super) fn parse_stat(stat: &[u8], uid: u32) -> Option<ProcessIdentity> {
    let open = stat.iter().position(|&byte| byte == b'(')?;
    let close = stat.iter().rposition(|&byte| byte == b')')?;
    let name = stat.get(open + 1..close)?;
    // Field 3, the state, follows the name. The parent is field 4, the start time is field 22.
    let fields = str::from_utf8(&stat[close + 1..]).ok()?;
    let mut fields = fields.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let start_time = fields.nth(17)?.parse().ok()?;
    // Field 38 is the signal that the parent receives on exit; -1 for a thread. The PID may have
    // been reused as the ID of a thread.
    let exit_signal: i32 = fields.nth(15)?.parse().ok()?;
    if exit_signal < 0 {
        return None;
    }
    Some(ProcessIdentity {
        pid: str::from_utf8(&stat[..open]).ok()?.trim().parse().ok()?,
        start_time,
        parent,
        comm: name_from_bytes(name),
        uid,
        run: RunMembership::Unknown,
    })
}

/// Parses `socket:[4121]`.
pub(super) fn parse_socket_link(target: &[u8]) -> Option<u32> {
    let digits = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Splits a list of strings: a zero byte follows each string.
pub(super) fn split_strings(bytes: &[u8]) -> Vec<String> {
    let strings = bytes.split(|&byte| byte == 0);
    let mut strings: Vec<String> = strings
        .map(|string| String::from_utf8_lossy(string).into_owned())
        .collect();
    strings.pop_if(|last| last.is_empty());
    strings
}

/// Completes a truncated name from the path of the executable or from argument 0.
pub(super) fn full_name(comm: &str, exe: Option<&[u8]>, argument_0: Option<&[u8]>) -> String {
    let name = unescape(comm);
    if name.len() < MAX_COMM_LEN {
        return comm.to_owned();
    }
    let mut files = exe.into_iter().chain(argument_0).filter_map(|path| {
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        path.rsplit(|&byte| byte == b'/').next()
    });
    let full = files.find(|file| file.starts_with(&name));
    full.map_or_else(|| comm.to_owned(), name_from_bytes)
}

/// Finds the container ID, which Docker, Podman, containerd and CRI-O include in the path of the
/// control group.
pub(super) fn parse_container_id(cgroup: &[u8]) -> Option<String> {
    let mut parts = cgroup.split(|byte| !byte.is_ascii_alphanumeric());
    let id = parts.find(|part| is_container_id(part))?;
    String::from_utf8(id.to_vec()).ok()
}

/// True if these bytes are the full ID of a container.
pub fn is_container_id(bytes: &[u8]) -> bool {
    const CONTAINER_ID_LEN: usize = 64;
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    bytes.len() == CONTAINER_ID_LEN && bytes.iter().all(is_digit)
}

#[cfg(test)]
#[path = "processes/tests.rs"]
mod tests;
