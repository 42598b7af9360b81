//! Helpers that run the built `lcap`: in the project's directory, in UTC, without privileges.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Directory of the project.
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Result of a run.
#[derive(Debug)]
pub(crate) struct RunOutput {
    pub(crate) exit_code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl RunOutput {
    /// Returns standard output as text.
    pub(crate) fn stdout_text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// Asserts that nothing was printed, that the exit code is `code`, and that standard error
    /// contains `message`; `row` identifies the run.
    pub(crate) fn assert_rejected(&self, code: i32, row: &str, message: &str) {
        let actual = (self.exit_code, self.stdout.len());
        assert_eq!(actual, (code, 0), "{row}: {}", self.stderr);
        assert!(self.stderr.contains(message), "{row}: {}", self.stderr);
    }
}

/// Returns an `lcap` command without arguments. The variable `LCAP_BINARY` replaces the program,
/// e.g. by one that is built for another architecture.
pub(crate) fn lcap() -> Command {
    let program = std::env::var_os("LCAP_BINARY");
    let mut command = Command::new(program.unwrap_or(env!("CARGO_BIN_EXE_lcap").into()));
    command.current_dir(ROOT).env("TZ", "UTC");
    command.env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// Runs `lcap` with these arguments.
pub(crate) fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> RunOutput {
    run_output(lcap().args(args).output().unwrap())
}

/// Runs `lcap` with these arguments and this standard input, through a pipe.
pub(crate) fn run_with_stdin<A: AsRef<OsStr>>(
    input: &[u8],
    args: impl IntoIterator<Item = A>,
) -> RunOutput {
    run_command_with_stdin(lcap().args(args), input)
}

/// Runs any command with this standard input, through a pipe.
pub(crate) fn run_command_with_stdin(command: &mut Command, input: &[u8]) -> RunOutput {
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // Ignores the error if the command closes the pipe before all input is written.
        scope.spawn(move || stdin.write_all(input));
        run_output(child.wait_with_output().unwrap())
    })
}

/// Returns the result of a command that ended by itself.
pub(crate) fn run_output(output: Output) -> RunOutput {
    RunOutput {
        exit_code: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Returns the path of a file in `fixtures`.
pub(crate) fn fixture_path(name: &str) -> String {
    format!("{ROOT}/fixtures/{name}")
}

/// Returns the names of all captures in `fixtures`, sorted.
pub(crate) fn fixture_names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(Path::new(ROOT).join("fixtures"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".pcap"))
        .collect();
    names.sort();
    names
}
