//! Packets and flows to bytes: every format, written to nowhere.

// A bench that cannot begin has nothing to measure.
#![allow(clippy::unwrap_used)]

mod measure;
mod traffic;

use std::io;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lcap::flow::{FlowEvent, FlowRecord, FlowTable, Settings, What};
use lcap::packet::{LinkType, Packet, Timestamp};
use lcap::sink::flows::Layout;
use lcap::sink::text::{Clock, Dump, Style, Text};
use lcap::sink::{FORMATS, Json, Open, Rotation, Saving, Shown, Sink};
use traffic::{Connection, Traffic, mixed, packets};

const PACKETS: usize = 10_000;
const FLOWS: u32 = 1000;

/// How lines look, under a name.
fn styles() -> [(&'static str, Style); 4] {
    [
        ("text", Style::default()),
        (
            "text -e -tttt",
            Style {
                link: true,
                clock: Clock::Date,
                ..Style::default()
            },
        ),
        (
            "text -vv",
            Style {
                verbose: 2,
                ..Style::default()
            },
        ),
        (
            "text -X",
            Style {
                dump: Dump::Both,
                ..Style::default()
            },
        ),
    ]
}

fn shown(criterion: &mut Criterion) {
    let traffic = mixed(PACKETS);
    let frames = traffic.frames();
    let packets = packets(&frames);
    let mut group = measure::group(criterion, "sink");
    group.throughput(Throughput::Elements(PACKETS as u64));
    for (name, style) in styles() {
        let mut sink = Shown::new(io::sink(), Text::new(style));
        group.bench_function(name, |bencher| bencher.iter(|| put(&mut sink, &packets)));
    }
    let mut sink = Shown::new(io::sink(), Json::default());
    group.bench_function("json", |bencher| bencher.iter(|| put(&mut sink, &packets)));
}

/// What a disk does is not measured here: the files are the one that keeps nothing.
fn saved(criterion: &mut Criterion) {
    let traffic = mixed(PACKETS);
    let frames = traffic.frames();
    let packets = packets(&frames);
    let mut group = measure::group(criterion, "sink");
    group.throughput(Throughput::Elements(PACKETS as u64));
    for format in FORMATS {
        let Open::Saved(open) = &format.open else {
            continue;
        };
        let saving = Saving {
            path: Path::new("/dev/null"),
            rotation: Rotation::default(),
            resolution: None,
            interface: None,
            now: Timestamp::UNKNOWN,
        };
        let mut sink = open(&saving).unwrap();
        group.bench_function(format.name, |bencher| {
            bencher.iter(|| put(sink.as_mut(), &packets));
        });
    }
}

fn put(sink: &mut dyn Sink, packets: &[Packet]) {
    for packet in packets {
        sink.packet(packet).unwrap();
    }
    sink.flush().unwrap();
}

fn rows(criterion: &mut Criterion) {
    let records = records();
    let mut group = measure::group(criterion, "sink");
    group.throughput(Throughput::Elements(u64::from(FLOWS)));
    for format in FORMATS {
        let Open::Flows(open) = &format.open else {
            continue;
        };
        let mut sink = open(Box::new(io::sink()), &Layout::default());
        group.bench_function(format!("flows as {}", format.name), |bencher| {
            bencher.iter(|| {
                for record in &records {
                    let event = FlowEvent {
                        id: &record.id,
                        time: record.first,
                        due: None,
                        what: What::Closed(record),
                    };
                    sink.flow(&event).unwrap();
                }
                sink.flush().unwrap();
            });
        });
    }
}

/// Flows of one request each, whose service is known.
fn records() -> Vec<FlowRecord> {
    let mut traffic = Traffic::new(LinkType::ETHERNET);
    (0..FLOWS).for_each(|number| Connection::v4(number).whole(&mut traffic));
    let mut table = FlowTable::new(Settings::FLOWS);
    let mut records = Vec::new();
    let mut keep = |event: FlowEvent| {
        if let What::Closed(record) = event.what {
            records.push(record.clone());
        }
    };
    for packet in packets(&traffic.frames()) {
        table.push(&packet, &mut keep);
    }
    table.finish(&mut keep);
    assert_eq!(records.len(), FLOWS as usize);
    assert!(records.iter().all(|record| record.service.is_some()));
    records
}

criterion_group!(benches, shown, saved, rows);
criterion_main!(benches);
