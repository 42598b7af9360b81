//! Live captures whose reader does not read.

use super::session::{LCAP, Session, can_capture_or_skip, frames};
use super::traffic::ReservedPort;
use rustix::process::Signal;
use std::io::Read;
use std::process::Command;
use std::time::{Duration, Instant};

const PACKET_COUNT: u32 = 20_000;
/// Maximum time from a stop to the exit: one second for the reader, and time for a busy machine.
const MAX_STOP_TIME: Duration = Duration::from_secs(10);

/// The other output is complete.
#[test]
fn packets_that_a_blocked_reader_does_not_read_are_counted() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    let (session, mut output) = Session::print_unread_and_save(&port.arg(), &path);
    port.send(0, PACKET_COUNT, 100);
    let stopped = Instant::now();
    session.signal(Signal::TERM);
    let ended = session.wait();
    assert!(stopped.elapsed() < MAX_STOP_TIME, "{:?}", ended.errors);
    assert_eq!(ended.code, Some(1));
    let captured = ended.captured();
    assert_eq!(captured, u64::from(PACKET_COUNT), "{:?}", ended.errors);
    assert_eq!(frames(&path).len() as u64, captured);
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    let unwritten = captured - text.matches('\n').count() as u64;
    let message = format!("lcap: {unwritten} packets (");
    let is_counted = |line: &String| line.starts_with(&message);
    assert!(
        ended.errors.iter().any(is_counted),
        "{message} {:?}",
        ended.errors
    );
}

#[test]
fn duration_ends_a_capture_with_a_blocked_reader() {
    if !can_capture_or_skip() {
        return;
    }
    for command_line in ["", "-w -", "follow", "follow --hex"] {
        let port = ReservedPort::reserve();
        let mut command = Command::new(LCAP);
        command.args(command_line.split_whitespace()).args([
            "--no-processes",
            "--duration",
            "2s",
            "-p",
            &port.arg(),
        ]);
        let (session, output) = Session::spawn_unread(command);
        let started = Instant::now();
        port.send(0, PACKET_COUNT, 100);
        let ended = session.wait();
        let elapsed = started.elapsed();
        let max = MAX_STOP_TIME + Duration::from_secs(2);
        assert!(elapsed < max, "{command_line}: {elapsed:?}");
        assert_eq!(ended.code, Some(1), "{command_line}: {:?}", ended.errors);
        let is_reported =
            |line: &String| line.contains("not written: the reader of standard output");
        assert!(ended.errors.iter().any(is_reported), "{:?}", ended.errors);
        drop(output);
    }
}

/// The output of lcap goes to standard error there.
#[test]
fn run_ends_with_its_command_if_standard_error_is_blocked() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let (reader, writer) = std::io::pipe().unwrap();
    let sender = "import socket,sys\ns=socket.socket(type=socket.SOCK_DGRAM)\n\
                  for i in range(5000): s.sendto(b'x'*100,('127.0.0.1',int(sys.argv[1])))";
    let mut command = Command::new(LCAP);
    command.args(["run", "--", "python3", "-c", sender, &port.arg()]);
    let mut child = command.stderr(writer).spawn().unwrap();
    drop(command);
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(20), "still running");
        std::thread::sleep(Duration::from_millis(10));
    }
    // The code of the command takes precedence only if the command fails.
    assert_eq!(child.wait().unwrap().code(), Some(1));
    drop(reader);
}
