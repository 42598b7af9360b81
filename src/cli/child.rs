//! Child process of `lcap run`: started once the capture is running, and waited for.

use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::thread::JoinHandle;

use super::args::{Cli, RunArgs};
use super::report;
use super::usage_error;
use crate::error::{Error, Result};
use crate::host::network::interfaces;
use crate::host::processes::RUN_ENV_VAR;
use crate::source::Stop;

/// Command to run.
#[derive(Debug, Clone)]
pub(super) struct ChildCommand {
    argv: Vec<OsString>,
    /// True if the command runs on an isolated loopback (`--private`).
    pub(super) is_private: bool,
}

/// A started child process; `None` if it could not be started.
pub(super) struct RunningChild(Option<JoinHandle<Option<ExitStatus>>>);

/// Exit code of a command that cannot be run, as in shells (POSIX, XCU 2.8.2).
const EXIT_CANNOT_RUN: u8 = 127;
/// Added to the number of the signal that terminated a command, as in shells.
const EXIT_SIGNAL_BASE: u8 = 128;

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
    let cli = <Cli as clap::Parser>::try_parse_from(args).unwrap_or_else(|error| error.exit());
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
    /// Starts the command; when it exits, or cannot be run, requests the end of the capture.
    pub(super) fn start(&self, stop: Stop) -> RunningChild {
        let mut args = self.argv.iter();
        let Some(program) = args.next() else {
            return RunningChild(None);
        };
        let started = Command::new(program)
            .args(args)
            .env(RUN_ENV_VAR, std::process::id().to_string())
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(source) => {
                report::error(&Error::file("cannot run", program)(source));
                stop.request();
                return RunningChild(None);
            }
        };
        RunningChild(Some(std::thread::spawn(move || {
            let status = child.wait().ok();
            stop.request();
            status
        })))
    }
}

impl RunningChild {
    /// Waits for the process to exit and returns its exit code as a shell would.
    pub(super) fn wait(self) -> u8 {
        let status = self.0.and_then(|waiter| waiter.join().ok().flatten());
        let Some(status) = status else {
            return EXIT_CANNOT_RUN;
        };
        let code = status.code().map(|code| code as u8);
        code.or_else(|| Some(EXIT_SIGNAL_BASE + status.signal()? as u8))
            .unwrap_or(EXIT_CANNOT_RUN)
    }
}
