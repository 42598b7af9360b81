//! What was sent before the wish to stop is in the file, however close behind the wish came.

use super::session::{Session, frames, objects, permitted};
use super::space::alone;
use super::traffic::{Port, number};
use std::path::Path;

const MANY: u32 = 20_000;

fn datagrams(path: &Path, size: usize) -> super::session::Ended {
    let port = Port::take();
    let session = Session::start(["-p", &port.word(), "-w", path.to_str().unwrap()]);
    port.send(0, MANY, size);
    let ended = session.interrupt();
    let numbers = frames(path).into_iter().map(|frame| number(&frame.1));
    assert!(numbers.eq(0..MANY), "{:?}", ended.errors);
    assert_eq!(ended.is_whole().captured(), u64::from(MANY));
    ended
}

#[test]
fn datagrams_on_a_busy_device() {
    if permitted() {
        let directory = tempfile::tempdir().unwrap();
        datagrams(&directory.path().join("capture.pcap"), 100);
    }
}

/// Where nobody else speaks the kernel's count is the same: on a busy device it includes what came before the filter.
#[test]
fn datagrams_and_the_kernel_counts_the_same() {
    alone(|| {
        let directory = tempfile::tempdir().unwrap();
        let ended = datagrams(&directory.path().join("capture.pcapng"), 1000);
        assert_eq!(ended.counter("received by filter"), u64::from(MANY));
    });
}

/// Segments of 64 KiB, as only loopback has them.
#[test]
fn large_segments() {
    const BYTES: usize = 24 << 20;
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcapng");
    let session = Session::start(["-p", &port.word(), "-w", path.to_str().unwrap()]);
    port.pour(BYTES);
    let ended = session.interrupt();
    let packets = objects(&path);
    assert_eq!(ended.is_whole().captured(), packets.len() as u64);
    // Under load the kernel may send a segment again, or two out of order; none may be missing.
    let number = |packet: &serde_json::Value, name: &str| packet[name].as_u64().unwrap();
    let to_server = |packet: &&serde_json::Value| packet["dst_port"] == port.number;
    let opening = packets.iter().find(to_server).unwrap();
    assert_eq!(opening["tcp"]["flags"], "S");
    let first = number(&opening["tcp"], "seq") as u32;
    let first = first.wrapping_add(1);
    let mut segments: Vec<(usize, usize)> = packets
        .iter()
        .filter(to_server)
        .filter(|packet| packet["payload_len"] != 0)
        .map(|packet| {
            let from = (number(&packet["tcp"], "seq") as u32).wrapping_sub(first) as usize;
            (from, from + number(packet, "payload_len") as usize)
        })
        .collect();
    segments.sort();
    let mut whole = 0;
    for (from, to) in segments {
        assert!(from <= whole, "{whole} to {from} is missing");
        whole = whole.max(to);
    }
    assert_eq!(whole, BYTES);
}
