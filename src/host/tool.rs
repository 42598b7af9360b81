//! Tools of this machine that are asked for what only they know; who does not answer in time is not waited for.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A tool answers within this time, or not at all.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than any answer that people can read, in bytes.
const MOST: u64 = 16 << 20;

/// A question to a tool, which is being answered.
pub(super) struct Question {
    answer: Receiver<io::Result<Answer>>,
    process: Option<std::os::fd::OwnedFd>,
}

/// What a tool said.
pub(super) struct Answer {
    /// Whether it says that all is well.
    pub(super) is_success: bool,
    pub(super) output: String,
    pub(super) errors: String,
}

/// Starts a tool.
///
/// # Errors
/// There is none, or it cannot be run.
pub(super) fn ask(command: &mut Command) -> io::Result<Question> {
    let path = std::env::var("PATH").unwrap_or_default();
    let child = command
        // A plain user's path may not have it.
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).ok();
    let (tell, answer) = mpsc::channel();
    thread::spawn(move || tell.send(finish(child)));
    Ok(Question { answer, process })
}

impl Question {
    /// Waits for the answer.
    ///
    /// # Errors
    /// It did not come in time, or could not be read.
    pub(super) fn answer(self) -> io::Result<Answer> {
        match self.answer.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(_) => {
                // The descriptor means no other process, whatever became of this one.
                if let Some(process) = self.process {
                    let _ = pidfd_send_signal(process, Signal::KILL);
                }
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }
}

fn finish(mut child: Child) -> io::Result<Answer> {
    let errors = child.stderr.take();
    // Both are read, so that neither fills up.
    let errors = thread::spawn(move || text(errors));
    let output = text(child.stdout.take());
    let errors = errors.join().unwrap_or_default();
    Ok(Answer {
        is_success: child.wait()?.success(),
        output,
        errors,
    })
}

fn text(from: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        let _ = from.take(MOST).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_answer_or_are_not_there() {
        let asked = ask(Command::new("sh").args(["-c", "echo yes; echo no >&2; exit 3"]));
        let answer = asked.and_then(Question::answer).expect("an answer");
        assert_eq!((&answer.output[..], &answer.errors[..]), ("yes\n", "no\n"));
        assert!(!answer.is_success);
        let error = ask(&mut Command::new("no-such-tool")).err().expect("none");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let slow = ask(Command::new("sleep").arg("60")).expect("a process");
        let error = slow.answer().err().expect("none");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
