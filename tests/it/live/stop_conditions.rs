//! Stop conditions: each ends the capture with exit code 0 and a file that matches the counters.

use super::session::{LCAP, Session, SessionOutput, can_capture_or_skip, frames, packets_as_json};
use super::traffic::{MAX_SEND_DURATION, ReservedPort};
use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Asserts that no packets were dropped and that the file contains all captured ones; returns their
/// number.
#[track_caller]
fn assert_file_matches_counters(ended: &SessionOutput, path: &Path) -> u64 {
    let packets = packets_as_json(path).len() as u64;
    assert_eq!(ended.assert_lossless().captured(), packets);
    packets
}

#[test]
fn signal_stops_the_capture() {
    if !can_capture_or_skip() {
        return;
    }
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let port = ReservedPort::reserve();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcapng");
        let session = Session::start(["-p", &port.arg(), "-w", path.to_str().unwrap()]);
        port.send(0, 7, 100);
        session.signal(signal);
        assert_eq!(assert_file_matches_counters(&session.wait(), &path), 7);
    }
}

#[test]
fn packet_limit_stops_the_capture() {
    if !can_capture_or_skip() {
        return;
    }
    for (count, sent) in [(1, 1), (1, 50), (7, 7), (1000, 3000)] {
        let port = ReservedPort::reserve();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcap");
        let args = ["-p", &port.arg(), "-c", &count.to_string(), "-w"];
        let session = Session::start(args.into_iter().chain(path.to_str()));
        port.send(0, sent, 100);
        assert_eq!(assert_file_matches_counters(&session.wait(), &path), count);
    }
}

#[test]
fn packet_limit_stops_the_text_output() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let session = Session::start(["-p", &port.arg(), "-c", "3", "-t"]);
    port.send(0, 20, 100);
    let ended = session.wait();
    assert_eq!(ended.assert_lossless().output.len(), 3);
}

#[test]
fn duration_stops_the_capture() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    // First without any packets, then under continuous traffic.
    for pause in [None, Some(Duration::ZERO)] {
        let started = Instant::now();
        let args = ["-p", &port.arg(), "--duration", "300ms", "-w"];
        let session = Session::start(args.into_iter().chain(path.to_str()));
        let traffic = pause.map(|pause| port.keep_sending(100, pause));
        let ended = session.wait();
        let elapsed = started.elapsed();
        drop(traffic);
        assert_file_matches_counters(&ended, &path);
        assert!(elapsed >= Duration::from_millis(300), "{elapsed:?}");
        assert!(elapsed < Duration::from_millis(1500), "{elapsed:?}");
    }
}

#[test]
fn byte_limit_stops_the_capture() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    let args = ["-p", &port.arg(), "--max-bytes", "10kB", "-w"];
    let session = Session::start(args.into_iter().chain(path.to_str()));
    // With Ethernet, IP and UDP headers, a frame has 1000 bytes: the limit is ten frames.
    port.send(0, 50, 1000 - 42);
    assert_eq!(assert_file_matches_counters(&session.wait(), &path), 10);
}

#[test]
fn closed_text_pipe_stops_the_capture() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let mut command = Command::new(LCAP);
    command.args(["-p", &port.arg()]);
    let (session, output) = Session::spawn_unread(command);
    drop(output);
    port.send(0, 5, 100);
    let ended = session.wait();
    assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
    assert_eq!(ended.dropped(), 0);
    assert!(ended.errors.iter().all(|line| !line.contains("pipe")));
}

/// `lcap | head -1` under continuous traffic.
#[test]
fn reader_closing_after_one_line_stops_the_capture() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let mut command = Command::new(LCAP);
    command.args(["-p", &port.arg()]);
    let (session, output) = Session::spawn_unread(command);
    let traffic = port.keep_sending(100, Duration::from_millis(1));
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).unwrap();
    assert!(line.contains("UDP, length 100"), "{line}");
    let ended = session.wait();
    drop(traffic);
    assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
}

#[test]
fn file_is_complete_after_the_text_pipe_is_closed() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcapng");
    let mut command = Command::new(LCAP);
    command
        .args(["-p", &port.arg(), "--print", "-w"])
        .arg(&path);
    let (session, output) = Session::spawn_unread(command);
    drop(output);
    port.send(0, 500, 100);
    let packets = assert_file_matches_counters(&session.wait(), &path);
    assert!(packets > 0);
}

#[test]
fn closed_file_pipe_stops_the_capture() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let mut command = Command::new(LCAP);
    command.args(["-p", &port.arg(), "-w", "-"]);
    let (session, output) = Session::spawn_unread(command);
    drop(output);
    port.send(0, 5, 100);
    assert_eq!(session.wait().code, Some(0));
}

#[test]
fn signal_stops_the_capture_under_steady_traffic() {
    if !can_capture_or_skip() {
        return;
    }
    for size in [100, 60_000] {
        let port = ReservedPort::reserve();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcap");
        // The ring is small, because its packets are still read after the signal.
        let args = ["-p", &port.arg(), "-B", "4096", "--print", "-w"];
        let session = Session::start(args.into_iter().chain(path.to_str()));
        let traffic = port.keep_sending(size, Duration::ZERO);
        session.output.wait_for_count(1000);
        let interrupted = Instant::now();
        let ended = session.interrupt();
        let elapsed = interrupted.elapsed();
        drop(traffic);
        // A capture that waited for a pause in the traffic would take MAX_SEND_DURATION.
        assert!(elapsed < MAX_SEND_DURATION / 3, "{elapsed:?}");
        assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
        let saved = frames(&path).len() as u64;
        assert_eq!(
            (ended.captured(), ended.output.len() as u64),
            (saved, saved)
        );
    }
}
