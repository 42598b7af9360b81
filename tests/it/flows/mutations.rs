//! Property tests with fixture frames that are modified, truncated, dropped and given arbitrary
//! timestamps: each flow is opened and closed once, and the packet counts add up.

use lcap::internals::decode::decode;
use lcap::internals::flow::FlowSettings;
use lcap::internals::packet::{Interface, PacketKind, Timestamp};
use lcap::internals::source::{SourceEvent, file};
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::OnceLock;

use super::script::{CapturedFrame, STREAMS, run_checked};

/// Returns the frames of each fixture, in capture order.
fn fixtures() -> &'static [Vec<CapturedFrame>] {
    static FIXTURES: OnceLock<Vec<Vec<CapturedFrame>>> = OnceLock::new();
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
            while let Ok(SourceEvent::Frame(frame)) = source.next() {
                frames.push(CapturedFrame {
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

/// A change to a frame.
#[derive(Debug, Clone)]
enum Mutation {
    Keep,
    Drop,
    SetByte(Index, u8),
    Truncate(Index),
    /// Adds nanoseconds to the timestamp.
    ShiftTime(i64),
    ClearTime,
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let mutation = prop_oneof![
        6 => Just(Mutation::Keep),
        1 => Just(Mutation::Drop),
        3 => (any::<Index>(), any::<u8>()).prop_map(|(at, value)| Mutation::SetByte(at, value)),
        1 => any::<Index>().prop_map(Mutation::Truncate),
        1 => any::<i64>().prop_map(Mutation::ShiftTime),
        1 => (-400..400_i64).prop_map(|seconds| Mutation::ShiftTime(seconds * 1_000_000_000)),
        1 => Just(Mutation::ClearTime),
    ];
    prop::collection::vec(mutation, 1..60)
}

/// Returns mutated frames, alternating between two fixtures, starting at any frame in each.
fn mutated_frames(from: [(Index, Index); 2], changes: Vec<Mutation>) -> Vec<CapturedFrame> {
    let mut sources = from.map(|(fixture, at)| {
        let frames = fixture.get(fixtures());
        frames.iter().cycle().skip(at.index(frames.len().max(1)))
    });
    let mut mutated = Vec::new();
    for (n, change) in changes.into_iter().enumerate() {
        let Some(mut frame) = sources[n / 3 % 2].next().cloned() else {
            continue;
        };
        match change {
            Mutation::Keep => {}
            Mutation::Drop => continue,
            Mutation::SetByte(at, value) => {
                // The first 80 bytes contain the headers.
                let at = at.index(frame.bytes.len().clamp(1, 80));
                if let Some(byte) = frame.bytes.get_mut(at) {
                    *byte = value;
                }
            }
            Mutation::Truncate(at) => frame.bytes.truncate(at.index(frame.bytes.len() + 1)),
            Mutation::ShiftTime(by) => frame.time = frame.time.wrapping_add(by),
            Mutation::ClearTime => frame.time = Timestamp::ABSENT.0,
        }
        mutated.push(frame);
    }
    mutated
}

/// Returns the number of unfragmented packets that belong to a flow or have an unreadable header,
/// and the number of fragments.
fn count_packets(frames: &[CapturedFrame]) -> (u64, u64) {
    let interface = Interface::default();
    let (mut whole, mut fragments) = (0, 0);
    for captured in frames {
        let frame = captured.frame(1, &interface);
        let packet = decode(&frame);
        let has_flow = !matches!(packet.kind(), PacketKind::Ip | PacketKind::Opaque);
        match packet.fragment() {
            Some(_) => fragments += 1,
            None => whole += u64::from(has_flow),
        }
    }
    (whole, fragments)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn mutated_frames_keep_flow_invariants(
        from in any::<[(Index, Index); 2]>(),
        changes in mutations(),
        max_flows in 1..6_u32,
        max_out_of_order_bytes in prop_oneof![Just(0), 0..5000_u64, Just(1 << 20)],
    ) {
        let frames = mutated_frames(from, changes);
        let settings = FlowSettings { max_flows, max_out_of_order_bytes, ..STREAMS };
        let log = run_checked(&frames, settings);
        let sides = log.records.iter().flat_map(|flow| &flow.sides);
        let pkts = sides.map(|side| side.traffic.pkts + u64::from(side.analysis.duplicate_pkts));
        let pkts: u64 = pkts.sum();
        let (whole, fragments) = count_packets(&frames);
        let counted = pkts + log.counts.unreadable;
        prop_assert!(
            (whole..=whole + fragments).contains(&counted),
            "{counted} counted of {whole} whole packets and {fragments} fragments"
        );
        prop_assert!(log.counts.incomplete <= fragments);
    }
}
