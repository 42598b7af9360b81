//! Frames of the fixtures, changed, cut, left out and with any times: each flow begins and ends once, and the counts add up.

use lcap::decode::{brief, decode};
use lcap::flow::Settings;
use lcap::packet::{Body, Interface, Lane, Timestamp};
use lcap::source::{Next, file};
use proptest::prelude::*;
use proptest::sample::Index;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
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

/// What is read in brief is what decoding gives.
fn briefs_agree(frames: &[Captured]) -> Result<(), TestCaseError> {
    let interface = Interface::default();
    for captured in frames {
        let frame = captured.frame(1, &interface);
        let Some(brief) = brief(&frame) else { continue };
        let packet = decode(&frame);
        let (tuple, tcp, payload) = match packet.body {
            Body::Tcp {
                tuple,
                tcp,
                payload,
            } => (tuple, Some(tcp), payload),
            Body::Udp { tuple, payload } => (tuple, None, payload),
            _ => return Err(TestCaseError::fail(format!("{packet:?}"))),
        };
        let address = |[high, low]: [u64; 2]| -> IpAddr {
            match brief.version {
                4 => Ipv4Addr::from(low as u32).into(),
                _ => Ipv6Addr::from(u128::from(high) << 64 | u128::from(low)).into(),
            }
        };
        let [from, to] = brief.ports;
        prop_assert_eq!(tuple.src, SocketAddr::new(address(brief.src), from));
        prop_assert_eq!(tuple.dst, SocketAddr::new(address(brief.dst), to));
        prop_assert_eq!((tuple.proto, tcp), (brief.proto, brief.tcp));
        prop_assert_eq!(payload, brief.payload);
        prop_assert_eq!(packet.ip_len(), brief.ip_len);
        prop_assert_eq!(frame.plausible_len(), brief.wire_len);
        prop_assert_eq!(brief.lane(), Lane::of(&tuple));
        prop_assert!(packet.fragment.is_none());
    }
    Ok(())
}

#[test]
fn most_packets_of_the_fixtures_can_be_read_in_brief() {
    let interface = Interface::default();
    let frames = fixtures().iter().flatten();
    let (with, all) = frames.fold((0, 0), |(with, all), captured| {
        let frame = captured.frame(1, &interface);
        (with + usize::from(brief(&frame).is_some()), all + 1)
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
        briefs_agree(&frames)?;
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
