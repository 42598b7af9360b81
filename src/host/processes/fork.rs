//! A child process that runs a part of this program.
#![allow(unsafe_code)] // fork(2) is not safe in general.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};

/// Signals that users and service managers send to a program to end or control it. They concern
/// the parent, whose end the child notices.
const IGNORED_SIGNALS: [i32; 7] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGPIPE,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

/// Exit status of a child that failed or panicked.
const EXIT_FAILURE: i32 = 1;

/// Starts a child process with this name (PR_SET_NAME(2const)) that runs `main` and exits. It has
/// all descriptors of the parent except `parents` and standard input, output and error, and the
/// kernel ends it with its parent.
///
/// # Errors
/// This process has other threads, which may hold locks that the child would wait for, or the limit
/// on processes is reached.
pub fn fork_child(
    name: &CStr,
    parents: BorrowedFd,
    main: impl FnOnce() -> io::Result<()>,
) -> io::Result<Pid> {
    let threads = std::fs::read_dir("/proc/self/task").map_err(|error| {
        let what = format!("cannot read /proc/self/task: {error}; mount /proc");
        io::Error::new(error.kind(), what)
    })?;
    if threads.count() > 1 {
        return Err(io::Error::other("other threads are already running"));
    }
    let parent = getpid();
    let null = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    // SAFETY: this process has one thread, so that the child has the whole state of the program.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let run = || {
                set_parent_process_death_signal(Some(Signal::KILL))?;
                if getppid() != Some(parent) {
                    return Ok(());
                }
                rustix::thread::set_name(name)?;
                // SAFETY: its owner is a variable of the parent, whose copy is never dropped.
                unsafe { libc::close(parents.as_raw_fd()) };
                for signal in IGNORED_SIGNALS {
                    // SAFETY: no handler is installed.
                    unsafe { libc::signal(signal, libc::SIG_IGN) };
                }
                rustix::stdio::dup2_stdin(&null)?;
                rustix::stdio::dup2_stdout(&null)?;
                rustix::stdio::dup2_stderr(&null)?;
                main()
            };
            let code = match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok(())) => 0,
                _ => EXIT_FAILURE,
            };
            // SAFETY: the functions that the parent registered for its exit are not called.
            unsafe { libc::_exit(code) }
        }
        pid => Pid::from_raw(pid).ok_or_else(|| io::ErrorKind::Other.into()),
    }
}
