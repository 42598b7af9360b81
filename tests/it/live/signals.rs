//! Signals that do not end a capture, and one that ends it at once.

use super::session::{LCAP, Session, objects, permitted};
use super::traffic::Port;
use rustix::process::Signal;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn counters_on_demand() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let session = Session::start(["-p", &port.word(), "-t"]);
    for round in 1..=3_u32 {
        port.send(0, 10, 100);
        session.output.wait_for_count(10 * round as usize);
        session.signal(Signal::USR1);
        let counters = format!("{} packets captured", 10 * round);
        session.errors.wait_for(|line| line == counters);
    }
    let ended = session.interrupt();
    assert_eq!(ended.is_whole().captured(), 30);
    assert_eq!(ended.output.len(), 30);
}

#[test]
fn the_kernels_counters_on_demand() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let session = Session::start(["-p", &port.word(), "-t"]);
    port.send(0, 10, 100);
    session.output.wait_for_count(10);
    // They are asked for a moment after the packets, and again only when more came.
    let asked = Instant::now();
    let up_to_date = |line: &str| {
        let number = line.strip_suffix(" packets received by filter");
        number.is_some_and(|number| number.parse::<u64>().unwrap() >= 10)
    };
    while !session.errors.have(up_to_date) {
        assert!(asked.elapsed() < Duration::from_secs(2), "still stale");
        session.signal(Signal::USR1);
        std::thread::sleep(Duration::from_millis(20));
    }
    session.interrupt().is_whole();
}

#[test]
fn flushing_goes_on() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    let words = ["-p", &port.word(), "--print", "-w"];
    let session = Session::start(words.into_iter().chain(path.to_str()));
    for round in 1..=3 {
        session.signal(Signal::USR2);
        port.send(0, 10, 100);
        session.output.wait_for_count(10 * round);
    }
    let ended = session.interrupt();
    assert_eq!(ended.is_whole().captured(), 30);
    assert_eq!(objects(&path).len(), 30);
}

/// Whoever asks again does not want to wait for a reader that takes nothing.
#[test]
fn a_second_interrupt_ends_at_once() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let mut command = Command::new(LCAP);
    command.args(["-p", &port.word()]);
    let (mut session, output) = Session::unread(command);
    // More text than the pipe and lcap's buffers hold.
    port.send(0, 20_000, 100);
    session.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(300));
    assert!(session.is_running(), "it waits for its reader");
    session.signal(Signal::INT);
    assert_eq!(session.ended().code, Some(130));
    drop(output);
}
