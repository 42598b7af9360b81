//! The ways a capture ends: each with code 0, with counters, and with a file that holds what they say.

use super::session::{Ended, LCAP, Session, frames, objects, permitted};
use super::traffic::{LONGEST, Port};
use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[track_caller]
fn holds_what_was_counted(ended: &Ended, path: &Path) -> u64 {
    let packets = objects(path).len() as u64;
    assert_eq!(ended.is_whole().captured(), packets);
    packets
}

#[test]
fn a_signal() {
    if !permitted() {
        return;
    }
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let port = Port::take();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcapng");
        let session = Session::start(["-p", &port.word(), "-w", path.to_str().unwrap()]);
        port.send(0, 7, 100);
        session.signal(signal);
        assert_eq!(holds_what_was_counted(&session.ended(), &path), 7);
    }
}

#[test]
fn so_many_packets() {
    if !permitted() {
        return;
    }
    for (count, sent) in [(1, 1), (1, 50), (7, 7), (1000, 3000)] {
        let port = Port::take();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcap");
        let words = ["-p", &port.word(), "-c", &count.to_string(), "-w"];
        let session = Session::start(words.into_iter().chain(path.to_str()));
        port.send(0, sent, 100);
        assert_eq!(holds_what_was_counted(&session.ended(), &path), count);
    }
}

#[test]
fn so_many_lines() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let session = Session::start(["-p", &port.word(), "-c", "3", "-t"]);
    port.send(0, 20, 100);
    let ended = session.ended();
    assert_eq!(ended.is_whole().output.len(), 3);
}

#[test]
fn a_while() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    // Nothing comes at first, and then ever more.
    for pause in [None, Some(Duration::ZERO)] {
        let begun = Instant::now();
        let words = ["-p", &port.word(), "--duration", "300ms", "-w"];
        let session = Session::start(words.into_iter().chain(path.to_str()));
        let steady = pause.map(|pause| port.keep_sending(100, pause));
        let ended = session.ended();
        let took = begun.elapsed();
        drop(steady);
        holds_what_was_counted(&ended, &path);
        assert!(took >= Duration::from_millis(300), "{took:?}");
        assert!(took < Duration::from_millis(1500), "{took:?}");
    }
}

#[test]
fn so_many_bytes() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    let words = ["-p", &port.word(), "--max-bytes", "10kB", "-w"];
    let session = Session::start(words.into_iter().chain(path.to_str()));
    // With Ethernet, IP and UDP headers 1000 bytes each: ten fit.
    port.send(0, 50, 1000 - 42);
    assert_eq!(holds_what_was_counted(&session.ended(), &path), 10);
}

#[test]
fn nobody_reads_the_lines() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let mut command = Command::new(LCAP);
    command.args(["-p", &port.word()]);
    let (session, output) = Session::unread(command);
    drop(output);
    port.send(0, 5, 100);
    let ended = session.ended();
    assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
    assert_eq!(ended.dropped(), 0);
    assert!(ended.errors.iter().all(|line| !line.contains("pipe")));
}

/// As `lcap | head -1`, while packets go on.
#[test]
fn somebody_reads_one_line() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let mut command = Command::new(LCAP);
    command.args(["-p", &port.word()]);
    let (session, output) = Session::unread(command);
    let steady = port.keep_sending(100, Duration::from_millis(1));
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).unwrap();
    assert!(line.contains("UDP, length 100"), "{line}");
    let ended = session.ended();
    drop(steady);
    assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
}

#[test]
fn nobody_reads_the_lines_and_the_file_is_whole() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcapng");
    let mut command = Command::new(LCAP);
    command
        .args(["-p", &port.word(), "--print", "-w"])
        .arg(&path);
    let (session, output) = Session::unread(command);
    drop(output);
    port.send(0, 500, 100);
    let packets = holds_what_was_counted(&session.ended(), &path);
    assert!(packets > 0);
}

#[test]
fn nobody_reads_the_file() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let mut command = Command::new(LCAP);
    command.args(["-p", &port.word(), "-w", "-"]);
    let (session, output) = Session::unread(command);
    drop(output);
    port.send(0, 5, 100);
    assert_eq!(session.ended().code, Some(0));
}

/// Somebody may want to stop while packets never do.
#[test]
fn a_signal_under_steady_traffic() {
    if !permitted() {
        return;
    }
    for size in [100, 60_000] {
        let port = Port::take();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcap");
        // What the ring holds then is still read, so it is a small one.
        let words = ["-p", &port.word(), "-B", "4096", "--print", "-w"];
        let session = Session::start(words.into_iter().chain(path.to_str()));
        let steady = port.keep_sending(size, Duration::ZERO);
        session.output.wait_for_count(1000);
        let asked = Instant::now();
        let ended = session.interrupt();
        let took = asked.elapsed();
        drop(steady);
        // Who waited for the last packet would wait for as long as they are sent.
        assert!(took < LONGEST / 3, "{took:?}");
        assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
        let held = frames(&path).len() as u64;
        assert_eq!((ended.captured(), ended.output.len() as u64), (held, held));
    }
}
