//! The command of `lcap run`: begun when the capture has begun, and waited for.

use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::thread::JoinHandle;

use super::args::{Cli, Run};
use super::plan::usage;
use super::report;
use crate::error::{Error, Result};
use crate::host::namespaces;
use crate::host::processes::RUN;
use crate::source::Stop;

/// What is run, and how it is known afterwards.
#[derive(Debug, Clone)]
pub(super) struct Program {
    words: Vec<OsString>,
    /// Whether it has a loopback of its own.
    pub(super) is_private: bool,
}

/// A program that was begun.
pub(super) struct Running(Option<JoinHandle<Option<ExitStatus>>>);

/// What a shell says of a command that cannot be run (POSIX, XCU 2.8.2).
const NOT_RUN: u8 = 127;
/// What a shell adds to the number of the signal that ended a command.
const SIGNALLED: u8 = 128;

/// Takes the command of `lcap run` off the words, which stands behind `--`. It is not clap's to read.
pub(super) fn cut(words: &mut Vec<OsString>) -> Option<Program> {
    let is_run = words.get(1).is_some_and(|word| word == "run");
    let at = words
        .iter()
        .position(|word| word == "--")
        .filter(|_| is_run)?;
    let command = words.split_off(at).split_off(1);
    Some(Program {
        words: command,
        is_private: false,
    })
}

/// What `lcap run` is to do with lcap's own words, beside this program; another process becomes this one, if it is to be private.
pub(super) fn prepare(run: &Run, program: Option<Program>) -> Result<(Cli, Program)> {
    let Some(mut program) = program.filter(|program| !program.words.is_empty()) else {
        return usage("run: the command stands behind --, as in lcap run flows -- make test");
    };
    if run.private && !run.inside {
        return Err(become_private(&run.words, &program.words));
    }
    if run.inside {
        namespaces::bring_up_loopback()?;
    }
    let words = [OsString::from("lcap")]
        .into_iter()
        .chain(run.words.iter().cloned());
    let cli = <Cli as clap::Parser>::try_parse_from(words).unwrap_or_else(|error| error.exit());
    program.is_private = run.inside;
    Ok((cli, program))
}

/// Begins again in namespaces of its own (unshare(1)); an error if that is not possible.
fn become_private(own: &[OsString], command: &[OsString]) -> Error {
    let program = std::env::current_exe().unwrap_or_else(|_| "lcap".into());
    let source = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--"])
        .arg(program)
        .args(["run", "--private", "--inside"])
        .args(own)
        .arg("--")
        .args(command)
        .exec();
    Error::File {
        action: "cannot run",
        path: "unshare".into(),
        source,
    }
}

impl Program {
    /// Begins it; when it has ended, the capture is asked to end too.
    pub(super) fn start(&self, stop: Stop) -> Running {
        let mut words = self.words.iter();
        let Some(program) = words.next() else {
            return Running(None);
        };
        let started = Command::new(program)
            .args(words)
            .env(RUN, std::process::id().to_string())
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(source) => {
                report::error(&Error::File {
                    action: "cannot run",
                    path: program.into(),
                    source,
                });
                stop.request();
                return Running(None);
            }
        };
        Running(Some(std::thread::spawn(move || {
            let ended = child.wait().ok();
            stop.request();
            ended
        })))
    }
}

impl Running {
    /// Waits for its end: its exit code, as a shell would tell it.
    pub(super) fn code(self) -> u8 {
        let ended = self.0.and_then(|running| running.join().ok().flatten());
        let Some(ended) = ended else {
            return NOT_RUN;
        };
        let code = ended.code().map(|code| code as u8);
        code.or_else(|| Some(SIGNALLED + ended.signal()? as u8))
            .unwrap_or(NOT_RUN)
    }
}
