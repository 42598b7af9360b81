//! Running `lcap` process with its output as lines.
//!
//! The process can receive signals, and is killed when its `Session` is dropped.

use lcap::internals::packet::Timestamp;
use lcap::internals::source::{SourceEvent, file};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// The program under test.
pub(crate) const LCAP: &str = env!("CARGO_BIN_EXE_lcap");
/// Timeout of every wait, long enough for a busy machine.
pub(super) const TEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Size of a ring that also holds traffic for which a build without optimization is too slow.
pub(super) const RING_SIZE: &str = "256MiB";

/// Returns true if capturing is permitted. Otherwise prints a skip message, or fails if `LCAP_LIVE`
/// requires capturing.
pub(super) fn can_capture_or_skip() -> bool {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let flags = SocketFlags::CLOEXEC;
    match socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None) {
        Ok(_) => true,
        Err(error) => {
            let level = std::env::var("LCAP_LIVE").unwrap_or_default();
            assert!(
                !["required", "everything"].contains(&level.as_str()),
                "CAP_NET_RAW is required: {error}"
            );
            print_skipped(&format!("capturing needs CAP_NET_RAW: {error}"));
            false
        }
    }
}

/// Skips a test for a feature that this machine lacks, or fails with `LCAP_LIVE=everything`.
pub(crate) fn skip(reason: &str) {
    assert_ne!(
        std::env::var("LCAP_LIVE").as_deref(),
        Ok("everything"),
        "{reason}"
    );
    print_skipped(reason);
}

/// Prints directly to standard error: the test harness discards the output of tests that pass.
fn print_skipped(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a live test");
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
}

/// Running `lcap` process.
pub(super) struct Session {
    child: Child,
    /// Standard output.
    pub(super) output: OutputLines,
    /// Standard error.
    pub(super) errors: OutputLines,
}

/// Exit code and output of an `lcap` process that has exited.
#[derive(Debug)]
pub(super) struct SessionOutput {
    pub(super) code: Option<i32>,
    pub(super) output: Vec<String>,
    pub(super) errors: Vec<String>,
}

impl Session {
    /// Starts lcap with these arguments, and waits until the capture has started.
    pub(super) fn start<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Session {
        let mut command = Command::new(LCAP);
        command.args(args);
        Session::spawn(command)
    }

    /// Starts this command, which executes lcap, and waits until the capture has started.
    pub(super) fn spawn(command: Command) -> Session {
        let (mut session, output) = Session::spawn_unread(command);
        session.output = OutputLines::read_from(output);
        session
    }

    /// Starts a capture of a port, which is printed and saved. The text is returned unread.
    pub(super) fn print_unread_and_save(port: &str, path: &Path) -> (Session, ChildStdout) {
        let mut command = Command::new(LCAP);
        command.args(["-p", port, "--print", "-w"]).arg(path);
        Session::spawn_unread(command)
    }

    /// Starts this command as [`Session::spawn`] does; the caller reads its standard output.
    pub(super) fn spawn_unread(mut command: Command) -> (Session, ChildStdout) {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = OutputLines::read_from(child.stderr.take().unwrap());
        let output = child.stdout.take().unwrap();
        let session = Session {
            child,
            output: OutputLines::default(),
            errors,
        };
        session
            .errors
            .wait_for(|line| line.contains("listening on "));
        (session, output)
    }

    /// Returns true if lcap attributes connections by BPF.
    pub(super) fn has_bpf(&self) -> bool {
        self.errors
            .has_line(|line| line.ends_with("processes by BPF"))
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn signal(&self, signal: Signal) {
        let process = Pid::from_child(&self.child);
        kill_process(process, signal).unwrap();
    }

    pub(super) fn interrupt(self) -> SessionOutput {
        self.signal(Signal::INT);
        self.wait()
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until lcap exits and all of its output is read.
    pub(super) fn wait(mut self) -> SessionOutput {
        let deadline = Instant::now() + TEST_TIMEOUT;
        while self.is_running() {
            assert!(Instant::now() < deadline, "lcap does not exit");
            std::thread::sleep(Duration::from_millis(2));
        }
        SessionOutput {
            code: self.child.wait().unwrap().code(),
            output: self.output.wait_for_all(),
            errors: self.errors.wait_for_all(),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Fails if the process has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl SessionOutput {
    /// Returns the last printed counter with this label, e.g. `received by filter`.
    pub(super) fn counter(&self, label: &str) -> u64 {
        let number = |line: &String| {
            let (number, rest) = line.split_once(' ')?;
            let rest = rest.trim_start_matches("packets ");
            (rest.trim_start_matches("packet ") == label).then(|| number.parse().unwrap())
        };
        let found = self.errors.iter().rev().find_map(number);
        found.unwrap_or_else(|| panic!("no counter {label:?} in {:?}", self.errors))
    }

    pub(super) fn captured(&self) -> u64 {
        self.counter("captured")
    }

    pub(super) fn dropped(&self) -> u64 {
        self.counter("dropped by kernel")
    }

    /// Asserts that lcap succeeded and that no packets were dropped.
    #[track_caller]
    pub(super) fn assert_lossless(&self) -> &SessionOutput {
        assert_eq!(self.code, Some(0), "{:?}", self.errors);
        assert_eq!(self.dropped(), 0);
        assert!(self.counter("received by filter") >= self.captured());
        self
    }
}

/// Lines of an output stream, collected by a thread.
#[derive(Clone, Default)]
pub(super) struct OutputLines {
    shared: Arc<(Mutex<ArrivedLines>, Condvar)>,
}

#[derive(Default)]
struct ArrivedLines {
    lines: Vec<(Instant, String)>,
    /// True at the end of the stream.
    is_closed: bool,
}

impl OutputLines {
    /// Starts a thread that reads this stream.
    fn read_from(stream: impl Read + Send + 'static) -> OutputLines {
        let lines = OutputLines::default();
        let shared = Arc::clone(&lines.shared);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let line = (Instant::now(), line.unwrap());
                shared.0.lock().unwrap().lines.push(line);
                shared.1.notify_all();
            }
            shared.0.lock().unwrap().is_closed = true;
            shared.1.notify_all();
        });
        lines
    }

    /// Waits for a matching line, unless one has arrived already; returns its time of arrival.
    #[track_caller]
    pub(super) fn wait_for(&self, matches: impl Fn(&str) -> bool) -> Instant {
        let arrived = self.wait_until(|arrived| {
            arrived.is_closed || arrived.lines.iter().any(|(_, line)| matches(line))
        });
        let found = arrived.lines.iter().find(|(_, line)| matches(line));
        match found {
            Some((time, _)) => *time,
            None => panic!("no matching line in {:?}", arrived.lines),
        }
    }

    /// Returns true if a matching line has arrived.
    pub(super) fn has_line(&self, matches: impl Fn(&str) -> bool) -> bool {
        let arrived = self.shared.0.lock().unwrap();
        arrived.lines.iter().any(|(_, line)| matches(line))
    }

    /// Waits for at least `count` lines.
    #[track_caller]
    pub(super) fn wait_for_count(&self, count: usize) {
        let arrived = self.wait_until(|arrived| arrived.is_closed || arrived.lines.len() >= count);
        assert!(arrived.lines.len() >= count, "{:?}", arrived.lines);
    }

    /// Waits for the end of the stream and returns all lines; none without a reading thread.
    fn wait_for_all(&self) -> Vec<String> {
        if Arc::strong_count(&self.shared) == 1 && !self.shared.0.lock().unwrap().is_closed {
            return Vec::new();
        }
        let arrived = self.wait_until(|arrived| arrived.is_closed);
        arrived.lines.iter().map(|(_, line)| line.clone()).collect()
    }

    /// Waits for a condition, at most [`TEST_TIMEOUT`].
    #[track_caller]
    fn wait_until(
        &self,
        condition: impl Fn(&ArrivedLines) -> bool,
    ) -> std::sync::MutexGuard<'_, ArrivedLines> {
        let (arrived, changed) = &*self.shared;
        let guard = arrived.lock().unwrap();
        let (guard, wait) = changed
            .wait_timeout_while(guard, TEST_TIMEOUT, |arrived| !condition(arrived))
            .unwrap();
        assert!(!wait.timed_out(), "timeout; lines: {:?}", guard.lines);
        guard
    }
}

/// Returns the packets of a file, as printed by `lcap -r FILE --format json`.
pub(super) fn packets_as_json(path: &Path) -> Vec<serde_json::Value> {
    let mut command = Command::new(LCAP);
    command.arg("-r").arg(path).args(["--format", "json"]);
    let read = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&read.stderr);
    assert!(
        read.status.success() && stderr.is_empty(),
        "{}: {stderr}",
        path.display()
    );
    let text = String::from_utf8(read.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Runs lcap and returns the lines of its standard output.
pub(super) fn lcap_lines(args: &[&str]) -> Vec<String> {
    let output = Command::new(LCAP).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Returns the timestamps and bytes of the frames in a file.
pub(super) fn frames(path: &Path) -> Vec<(Timestamp, Vec<u8>)> {
    let mut source = file::open(path).unwrap();
    let mut frames = Vec::new();
    loop {
        match source.next().unwrap() {
            SourceEvent::Frame(frame) => frames.push((frame.time, frame.bytes.to_vec())),
            SourceEvent::Idle(_) | SourceEvent::Dropped(_) => {}
            SourceEvent::End => return frames,
        }
    }
}
