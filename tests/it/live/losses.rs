//! Drops: packets that do not fit into the ring are counted and reported.
//!
//! No packet is delivered twice.

use super::netns::run_in_new_netns;
use super::session::{Session, frames};
use super::traffic::{ReservedPort, number};
use rustix::process::Signal;

#[test]
fn drops_of_a_small_ring_are_counted() {
    const PACKET_COUNT: u32 = 20_000;
    run_in_new_netns(|| {
        let port = ReservedPort::reserve();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcap");
        let args = ["-p", &port.arg(), "-B", "256KiB", "-w"];
        let session = Session::start(args.into_iter().chain(path.to_str()));
        session.signal(Signal::STOP);
        port.send(0, PACKET_COUNT, 1000);
        session.signal(Signal::CONT);
        let ended = session.interrupt();

        assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
        let (captured, dropped) = (ended.captured(), ended.dropped());
        assert!(captured > 0 && dropped > 0, "{:?}", ended.errors);
        assert_eq!(captured + dropped, u64::from(PACKET_COUNT));
        assert_eq!(ended.counter("received by filter"), u64::from(PACKET_COUNT));
        let advice = ended
            .errors
            .iter()
            .find(|line| line.contains("the ring of 256 KiB was full"));
        assert!(advice.unwrap().contains("(-B "), "{:?}", ended.errors);
        let numbers: Vec<u32> = frames(&path)
            .into_iter()
            .map(|frame| number(&frame.1))
            .collect();
        assert_eq!(numbers.len() as u64, captured);
        assert!(
            numbers.is_sorted_by(|a, b| a < b),
            "duplicate or reordered packet"
        );
    });
}

/// The recommended ring size is sufficient.
#[test]
fn ring_of_the_recommended_size_drops_nothing() {
    const PACKET_COUNT: u32 = 5_000;
    run_in_new_netns(|| {
        let port = ReservedPort::reserve();
        let run = |ring: &str| {
            let session = Session::start(["-p", &port.arg(), "-B", ring, "--count"]);
            session.signal(Signal::STOP);
            port.send(0, PACKET_COUNT, 1000);
            session.signal(Signal::CONT);
            session.interrupt()
        };
        let ended = run("256KiB");
        let advice = ended.errors.iter().find_map(|line| line.split_once("(-B "));
        let (_, rest) = advice.unwrap();
        let (ring, _) = rest.split_once(')').unwrap();
        let again = run(ring);
        assert_eq!(
            again.assert_lossless().captured(),
            u64::from(PACKET_COUNT),
            "{ring}"
        );
    });
}
