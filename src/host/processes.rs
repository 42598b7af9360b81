//! Processes, from /proc (proc(5)).

mod details;

pub use details::{Details, Program, boot_time};

use std::io::{self, Read};

/// A process as it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it began, in clock ticks since boot: with the number, no other process of this boot has the same.
    pub start_time: u64,
    /// The process that it is a child of.
    pub parent: u32,
    /// Its name: what it calls itself, in full where the kernel cut it after 15 bytes.
    pub name: String,
    /// The path of its program; none where that may not be seen.
    pub exe: Option<String>,
    /// Its arguments, from its own name on.
    pub command_line: Vec<String>,
    /// Whose rights it has.
    pub uid: u32,
    /// The number of the container that it is in, by what its control group says, as far as people use it.
    pub container: Option<String>,
    /// The `lcap run` that began it or one of those that it descends from, by that one's number.
    pub run: Option<u32>,
}

/// What `lcap run` puts its own number into, in the environment of what it runs.
pub const RUN: &str = "LCAP_RUN";

/// So many digits of a container's number are mostly shown.
const SHORT: usize = 12;
/// The kernel keeps this many bytes of a name.
const NAME: usize = 15;
/// Entries of a directory are asked for in pieces of so many bytes.
const ENTRIES: usize = 2 << 10;
/// No more of a file in /proc is read.
const MOST: u64 = 64 << 10;

/// A process that is held: as long as this exists its number means no other process, and once it has ended every question fails.
#[derive(Debug)]
pub struct Held {
    pid: u32,
    directory: std::os::fd::OwnedFd,
}

impl Held {
    /// Takes hold of a process, by its number or a thread's.
    ///
    /// # Errors
    /// There is no such process.
    pub fn new(pid: u32) -> io::Result<Held> {
        use rustix::fs::{Mode, OFlags, open};
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        let directory = open(format!("/proc/{pid}"), flags, Mode::empty())?;
        Ok(Held { pid, directory })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The number of the process that it is a thread of; its own, if it is a process.
    ///
    /// # Errors
    /// It has ended.
    pub fn leader(&self) -> io::Result<u32> {
        let status = self.read("status")?;
        number(&status, "Tgid:", 0).ok_or_else(|| unreadable("status"))
    }

    /// When it began, and what it is called now: who is the same, and who has become another program.
    ///
    /// # Errors
    /// It has ended.
    pub fn identity(&self) -> io::Result<(u64, String)> {
        let stat = stat(&self.read("stat")?)?;
        Ok((stat.start_time, stat.name))
    }

    /// All that is to be known of it.
    ///
    /// # Errors
    /// It has ended, or /proc does not say what proc(5) says it does.
    pub fn describe(&self) -> io::Result<Process> {
        let stat = stat(&self.read("stat")?)?;
        let command_line: Vec<String> = self
            .read("cmdline")?
            .split(|&byte| byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        let exe = rustix::fs::readlinkat(&self.directory, "exe", Vec::new())
            .ok()
            .map(|path| path.to_string_lossy().into_owned());
        let uid = number(&self.read("status")?, "Uid:", 1).ok_or_else(|| unreadable("status"))?;
        let container = self.container().ok().flatten();
        Ok(Process {
            pid: stat.pid,
            start_time: stat.start_time,
            parent: stat.parent,
            name: whole_name(stat.name, exe.as_deref(), &command_line),
            exe,
            // The last word ends in a zero too.
            command_line: match command_line.split_last() {
                Some((last, words)) if last.is_empty() => words.to_vec(),
                _ => command_line,
            },
            uid,
            container: container.map(|number| number[..SHORT].to_owned()),
            run: self.run_or_parents(stat.parent),
        })
    }

    /// The `lcap run` that began it or one of those that it descends from. Who is just becoming another program, or has ended, has no
    /// environment: then its parent's counts.
    pub fn run_or_parents(&self, parent: u32) -> Option<u32> {
        match self.read("environ") {
            Ok(environ) if !environ.is_empty() => run(&environ),
            _ => {
                let parent = Held::new(parent).and_then(|parent| parent.read("environ"));
                run(&parent.ok()?)
            }
        }
    }

    /// The number of the container that it is in, all of it.
    ///
    /// # Errors
    /// It has ended.
    pub fn container(&self) -> io::Result<Option<String>> {
        Ok(container(&self.read("cgroup")?))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        use rustix::fs::{Mode, OFlags, openat};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = std::fs::File::from(openat(&self.directory, name, flags, Mode::empty())?);
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The numbers of all processes that may be seen, the highest first.
pub fn all() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable_by(|a, b| b.cmp(a));
    pids
}

/// Whether there is a process with this number; a thread's number is none.
pub fn is_process(pid: u32) -> bool {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| pidfd_open(pid, PidfdFlags::empty()).is_ok())
}

/// The number that the kernel gave away last in this process's namespace, to a process or a thread.
pub fn last_pid() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/sys/kernel/ns_last_pid").ok()?;
    text.trim().parse().ok()
}

struct Stat {
    pid: u32,
    name: String,
    parent: u32,
    start_time: u64,
}

/// `4121 (a name) S 4100 …`: the name may have spaces and parentheses in it, and ends at the last one.
fn stat(bytes: &[u8]) -> io::Result<Stat> {
    let broken = || unreadable("stat");
    let (open, close) = (
        bytes
            .iter()
            .position(|&byte| byte == b'(')
            .ok_or_else(broken)?,
        bytes
            .iter()
            .rposition(|&byte| byte == b')')
            .ok_or_else(broken)?,
    );
    let name = bytes.get(open + 1..close).ok_or_else(broken)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let rest = text(&bytes[close + 1..]);
    // The state is the third field of all, so the parent is the fourth and the start the 22nd.
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    Ok(Stat {
        pid: text(&bytes[..open]).trim().parse().map_err(|_| broken())?,
        name: text(name),
        parent: number(1).ok_or_else(broken)? as u32,
        start_time: number(19).ok_or_else(broken)?,
    })
}

fn unreadable(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("/proc/PID/{file}"))
}

/// `LCAP_RUN=4121` among the variables of an environment.
fn run(environ: &[u8]) -> Option<u32> {
    let mut variables = environ.split(|&byte| byte == 0);
    let value = variables.find_map(|variable| {
        let value = variable.strip_prefix(RUN.as_bytes())?;
        value.strip_prefix(b"=")
    })?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// A name that the kernel cut, as the program's path or its first argument has it.
fn whole_name(name: String, exe: Option<&str>, command_line: &[String]) -> String {
    if name.len() < NAME {
        return name;
    }
    let candidates = exe
        .into_iter()
        .chain(command_line.first().map(String::as_str));
    let mut files =
        candidates.filter_map(|path| path.trim_end_matches(" (deleted)").rsplit('/').next());
    match files.find(|file| file.starts_with(&name)) {
        Some(whole) => whole.to_owned(),
        None => name,
    }
}

/// A number of a line: `Uid: 1000 1000 1000 1000` has the real one, the effective, the saved, that of the file system.
fn number(status: &[u8], title: &str, at: usize) -> Option<u32> {
    let mut lines = status.split(|&byte| byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(title.as_bytes()))?;
    let text = std::str::from_utf8(line).ok()?;
    text.split_ascii_whitespace().nth(at)?.parse().ok()
}

/// A container's number, which Docker, Podman, containerd and CRI-O put into the path of a control group.
fn container(cgroup: &[u8]) -> Option<String> {
    const DIGITS: usize = 64;
    let parts = cgroup.split(|byte| !byte.is_ascii_alphanumeric());
    let mut numbers = parts.filter(|part| {
        part.len() == DIGITS
            && part
                .iter()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
    });
    let number = numbers.next()?;
    std::str::from_utf8(number).ok().map(str::to_owned)
}

#[cfg(test)]
#[path = "processes/tests.rs"]
mod tests;
