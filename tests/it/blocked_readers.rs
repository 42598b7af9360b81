//! Outputs whose reader does not read: a stop ends lcap within a second, and what was not written
//! is counted.

use crate::command::lcap;
use crate::craft::udp_datagrams;
use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Number of packets and flows in a capture: their output exceeds every pipe and buffer.
const FLOW_COUNT: u16 = 20_000;
/// Timeout of every wait, long enough for a busy machine.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Maximum time from a stop to the exit: one second for the reader, and time for a busy machine.
const MAX_STOP_TIME: Duration = Duration::from_secs(10);

fn write_capture(directory: &Path) -> String {
    let path = directory.join("many.pcap").display().to_string();
    std::fs::write(&path, udp_datagrams(FLOW_COUNT, 100)).unwrap();
    path
}

/// Waits until lcap has written to this pipe or socket, and then writes nothing more.
pub(crate) fn wait_until_blocked(reader: impl AsFd) {
    let deadline = Instant::now() + TEST_TIMEOUT;
    let mut previous = 0;
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let available = ioctl_fionread(&reader).unwrap();
        if available > 0 && available == previous {
            return;
        }
        previous = available;
        assert!(
            Instant::now() < deadline,
            "lcap writes nothing, or without end"
        );
    }
}

/// Stops lcap, and returns its exit code and its messages.
fn stop(mut child: Child, row: &str) -> (Option<i32>, String) {
    let started = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    while child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < MAX_STOP_TIME, "{row}: still running");
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut stderr = String::new();
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_string(&mut stderr).unwrap();
    }
    (child.wait().unwrap().code(), stderr)
}

/// A reader, the other end of it, and its name in messages.
type OutputPair = (OwnedFd, OwnedFd, &'static str);

fn pipe() -> OutputPair {
    let (reader, writer) = std::io::pipe().unwrap();
    (reader.into(), writer.into(), "standard output")
}

fn socket_pair() -> OutputPair {
    let (reader, writer) = UnixStream::pair().unwrap();
    (reader.into(), writer.into(), "standard output")
}

#[test]
fn stop_ends_lcap_while_standard_output_is_blocked() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_capture(directory.path());
    let outputs: [fn() -> OutputPair; 2] = [pipe, socket_pair];
    for (args, noun) in [
        ("-r FILE", "packet"),
        ("-r FILE -X", "packet"),
        ("-r FILE --format json", "packet"),
        ("-r FILE -w -", "packet"),
        ("flows -r FILE", "flow"),
        ("flows -r FILE --format json --sort bytes", "flow"),
        ("flows -r FILE --format csv -o -", "flow"),
        ("follow -r FILE", "byte"),
    ] {
        for output in outputs {
            let (reader, writer, name) = output();
            let args = args.split(' ').map(|arg| arg.replace("FILE", &path));
            let args: Vec<String> = args.collect();
            let row = format!("{args:?} to {writer:?}");
            let mut command = lcap();
            command.args(&args).stdout(writer).stderr(Stdio::piped());
            let child = command.spawn().unwrap();
            drop(command);
            wait_until_blocked(&reader);
            let (code, stderr) = stop(child, &row);
            assert_eq!(code, Some(1), "{row}: {stderr}");
            let reason = format!("not written: the reader of {name} did not read");
            assert!(stderr.contains(&reason), "{row}: {stderr}");
            let counted = format!("lcap: 1 {noun} ");
            let is_counted = stderr.contains(&format!("{noun}s ")) || stderr.contains(&counted);
            assert!(is_counted, "{row}: {stderr}");
        }
    }
}

/// All records are written or counted.
#[test]
fn written_and_unwritten_flows_are_all_flows() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_capture(directory.path());
    let (reader, writer, _) = pipe();
    let mut command = lcap();
    command.args(["flows", "-r", &path, "--format", "json", "--sort", "bytes"]);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn();
    drop(command);
    wait_until_blocked(&reader);
    let (_, stderr) = stop(child.unwrap(), "flows");
    let mut written = String::new();
    File::from(reader).read_to_string(&mut written).unwrap();
    let written = written.matches('\n').count();
    assert!(written > 0);
    let unwritten = usize::from(FLOW_COUNT) - written;
    let message = format!("lcap: {unwritten} flows (");
    assert!(stderr.contains(&message), "{written} written; {stderr}");
}

#[test]
fn stop_ends_lcap_while_a_fifo_is_blocked() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_capture(directory.path());
    let fifo = directory.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    for args in [
        "-r FILE -w FIFO",
        "-r FILE --print -w FIFO",
        "flows -r FILE -o FIFO",
        "flows -r FILE -w FIFO",
    ] {
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let mut options = File::options();
        let reader = options
            .read(true)
            .custom_flags(nonblocking)
            .open(&fifo)
            .unwrap();
        let args = args.replace("FILE", &path);
        let args = args.replace("FIFO", fifo.to_str().unwrap());
        let mut command = lcap();
        command.args(args.split(' ')).stdout(Stdio::null());
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        wait_until_blocked(&reader);
        let (code, stderr) = stop(child, &args);
        assert_eq!(code, Some(1), "{args}: {stderr}");
        let reason = format!("not written: the reader of {} did not", fifo.display());
        assert!(stderr.contains(&reason), "{args}: {stderr}");
    }
}

/// Messages are lost instead.
#[test]
fn blocked_standard_error_does_not_keep_lcap_from_exiting() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = Command::new("sh");
    // Fills the pipe, then runs lcap.
    let script = format!(
        "yes | dd bs=4k count=16 iflag=fullblock status=none >&2; exec {} -r /no/such/file",
        env!("CARGO_BIN_EXE_lcap")
    );
    let mut child = command.args(["-c", &script]).stderr(writer).spawn();
    drop(command);
    let started = Instant::now();
    while child.as_mut().unwrap().try_wait().unwrap().is_none() {
        assert!(started.elapsed() < TEST_TIMEOUT, "still running");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(child.unwrap().wait().unwrap().code(), Some(1));
    assert_eq!(ioctl_fionread(&reader).unwrap(), 64 << 10, "a full pipe");
}

/// A reader that pauses receives everything if nothing stops lcap.
#[test]
fn slow_reader_receives_all_packets_of_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_capture(directory.path());
    for output in [pipe, socket_pair] {
        let (reader, writer, _) = output();
        let mut command = lcap();
        command.args(["-r", &path, "-w", "-"]);
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn();
        drop(command);
        wait_until_blocked(&reader);
        std::thread::sleep(Duration::from_millis(1500));
        let mut bytes = Vec::new();
        File::from(reader).read_to_end(&mut bytes).unwrap();
        let finished = child.unwrap().wait_with_output().unwrap();
        assert!(finished.status.success(), "{finished:?}");
        assert!(bytes == udp_datagrams(FLOW_COUNT, 100));
    }
}
