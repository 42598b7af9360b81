//! A run of lcap: started, watched line by line, signalled, waited for; never left behind.

use lcap::packet::Timestamp;
use lcap::source::{Next, file};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// The program under test.
pub(crate) const LCAP: &str = env!("CARGO_BIN_EXE_lcap");
/// Nothing here takes this long, also on a machine with much else to do.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Whether capturing is permitted; where it is not, says so, and fails if it had to be.
pub(super) fn permitted() -> bool {
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
            say_skipped(&format!("capturing needs CAP_NET_RAW: {error}"));
            false
        }
    }
}

/// A test that this machine has no means for.
pub(crate) fn skip(why: &str) {
    assert_ne!(
        std::env::var("LCAP_LIVE").as_deref(),
        Ok("everything"),
        "{why}"
    );
    say_skipped(why);
}

/// Past the test harness, which keeps to itself what passing tests print.
fn say_skipped(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a live test");
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// A running lcap.
pub(super) struct Session {
    child: Child,
    /// Its standard output.
    pub(super) output: Lines,
    /// Its standard error.
    pub(super) errors: Lines,
}

/// What an lcap that has ended leaves.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) output: Vec<String>,
    pub(super) errors: Vec<String>,
}

impl Session {
    /// Starts lcap with these words, and waits until it listens.
    pub(super) fn start<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Session {
        let mut command = Command::new(LCAP);
        command.args(words);
        Session::of(command)
    }

    /// Starts this command, which becomes lcap, and waits until it listens.
    pub(super) fn of(command: Command) -> Session {
        let (mut session, output) = Session::unread(command);
        session.output = Lines::of(output);
        session
    }

    /// Starts this command, and leaves its output to the caller.
    pub(super) fn unread(mut command: Command) -> (Session, ChildStdout) {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = Lines::of(child.stderr.take().unwrap());
        let output = child.stdout.take().unwrap();
        let session = Session {
            child,
            output: Lines::default(),
            errors,
        };
        session
            .errors
            .wait_for(|line| line.contains("listening on "));
        (session, output)
    }

    /// Whether the kernel tells it of connections.
    pub(super) fn is_told(&self) -> bool {
        self.errors.have(|line| line.ends_with("processes by BPF"))
    }

    pub(super) fn signal(&self, signal: Signal) {
        let process = Pid::from_child(&self.child);
        kill_process(process, signal).unwrap();
    }

    pub(super) fn interrupt(self) -> Ended {
        self.signal(Signal::INT);
        self.ended()
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end, and for the last line.
    pub(super) fn ended(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        while self.is_running() {
            assert!(Instant::now() < deadline, "lcap does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
        Ended {
            code: self.child.wait().unwrap().code(),
            output: self.output.all(),
            errors: self.errors.all(),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Where it has ended already there is nobody to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The counter that stands before these words.
    pub(super) fn counter(&self, words: &str) -> u64 {
        let number = |line: &String| {
            let (number, rest) = line.split_once(' ')?;
            let rest = rest.trim_start_matches("packets ");
            (rest.trim_start_matches("packet ") == words).then(|| number.parse().unwrap())
        };
        let found = self.errors.iter().rev().find_map(number);
        found.unwrap_or_else(|| panic!("no {words:?} among {:?}", self.errors))
    }

    pub(super) fn captured(&self) -> u64 {
        self.counter("captured")
    }

    pub(super) fn dropped(&self) -> u64 {
        self.counter("dropped by kernel")
    }

    /// Ended well, and lost nothing.
    #[track_caller]
    pub(super) fn is_whole(&self) -> &Ended {
        assert_eq!(self.code, Some(0), "{:?}", self.errors);
        assert_eq!(self.dropped(), 0);
        assert!(self.counter("received by filter") >= self.captured());
        self
    }
}

/// Lines as they arrive.
#[derive(Clone, Default)]
pub(super) struct Lines {
    shared: Arc<(Mutex<Arrived>, Condvar)>,
}

#[derive(Default)]
struct Arrived {
    lines: Vec<(Instant, String)>,
    /// Nobody writes any more.
    closed: bool,
}

impl Lines {
    fn of(from: impl Read + Send + 'static) -> Lines {
        let lines = Lines::default();
        let shared = Arc::clone(&lines.shared);
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines() {
                let line = (Instant::now(), line.unwrap());
                shared.0.lock().unwrap().lines.push(line);
                shared.1.notify_all();
            }
            shared.0.lock().unwrap().closed = true;
            shared.1.notify_all();
        });
        lines
    }

    /// Waits for such a line, also one that is there already; when it arrived.
    #[track_caller]
    pub(super) fn wait_for(&self, wanted: impl Fn(&str) -> bool) -> Instant {
        let arrived = self
            .wait(|arrived| arrived.closed || arrived.lines.iter().any(|(_, line)| wanted(line)));
        let found = arrived.lines.iter().find(|(_, line)| wanted(line));
        match found {
            Some((time, _)) => *time,
            None => panic!("no such line among {:?}", arrived.lines),
        }
    }

    /// Whether there is such a line by now.
    pub(super) fn have(&self, wanted: impl Fn(&str) -> bool) -> bool {
        let arrived = self.shared.0.lock().unwrap();
        arrived.lines.iter().any(|(_, line)| wanted(line))
    }

    /// Waits for that many lines.
    #[track_caller]
    pub(super) fn wait_for_count(&self, count: usize) {
        let arrived = self.wait(|arrived| arrived.closed || arrived.lines.len() >= count);
        assert!(arrived.lines.len() >= count, "{:?}", arrived.lines);
    }

    /// All lines, once nobody writes any more; none where nobody ever did.
    fn all(&self) -> Vec<String> {
        if Arc::strong_count(&self.shared) == 1 && !self.shared.0.lock().unwrap().closed {
            return Vec::new();
        }
        let arrived = self.wait(|arrived| arrived.closed);
        arrived.lines.iter().map(|(_, line)| line.clone()).collect()
    }

    #[track_caller]
    fn wait(&self, until: impl Fn(&Arrived) -> bool) -> std::sync::MutexGuard<'_, Arrived> {
        let (arrived, changed) = &*self.shared;
        let guard = arrived.lock().unwrap();
        let (guard, late) = changed
            .wait_timeout_while(guard, PATIENCE, |arrived| !until(arrived))
            .unwrap();
        assert!(!late.timed_out(), "still waiting, with {:?}", guard.lines);
        guard
    }
}

/// A file's packets as its readers see them: `lcap -r FILE --format json`.
pub(super) fn objects(path: &Path) -> Vec<serde_json::Value> {
    let mut command = Command::new(LCAP);
    command.arg("-r").arg(path).args(["--format", "json"]);
    let read = command.output().unwrap();
    let complaint = String::from_utf8_lossy(&read.stderr);
    assert!(
        read.status.success() && complaint.is_empty(),
        "{}: {complaint}",
        path.display()
    );
    let text = String::from_utf8(read.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A file's frames as they are.
pub(super) fn frames(path: &Path) -> Vec<(Timestamp, Vec<u8>)> {
    let mut source = file::open(path).unwrap();
    let mut frames = Vec::new();
    loop {
        match source.next().unwrap() {
            Next::Frame(frame) => frames.push((frame.time, frame.bytes.to_vec())),
            Next::Idle(_) => {}
            Next::End => return frames,
        }
    }
}
