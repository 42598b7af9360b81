//! Benchmarks of `flow`: cost of adding a packet to a flow table, for several kinds of traffic.

mod measure;
mod traffic;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lcap::internals::flow::{FlowEventKind, FlowSettings, FlowTable, StreamMode};
use lcap::internals::packet::{LinkType, Packet};
use traffic::{Sender, SyntheticConnection, SyntheticTraffic, packets};

/// Synthetic traffic and the settings of its flow table.
struct FlowCase {
    name: &'static str,
    settings: FlowSettings,
    /// Generates the traffic; returns the number of packets before the measured ones.
    traffic: fn(&mut SyntheticTraffic) -> usize,
    /// Expected events, as a check that the intended case is measured.
    expected: EventCounts,
}

/// Numbers of flows opened, flows closed before the traffic ends, and stream bytes delivered.
#[derive(Debug, Default, PartialEq, Eq)]
struct EventCounts {
    opened: u64,
    closed: u64,
    bytes: u64,
}

const STREAMS: FlowSettings = FlowSettings {
    stream_mode: StreamMode::CompareOverlaps,
    ..FlowSettings::FLOWS
};

/// Settings as in a live capture, which reports ended flows after a delay, but with a shorter
/// delay, because all packets arrive within one second.
const SHORT_LINGER: FlowSettings = FlowSettings {
    linger_ns: 100_000_000,
    ..FlowSettings::FLOWS
};

/// Payload of a large segment, in bytes.
const LARGE_SEGMENT_BYTES: usize = 16 << 10;

const CASES: [FlowCase; 8] = [
    FlowCase {
        name: "one flow, request-response",
        settings: FlowSettings::FLOWS,
        traffic: |traffic| interleaved_exchanges(traffic, 1, 10_000),
        expected: EventCounts {
            opened: 1,
            closed: 0,
            bytes: 0,
        },
    },
    FlowCase {
        name: "100 flows, interleaved",
        settings: FlowSettings::FLOWS,
        traffic: |traffic| interleaved_exchanges(traffic, 100, 100),
        expected: EventCounts {
            opened: 100,
            closed: 0,
            bytes: 0,
        },
    },
    FlowCase {
        name: "100 000 flows, round robin",
        settings: FlowSettings::FLOWS,
        traffic: |traffic| interleaved_exchanges(traffic, 100_000, 1),
        expected: EventCounts {
            opened: 100_000,
            closed: 0,
            bytes: 0,
        },
    },
    FlowCase {
        name: "short connections",
        settings: SHORT_LINGER,
        traffic: |traffic| {
            (0..10_000).for_each(|number| SyntheticConnection::v4(number).complete(traffic));
            0
        },
        // The 1000 connections that ended in the last 100 ms have not been reported.
        expected: EventCounts {
            opened: 10_000,
            closed: 9000,
            bytes: 0,
        },
    },
    FlowCase {
        name: "streams, request-response",
        settings: STREAMS,
        traffic: |traffic| interleaved_exchanges(traffic, 1, 10_000),
        expected: EventCounts {
            opened: 1,
            closed: 0,
            bytes: 10_000 * (traffic::REQUEST.len() + traffic::RESPONSE.len()) as u64,
        },
    },
    FlowCase {
        name: "streams, large segments",
        settings: STREAMS,
        traffic: |traffic| large_segments(traffic, SegmentOrder::InOrder),
        expected: EventCounts {
            opened: 1,
            closed: 0,
            bytes: 2000 * LARGE_SEGMENT_BYTES as u64,
        },
    },
    FlowCase {
        name: "out of order",
        settings: FlowSettings::FLOWS,
        traffic: |traffic| large_segments(traffic, SegmentOrder::FirstOfFourLast),
        expected: EventCounts {
            opened: 1,
            closed: 0,
            bytes: 0,
        },
    },
    FlowCase {
        name: "streams, out of order",
        settings: STREAMS,
        traffic: |traffic| large_segments(traffic, SegmentOrder::FirstOfFourLast),
        expected: EventCounts {
            opened: 1,
            closed: 0,
            bytes: 2000 * LARGE_SEGMENT_BYTES as u64,
        },
    },
];

/// Order in which segments arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SegmentOrder {
    InOrder,
    /// Of every four segments, the first arrives last.
    FirstOfFourLast,
}

/// Opens all flows, then adds `turns` rounds of one request and response in each flow. Returns the
/// number of packets before the first request.
fn interleaved_exchanges(traffic: &mut SyntheticTraffic, flows: u32, turns: usize) -> usize {
    let mut connections: Vec<SyntheticConnection> =
        (0..flows).map(SyntheticConnection::v4).collect();
    for connection in &mut connections {
        connection.open(traffic);
    }
    let before = traffic.frames.len();
    for _ in 0..turns {
        connections
            .iter_mut()
            .for_each(|connection| connection.exchange(traffic));
    }
    before
}

/// Sends large segments from the server; the client acknowledges every fourth segment. Returns the
/// number of packets before the first large segment.
fn large_segments(traffic: &mut SyntheticTraffic, order: SegmentOrder) -> usize {
    let mut connection = SyntheticConnection::v4(0);
    connection.open(traffic);
    let before = traffic.frames.len();
    for _ in 0..500 {
        let first = traffic.frames.len();
        for _ in 0..4 {
            connection.send_data(traffic, Sender::Server, &[7; LARGE_SEGMENT_BYTES]);
        }
        if order == SegmentOrder::FirstOfFourLast {
            let four = &mut traffic.frames[first..];
            let times: Vec<i64> = four.iter().map(|(time, _)| *time).collect();
            four.rotate_left(1);
            for ((time, _), ordered_time) in four.iter_mut().zip(times) {
                *time = ordered_time;
            }
        }
        connection.acknowledge(traffic, Sender::Client);
    }
    before
}

/// Adds packets to a table and counts the events.
fn push_all(table: &mut FlowTable, packets: &[Packet]) -> EventCounts {
    let mut counts = EventCounts::default();
    for packet in packets {
        table.push(packet, &mut |event| match event.kind {
            FlowEventKind::Opened { .. } => counts.opened += 1,
            FlowEventKind::Closed(_) => counts.closed += 1,
            FlowEventKind::Data { bytes, .. } => counts.bytes += bytes.len() as u64,
            FlowEventKind::Owners(_)
            | FlowEventKind::Detected(_)
            | FlowEventKind::End { .. }
            | FlowEventKind::Gap { .. }
            | FlowEventKind::Mismatch { .. } => {}
        });
    }
    counts
}

fn flow_tables(criterion: &mut Criterion) {
    let mut group = measure::group(criterion, "flow");
    for case in CASES {
        let mut traffic = SyntheticTraffic::new(LinkType::ETHERNET);
        let before = (case.traffic)(&mut traffic);
        let frames = traffic.frames();
        let packets = packets(&frames);
        let counts = push_all(&mut FlowTable::new(case.settings), &packets);
        assert_eq!(counts, case.expected, "{}", case.name);
        let (before, measured) = packets.split_at(before);
        group.throughput(Throughput::Elements(measured.len() as u64));
        group.bench_function(case.name, |bencher| {
            bencher.iter_batched_ref(
                || {
                    let mut table = FlowTable::new(case.settings);
                    push_all(&mut table, before);
                    table
                },
                |table| push_all(table, measured),
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group!(benches, flow_tables);
criterion_main!(benches);
