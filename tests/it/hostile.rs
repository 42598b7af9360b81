//! Property tests with hostile packets: decoding, filtering, printing and encoding never panic, no
//! control character reaches the output, and the text agrees with the decoded packet.

use std::net::IpAddr;
use std::sync::OnceLock;

use lcap::internals::decode::decode;
use lcap::internals::filter::Filter;
use lcap::internals::packet::{Frame, FrameOptions, Interface, LinkType, PacketKind, Timestamp};
use lcap::internals::sink::text::{Dump, Style, Text, TimestampFormat};
use lcap::internals::sink::{Event, Json, LineSink, Sink};
use lcap::internals::source::{SourceEvent, file};
use proptest::prelude::*;

const LINK_TYPES: [LinkType; 11] = [
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

/// Frames of the fixtures, to be mutated: random bytes alone rarely get past the first header.
fn seeds() -> &'static [(LinkType, Vec<u8>)] {
    static SEEDS: OnceLock<Vec<(LinkType, Vec<u8>)>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let mut seeds = Vec::new();
        for entry in std::fs::read_dir("fixtures").unwrap() {
            let Ok(mut source) = file::open(&entry.unwrap().path()) else {
                continue;
            };
            while let Ok(SourceEvent::Frame(frame)) = source.next() {
                let len = frame.bytes.len().min(300);
                seeds.push((frame.link, frame.bytes[..len].to_vec()));
            }
        }
        assert!(seeds.len() > 100, "{} frames", seeds.len());
        seeds
    })
}

fn styles() -> impl Strategy<Value = Style> {
    let dumps = [Dump::None, Dump::Ascii, Dump::Hex, Dump::HexAsciiLink];
    let switches = any::<[bool; 5]>();
    (0..4_u8, switches, prop::sample::select(dumps.to_vec())).prop_map(|(verbose, on, dump)| {
        Style {
            verbose,
            quiet: on[0],
            link_header: on[1],
            absolute_seq: on[2],
            packet_numbers: on[3],
            nano: on[4],
            timestamp_format: TimestampFormat::DateTime,
            dump,
            ..Style::default()
        }
    })
}

/// A fixture frame with some bytes changed and its end removed, or random bytes.
fn frames() -> impl Strategy<Value = (LinkType, Vec<u8>)> {
    // Numbers of protocols and of IPv6 extension headers lead to further printers.
    let protocols = prop::sample::select(vec![0, 1, 4, 6, 17, 41, 43, 44, 50, 51, 58, 60]);
    let values = prop_oneof![2 => any::<u8>(), 1 => protocols];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), values), 0..6);
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
    let random = (prop::sample::select(LINK_TYPES.to_vec()), random);
    prop_oneof![4 => mutated, 1 => random]
}

/// Returns the source and destination at the start of a line, and their ports; `None` if the line
/// starts otherwise.
fn printed_endpoints(line: &str) -> Option<([IpAddr; 2], Option<[u16; 2]>)> {
    let line = line.strip_prefix("IP ").or(line.strip_prefix("IP6 "))?;
    let line = match line.starts_with("truncated-ip") {
        true => line.split_once("bytes missing!")?.1.trim_start(),
        false => line,
    };
    let (src, rest) = line.split_once(" > ")?;
    let dst = rest.split(' ').next()?.strip_suffix(':')?;
    let [(src, src_port), (dst, dst_port)] = [src, dst].map(|end| match end.parse() {
        Ok(ip) => (Some(ip), None),
        Err(_) => match end.rsplit_once('.') {
            Some((ip, port)) => (ip.parse().ok(), port.parse().ok()),
            None => (None, None),
        },
    });
    let ports = src_port.zip(dst_port).map(|(src, dst)| [src, dst]);
    Some(([src?, dst?], ports))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_frame_is_processed_without_panic_or_control_characters(
        (link, bytes) in frames(),
        style in styles(),
        missing_len in 0..70_000_u32,
        time in any::<i64>(),
    ) {
        let interface = Interface { link, ..Interface::default() };
        let frame = Frame {
            number: 1,
            time: Timestamp(time),
            interface: &interface,
            link,
            wire_len: bytes.len() as u32 + missing_len,
            bytes: &bytes,
            options: FrameOptions::default(),
        };
        let packet = decode(&frame);
        let expression = "not port 1 and not (ip6 and len < 2)";
        let mut filter = Filter::new("1-65535".parse().ok(), expression).unwrap();
        filter.matches(&packet);
        let (mut text, mut json) = (Vec::new(), Vec::new());
        {
            let mut lines = LineSink::new(&mut text, Text::new(style));
            let _ = lines.handle(Event::Packet(&packet)).unwrap();
            // A second time, because later packets of a connection are printed by other code.
            let _ = lines.handle(Event::Packet(&packet)).unwrap();
            lines.finish().unwrap();
            let mut objects = LineSink::new(&mut json, Json::default());
            let _ = objects.handle(Event::Packet(&packet)).unwrap();
            objects.finish().unwrap();
        }
        for byte in &text {
            prop_assert!(matches!(byte, b'\t' | b'\n' | b' '..=b'~'), "{byte:#x} in {text:?}");
        }
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&json).unwrap().is_object());
    }

    /// The printer parses headers by itself, as tcpdump does.
    #[test]
    fn printed_endpoints_are_the_decoded_ones(
        (link, bytes) in frames(),
        missing_len in prop_oneof![3 => Just(0), 1 => 0..70_000_u32],
    ) {
        let interface = Interface { link, ..Interface::default() };
        let frame = Frame {
            number: 1,
            time: Timestamp(0),
            interface: &interface,
            link,
            wire_len: bytes.len() as u32 + missing_len,
            bytes: &bytes,
            options: FrameOptions::default(),
        };
        let packet = decode(&frame);
        let style = Style { timestamp_format: TimestampFormat::None, ..Style::default() };
        let mut text = Vec::new();
        {
            let mut lines = LineSink::new(&mut text, Text::new(style));
            let _ = lines.handle(Event::Packet(&packet)).unwrap();
            lines.finish().unwrap();
        }
        let line = String::from_utf8(text).unwrap();
        let Some((addresses, ports)) = printed_endpoints(&line) else {
            return Ok(());
        };
        // tcpdump prints by the IP version even if the link type contradicts it.
        let Some(decoded) = packet.addresses() else {
            return Ok(());
        };
        prop_assert_eq!(addresses, [decoded.0, decoded.1], "{}", line);
        let decoded = packet.ports().map(|(src, dst)| [src, dst]);
        if ports.is_some() {
            prop_assert_eq!(ports, decoded, "{}", line);
        }
        if let (PacketKind::Tcp | PacketKind::Udp, Some([src, dst])) = (packet.kind(), decoded)
            && packet.fragment().is_none()
            && ports.is_none()
        {
            // After IPv6 extension headers and authentication headers, the ports are printed
            // without the addresses. The line ends at an extension header that is malformed,
            // contradicts the lengths or is unknown to tcpdump (140, Shim6).
            let has_ports = line.contains(&format!("{src} > {dst}: "));
            let ends_early = line.starts_with("IP6 ")
                && ["[|", "invalid", "ip-proto-140"].iter().any(|end| line.contains(end));
            prop_assert!(has_ports || ends_early, "{} {:?}", line, packet);
        }
    }
}
