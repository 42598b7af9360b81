//! Frames of the fixtures, changed, cut, left out and with any times: each flow begins and ends once, and the counts add up.

use lcap::decode::{decode, lane};
use lcap::flow::Settings;
use lcap::packet::{Body, Interface, Lane, Timestamp};
use lcap::source::{Next, file};
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::OnceLock;

use super::script::{Captured, STREAMS, run};

/// The frames of each fixture, one after the other.
fn fixtures() -> &'static [Vec<Captured>] {
    static FIXTURES: OnceLock<Vec<Vec<Captured>>> = OnceLock::new();
    FIXTURES.get_or_init(|| {
        let entries = std::fs::read_dir("fixtures").unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let mut fixtures = Vec::new();
        for path in paths {
            let Ok(mut source) = file::open(&path) else {
                continue;
            };
            let mut frames = Vec::new();
            while let Ok(Next::Frame(frame)) = source.next() {
                frames.push(Captured {
                    time: frame.time.0,
                    link: frame.link,
                    wire_len: frame.wire_len,
                    bytes: frame.bytes.to_vec(),
                });
            }
            fixtures.push(frames);
        }
        assert!(fixtures.len() > 15, "{} fixtures", fixtures.len());
        fixtures
    })
}

/// What becomes of a frame.
#[derive(Debug, Clone)]
enum Change {
    Kept,
    Left,
    Byte(Index, u8),
    Cut(Index),
    /// Its time is changed by so many nanoseconds.
    Time(i64),
    Timeless,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let one = prop_oneof![
        6 => Just(Change::Kept),
        1 => Just(Change::Left),
        3 => (any::<Index>(), any::<u8>()).prop_map(|(at, value)| Change::Byte(at, value)),
        1 => any::<Index>().prop_map(Change::Cut),
        1 => any::<i64>().prop_map(Change::Time),
        1 => (-400..400_i64).prop_map(|seconds| Change::Time(seconds * 1_000_000_000)),
        1 => Just(Change::Timeless),
    ];
    prop::collection::vec(one, 1..60)
}

/// Frames of two fixtures in turns, from anywhere in them.
fn mixed(from: [(Index, Index); 2], changes: Vec<Change>) -> Vec<Captured> {
    let mut sources = from.map(|(fixture, at)| {
        let frames = fixture.get(fixtures());
        frames.iter().cycle().skip(at.index(frames.len().max(1)))
    });
    let mut all = Vec::new();
    for (n, change) in changes.into_iter().enumerate() {
        let Some(mut frame) = sources[n / 3 % 2].next().cloned() else {
            continue;
        };
        match change {
            Change::Kept => {}
            Change::Left => continue,
            Change::Byte(at, value) => {
                // The headers are at the front.
                let at = at.index(frame.bytes.len().clamp(1, 80));
                if let Some(byte) = frame.bytes.get_mut(at) {
                    *byte = value;
                }
            }
            Change::Cut(at) => frame.bytes.truncate(at.index(frame.bytes.len() + 1)),
            Change::Time(by) => frame.time = frame.time.wrapping_add(by),
            Change::Timeless => frame.time = Timestamp::UNKNOWN.0,
        }
        all.push(frame);
    }
    all
}

/// How many frames are packets of flows, readable or not; and how many are fragments.
fn packets(frames: &[Captured]) -> (u64, u64) {
    let interface = Interface::default();
    let (mut whole, mut fragments) = (0, 0);
    for captured in frames {
        let frame = captured.frame(1, &interface);
        let packet = decode(&frame);
        let has_flow = !matches!(packet.body, Body::Ip { .. } | Body::Opaque(_));
        match packet.fragment {
            Some(_) => fragments += 1,
            None => whole += u64::from(has_flow),
        }
    }
    (whole, fragments)
}

/// A lane that is told without decoding is that of the packet that decoding gives; the usual packets have one.
fn lanes_agree(frames: &[Captured]) -> Result<(), TestCaseError> {
    let interface = Interface::default();
    for captured in frames {
        let frame = captured.frame(1, &interface);
        let Some(lane) = lane(&frame) else { continue };
        let packet = decode(&frame);
        let (Body::Tcp { tuple, .. } | Body::Udp { tuple, .. }) = packet.body else {
            return Err(TestCaseError::fail(format!("{packet:?}")));
        };
        prop_assert_eq!(lane, Lane::of(&tuple));
        prop_assert!(packet.fragment.is_none());
    }
    Ok(())
}

#[test]
fn most_packets_of_the_fixtures_have_a_lane_at_once() {
    let interface = Interface::default();
    let frames = fixtures().iter().flatten();
    let (with, all) = frames.fold((0, 0), |(with, all), captured| {
        let lane = lane(&captured.frame(1, &interface));
        (with + usize::from(lane.is_some()), all + 1)
    });
    assert!(with * 2 > all, "{with} of {all}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_frames(
        from in any::<[(Index, Index); 2]>(),
        changes in changes(),
        max_flows in 1..6_u32,
        max_waiting in prop_oneof![Just(0), 0..5000_u64, Just(1 << 20)],
    ) {
        let frames = mixed(from, changes);
        lanes_agree(&frames)?;
        let settings = Settings { max_flows, max_waiting, ..STREAMS };
        let told = run(&frames, settings);
        let counted = told.records.iter().flat_map(|flow| &flow.sides);
        let pkts: u64 = counted.map(|side| side.traffic.pkts).sum();
        let (whole, fragments) = packets(&frames);
        let seen = pkts + told.counts.unreadable;
        prop_assert!((whole..=whole + fragments).contains(&seen), "{seen} of {whole} and {fragments}");
        prop_assert!(told.counts.incomplete <= fragments);
    }
}
