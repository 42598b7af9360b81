//! The system calls that remain permitted while lcap processes packets (syscalls(2)).

#[cfg(target_endian = "little")]
use std::collections::BTreeMap;
use std::io;

#[cfg(target_endian = "little")]
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// Calls of both processes: memory, threads, time, and descriptors that are open.
const COMMON: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    // Raises the priority of the threads of attribution.
    libc::SYS_getpriority,
    libc::SYS_getrandom,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_ppoll,
    // Names of threads.
    libc::SYS_prctl,
    libc::SYS_read,
    libc::SYS_recvfrom,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    // Priority and time slice of the threads of attribution.
    libc::SYS_sched_setattr,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    // rustix panics if one of these fails, which they never do otherwise.
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    // Not called on every machine: locks under contention, a stop and continue of the process,
    // abort(3), clocks without a vDSO, and C libraries other than the current glibc.
    libc::SYS_clone,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    libc::SYS_tgkill,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];

/// Calls that read files and directories: Landlock or permissions select which.
const READ_FILES: &[libc::c_long] = &[
    libc::SYS_getdents64,
    libc::SYS_newfstatat,
    libc::SYS_readlinkat,
    libc::SYS_statx,
    // C libraries other than the current glibc.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
];

/// Calls of the process that decodes packets.
const DECODE: &[libc::c_long] = &[
    // Output files: next files of a rotation, files of streams.
    libc::SYS_fchown,
    libc::SYS_ftruncate,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_unlinkat,
    // Counters and filters of the ring, and the device of a socket.
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    // The command of `lcap run`: its exit, and signals for it.
    libc::SYS_getpgid,
    libc::SYS_pidfd_send_signal,
    libc::SYS_wait4,
];

/// Calls of the process that looks up processes.
const LOOK_UP: &[libc::c_long] = &[
    libc::SYS_capget,
    libc::SYS_pidfd_open,
    libc::SYS_pipe2,
    libc::SYS_pread64,
];

/// A comparison of an argument of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    /// None of the bits is set.
    Without,
}

/// A condition of a call: the number of an argument, and what it is compared with.
type Condition = (u8, Comparison, u64);
type ConditionalCall = (libc::c_long, &'static [Condition]);

/// Calls of the process that decodes packets which are permitted only under all these conditions.
const DECODE_IF: &[ConditionalCall] = &[
    // The number of BPF events that were lost.
    (
        libc::SYS_bpf,
        &[(0, Comparison::Equal, BPF_MAP_LOOKUP_ELEM)],
    ),
    // The size of the terminal, but no input in the name of its user (ioctl_tty(2)).
    (
        libc::SYS_ioctl,
        &[
            (1, Comparison::Unequal, libc::TIOCSTI),
            (1, Comparison::Unequal, libc::TIOCLINUX),
        ],
    ),
];

/// Flags of open(2) with which files are written or created.
const WRITE_FLAGS: u64 =
    (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC).cast_unsigned() as u64;

/// Calls of the process that looks up processes which are permitted only under these conditions.
const LOOK_UP_IF: &[ConditionalCall] = &[
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, &[(1, Comparison::Without, WRITE_FLAGS)]),
    (libc::SYS_openat, &[(2, Comparison::Without, WRITE_FLAGS)]),
];

/// The command of bpf(2) that reads from a map.
const BPF_MAP_LOOKUP_ELEM: u64 = 1;

/// A set of permitted calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallSet {
    Decode,
    LookUp,
}

/// Permits only the calls of a set, for all threads of this process. Others fail with EPERM, so
/// that an unforeseen call of a library does not end a capture.
///
/// # Errors
/// The kernel or the processor architecture does not support filters.
pub(super) fn restrict(set: CallSet) -> io::Result<()> {
    let (own, conditional) = match set {
        CallSet::Decode => (DECODE, DECODE_IF),
        CallSet::LookUp => (LOOK_UP, LOOK_UP_IF),
    };
    permit_only([COMMON, READ_FILES, own].concat(), conditional)
}

#[cfg(target_endian = "little")]
fn permit_only(calls: Vec<libc::c_long>, conditional: &[ConditionalCall]) -> io::Result<()> {
    let unsupported = |error| io::Error::new(io::ErrorKind::Unsupported, error);
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(unsupported)?;
    let mut rules: BTreeMap<_, _> = calls.into_iter().map(|call| (call, Vec::new())).collect();
    for (call, conditions) in conditional {
        rules.insert(*call, vec![rule(conditions).map_err(io::Error::other)?]);
    }
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Errno(libc::EPERM as u32),
        SeccompAction::Allow,
        arch,
    );
    let program: BpfProgram = filter
        .and_then(BpfProgram::try_from)
        .map_err(io::Error::other)?;
    seccompiler::apply_filter_all_threads(&program).map_err(io::Error::other)
}

#[cfg(target_endian = "little")]
fn rule(conditions: &[Condition]) -> Result<SeccompRule, BackendError> {
    let conditions = conditions.iter().map(|(argument, comparison, value)| {
        let (operator, value) = match comparison {
            Comparison::Equal => (SeccompCmpOp::Eq, *value),
            Comparison::Unequal => (SeccompCmpOp::Ne, *value),
            Comparison::Without => (SeccompCmpOp::MaskedEq(*value), 0),
        };
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, operator, value)
    });
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

/// Always fails: seccompiler supports only little-endian processors.
#[cfg(target_endian = "big")]
fn permit_only(_calls: Vec<libc::c_long>, _conditional: &[ConditionalCall]) -> io::Result<()> {
    let reason = "seccomp filters are not supported on big-endian processors";
    Err(io::Error::new(io::ErrorKind::Unsupported, reason))
}
