//! The whole way from a file to packets and to flows, as a library's user goes it.

// A bench that cannot begin has nothing to measure.
#![allow(clippy::unwrap_used)]

mod files;
mod measure;
mod traffic;

use std::io::Write;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lcap::packet::Body;
use tempfile::NamedTempFile;
use traffic::mixed;

const PACKETS: usize = 100_000;

fn whole(criterion: &mut Criterion) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&files::pcap(&mixed(PACKETS))).unwrap();
    let open = || lcap::open(file.path()).unwrap();
    let each = || {
        let mut payload = 0;
        let counts = open().each(|packet| {
            if let Body::Tcp { payload: data, .. } | Body::Udp { payload: data, .. } = packet.body {
                payload += data.bytes.len();
            }
        });
        (counts.unwrap().packets, payload)
    };
    let flows = || open().flows().unwrap();
    let (packets, payload) = each();
    assert_eq!(packets, PACKETS as u64);
    assert!(payload > PACKETS, "{payload}");
    let counted: u64 = flows()
        .iter()
        .flat_map(|flow| &flow.sides)
        .map(|side| side.traffic.pkts)
        .sum();
    assert_eq!(counted, PACKETS as u64);

    let mut group = measure::group(criterion, "pipeline");
    group.throughput(Throughput::Elements(PACKETS as u64));
    group.bench_function("each", |bencher| bencher.iter(each));
    group.bench_function("flows", |bencher| bencher.iter(flows));
}

criterion_group!(benches, whole);
criterion_main!(benches);
