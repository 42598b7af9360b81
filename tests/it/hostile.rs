//! Whatever the bytes: packets are decoded, filtered, printed and encoded without a panic, and no control character gets out.

use std::sync::OnceLock;

use lcap::decode::decode;
use lcap::filter::Filter;
use lcap::packet::{Frame, Interface, LinkType, Options, Timestamp};
use lcap::sink::text::{Clock, Dump, Style, Text};
use lcap::sink::{Json, Shown, Sink};
use lcap::source::{Next, file};
use proptest::prelude::*;

const LINKS: [LinkType; 11] = [
    LinkType::ETHERNET,
    LinkType::NULL,
    LinkType::LOOP,
    LinkType::RAW,
    LinkType::RAW_12,
    LinkType::RAW_14,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType(160),
];

/// Frames of the fixtures, to be mutated: random bytes alone are seldom let past a first header.
fn seeds() -> &'static [(LinkType, Vec<u8>)] {
    static SEEDS: OnceLock<Vec<(LinkType, Vec<u8>)>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let mut seeds = Vec::new();
        for entry in std::fs::read_dir("fixtures").unwrap() {
            let Ok(mut source) = file::open(&entry.unwrap().path()) else {
                continue;
            };
            while let Ok(Next::Frame(frame)) = source.next() {
                let kept = frame.bytes.len().min(300);
                seeds.push((frame.link, frame.bytes[..kept].to_vec()));
            }
        }
        assert!(seeds.len() > 100, "{} frames", seeds.len());
        seeds
    })
}

fn styles() -> impl Strategy<Value = Style> {
    let dumps = [Dump::None, Dump::Ascii, Dump::Hex, Dump::BothLink];
    let switches = any::<[bool; 5]>();
    (0..4_u8, switches, prop::sample::select(dumps.to_vec())).prop_map(|(verbose, on, dump)| {
        Style {
            verbose,
            quiet: on[0],
            link: on[1],
            absolute: on[2],
            number: on[3],
            nano: on[4],
            clock: Clock::Date,
            dump,
            ..Style::default()
        }
    })
}

/// A frame of a fixture with some bytes changed and its end cut, or any bytes at all.
fn frames() -> impl Strategy<Value = (LinkType, Vec<u8>)> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let mutated = (
        any::<prop::sample::Index>(),
        changes,
        any::<prop::sample::Index>(),
    );
    let mutated = mutated.prop_map(|(seed, changes, end)| {
        let (link, mut bytes) = seed.get(seeds()).clone();
        for (at, value) in changes {
            // The headers are at the front.
            let at = at.index(bytes.len().clamp(1, 80));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(end.index(bytes.len() * 3 + 1));
        (link, bytes)
    });
    let random = prop::collection::vec(any::<u8>(), 0..200);
    let random = (prop::sample::select(LINKS.to_vec()), random);
    prop_oneof![4 => mutated, 1 => random]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_frame(
        (link, bytes) in frames(),
        style in styles(),
        more in 0..70_000_u32,
        time in any::<i64>(),
    ) {
        let interface = Interface { link, ..Interface::default() };
        let frame = Frame {
            number: 1,
            time: Timestamp(time),
            interface: &interface,
            link,
            wire_len: bytes.len() as u32 + more,
            bytes: &bytes,
            options: Options::default(),
        };
        let packet = decode(&frame);
        let mut filter = Filter::new("1-65535".parse().ok(), "not port 1 and not (ip6 and len < 2)").unwrap();
        filter.matches(&packet);
        let (mut text, mut json) = (Vec::new(), Vec::new());
        {
            let mut lines = Shown::new(&mut text, Text::new(style));
            lines.packet(&packet).unwrap();
            // Again: the second packet of a connection takes another way.
            lines.packet(&packet).unwrap();
            lines.finish().unwrap();
            let mut objects = Shown::new(&mut json, Json::default());
            objects.packet(&packet).unwrap();
            objects.finish().unwrap();
        }
        for byte in &text {
            prop_assert!(matches!(byte, b'\t' | b'\n' | b' '..=b'~'), "{byte:#x} in {text:?}");
        }
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&json).unwrap().is_object());
    }
}
