//! Property test: the short path for segments in order has the same effects as the general path.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::select;

use crate::decode::decode;
use crate::flow::{FlowEvent, FlowEventKind, FlowSettings, FlowTable, StreamMode};
use crate::packet::{Frame, FrameOptions, Interface, LinkType, Timestamp};

/// Numbers of segments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SegmentCounts {
    /// All segments.
    pub(crate) all: u64,
    /// Segments that took the short path.
    pub(crate) in_order: u64,
}

thread_local! {
    /// Segments that this thread has applied.
    static COUNTS: Cell<SegmentCounts> = const { Cell::new(SegmentCounts { all: 0, in_order: 0 }) };
    /// True if all segments of this thread take the general path.
    static IS_SHORT_PATH_DISABLED: Cell<bool> = const { Cell::new(false) };
}

/// Counts a segment; returns true if it takes the short path.
pub(super) fn count_segment(is_in_order: bool) -> bool {
    let takes_short_path = is_in_order && !IS_SHORT_PATH_DISABLED.get();
    let counts = COUNTS.get();
    COUNTS.set(SegmentCounts {
        all: counts.all + 1,
        in_order: counts.in_order + u64::from(takes_short_path),
    });
    takes_short_path
}

/// Returns the numbers of segments that this thread has applied.
pub(crate) fn segment_counts() -> SegmentCounts {
    COUNTS.get()
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// A segment to send. Positions are relative to what its sender sent before.
#[derive(Debug, Clone, Copy)]
struct Step {
    is_from_server: bool,
    kind: StepKind,
    ack: StepAck,
    /// Nanoseconds since the previous segment.
    delay: i64,
    window: u16,
    /// Bytes at the end of the data that were not captured.
    cut: usize,
}

#[derive(Debug, Clone, Copy)]
enum StepKind {
    Syn,
    SynAck,
    /// The next data, after data that was lost, with these control bits.
    Data {
        lost: u32,
        len: u32,
        flags: u8,
    },
    /// Data from this many bytes before, sent again or captured late, possibly with other bytes.
    Repeat {
        back: u32,
        len: u32,
        flags: u8,
        differs: bool,
    },
    /// A byte of data that is sent again later.
    Probe,
    /// A SYN of another connection with the same ports.
    Reopen,
    /// Arbitrary control bits at an arbitrary sequence number.
    Wild {
        seq: u32,
        len: u32,
        flags: u8,
    },
}

/// The acknowledgement number of a segment.
#[derive(Debug, Clone, Copy)]
enum StepAck {
    /// Everything that the other side sent.
    All,
    /// More or less than that.
    Shifted(i32),
    Number(u32),
}

fn lens() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 2..40_u32, 1 => Just(1), 1 => Just(200)]
}

fn kinds() -> impl Strategy<Value = StepKind> {
    let data = |lost, len, flags| StepKind::Data { lost, len, flags };
    let repeat = (1..80_u32, 0..60_u32, select(vec![ACK, ACK | FIN]));
    prop_oneof![
        8 => lens().prop_map(move |len| data(0, len, ACK)),
        8 => Just(data(0, 0, ACK)),
        2 => (0..20_u32).prop_map(move |len| data(0, len, ACK | FIN)),
        1 => (1..100_u32, 0..40_u32).prop_map(move |(lost, len)| data(lost, len, ACK)),
        1 => select(vec![RST, RST | ACK]).prop_map(move |flags| data(0, 0, flags)),
        3 => (repeat, any::<bool>()).prop_map(|((back, len, flags), differs)| {
            StepKind::Repeat { back, len, flags, differs }
        }),
        // A keep-alive.
        1 => (0..2_u32).prop_map(|len| {
            StepKind::Repeat { back: 1, len, flags: ACK, differs: false }
        }),
        1 => Just(StepKind::Probe),
        1 => Just(StepKind::Syn),
        1 => Just(StepKind::SynAck),
        1 => Just(StepKind::Reopen),
        1 => (any::<u32>(), 0..50_u32, any::<u8>()).prop_map(|(seq, len, flags)| {
            StepKind::Wild { seq, len, flags }
        }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let acks = prop_oneof![
        12 => Just(StepAck::All),
        3 => (-60..60_i32).prop_map(StepAck::Shifted),
        1 => prop_oneof![Just(0), any::<u32>()].prop_map(StepAck::Number),
    ];
    let delays = select(vec![0, 1000, 1000, 1000, 400_000_000, 70_000_000_000]);
    let windows = prop_oneof![8 => Just(500), 1 => Just(0), 1 => any::<u16>()];
    let cuts = prop_oneof![9 => Just(0), 1 => 0..20_usize];
    let fields = (any::<bool>(), kinds(), acks, delays, windows, cuts);
    let step = fields.prop_map(|(is_from_server, kind, ack, delay, window, cut)| Step {
        is_from_server,
        kind,
        ack,
        delay,
        window,
        cut,
    });
    let handshake = |captured: usize| {
        let syn = |is_from_server, kind| Step {
            is_from_server,
            kind,
            ack: StepAck::All,
            delay: 1000,
            window: 500,
            cut: 0,
        };
        [syn(false, StepKind::Syn), syn(true, StepKind::SynAck)]
            .into_iter()
            .take(captured)
    };
    let captured = prop_oneof![6 => Just(2_usize), 1 => Just(1), 1 => Just(0)];
    (captured, prop::collection::vec(step, 1..40))
        .prop_map(move |(captured, rest)| handshake(captured).chain(rest).collect())
}

/// Returns the packets of these steps (IPv4 and TCP headers, data) with their times and wire
/// lengths. Data depends only on its position in the stream: requests of Redis, one after another.
fn packets(steps: &[Step], mut isns: [u32; 2], server_port: u16) -> Vec<(i64, u32, Vec<u8>)> {
    let mut sent = [1_u32; 2];
    let mut time = 0;
    let mut packets = Vec::new();
    for step in steps {
        let (own, other) = match step.is_from_server {
            true => (1, 0),
            false => (0, 1),
        };
        let (at, len, flags, mask) = match step.kind {
            StepKind::Syn => (0, 0, SYN, 0),
            StepKind::SynAck => (0, 0, SYN | ACK, 0),
            StepKind::Reopen => {
                isns = isns.map(|isn| isn.wrapping_add(1_000_003));
                sent = [1; 2];
                (0, 0, SYN, 0)
            }
            StepKind::Data { lost, len, flags } => (sent[own] + lost, len, flags, 0),
            StepKind::Repeat {
                back,
                len,
                flags,
                differs,
            } => (sent[own].wrapping_sub(back), len, flags, u8::from(differs)),
            StepKind::Probe => (sent[own], 1, ACK, 0),
            StepKind::Wild { seq, len, flags } => (seq, len, flags, 0),
        };
        if let StepKind::Data { .. } = step.kind {
            sent[own] = at + len + u32::from(flags & FIN);
        }
        let all = isns[other].wrapping_add(sent[other]);
        let ack = match step.ack {
            _ if flags & ACK == 0 => 0,
            StepAck::All => all,
            StepAck::Shifted(by) => all.wrapping_add_signed(by),
            StepAck::Number(number) => number,
        };
        let ports = match step.is_from_server {
            true => [server_port, 40_000],
            false => [40_000, server_port],
        };
        let mut packet = vec![0x45, 0];
        packet.extend((len as u16 + 40).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        packet.extend(ports.map(u16::to_be_bytes).concat());
        packet.extend(isns[own].wrapping_add(at).to_be_bytes());
        packet.extend(ack.to_be_bytes());
        packet.extend([0x50, flags]);
        packet.extend(step.window.to_be_bytes());
        packet.extend([0; 4]);
        let data = b"*1\r\n$4\r\nPING\r\n";
        packet.extend((0..len).map(|n| data[at.wrapping_add(n) as usize % data.len()] ^ mask));
        let wire_len = packet.len() as u32;
        packet.truncate(packet.len() - step.cut.min(len as usize));
        time += step.delay;
        packets.push((time, wire_len, packet));
    }
    packets
}

/// Returns the events of these packets and the table's counters, as text, and the data of all
/// streams.
fn run(packets: &[(i64, u32, Vec<u8>)], settings: FlowSettings) -> (Vec<String>, Vec<u8>) {
    let interface = Interface::default();
    let mut table = FlowTable::new(settings);
    let (mut lines, mut data) = (Vec::new(), Vec::new());
    let mut emit = |event: FlowEvent| match event.kind {
        FlowEventKind::Data {
            side,
            offset,
            bytes,
            ..
        } => {
            let (number, name, len) = (event.id.number, side.name(), bytes.len());
            lines.push(format!("{number} {} {name} {offset} {len}", event.time.0));
            data.extend(bytes);
        }
        _ => lines.push(format!("{event:?}")),
    };
    for (number, (time, wire_len, bytes)) in (1..).zip(packets) {
        let frame = Frame {
            number,
            time: Timestamp(*time),
            interface: &interface,
            link: LinkType::RAW,
            wire_len: *wire_len,
            bytes,
            options: FrameOptions::default(),
        };
        table.push(&decode(&frame), &mut emit);
    }
    table.finish(&mut emit);
    lines.push(format!("{:?}", table.counts()));
    (lines, data)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_short_path_has_the_effects_of_the_general_path(
        steps in steps(),
        isns in any::<[u32; 2]>(),
        has_wrapping_isns in prop::bool::weighted(0.3),
        server_port in select(vec![80, 7000]),
        max_out_of_order_bytes in select(vec![0, 200, 1 << 20]),
        max_buffered_bytes in select(vec![100, 1 << 20]),
    ) {
        let isns = if has_wrapping_isns { isns.map(|isn| isn | 0xffff_ffc0) } else { isns };
        let packets = packets(&steps, isns, server_port);
        for stream_mode in [StreamMode::Off, StreamMode::Reassemble, StreamMode::CompareOverlaps] {
            let settings = FlowSettings {
                stream_mode,
                max_out_of_order_bytes,
                max_buffered_bytes,
                ..FlowSettings::FLOWS
            };
            let both_paths = run(&packets, settings);
            IS_SHORT_PATH_DISABLED.set(true);
            let general_path = run(&packets, settings);
            IS_SHORT_PATH_DISABLED.set(false);
            prop_assert_eq!(both_paths, general_path, "{:?}", stream_mode);
        }
    }
}
