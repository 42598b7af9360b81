//! Packets to flows: what one more packet costs a table, by what the packets before it were.

mod measure;
mod traffic;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lcap::flow::{FlowTable, Settings, Wanted, What};
use lcap::packet::{LinkType, Packet};
use traffic::{Connection, Side, Traffic, packets};

/// Traffic, and how its flows are followed.
struct Row {
    name: &'static str,
    settings: Settings,
    /// Makes the traffic; what it returns is how many packets come before what is measured.
    traffic: fn(&mut Traffic) -> usize,
    /// What is to come of it, so that nothing else is measured.
    expected: Expected,
}

/// How many flows began, how many of them were reported while packets still came, how many bytes streams had.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    opened: u64,
    closed: u64,
    bytes: u64,
}

const STREAMS: Settings = Settings {
    streams: Wanted::Compared,
    ..Settings::FLOWS
};

/// What ended is reported a little later, as live; sooner here, because all the packets come within a second.
const SHORT: Settings = Settings {
    linger: 100_000_000,
    ..Settings::FLOWS
};

/// How long a large segment's data are, in bytes.
const LARGE: usize = 16 << 10;

const ROWS: [Row; 8] = [
    Row {
        name: "one flow, in turns",
        settings: Settings::FLOWS,
        traffic: |traffic| turns(traffic, 1, 10_000),
        expected: Expected {
            opened: 1,
            closed: 0,
            bytes: 0,
        },
    },
    Row {
        name: "100 flows, interleaved",
        settings: Settings::FLOWS,
        traffic: |traffic| turns(traffic, 100, 100),
        expected: Expected {
            opened: 100,
            closed: 0,
            bytes: 0,
        },
    },
    Row {
        name: "100 000 flows, round robin",
        settings: Settings::FLOWS,
        traffic: |traffic| turns(traffic, 100_000, 1),
        expected: Expected {
            opened: 100_000,
            closed: 0,
            bytes: 0,
        },
    },
    Row {
        name: "short connections",
        settings: SHORT,
        traffic: |traffic| {
            (0..10_000).for_each(|number| Connection::v4(number).whole(traffic));
            0
        },
        // A thousand of them, which ended in the last tenth of a second, are still waited for.
        expected: Expected {
            opened: 10_000,
            closed: 9000,
            bytes: 0,
        },
    },
    Row {
        name: "streams, in turns",
        settings: STREAMS,
        traffic: |traffic| turns(traffic, 1, 10_000),
        expected: Expected {
            opened: 1,
            closed: 0,
            bytes: 10_000 * (traffic::REQUEST.len() + traffic::RESPONSE.len()) as u64,
        },
    },
    Row {
        name: "streams, large segments",
        settings: STREAMS,
        traffic: |traffic| large(traffic, Order::Sent),
        expected: Expected {
            opened: 1,
            closed: 0,
            bytes: 2000 * LARGE as u64,
        },
    },
    Row {
        name: "out of order",
        settings: Settings::FLOWS,
        traffic: |traffic| large(traffic, Order::FirstOfFourLast),
        expected: Expected {
            opened: 1,
            closed: 0,
            bytes: 0,
        },
    },
    Row {
        name: "streams, out of order",
        settings: STREAMS,
        traffic: |traffic| large(traffic, Order::FirstOfFourLast),
        expected: Expected {
            opened: 1,
            closed: 0,
            bytes: 2000 * LARGE as u64,
        },
    },
];

/// In which order segments come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Sent,
    FirstOfFourLast,
}

/// Flows, each open already, take their turns one after the other.
fn turns(traffic: &mut Traffic, flows: u32, turns: usize) -> usize {
    let mut connections: Vec<Connection> = (0..flows).map(Connection::v4).collect();
    for connection in &mut connections {
        connection.open(traffic);
    }
    let before = traffic.frames.len();
    for _ in 0..turns {
        connections
            .iter_mut()
            .for_each(|connection| connection.turn(traffic));
    }
    before
}

/// A server sends large segments, each four of which are acknowledged.
fn large(traffic: &mut Traffic, order: Order) -> usize {
    let mut connection = Connection::v4(0);
    connection.open(traffic);
    let before = traffic.frames.len();
    for _ in 0..500 {
        let first = traffic.frames.len();
        for _ in 0..4 {
            connection.say(traffic, Side::Server, &[7; LARGE]);
        }
        if order == Order::FirstOfFourLast {
            let four = &mut traffic.frames[first..];
            let times: Vec<i64> = four.iter().map(|(time, _)| *time).collect();
            four.rotate_left(1);
            for ((time, _), in_order) in four.iter_mut().zip(times) {
                *time = in_order;
            }
        }
        connection.acknowledge(traffic, Side::Client);
    }
    before
}

/// Follows packets, and tells what came of it.
fn push(table: &mut FlowTable, packets: &[Packet]) -> Expected {
    let mut seen = Expected::default();
    for packet in packets {
        table.push(packet, &mut |event| match event.what {
            What::Opened => seen.opened += 1,
            What::Closed(_) => seen.closed += 1,
            What::Data { bytes, .. } => seen.bytes += bytes.len() as u64,
            What::Named(_) | What::Gap { .. } | What::Mismatch { .. } => {}
        });
    }
    seen
}

fn tables(criterion: &mut Criterion) {
    let mut group = measure::group(criterion, "flow");
    for row in ROWS {
        let mut traffic = Traffic::new(LinkType::ETHERNET);
        let before = (row.traffic)(&mut traffic);
        let frames = traffic.frames();
        let packets = packets(&frames);
        let all = push(&mut FlowTable::new(row.settings), &packets);
        assert_eq!(all, row.expected, "{}", row.name);
        let (before, measured) = packets.split_at(before);
        group.throughput(Throughput::Elements(measured.len() as u64));
        group.bench_function(row.name, |bencher| {
            bencher.iter_batched_ref(
                || {
                    let mut table = FlowTable::new(row.settings);
                    push(&mut table, before);
                    table
                },
                |table| push(table, measured),
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group!(benches, tables);
criterion_main!(benches);
