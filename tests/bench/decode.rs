//! Frames to packets, a kind of packet at a time.

mod measure;
mod traffic;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lcap::decode::decode;
use lcap::packet::{Body, LinkType};
use traffic::{Connection, REQUEST, Side, Traffic, datagram};

/// Packets of a kind.
struct Row {
    name: &'static str,
    link: LinkType,
    /// Adds one more.
    add: fn(&mut Traffic, u32),
}

/// How many of each kind: they stay in the first cache, and no length of a loop is learned.
const PACKETS: u32 = 100;

/// The most that fits in an IPv4 packet beside its headers: what segmentation offload leaves whole on loopback.
const LARGEST: usize = 65_535 - 20 - 32;

const ROWS: [Row; 5] = [
    Row {
        name: "tcp over ipv4",
        link: LinkType::ETHERNET,
        add: |traffic, number| Connection::v4(number).say(traffic, Side::Client, REQUEST),
    },
    Row {
        name: "tcp over ipv6",
        link: LinkType::ETHERNET,
        add: |traffic, number| Connection::v6(number).say(traffic, Side::Client, REQUEST),
    },
    Row {
        name: "udp",
        link: LinkType::ETHERNET,
        add: |traffic, number| traffic.push(&datagram(number, REQUEST)),
    },
    Row {
        name: "64 KB segment",
        link: LinkType::ETHERNET,
        add: |traffic, number| Connection::v4(number).say(traffic, Side::Server, &[7; LARGEST]),
    },
    Row {
        name: "tcp in cooked2",
        link: LinkType::LINUX_SLL2,
        add: |traffic, number| Connection::v4(number).say(traffic, Side::Client, REQUEST),
    },
];

fn kinds(criterion: &mut Criterion) {
    let mut group = measure::group(criterion, "decode");
    group.throughput(Throughput::Elements(u64::from(PACKETS)));
    for row in ROWS {
        let mut traffic = Traffic::new(row.link);
        (0..PACKETS).for_each(|number| (row.add)(&mut traffic, number));
        let frames = traffic.frames();
        for frame in &frames {
            let body = decode(frame).body;
            let understood = matches!(body, Body::Tcp { .. } | Body::Udp { .. });
            assert!(understood, "{}: {body:?}", row.name);
        }
        group.bench_function(row.name, |bencher| {
            bencher.iter(|| {
                for frame in &frames {
                    black_box(&decode(black_box(frame)));
                }
            });
        });
    }
}

criterion_group!(benches, kinds);
criterion_main!(benches);
