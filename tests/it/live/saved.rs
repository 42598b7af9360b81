//! Saving: files hold what was counted, also while it is shown to somebody slow.

use super::session::{LCAP, Session, frames, objects, permitted};
use super::traffic::{Port, V4, V6, number};
use std::io::Read;
use std::process::Command;

#[test]
fn a_pcap_file() {
    saved("capture.pcap");
}

#[test]
fn a_pcapng_file() {
    saved("capture.pcapng");
}

fn saved(name: &str) {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    let session = Session::start(["-p", &port.word(), "-w", path.to_str().unwrap()]);
    let client = port.converse(V4);
    port.converse(V6);
    port.send(0, 3, 1000);
    let ended = session.interrupt();
    assert!(ended.is_whole().output.is_empty());
    let packets = objects(&path);
    assert_eq!(packets.len() as u64, ended.captured());
    let count = |wanted: &dyn Fn(&serde_json::Value) -> bool| {
        packets.iter().filter(|packet| wanted(packet)).count()
    };
    for host in ["127.0.0.1", "::1"] {
        assert_eq!(
            count(&|packet| packet["src"] == host && packet["tcp"]["flags"] == "S"),
            1,
            "{host}"
        );
    }
    let own = |packet: &serde_json::Value| {
        packet["src_port"] == port.number || packet["dst_port"] == port.number
    };
    assert_eq!(count(&own), packets.len());
    assert_eq!(
        count(&|packet| packet["proto"] == "UDP" || packet["proto"] == "udp"),
        3
    );
    let asked = count(&|packet| packet["src_port"] == client.port() && packet["payload_len"] == 5);
    assert_eq!(asked, 1, "{packets:#?}");
}

#[test]
fn nothing_saved_is_a_file_too() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    for name in ["none.pcap", "none.pcapng"] {
        let path = directory.path().join(name);
        let session = Session::start(["-p", &port.word(), "-w", path.to_str().unwrap()]);
        let ended = session.interrupt();
        assert_eq!(ended.is_whole().captured(), 0);
        assert_eq!(objects(&path).len(), 0);
    }
}

#[test]
fn shown_although_saved() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcapng");
    let words = ["-p", &port.word(), "-tt", "--nano", "--print", "-w"];
    let session = Session::start(words.into_iter().chain(path.to_str()));
    port.converse(V4);
    port.send(0, 100, 100);
    let ended = session.interrupt();
    let read = Command::new(LCAP)
        .args(["-tt", "--nano", "-r"])
        .arg(&path)
        .output()
        .unwrap();
    let again = String::from_utf8(read.stdout).unwrap();
    let again: Vec<&str> = again.lines().collect();
    assert_eq!(ended.is_whole().output, again);
    assert_eq!(ended.captured(), again.len() as u64);
}

#[test]
fn into_a_pipe() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let mut command = Command::new(LCAP);
    command.args(["-p", &port.word(), "-w", "-"]);
    let (session, mut output) = Session::unread(command);
    port.send(0, 10, 100);
    let ended = session.interrupt();
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    assert_eq!(ended.is_whole().captured(), 10);
    let numbers: Vec<u32> = frames(file.path())
        .iter()
        .map(|frame| number(&frame.1))
        .collect();
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
}

/// Lines that nobody reads for a while wait in the ring, not in lcap; the file and the lines end up the same.
#[test]
fn a_slow_reader_loses_nothing() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcap");
    let mut command = Command::new(LCAP);
    command
        .args(["-p", &port.word(), "--print", "-w"])
        .arg(&path);
    let (session, output) = Session::unread(command);
    // As text more than any pipe and every buffer hold.
    port.send(0, 20_000, 100);
    session.signal(rustix::process::Signal::INT);
    let mut text = String::new();
    let mut reader = std::io::BufReader::with_capacity(1 << 10, output);
    reader.read_to_string(&mut text).unwrap();
    let ended = session.ended();
    assert_eq!(ended.is_whole().captured(), 20_000);
    assert_eq!(text.lines().count(), 20_000);
    let numbers = frames(&path).into_iter().map(|frame| number(&frame.1));
    assert!(numbers.eq(0..20_000));
}
