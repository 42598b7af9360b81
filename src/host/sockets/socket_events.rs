//! Socket events from BPF programs (bpf(2)): the processes that open, use and close TCP
//! connections, and those that send and receive UDP datagrams.
//!
//! `socket_events.bpf.c` describes the kernel's tracepoints and which process each event
//! identifies. Loading the programs requires CAP_BPF and CAP_PERFMON, or root, and a kernel from
//! 6.1 that provides its type information (BTF). If loading fails, the error contains the reason,
//! and attribution falls back to lookups. Lookups cannot identify a client whose connection is
//! refused, or a client that writes and exits.
//!
//! System calls themselves are not traced: tracing one system call slows down all system calls.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use aya::maps::{Array, MapData, RingBuf};
use aya::programs::BtfTracePoint;
use aya::{Btf, Ebpf, EbpfLoader};

use super::decode_ip;
use crate::host::processes::run_root::RunRoot;
use crate::host::processes::{INITIAL_PID_NAMESPACE_INODE, boot_time_offset, namespace_inode};
use crate::packet::Timestamp;
use crate::privileges::{self, LOAD_BPF};
use crate::process::{RunMembership, name_from_bytes};

/// A process at the time of an event, as described by the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskInfo {
    /// The PID.
    pub pid: u32,
    /// The PID of the parent process.
    pub parent: u32,
    /// Start time in clock ticks since boot, as in /proc/PID/stat.
    pub start_time: u64,
    /// Start time in nanoseconds since boot: distinguishes processes if a PID is reused
    /// immediately.
    pub start_time_ns: u64,
    /// The address of the arguments, which changes when the process executes another program
    /// (field 48 of /proc/PID/stat).
    pub arg_start: u64,
    /// The user ID.
    pub uid: u32,
    /// The name, at most 15 bytes.
    pub name: String,
    /// The relation to the command of `lcap run`.
    pub run: RunMembership,
}

/// An event of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketEvent {
    /// The kind of the event.
    pub kind: SocketEventKind,
    /// The time of the connect(2) for its results; for the use of a connection, the time when
    /// another process used it last. Absent if there was none, and for datagrams.
    pub since: Timestamp,
    /// The time of the event; for a datagram that was sent, the time of its packet in a capture.
    /// The SYN of a connect(2) was sent between `since` and this time.
    pub time: Timestamp,
    /// The local address of the socket.
    pub local: SocketAddr,
    /// The remote address of the socket; unspecified for the receiver of a datagram whose socket is
    /// not connected.
    pub remote: SocketAddr,
    /// The length of a received datagram, in bytes.
    pub len: u32,
    /// True if the socket is in another network namespace.
    pub is_foreign: bool,
    /// The process that caused the event.
    pub task: TaskInfo,
}

/// The network namespaces whose TCP connections are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamespaceScope {
    /// The namespace of the calling thread: the loopback device carries only its packets.
    Own,
    /// All namespaces: a bridge carries packets of the containers that are connected to it.
    All,
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketEventKind {
    /// The peer answered a connect(2).
    Connected,
    /// A connect(2) was refused or abandoned.
    ConnectFailed,
    /// The TCP socket was closed or shut down by the last process that had it open, or that process
    /// exited.
    Closed,
    /// A process read from a TCP connection that another process, or none, used before.
    Read,
    /// A process wrote to a TCP connection that another process, or none, used before.
    Written,
    /// A process sent a UDP datagram, from the local to the remote address.
    DatagramSent,
    /// A process received a UDP datagram.
    DatagramReceived,
}

/// The length of `struct event`, in bytes.
const EVENT_LEN: usize = 112;
/// The clock tick of /proc, 1/100 s, in nanoseconds.
const CLOCK_TICK_NS: u64 = 10_000_000;

// The fields by offset, in bytes:
//    0  since | time
//   16  start time | address of the arguments
//   32  pid | parent | uid | relation to the command of `lcap run`
//   48  comm
//   64  local address
//   80  remote address
//   96  local port | remote port | family | kind | length | is foreign
pub(in crate::host) fn parse_event(
    bytes: &[u8],
    tai_offset: i64,
    run_root: u32,
) -> Option<SocketEvent> {
    let bytes: &[u8; EVENT_LEN] = bytes.try_into().ok()?;
    let long = |at: usize| u64::from_ne_bytes(std::array::from_fn(|byte| bytes[at + byte]));
    let word = |at: usize| u32::from_ne_bytes(std::array::from_fn(|byte| bytes[at + byte]));
    let short = |at: usize| u16::from_ne_bytes(std::array::from_fn(|byte| bytes[at + byte]));
    let socket_address = |address: usize, port: usize| {
        let octets: [u8; 16] = std::array::from_fn(|byte| bytes[address + byte]);
        let ip = decode_ip(short(100) as u8, octets).to_canonical();
        SocketAddr::new(ip, u16::from_be_bytes([bytes[port], bytes[port + 1]]))
    };
    let kind = match short(102) {
        1 => SocketEventKind::Connected,
        2 => SocketEventKind::ConnectFailed,
        3 => SocketEventKind::Closed,
        4 => SocketEventKind::Read,
        5 => SocketEventKind::Written,
        6 => SocketEventKind::DatagramSent,
        7 => SocketEventKind::DatagramReceived,
        _ => return None,
    };
    let time = |at: usize| match (long(at) as i64, kind) {
        (0, _) => Timestamp::ABSENT,
        (realtime, SocketEventKind::DatagramSent) => Timestamp(realtime),
        (tai, _) => Timestamp(tai.saturating_sub(tai_offset)),
    };
    let name = bytes[48..64].split(|&byte| byte == 0).next()?;
    Some(SocketEvent {
        kind,
        since: time(0),
        time: time(8),
        local: socket_address(64, 96),
        remote: socket_address(80, 98),
        len: word(104),
        is_foreign: word(108) != 0,
        task: TaskInfo {
            pid: word(32),
            parent: word(36),
            start_time: long(16) / CLOCK_TICK_NS,
            start_time_ns: long(16),
            arg_start: long(24),
            uid: word(40),
            name: name_from_bytes(name),
            run: match word(44) {
                0 => RunMembership::Other,
                1 => RunMembership::Member { root: run_root },
                _ => RunMembership::Unknown,
            },
        },
    })
}

/// Returns the offset from the clock of packet timestamps, CLOCK_REALTIME, to CLOCK_TAI, in
/// nanoseconds: a number of leap seconds, usually 0 or 37 s.
fn tai_offset() -> i64 {
    use rustix::time::{ClockId, DynamicClockId, clock_gettime, clock_gettime_dynamic};
    let offset = || {
        let realtime = clock_gettime(ClockId::Realtime).tv_sec;
        let tai = clock_gettime_dynamic(DynamicClockId::Tai);
        tai.map_or(0, |tai| tai.tv_sec - realtime)
    };
    // A second can begin between the two queries.
    [offset(), offset(), offset()]
        .into_iter()
        .min()
        .unwrap_or_default()
        * 1_000_000_000
}

/// The object file that tests/bpf compiles from `socket_events.bpf.c`.
static BPF_OBJECT: &[u8] = aya::include_bytes_aligned!("socket_events/socket_events.bpf.o");
/// The BPF programs in the object file, each with its tracepoint.
const PROGRAM_TRACEPOINTS: [(&str, &str); 5] = [
    ("state_change", "inet_sock_set_state"),
    ("connect_result", "inet_sock_set_state"),
    ("connect_nested", "inet_sock_set_state"),
    ("datagram_begins", "net_dev_start_xmit"),
    ("datagram_sent", "netif_rx"),
];
/// The programs for uses of sockets, which require Linux 6.3.
const USE_TRACEPOINTS: [(&str, &str); 2] = [
    ("data_sent", "sock_send_length"),
    ("data_received", "sock_recv_length"),
];
/// The program for reads from TCP connections on earlier kernels.
const READ_TRACEPOINT: (&str, &str) = ("data_read", "tcp_rcv_space_adjust");

/// Attached BPF programs, which report socket events until dropped.
pub struct SocketEvents {
    events: RingBuf<MapData>,
    lost: Array<MapData, u64>,
    /// Offset of the clock of most events, in nanoseconds.
    tai_offset: i64,
    /// Offset of the boot time in this process's time namespace, in nanoseconds.
    boot_offset: i64,
    /// The PID of the ancestor of the processes of the command; 0 if there is no command.
    run_root: u32,
    /// Keeps the programs loaded and attached.
    _programs: Ebpf,
}

impl std::fmt::Debug for SocketEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("SocketEvents")
    }
}

impl SocketEvents {
    /// Loads and attaches the programs. The events report which processes belong to the command of
    /// `lcap run`, if there is one.
    ///
    /// # Errors
    /// The kernel does not support or does not permit the programs, or this process is not in the
    /// initial PID namespace, which the PIDs in the events refer to.
    pub fn open(scope: NamespaceScope, run: Option<RunRoot>) -> io::Result<SocketEvents> {
        privileges::raised(LOAD_BPF, || SocketEvents::load(scope, run))
    }

    fn load(scope: NamespaceScope, run: Option<RunRoot>) -> io::Result<SocketEvents> {
        // The events contain PIDs of the initial namespace; in another namespace, these PIDs refer
        // to different processes.
        if namespace_inode("pid")? != INITIAL_PID_NAMESPACE_INODE {
            return Err(io::Error::other(
                "lcap runs in a PID namespace other than the initial one, e.g. in a container",
            ));
        }
        let namespace = namespace_inode("net")? as u32;
        let all_namespaces = u32::from(scope == NamespaceScope::All);
        let run_root = run.map_or(0, |run| run.pid);
        let types = Btf::from_sys_fs().map_err(innermost_error)?;
        let mut programs = EbpfLoader::new()
            .btf(Some(&types))
            .override_global("NETNS", &namespace, true)
            .override_global("ALL_NAMESPACES", &all_namespaces, true)
            .override_global("RUN_ROOT", &run_root, true)
            .load(BPF_OBJECT)
            .map_err(innermost_error)?;
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let mut attach = |(name, tracepoint): (&str, &str)| -> io::Result<()> {
            let program = programs.program_mut(name).ok_or_else(missing)?;
            let program: &mut BtfTracePoint = program.try_into().map_err(innermost_error)?;
            program.load(tracepoint, &types).map_err(innermost_error)?;
            program.attach().map_err(innermost_error)?;
            Ok(())
        };
        PROGRAM_TRACEPOINTS.into_iter().try_for_each(&mut attach)?;
        if USE_TRACEPOINTS
            .into_iter()
            .try_for_each(&mut attach)
            .is_err()
        {
            attach(READ_TRACEPOINT)?;
        }
        let mut map = |name| programs.take_map(name).ok_or_else(missing);
        Ok(SocketEvents {
            events: RingBuf::try_from(map("EVENTS")?).map_err(innermost_error)?,
            lost: Array::try_from(map("LOST")?).map_err(innermost_error)?,
            tai_offset: tai_offset(),
            boot_offset: boot_time_offset(),
            run_root,
            _programs: programs,
        })
    }

    /// Returns the descriptor, which is readable while an event is pending.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    /// Returns the next pending event, without waiting.
    pub fn try_recv(&mut self) -> Option<SocketEvent> {
        loop {
            let bytes = self.events.next()?;
            if let Some(mut event) = parse_event(&bytes, self.tai_offset, self.run_root) {
                let task = &mut event.task;
                let start_time = task.start_time_ns.wrapping_add_signed(self.boot_offset);
                task.start_time = start_time / CLOCK_TICK_NS;
                return Some(event);
            }
        }
    }

    /// Returns the number of events that were lost because a buffer was full.
    pub fn lost(&self) -> u64 {
        self.lost.get(&0, 0).unwrap_or_default()
    }
}

/// Returns the innermost source of an error: usually the kernel's error.
fn innermost_error(error: impl std::error::Error + 'static) -> io::Error {
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    io::Error::other(innermost.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    /// Encodes an event as the BPF programs do.
    fn encode_event(family: u16, local: &[u8], kind: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        for long in [37_000_000_007_u64, 37_000_000_009, 123_456_789_012, 4096] {
            bytes.extend(long.to_ne_bytes());
        }
        for word in [4121_u32, 4100, 1000, 1] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(b"curl\0garbage\0\0\0\0");
        bytes.extend(local);
        bytes.resize(80, 0);
        bytes.extend([127, 0, 0, 1]);
        bytes.resize(96, 0);
        bytes.extend([0x1f, 0x90, 0, 80]);
        bytes.extend(family.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(512_u32.to_ne_bytes());
        bytes.extend(1_u32.to_ne_bytes());
        bytes
    }

    #[test]
    fn event_is_parsed_from_the_layout_of_the_bpf_programs() {
        let offset = 37_000_000_000;
        let event =
            parse_event(&encode_event(2, &[127, 0, 0, 2], 1), offset, 4000).expect("an event");
        let task = TaskInfo {
            pid: 4121,
            parent: 4100,
            start_time: 12345,
            start_time_ns: 123_456_789_012,
            arg_start: 4096,
            uid: 1000,
            name: "curl".into(),
            run: RunMembership::Member { root: 4000 },
        };
        assert_eq!(event.task, task);
        assert_eq!(event.kind, SocketEventKind::Connected);
        assert!(event.is_foreign);
        let times = (event.since, event.time, event.len);
        assert_eq!(times, (Timestamp(7), Timestamp(9), 512));
        assert_eq!(event.local.to_string(), "127.0.0.2:8080");
        assert_eq!(event.remote.to_string(), "127.0.0.1:80");
        // A dual-stack socket uses an IPv4-mapped address.
        let mapped = Ipv4Addr::new(127, 0, 0, 3).to_ipv6_mapped().octets();
        let event = parse_event(&encode_event(10, &mapped, 6), offset, 4000).expect("an event");
        assert_eq!(event.kind, SocketEventKind::DatagramSent);
        assert_eq!(event.time, Timestamp(37_000_000_009));
        assert_eq!(event.local.to_string(), "127.0.0.3:8080");
    }

    #[test]
    fn membership_is_parsed() {
        for (number, expected) in [
            (0_u32, RunMembership::Other),
            (1, RunMembership::Member { root: 4000 }),
            (2, RunMembership::Unknown),
        ] {
            let mut bytes = encode_event(2, &[127, 0, 0, 2], 1);
            bytes[44..48].copy_from_slice(&number.to_ne_bytes());
            let event = parse_event(&bytes, 0, 4000).expect("an event");
            assert_eq!(event.task.run, expected);
        }
    }

    #[test]
    fn unknown_and_truncated_events_are_ignored() {
        assert_eq!(parse_event(&encode_event(2, &[], 9), 0, 0), None);
        let whole = encode_event(2, &[], 2);
        for len in 0..whole.len() {
            assert_eq!(parse_event(&whole[..len], 0, 0), None);
        }
    }
}
