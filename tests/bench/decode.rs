//! Benchmarks of `decode`: frames to packets, one kind of packet at a time.

mod measure;
mod traffic;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lcap::internals::decode::decode;
use lcap::internals::packet::LinkType;
use traffic::{REQUEST, Sender, SyntheticConnection, SyntheticTraffic, datagram};

/// Packets of one kind.
struct DecodeCase {
    name: &'static str,
    link: LinkType,
    /// Adds one packet of this kind to the traffic.
    add: fn(&mut SyntheticTraffic, u32),
}

/// Number of packets of each kind: few enough for the L1 cache, and too many for the branch
/// predictor to learn the length of the loop.
const PACKET_COUNT: u32 = 100;

/// Maximum payload of a TCP segment over IPv4 with a TCP header of 32 octets. With segmentation
/// offload, such segments stay whole on loopback.
const MAX_TCP_PAYLOAD_BYTES: usize = 65_535 - 20 - 32;

const CASES: [DecodeCase; 5] = [
    DecodeCase {
        name: "tcp over ipv4",
        link: LinkType::ETHERNET,
        add: |traffic, number| {
            SyntheticConnection::v4(number).send_data(traffic, Sender::Client, REQUEST);
        },
    },
    DecodeCase {
        name: "tcp over ipv6",
        link: LinkType::ETHERNET,
        add: |traffic, number| {
            SyntheticConnection::v6(number).send_data(traffic, Sender::Client, REQUEST);
        },
    },
    DecodeCase {
        name: "udp",
        link: LinkType::ETHERNET,
        add: |traffic, number| traffic.push(&datagram(number, REQUEST)),
    },
    DecodeCase {
        name: "64 KB segment",
        link: LinkType::ETHERNET,
        add: |traffic, number| {
            SyntheticConnection::v4(number).send_data(
                traffic,
                Sender::Server,
                &[7; MAX_TCP_PAYLOAD_BYTES],
            );
        },
    },
    DecodeCase {
        name: "tcp in cooked2",
        link: LinkType::LINUX_SLL2,
        add: |traffic, number| {
            SyntheticConnection::v4(number).send_data(traffic, Sender::Client, REQUEST);
        },
    },
];

fn packet_kinds(criterion: &mut Criterion) {
    let mut group = measure::group(criterion, "decode");
    group.throughput(Throughput::Elements(u64::from(PACKET_COUNT)));
    for case in CASES {
        let mut traffic = SyntheticTraffic::new(case.link);
        (0..PACKET_COUNT).for_each(|number| (case.add)(&mut traffic, number));
        let frames = traffic.frames();
        for frame in &frames {
            let packet = decode(frame);
            assert_eq!(packet.problem(), None, "{}", case.name);
            assert!(packet.has_ports(), "{}", case.name);
        }
        group.bench_function(case.name, |bencher| {
            bencher.iter(|| {
                for frame in &frames {
                    black_box(&decode(black_box(frame)));
                }
            });
        });
    }
}

criterion_group!(benches, packet_kinds);
criterion_main!(benches);
