//! External commands, run with a time limit, and their output.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The time limit for a command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum length of each output stream, in bytes: more than any of these commands usually prints.
const MAX_OUTPUT_BYTES: u64 = 16 << 20;

/// A running command.
pub(super) struct RunningCommand {
    result: Receiver<io::Result<CommandOutput>>,
    process: Option<std::os::fd::OwnedFd>,
}

/// The output of a command.
pub(super) struct CommandOutput {
    /// True if the exit status is 0.
    pub(super) is_success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Starts a command.
///
/// # Errors
/// The command does not exist or cannot be executed.
pub(super) fn spawn(command: &mut Command) -> io::Result<RunningCommand> {
    let path = std::env::var("PATH").unwrap_or_default();
    let child = command
        // The PATH of an ordinary user can lack these directories.
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).ok();
    let (sender, result) = mpsc::channel();
    thread::spawn(move || sender.send(collect_output(child)));
    Ok(RunningCommand { result, process })
}

impl RunningCommand {
    /// Waits for the command to exit and returns its output. A command that exceeds the time limit
    /// is killed.
    ///
    /// # Errors
    /// The command exceeded the time limit, or its output could not be collected.
    pub(super) fn wait(self) -> io::Result<CommandOutput> {
        self.result
            .recv_timeout(COMMAND_TIMEOUT)
            .unwrap_or_else(|_| {
                // A pidfd never refers to another process, even if the PID was reused.
                if let Some(process) = self.process {
                    let _ = pidfd_send_signal(process, Signal::KILL);
                }
                Err(io::ErrorKind::TimedOut.into())
            })
    }
}

fn collect_output(mut child: Child) -> io::Result<CommandOutput> {
    let stderr = child.stderr.take();
    // Both pipes are read at the same time: a full pipe would block the command.
    let stderr_reader = thread::spawn(move || read_text(stderr));
    let stdout = read_text(child.stdout.take());
    let stderr = stderr_reader.join().unwrap_or_default();
    Ok(CommandOutput {
        is_success: child.wait()?.success(),
        stdout,
        stderr,
    })
}

fn read_text(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let _ = stream.take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_timeouts_and_missing_commands_are_reported() {
        let running = spawn(Command::new("sh").args(["-c", "echo yes; echo no >&2; exit 3"]));
        let output = running.and_then(RunningCommand::wait).expect("output");
        assert_eq!((&output.stdout[..], &output.stderr[..]), ("yes\n", "no\n"));
        assert!(!output.is_success);
        let error = spawn(&mut Command::new("no-such-tool"))
            .err()
            .expect("an error");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let slow = spawn(Command::new("sleep").arg("60")).expect("a process");
        let error = slow.wait().err().expect("a timeout");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
