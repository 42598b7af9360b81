//! Processes that take part: servers that listen where they are told to. They are this binary, told by a variable what to do.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Set in processes that take part: the addresses on which they listen, with others if a plus stands before.
const PART: &str = "LCAP_TEST_DOCTOR";

/// No test: what this binary does as a process that takes part.
#[test]
fn part() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    let servers: Vec<TcpListener> = part
        .split(',')
        .map(|end| match end.strip_prefix('+') {
            Some(end) => TcpListener::from(super::conflicts::sharing(end.parse().unwrap())),
            None => TcpListener::bind(end.parse::<SocketAddr>().unwrap()).unwrap(),
        })
        .collect();
    for server in &servers {
        let server = server.try_clone().unwrap();
        std::thread::spawn(move || {
            // They stay open: who closes first rests.
            let _kept: Vec<_> = server.incoming().collect();
        });
    }
    std::io::stdout().write_all(b"\nready\n").unwrap();
    // Until the test lets go of it.
    let _ = std::io::stdin().lines().count();
}

/// A process that listens on these addresses.
pub(super) fn process(part: &str) -> Command {
    of(&std::env::current_exe().unwrap(), part)
}

/// The same, of this program.
pub(super) fn of(program: &Path, part: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", "doctor::parts::part", "--nocapture"])
        .env(PART, part);
    command
}

/// A process that goes on until it is dropped.
pub(super) struct Part(pub(super) Child);

impl Part {
    /// Starts it, and waits until it listens.
    pub(super) fn start(mut command: Command) -> Part {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "ready"));
        Part(child)
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// As it is shown: `[4121]`.
    pub(super) fn shown(&self) -> String {
        format!("[{}]", self.pid())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
