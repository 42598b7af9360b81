//! What the kernel itself says of TCP connections: who asked for one, who read from it, and who let go of it (bpf(2)).
//!
//! Programs in the kernel see each change of state and each read (`connections.bpf.c` beside this file says which of them
//! tell of a process). They want CAP_BPF and CAP_PERFMON, or root, and a kernel that has its own type information; where it cannot be
//! loaded there are other ways to find out, and the error says why. Nothing but it knows a client that is refused, or that writes and is gone.
//!
//! The end of an accept(2) is not looked at: whatever looks at one system call slows all of them down.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A process as the kernel describes it while it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its number.
    pub pid: u32,
    /// The process that it is a child of.
    pub parent: u32,
    /// When it began, in clock ticks since boot, as /proc/PID/stat has it.
    pub start_time: u64,
    /// The same in nanoseconds: a number that is used again at once is another process.
    pub started: u64,
    /// Whose rights it has.
    pub uid: u32,
    /// The first 15 bytes of its name.
    pub name: String,
}

/// A change of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub what: What,
    /// Of CLOCK_MONOTONIC: when it was asked for; when it was read from or let go of, where that is what happened.
    pub asked: Duration,
    /// Of CLOCK_MONOTONIC: when this happened. The SYN was between the two.
    pub time: Duration,
    /// The end that this is about.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// Who did that.
    pub task: Task,
}

/// What happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It was asked for, and has an answer.
    Answered,
    /// It was asked for, and refused or given up.
    Ended,
    /// Who had it last closed it, shut it down or ended.
    LetGo,
    /// A process has read from it that did not ask for it and was not the last to read.
    Read,
}

pub use linux::Connections;

/// The length of `struct event`, in bytes.
const EVENT: usize = 96;
/// A hundredth of a second, which /proc counts in, in nanoseconds.
const CLOCK_TICK: u64 = 10_000_000;
const AF_INET: u16 = 2;

//   0       8      16      24    28       32    36  40     56      72       88           90            92       94     96
//   | asked | time | start | pid | parent | uid | – | comm | local | remote | local port | remote port | family | what |
fn change(bytes: &[u8]) -> Option<Change> {
    let bytes: &[u8; EVENT] = bytes.try_into().ok()?;
    let long = |at: usize| u64::from_ne_bytes(std::array::from_fn(|byte| bytes[at + byte]));
    let word = |at: usize| u32::from_ne_bytes(std::array::from_fn(|byte| bytes[at + byte]));
    let short = |at: usize| u16::from_ne_bytes(std::array::from_fn(|byte| bytes[at + byte]));
    let end = |address: usize, port: usize| {
        let octets: [u8; 16] = std::array::from_fn(|byte| bytes[address + byte]);
        let ip = match (short(92), octets) {
            (AF_INET, [a, b, c, d, ..]) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            _ => IpAddr::V6(Ipv6Addr::from(octets)),
        };
        SocketAddr::new(
            ip.to_canonical(),
            u16::from_be_bytes([bytes[port], bytes[port + 1]]),
        )
    };
    let name = bytes[40..56].split(|&byte| byte == 0).next()?;
    Some(Change {
        what: match short(94) {
            1 => What::Answered,
            2 => What::Ended,
            3 => What::LetGo,
            4 => What::Read,
            _ => return None,
        },
        asked: Duration::from_nanos(long(0)),
        time: Duration::from_nanos(long(8)),
        local: end(56, 88),
        remote: end(72, 90),
        task: Task {
            pid: word(24),
            parent: word(28),
            start_time: long(16) / CLOCK_TICK,
            started: long(16),
            uid: word(32),
            name: String::from_utf8_lossy(name).into_owned(),
        },
    })
}

mod linux {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd};

    use aya::maps::{Array, MapData, RingBuf};
    use aya::programs::BtfTracePoint;
    use aya::{Btf, Ebpf, EbpfLoader};

    use super::Change;

    /// Built from `connections.bpf.c` by tests/bpf.
    static PROGRAM: &[u8] = aya::include_bytes_aligned!("connections/connections.bpf.o");
    /// Its parts, and where each is run.
    const PROGRAMS: [(&str, &str); 4] = [
        ("acts", "inet_sock_set_state"),
        ("answers", "inet_sock_set_state"),
        ("answers_too", "inet_sock_set_state"),
        ("reads", "tcp_rcv_space_adjust"),
    ];
    /// The number of the first namespace of process numbers (`PROC_PID_INIT_INO` of linux/proc_ns.h).
    const FIRST_PIDS: u64 = 0xefff_fffc;

    /// Tells of connections of one network namespace while it exists.
    pub struct Connections {
        events: RingBuf<MapData>,
        lost: Array<MapData, u64>,
        /// Has the program stay in the kernel.
        _program: Ebpf,
    }

    impl std::fmt::Debug for Connections {
        fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            f.write_str("Connections")
        }
    }

    impl Connections {
        /// Begins to be told of the connections of this thread's network namespace.
        ///
        /// # Errors
        /// The kernel has no BPF for that or does not permit it, or this process counts processes otherwise than the kernel does.
        pub fn open() -> io::Result<Connections> {
            // This machine's own numbers would be somebody else's in here.
            if inode("/proc/self/ns/pid")? != FIRST_PIDS {
                return Err(io::Error::other("lcap is in a namespace of processes"));
            }
            let namespace = inode("/proc/thread-self/ns/net")? as u32;
            let types = Btf::from_sys_fs().map_err(reason)?;
            let mut program = EbpfLoader::new()
                .btf(Some(&types))
                .override_global("NETNS", &namespace, true)
                .load(PROGRAM)
                .map_err(reason)?;
            let missing = || io::Error::from(io::ErrorKind::NotFound);
            for (name, tracepoint) in PROGRAMS {
                let part = program.program_mut(name).ok_or_else(missing)?;
                let part: &mut BtfTracePoint = part.try_into().map_err(reason)?;
                part.load(tracepoint, &types).map_err(reason)?;
                part.attach().map_err(reason)?;
            }
            let mut map = |name| program.take_map(name).ok_or_else(missing);
            Ok(Connections {
                events: RingBuf::try_from(map("EVENTS")?).map_err(reason)?,
                lost: Array::try_from(map("LOST")?).map_err(reason)?,
                _program: program,
            })
        }

        /// Readable when there is a change that was not told yet.
        pub fn fd(&self) -> BorrowedFd<'_> {
            self.events.as_fd()
        }

        /// The next change, if there is one by now.
        pub fn take(&mut self) -> Option<Change> {
            loop {
                if let Some(change) = super::change(&self.events.next()?) {
                    return Some(change);
                }
            }
        }

        /// How many changes there was no room to tell of.
        pub fn lost(&self) -> u64 {
            self.lost.get(&0, 0).unwrap_or_default()
        }
    }

    fn inode(path: &str) -> io::Result<u64> {
        Ok(rustix::fs::stat(path)?.st_ino)
    }

    /// The innermost reason, which is the kernel's.
    fn reason(error: impl std::error::Error + 'static) -> io::Error {
        let mut innermost: &dyn std::error::Error = &error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        io::Error::other(innermost.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the program in the kernel writes it.
    fn event(family: u16, local: &[u8], what: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(7_u64.to_ne_bytes());
        bytes.extend(9_u64.to_ne_bytes());
        bytes.extend(123_456_789_012_u64.to_ne_bytes());
        for word in [4121_u32, 4100, 1000, 0] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(b"curl\0garbage\0\0\0\0");
        bytes.extend(local);
        bytes.resize(72, 0);
        bytes.extend([127, 0, 0, 1]);
        bytes.resize(88, 0);
        bytes.extend([0x1f, 0x90, 0, 80]);
        bytes.extend(family.to_ne_bytes());
        bytes.extend(what.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_change_is_read_as_it_was_written() {
        let read = change(&event(2, &[127, 0, 0, 2], 1)).expect("a change");
        let task = Task {
            pid: 4121,
            parent: 4100,
            start_time: 12345,
            started: 123_456_789_012,
            uid: 1000,
            name: "curl".into(),
        };
        assert_eq!(read.task, task);
        assert_eq!(
            (read.what, read.asked.as_nanos(), read.time.as_nanos()),
            (What::Answered, 7, 9)
        );
        assert_eq!(read.local.to_string(), "127.0.0.2:8080");
        assert_eq!(read.remote.to_string(), "127.0.0.1:80");
        // A socket for both families.
        let mapped = Ipv4Addr::new(127, 0, 0, 3).to_ipv6_mapped().octets();
        let read = change(&event(10, &mapped, 3)).expect("a change");
        assert_eq!(read.what, What::LetGo);
        assert_eq!(read.local.to_string(), "127.0.0.3:8080");
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        assert_eq!(change(&event(2, &[], 9)), None);
        let whole = event(2, &[], 2);
        for len in 0..whole.len() {
            assert_eq!(change(&whole[..len]), None);
        }
    }
}
