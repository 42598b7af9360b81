//! Processes, from /proc (proc(5)).

mod details;

pub use details::{Details, Program, boot_time};

use std::io;
use std::sync::LazyLock;

/// A process as it was when it was looked at. What takes longest to find out is found out when it is asked for.
#[derive(Debug)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it began, in clock ticks since boot: with the number, no other process of this boot has the same.
    pub start_time: u64,
    /// The process that it is a child of.
    pub parent: u32,
    /// Whose rights it has.
    pub uid: u32,
    /// What it calls itself, up to 15 bytes.
    pub comm: String,
    more: LazyLock<More, Box<dyn FnOnce() -> More + Send>>,
}

/// What it takes longer to find out of a process: whoever reads its memory may have to wait until it has a turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct More {
    /// Its name: what it calls itself, in full where the kernel cut it after 15 bytes.
    pub name: String,
    /// The path of its program; none where that may not be seen.
    pub exe: Option<String>,
    /// Its arguments, from its own name on.
    pub command_line: Vec<String>,
    /// The number of the container that it is in, by what its control group says, as far as people use it.
    pub container: Option<String>,
    /// The `lcap run` that began it or one of those that it descends from, by that one's number.
    pub run: Option<u32>,
}

impl Process {
    /// A process of which all is known.
    pub fn new(identity: Identity, more: More) -> Process {
        Process::later(identity, move |_| more)
    }

    /// A process of which more is found out when that is asked for.
    fn later(identity: Identity, more: impl FnOnce(Identity) -> More + Send + 'static) -> Process {
        Process {
            pid: identity.pid,
            start_time: identity.start_time,
            parent: identity.parent,
            uid: identity.uid,
            comm: identity.comm.clone(),
            more: LazyLock::new(Box::new(move || more(identity))),
        }
    }

    /// The rest of it. Whoever asks for that first finds it out, which takes a tenth of a millisecond, or longer where the process is busy.
    pub fn more(&self) -> &More {
        &self.more
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.more.name
    }

    /// Whether that is the same process, which may be another program by now.
    pub fn is_same(&self, other: &Process) -> bool {
        (self.pid, self.start_time) == (other.pid, other.start_time)
    }
}

/// All of it is compared.
impl PartialEq for Process {
    fn eq(&self, other: &Process) -> bool {
        let rest = |own: &Process| (own.parent, own.uid);
        self.is_same(other) && rest(self) == rest(other) && self.more() == other.more()
    }
}

impl Eq for Process {}

/// Who a process is: enough to know whether it is still the same, and the same program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its number.
    pub pid: u32,
    /// When it began, in clock ticks since boot.
    pub start_time: u64,
    /// The process that it is a child of.
    pub parent: u32,
    /// What it calls itself, up to 15 bytes.
    pub comm: String,
    /// Whose rights it has.
    pub uid: u32,
}

/// What `lcap run` puts its own number into, in the environment of what it runs.
pub const RUN: &str = "LCAP_RUN";

/// So many digits of a container's number are mostly shown.
const SHORT: usize = 12;
/// The kernel keeps this many bytes of a name.
const NAME: usize = 15;
/// Entries of a directory are asked for in pieces of so many bytes.
const ENTRIES: usize = 2 << 10;
/// Files in /proc are read in pieces of so many bytes: most are shorter, and read at once.
const PIECE: usize = 4 << 10;
/// No more of a file in /proc is read, in bytes, than this and what the last piece has beyond it.
const MOST: usize = 64 << 10;

/// A process that is held: as long as this exists its number means no other process, and once it has ended every question fails.
#[derive(Debug)]
pub struct Held {
    pid: u32,
    directory: std::os::fd::OwnedFd,
}

impl Held {
    /// Takes hold of a process, by its number; a thread's can be held too, and is no process when [asked](Held::identity).
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

    /// Whose rights it has: its directory is that user's (proc(5)). That of a process that has ended is root's.
    ///
    /// # Errors
    /// It may not be seen.
    pub fn uid(&self) -> io::Result<u32> {
        Ok(rustix::fs::fstat(&self.directory)?.st_uid)
    }

    /// Who it is now.
    ///
    /// # Errors
    /// It has ended, it is a thread, or /proc does not say what proc(5) says it does.
    pub fn identity(&self) -> io::Result<Identity> {
        let uid = self.uid()?;
        let text = self.read("stat")?;
        identity(&text, uid).ok_or_else(|| {
            let what = "/proc/PID/stat is not that of a process as in proc(5)";
            io::Error::new(io::ErrorKind::InvalidData, what)
        })
    }

    /// All that is to be known of it now.
    ///
    /// # Errors
    /// As [`identity`](Self::identity).
    pub fn describe(&self) -> io::Result<Process> {
        let identity = self.identity()?;
        let more = self.more(&identity);
        Ok(Process::new(identity, more))
    }

    /// The process of whom so much is known; it is held until more is asked for. Should it end before that, the rest stays unknown.
    pub fn describe_later(self, identity: Identity) -> Process {
        Process::later(identity, move |identity| self.more(&identity))
    }

    fn more(&self, identity: &Identity) -> More {
        let command_line = self.read("cmdline").unwrap_or_default();
        let mut command_line: Vec<String> = command_line
            .split(|&byte| byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        // The last word ends in a zero too.
        command_line.pop_if(|last| last.is_empty());
        let exe = rustix::fs::readlinkat(&self.directory, "exe", Vec::new())
            .ok()
            .map(|path| path.to_string_lossy().into_owned());
        let container = self.container().ok().flatten();
        More {
            name: whole_name(&identity.comm, exe.as_deref(), &command_line),
            exe,
            command_line,
            container: container.map(|number| number[..SHORT].to_owned()),
            run: self.run_or_parents(identity.parent),
        }
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
        let file = openat(&self.directory, name, flags, Mode::empty())?;
        let mut bytes = Vec::new();
        loop {
            bytes.reserve(PIECE);
            let room = bytes.capacity() - bytes.len();
            let read = rustix::io::read(&file, rustix::buffer::spare_capacity(&mut bytes))?;
            // The kernel gives as much as there is room for.
            if read < room || bytes.len() >= MOST {
                return Ok(bytes);
            }
        }
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

/// Where the kernel tells which number it gave away last in this process's namespace, to a process or a thread.
#[derive(Debug)]
pub struct LastPid(std::os::fd::OwnedFd);

impl LastPid {
    /// Opens it.
    ///
    /// # Errors
    /// The kernel does not tell (it was made without CONFIG_CHECKPOINT_RESTORE).
    pub fn open() -> io::Result<LastPid> {
        use rustix::fs::{Mode, OFlags, open};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = open("/proc/sys/kernel/ns_last_pid", flags, Mode::empty())?;
        Ok(LastPid(file))
    }

    /// The number.
    pub fn get(&self) -> Option<u32> {
        let mut text = [0; 16];
        let len = rustix::io::pread(&self.0, &mut text, 0).ok()?;
        str::from_utf8(&text[..len]).ok()?.trim().parse().ok()
    }
}

/// `4121 (a name) S 4100 …`: the name may have spaces and parentheses in it, and ends at the last one. None of a thread.
fn identity(stat: &[u8], uid: u32) -> Option<Identity> {
    let open = stat.iter().position(|&byte| byte == b'(')?;
    let close = stat.iter().rposition(|&byte| byte == b')')?;
    let name = stat.get(open + 1..close)?;
    // The state is the third field of all, so the parent is the fourth and the start the 22nd.
    let mut fields = str::from_utf8(&stat[close + 1..])
        .ok()?
        .split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let start_time = fields.nth(17)?.parse().ok()?;
    // The 38th is the signal that the parent gets at the end; a thread has none. A number may have become a thread's.
    let exit_signal: i32 = fields.nth(15)?.parse().ok()?;
    if exit_signal < 0 {
        return None;
    }
    Some(Identity {
        pid: str::from_utf8(&stat[..open]).ok()?.trim().parse().ok()?,
        start_time,
        parent,
        comm: String::from_utf8_lossy(name).into_owned(),
        uid,
    })
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
fn whole_name(comm: &str, exe: Option<&str>, command_line: &[String]) -> String {
    if comm.len() < NAME {
        return comm.to_owned();
    }
    let candidates = exe
        .into_iter()
        .chain(command_line.first().map(String::as_str));
    let mut files =
        candidates.filter_map(|path| path.trim_end_matches(" (deleted)").rsplit('/').next());
    let whole = files.find(|file| file.starts_with(comm));
    whole.unwrap_or(comm).to_owned()
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
