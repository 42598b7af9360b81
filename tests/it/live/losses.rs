//! Drops: packets that do not fit into the ring are counted and reported.
//!
//! No packet is delivered twice, and flows that may lack packets are marked.

use super::netns::run_in_new_netns;
use super::session::{Session, SessionOutput, frames, lcap_lines};
use super::traffic::{ReservedPort, V4, number};
use rustix::process::Signal;
use serde_json::Value;

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

/// A flow that exists while packets are dropped is possibly incomplete; one that has ended is not.
#[test]
fn flows_during_drops_are_possibly_incomplete() {
    /// More than the ring holds, which has several blocks: the first flow must fit.
    const LEN: usize = 16_000_000;
    run_in_new_netns(|| {
        let port = ReservedPort::reserve();
        let start = |args: [&str; 3]| {
            let port = port.arg();
            let common = ["-p", &port, "-B", "4MiB"];
            Session::start(
                args.into_iter()
                    .take_while(|arg| !arg.is_empty())
                    .chain(common),
            )
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcapng");
        let path = path.to_str().unwrap();
        let write = format!("-w{path}");
        let sessions = [
            start(["flows", "--format=json", "--fail-on=gap,unclosed"]),
            start(["flows", "--format=json", &write]),
            start(["flows", "--format=zeek", ""]),
            start(["flows", "--format=text", ""]),
            start(["follow", "", ""]),
        ];
        let complete = port.exchange(V4);
        // The first flow has ended, and its row is printed.
        let is_closed = |line: &str| line.contains(&complete.port().to_string());
        for session in &sessions {
            session.output.wait_for(is_closed);
            session.signal(Signal::STOP);
        }
        port.transfer(LEN);
        sessions
            .iter()
            .for_each(|session| session.signal(Signal::CONT));
        let [json, saved, zeek, text, follow] = sessions.map(Session::interrupt);

        let dropped = |ended: &SessionOutput| {
            let dropped = ended.dropped();
            assert!(dropped > 0, "{ended:?}");
            dropped
        };
        let rows: Vec<Value> = json
            .output
            .iter()
            .map(|row| serde_json::from_str(row).unwrap())
            .collect();
        let [first, second] = &rows[..] else {
            panic!("{json:?}");
        };
        assert_eq!(first["outcome"], "closed normally");
        assert_eq!(
            (&first["dropped_pkts"], &first["missed_bytes"]),
            (&0.into(), &0.into())
        );
        assert_eq!(second["outcome"], "possibly incomplete");
        assert_eq!(second["dropped_pkts"], dropped(&json));
        assert_eq!(second.get("missed_bytes"), Some(&Value::Null));
        assert_eq!(json.code, Some(3));
        let failures: Vec<&String> = json
            .errors
            .iter()
            .filter(|line| line.contains(": flow "))
            .collect();
        assert!(
            matches!(&failures[..], [gap] if gap.starts_with("gap: flow 2: ")),
            "{failures:?}"
        );

        // The saved file states the same drops.
        let read = lcap_lines(&["flows", "--format=json", "-r", path]);
        let fields = |rows: &[String]| -> Vec<Vec<Value>> {
            let rows = rows.iter();
            let rows = rows.map(|row| serde_json::from_str::<Value>(row).unwrap());
            let names = ["dropped_pkts", "missed_bytes", "outcome"];
            rows.map(|row| names.map(|name| row[name].clone()).to_vec())
                .collect()
        };
        let live = fields(&saved.output);
        assert_eq!(fields(&read), live);
        assert_eq!(live[1][0], dropped(&saved));

        let missed = |line: &String| line.split('\t').nth(12).map(str::to_owned);
        let missed: Vec<String> = zeek.output.iter().filter_map(missed).collect();
        // Before the rows are the names of the fields; the word `#fields` is the first of them.
        let last_two = &missed[missed.len() - 2..];
        assert_eq!(last_two, ["0", "-"], "{zeek:?}");
        let note = |ended: &SessionOutput| {
            let dropped = dropped(ended);
            format!("possibly incomplete: {dropped} packets dropped meanwhile")
        };
        for ended in [&text, &follow] {
            let marked = ended
                .output
                .iter()
                .filter(|line| line.contains(&note(ended)));
            assert_eq!(marked.count(), 1, "{ended:?}");
        }
    });
}
