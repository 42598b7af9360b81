//! Packets that the ring could not hold are counted, told, and never made up for by giving others twice.

use super::session::{Session, frames};
use super::space::alone;
use super::traffic::{Port, number};
use rustix::process::Signal;

#[test]
fn a_ring_that_is_too_small() {
    const MANY: u32 = 20_000;
    alone(|| {
        let port = Port::take();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcap");
        let words = ["-p", &port.word(), "-B", "256KiB", "-w"];
        let session = Session::start(words.into_iter().chain(path.to_str()));
        session.signal(Signal::STOP);
        port.send(0, MANY, 1000);
        session.signal(Signal::CONT);
        let ended = session.interrupt();

        assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
        let (captured, dropped) = (ended.captured(), ended.dropped());
        assert!(captured > 0 && dropped > 0, "{:?}", ended.errors);
        assert_eq!(captured + dropped, u64::from(MANY));
        assert_eq!(ended.counter("received by filter"), u64::from(MANY));
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
        assert!(numbers.is_sorted_by(|a, b| a < b), "one twice");
    });
}

/// What the advice says is enough.
#[test]
fn a_ring_as_large_as_advised() {
    const MANY: u32 = 5_000;
    alone(|| {
        let port = Port::take();
        let run = |ring: &str| {
            let session = Session::start(["-p", &port.word(), "-B", ring, "--count"]);
            session.signal(Signal::STOP);
            port.send(0, MANY, 1000);
            session.signal(Signal::CONT);
            session.interrupt()
        };
        let ended = run("256KiB");
        let advice = ended.errors.iter().find_map(|line| line.split_once("(-B "));
        let (_, rest) = advice.unwrap();
        let (ring, _) = rest.split_once(')').unwrap();
        let again = run(ring);
        assert_eq!(again.is_whole().captured(), u64::from(MANY), "{ring}");
    });
}
