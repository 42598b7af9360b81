//! Shutdown without loss: packets sent before the stop request are in the file, even the very last.

use super::netns::run_in_new_netns;
use super::session::{Session, can_capture_or_skip, frames, packets_as_json};
use super::traffic::{ReservedPort, number};
use std::path::Path;

const PACKET_COUNT: u32 = 20_000;

fn assert_all_datagrams_are_saved(path: &Path, size: usize) -> super::session::SessionOutput {
    let port = ReservedPort::reserve();
    let session = Session::start(["-p", &port.arg(), "-w", path.to_str().unwrap()]);
    port.send(0, PACKET_COUNT, size);
    let ended = session.interrupt();
    let numbers = frames(path).into_iter().map(|frame| number(&frame.1));
    assert!(numbers.eq(0..PACKET_COUNT), "{:?}", ended.errors);
    assert_eq!(ended.assert_lossless().captured(), u64::from(PACKET_COUNT));
    ended
}

#[test]
fn datagrams_before_the_stop_are_saved_on_a_busy_device() {
    if can_capture_or_skip() {
        let directory = tempfile::tempdir().unwrap();
        assert_all_datagrams_are_saved(&directory.path().join("capture.pcap"), 100);
    }
}

/// In a namespace without other traffic, the kernel's counter is exact. On a busy device it
/// includes packets that arrived before the filter was attached.
#[test]
fn kernel_counter_equals_the_datagrams_sent() {
    run_in_new_netns(|| {
        let directory = tempfile::tempdir().unwrap();
        let ended = assert_all_datagrams_are_saved(&directory.path().join("capture.pcapng"), 1000);
        assert_eq!(ended.counter("received by filter"), u64::from(PACKET_COUNT));
    });
}

/// Segments of up to 64 KiB, which are common on loopback.
#[test]
fn large_segments_are_captured_completely() {
    const STREAM_BYTES: usize = 24 << 20;
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcapng");
    let session = Session::start(["-p", &port.arg(), "-w", path.to_str().unwrap()]);
    port.transfer(STREAM_BYTES);
    let ended = session.interrupt();
    let packets = packets_as_json(&path);
    assert_eq!(ended.assert_lossless().captured(), packets.len() as u64);
    // Under load the kernel may retransmit or reorder segments, but no bytes are missing.
    let number = |packet: &serde_json::Value, name: &str| packet[name].as_u64().unwrap();
    let to_server = |packet: &&serde_json::Value| packet["dst_port"] == port.number;
    let syn = packets.iter().find(to_server).unwrap();
    assert_eq!(syn["tcp"]["flags"], "S");
    let first = number(&syn["tcp"], "seq") as u32;
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
    let mut covered = 0;
    for (from, to) in segments {
        assert!(from <= covered, "bytes {covered} to {from} are missing");
        covered = covered.max(to);
    }
    assert_eq!(covered, STREAM_BYTES);
}
