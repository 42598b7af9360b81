//! Signals: USR1 and USR2 do not end a capture; a second INT ends it immediately.

use super::session::{LCAP, Session, can_capture_or_skip, packets_as_json};
use super::traffic::ReservedPort;
use rustix::process::Signal;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn usr1_prints_the_counters() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let session = Session::start(["-p", &port.arg(), "-t"]);
    for round in 1..=3_u32 {
        port.send(0, 10, 100);
        session.output.wait_for_count(10 * round as usize);
        session.signal(Signal::USR1);
        let counters = format!("{} packets captured", 10 * round);
        session.errors.wait_for(|line| line == counters);
    }
    let ended = session.interrupt();
    assert_eq!(ended.assert_lossless().captured(), 30);
    assert_eq!(ended.output.len(), 30);
}

#[test]
fn usr1_prints_recent_kernel_counters() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let session = Session::start(["-p", &port.arg(), "-t"]);
    port.send(0, 10, 100);
    session.output.wait_for_count(10);
    // The kernel counters are queried shortly after packets arrive, and again once more arrive.
    let started = Instant::now();
    let up_to_date = |line: &str| {
        let number = line.strip_suffix(" packets received by filter");
        number.is_some_and(|number| number.parse::<u64>().unwrap() >= 10)
    };
    while !session.errors.has_line(up_to_date) {
        assert!(started.elapsed() < Duration::from_secs(2), "stale counters");
        session.signal(Signal::USR1);
        std::thread::sleep(Duration::from_millis(20));
    }
    session.interrupt().assert_lossless();
}

#[test]
fn capture_continues_after_usr2_flushes() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    let args = ["-p", &port.arg(), "--print", "-w"];
    let session = Session::start(args.into_iter().chain(path.to_str()));
    for round in 1..=3 {
        session.signal(Signal::USR2);
        port.send(0, 10, 100);
        session.output.wait_for_count(10 * round);
    }
    let ended = session.interrupt();
    assert_eq!(ended.assert_lossless().captured(), 30);
    assert_eq!(packets_as_json(&path).len(), 30);
}

/// A second interrupt ends lcap even while its output is blocked by a reader.
#[test]
fn second_interrupt_ends_the_capture_immediately() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let mut command = Command::new(LCAP);
    command.args(["-p", &port.arg()]);
    let (mut session, output) = Session::spawn_unread(command);
    // The text is larger than the pipe and lcap's buffers.
    port.send(0, 20_000, 100);
    session.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(300));
    assert!(session.is_running(), "lcap waits for its reader");
    session.signal(Signal::INT);
    assert_eq!(session.wait().code, Some(130));
    drop(output);
}
