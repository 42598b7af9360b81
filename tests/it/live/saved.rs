//! Saved files: they contain the counted packets, even with a slow reader of the text output.

use super::session::{LCAP, Session, can_capture_or_skip, frames, packets_as_json};
use super::traffic::{ReservedPort, V4, V6, number};
use std::io::Read;
use std::process::Command;

#[test]
fn pcap_file_contains_the_captured_packets() {
    assert_capture_is_saved("capture.pcap");
}

#[test]
fn pcapng_file_contains_the_captured_packets() {
    assert_capture_is_saved("capture.pcapng");
}

fn assert_capture_is_saved(name: &str) {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    let session = Session::start(["-p", &port.arg(), "-w", path.to_str().unwrap()]);
    let client = port.exchange(V4);
    port.exchange(V6);
    port.send(0, 3, 1000);
    let ended = session.interrupt();
    assert!(ended.assert_lossless().output.is_empty());
    let packets = packets_as_json(&path);
    assert_eq!(packets.len() as u64, ended.captured());
    let count = |matches: &dyn Fn(&serde_json::Value) -> bool| {
        packets.iter().filter(|packet| matches(packet)).count()
    };
    for host in ["127.0.0.1", "::1"] {
        assert_eq!(
            count(&|packet| packet["src"] == host && packet["tcp"]["flags"] == "S"),
            1,
            "{host}"
        );
    }
    let has_port = |packet: &serde_json::Value| {
        packet["src_port"] == port.number || packet["dst_port"] == port.number
    };
    assert_eq!(count(&has_port), packets.len());
    assert_eq!(
        count(&|packet| packet["proto"] == "UDP" || packet["proto"] == "udp"),
        3
    );
    let requests =
        count(&|packet| packet["src_port"] == client.port() && packet["payload_len"] == 5);
    assert_eq!(requests, 1, "{packets:#?}");
}

#[test]
fn empty_capture_is_a_valid_file() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    for name in ["none.pcap", "none.pcapng"] {
        let path = directory.path().join(name);
        let session = Session::start(["-p", &port.arg(), "-w", path.to_str().unwrap()]);
        let ended = session.interrupt();
        assert_eq!(ended.assert_lossless().captured(), 0);
        assert_eq!(packets_as_json(&path).len(), 0);
    }
}

#[test]
fn printed_lines_equal_those_of_the_saved_file() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcapng");
    let args = ["-p", &port.arg(), "-tt", "--nano", "--print", "-w"];
    let session = Session::start(args.into_iter().chain(path.to_str()));
    port.exchange(V4);
    port.send(0, 100, 100);
    let ended = session.interrupt();
    let read = Command::new(LCAP)
        .args(["-tt", "--nano", "-r"])
        .arg(&path)
        .output()
        .unwrap();
    let saved = String::from_utf8(read.stdout).unwrap();
    let saved: Vec<&str> = saved.lines().collect();
    assert_eq!(ended.assert_lossless().output, saved);
    assert_eq!(ended.captured(), saved.len() as u64);
}

#[test]
fn capture_is_written_to_a_pipe() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let mut command = Command::new(LCAP);
    command.args(["-p", &port.arg(), "-w", "-"]);
    let (session, mut output) = Session::spawn_unread(command);
    port.send(0, 10, 100);
    let ended = session.interrupt();
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    assert_eq!(ended.assert_lossless().captured(), 10);
    let numbers: Vec<u32> = frames(file.path())
        .iter()
        .map(|frame| number(&frame.1))
        .collect();
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
}

/// While no process reads the text output, packets wait in the ring; in the end, text output and
/// file are complete.
#[test]
fn slow_reader_loses_nothing() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    let (session, output) = Session::print_unread_and_save(&port.arg(), &path);
    // The text is larger than the pipe and lcap's buffers.
    port.send(0, 20_000, 100);
    session.signal(rustix::process::Signal::INT);
    let mut text = String::new();
    let mut reader = std::io::BufReader::with_capacity(1 << 10, output);
    reader.read_to_string(&mut text).unwrap();
    let ended = session.wait();
    assert_eq!(ended.assert_lossless().captured(), 20_000);
    assert_eq!(text.lines().count(), 20_000);
    let numbers = frames(&path).into_iter().map(|frame| number(&frame.1));
    assert!(numbers.eq(0..20_000));
}
