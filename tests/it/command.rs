//! The built `lcap`, run: in the project's directory, in UTC, without privileges being needed.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The project's directory.
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) errors: String,
}

impl Ran {
    /// Standard output, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    /// Nothing came out, the exit code is this one, and what was said has this in it; `row` is what was run.
    pub(crate) fn refused(&self, code: i32, row: &str, message: &str) {
        let came = (self.code, self.out.len());
        assert_eq!(came, (code, 0), "{row}: {}", self.errors);
        assert!(self.errors.contains(message), "{row}: {}", self.errors);
    }
}

/// `lcap`, ready to be given arguments.
pub(crate) fn lcap() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lcap"));
    command.current_dir(ROOT).env("TZ", "UTC");
    command.env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// Runs `lcap` with these words.
pub(crate) fn run<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Ran {
    ran(lcap().args(words).output().unwrap())
}

/// Runs `lcap` with these words and this standard input, through a pipe.
pub(crate) fn pipe<W: AsRef<OsStr>>(input: &[u8], words: impl IntoIterator<Item = W>) -> Ran {
    feed(lcap().args(words), input)
}

/// Runs any command with this standard input, through a pipe.
pub(crate) fn feed(command: &mut Command, input: &[u8]) -> Ran {
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // Who has seen enough closes the pipe before its end.
        scope.spawn(move || stdin.write_all(input));
        ran(child.wait_with_output().unwrap())
    })
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap(),
        out: output.stdout,
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A capture of this project.
pub(crate) fn fixture(name: &str) -> String {
    format!("{ROOT}/fixtures/{name}")
}

/// The names of all captures of this project, in order.
pub(crate) fn fixtures() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(Path::new(ROOT).join("fixtures"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".pcap"))
        .collect();
    names.sort();
    names
}
