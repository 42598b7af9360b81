//! Command of `lcap run`: started once packets are captured, signalled, and waited for.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getpgid, pidfd_open, pidfd_send_signal, wait,
};

use super::args::{Cli, RunArgs};
use super::report;
use super::usage_error;
use crate::error::{Error, Result};
use crate::host::network::interfaces;
use crate::host::processes::descriptors;
use crate::source::Stop;

/// Command to run.
#[derive(Debug, Clone)]
pub(super) struct ChildCommand {
    argv: Vec<OsString>,
    /// True if the command runs on an isolated loopback (`--private`).
    pub(super) is_private: bool,
}

/// The process of the command, shared by the thread that waits for it and the signal handler.
#[derive(Debug)]
pub(super) struct ChildProcess {
    pid: Pid,
    /// Never refers to another process; `None` before Linux 5.3.
    descriptor: Option<OwnedFd>,
}

/// Sender of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalSender {
    /// The kernel, e.g. on Ctrl-C: it signals all processes of the terminal's foreground group.
    Kernel,
    /// A process.
    Process,
}

/// The exit of a command that was started.
pub(super) struct ChildExit(Receiver<u8>);

/// Exit code of a command that cannot be run, as in shells (POSIX, XCU 2.8.2).
const EXIT_CANNOT_RUN: u8 = 127;

/// Returns the exit code for a signal that terminated a process, as in shells.
pub(super) fn exit_code_of_signal(signal: i32) -> u8 {
    const EXIT_SIGNAL_BASE: i32 = 128;
    (EXIT_SIGNAL_BASE + signal) as u8
}

/// Removes `--` and the command after it from the arguments of `lcap run`, so that clap does not
/// parse them.
pub(super) fn split_off_command(args: &mut Vec<OsString>) -> Option<ChildCommand> {
    let is_run = args.get(1).is_some_and(|arg| arg == "run");
    let separator = args.iter().position(|arg| arg == "--").filter(|_| is_run)?;
    let argv = args.split_off(separator).split_off(1);
    Some(ChildCommand {
        argv,
        is_private: false,
    })
}

/// Parses the arguments between `run` and `--` as an lcap command line, and sets `is_private`.
/// With `--private`, first replaces this process with one inside new namespaces, and returns only
/// if that fails.
pub(super) fn prepare(run: &RunArgs, command: Option<ChildCommand>) -> Result<(Cli, ChildCommand)> {
    let Some(mut command) = command.filter(|command| !command.argv.is_empty()) else {
        return usage_error("run: put the command after --, e.g. lcap run flows -- make test");
    };
    if run.private && !run.inside {
        return Err(reexec_in_namespaces(&run.lcap_args, &command.argv));
    }
    if run.inside {
        interfaces::bring_up_loopback()?;
    }
    let args = [OsString::from("lcap")]
        .into_iter()
        .chain(run.lcap_args.iter().cloned());
    let cli = <Cli as clap::Parser>::try_parse_from(args);
    let cli = cli.unwrap_or_else(|error| std::process::exit(report::clap_message(error).into()));
    command.is_private = run.inside;
    Ok((cli, command))
}

/// Executes lcap again in new user and network namespaces (unshare(1)); returns only on failure.
fn reexec_in_namespaces(lcap_args: &[OsString], argv: &[OsString]) -> Error {
    let program = std::env::current_exe().unwrap_or_else(|_| "lcap".into());
    let source = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--"])
        .arg(program)
        .args(["run", "--private", "--inside"])
        .args(lcap_args)
        .arg("--")
        .args(argv)
        .exec();
    Error::file("cannot run", "unshare")(source)
}

impl ChildCommand {
    /// Starts the command, which inherits only standard input, output and error. The error is the
    /// exit code of a command that cannot be run.
    pub(super) fn spawn(&self) -> Result<Arc<ChildProcess>, u8> {
        let failed = |program: &OsString, source| {
            report::error(&Error::file("cannot run", program)(source));
            EXIT_CANNOT_RUN
        };
        let (program, args) = self.argv.split_first().ok_or(EXIT_CANNOT_RUN)?;
        descriptors::close_all_on_exec().map_err(|source| failed(program, source))?;
        let started = Command::new(program).args(args).spawn();
        let child = started.map_err(|source| failed(program, source))?;
        let pid = Pid::from_child(&child);
        let descriptor = pidfd_open(pid, PidfdFlags::empty()).ok();
        Ok(Arc::new(ChildProcess { pid, descriptor }))
    }
}

/// Waits for the command in a thread; when it exits, or was not started, requests the end of the
/// capture.
pub(super) fn watch(child: Result<Arc<ChildProcess>, u8>, stop: Stop) -> Result<ChildExit> {
    let (sender, exit) = sync_channel(1);
    let on_exit = move |code| {
        stop.request();
        // The receiver may be gone: lcap exits.
        let _ = sender.send(code);
    };
    match child.map(|child| child.pid) {
        Ok(pid) => {
            let thread = std::thread::Builder::new().name("command".into());
            thread.spawn(move || reap(pid, on_exit))?;
        }
        Err(code) => on_exit(code),
    }
    Ok(ChildExit(exit))
}

impl ChildProcess {
    /// Passes a signal on to the command. A command in the foreground group of a terminal already
    /// has the signals of the kernel.
    pub(super) fn forward(&self, signal: i32, sender: SignalSender) {
        let is_in_own_group = getpgid(Some(self.pid)).ok() == getpgid(None).ok();
        if sender == SignalSender::Kernel && is_in_own_group {
            return;
        }
        let signal = Signal::from_named_raw(signal);
        if let (Some(signal), Some(process)) = (signal, &self.descriptor)
            && let Err(rustix::io::Errno::PERM) = pidfd_send_signal(process, signal)
        {
            report::signal_not_passed_on(self.pid.as_raw_nonzero().get());
        }
    }
}

impl ChildExit {
    /// Waits for the command to exit and returns its exit code as a shell would.
    pub(super) fn wait(self) -> u8 {
        self.0.recv().unwrap_or(EXIT_CANNOT_RUN)
    }
}

/// Waits for all children, and passes on the exit code of the command. The others are orphans of
/// the command, which this process has adopted.
fn reap(command: Pid, on_exit: impl FnOnce(u8)) {
    let mut on_exit = Some(on_exit);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == command => {
                if let Some(on_exit) = on_exit.take() {
                    on_exit(exit_code(status));
                }
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // There are no children left.
            Err(_) => return,
        }
    }
}

fn exit_code(status: WaitStatus) -> u8 {
    let code = status.exit_status().map(|code| code as u8);
    let by_signal = || status.terminating_signal().map(exit_code_of_signal);
    code.or_else(by_signal).unwrap_or(EXIT_CANNOT_RUN)
}
