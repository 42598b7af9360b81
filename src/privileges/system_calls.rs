//! The system calls that remain permitted while lcap processes packets (syscalls(2)).

use std::io;

#[cfg(target_endian = "little")]
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// Calls of both processes: memory, threads, time, and descriptors that are open.
const COMMON: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getpriority,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    // Priority and time slice of the threads of attribution.
    libc::SYS_sched_setattr,
    libc::SYS_sched_yield,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_write,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];

/// Calls that read files and directories: Landlock or permissions select which.
const READ_FILES: &[libc::c_long] = &[
    libc::SYS_getdents64,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_readlinkat,
    libc::SYS_statx,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
];

/// Calls of the process that decodes packets.
const DECODE: &[libc::c_long] = &[
    // Output files: next files of a rotation, files of streams.
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fdatasync,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_openat2,
    libc::SYS_pwrite64,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    // Standard output: owners of flows print while a thread holds it.
    libc::SYS_dup,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    // Terminal size, and names of devices.
    libc::SYS_ioctl,
    // Counters and filters of the ring.
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_recvmsg,
    // Memory use, and users, for messages.
    libc::SYS_geteuid,
    libc::SYS_getuid,
    libc::SYS_getrusage,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    // The command of `lcap run`: its exit, and signals for it.
    libc::SYS_getpgid,
    libc::SYS_pidfd_send_signal,
    libc::SYS_wait4,
    libc::SYS_waitid,
];

/// Calls of the process that looks up processes.
const LOOK_UP: &[libc::c_long] = &[
    libc::SYS_eventfd2,
    libc::SYS_pidfd_open,
    libc::SYS_pipe2,
    libc::SYS_prctl,
];

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
    let own = match set {
        CallSet::Decode => DECODE,
        CallSet::LookUp => LOOK_UP,
    };
    permit_only([COMMON, READ_FILES, own].concat())
}

#[cfg(target_endian = "little")]
fn permit_only(calls: Vec<libc::c_long>) -> io::Result<()> {
    let unsupported = |error| io::Error::new(io::ErrorKind::Unsupported, error);
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(unsupported)?;
    let rules = calls.into_iter().map(|call| (call, Vec::new())).collect();
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

/// Always fails: seccompiler supports only little-endian processors.
#[cfg(target_endian = "big")]
fn permit_only(_calls: Vec<libc::c_long>) -> io::Result<()> {
    let reason = "seccomp filters are not supported on big-endian processors";
    Err(io::Error::new(io::ErrorKind::Unsupported, reason))
}
