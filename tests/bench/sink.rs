//! Benchmarks of `sink`: packets and flows to bytes in every format, with the output discarded.

// A benchmark panics if its setup fails, because it cannot measure anything.
#![allow(clippy::unwrap_used)]

mod measure;
mod traffic;

use std::io;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lcap::internals::flow::{FlowEvent, FlowEventKind, FlowRecord, FlowSettings, FlowTable};
use lcap::internals::packet::{LinkType, Packet, Timestamp};
use lcap::internals::sink::rows::TableLayout;
use lcap::internals::sink::text::{Dump, Style, Text, TimestampFormat};
use lcap::internals::sink::{
    CaptureFileOptions, Event, FORMATS, Json, LineSink, Rotation, Sink, SinkFactory,
};
use traffic::{SyntheticConnection, SyntheticTraffic, mixed, packets};

const PACKET_COUNT: usize = 10_000;
const FLOW_COUNT: u32 = 1000;

/// Returns the text styles to measure, with their names.
fn styles() -> [(&'static str, Style); 4] {
    [
        ("text", Style::default()),
        (
            "text -e -tttt",
            Style {
                link_header: true,
                timestamp_format: TimestampFormat::DateTime,
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
                dump: Dump::HexAscii,
                ..Style::default()
            },
        ),
    ]
}

fn packet_formats(criterion: &mut Criterion) {
    let traffic = mixed(PACKET_COUNT);
    let frames = traffic.frames();
    let packets = packets(&frames);
    let mut group = measure::group(criterion, "sink");
    group.throughput(Throughput::Elements(PACKET_COUNT as u64));
    for (name, style) in styles() {
        let mut sink = LineSink::new(io::sink(), Text::new(style));
        group.bench_function(name, |bencher| {
            bencher.iter(|| write_packets(&mut sink, &packets));
        });
    }
    let mut sink = LineSink::new(io::sink(), Json::default());
    group.bench_function("json", |bencher| {
        bencher.iter(|| write_packets(&mut sink, &packets));
    });
}

/// Measures formatting only, without disk I/O: the output file is /dev/null.
fn capture_formats(criterion: &mut Criterion) {
    let traffic = mixed(PACKET_COUNT);
    let frames = traffic.frames();
    let packets = packets(&frames);
    let mut group = measure::group(criterion, "sink");
    group.throughput(Throughput::Elements(PACKET_COUNT as u64));
    for format in FORMATS {
        let SinkFactory::CaptureFile(open) = &format.factory else {
            continue;
        };
        let options = CaptureFileOptions {
            path: Path::new("/dev/null"),
            rotation: Rotation::default(),
            resolution: None,
            interface: &Arc::default(),
            now: Timestamp::ABSENT,
            annotate: false,
        };
        let mut sink = open(&options, None).unwrap();
        group.bench_function(format.name, |bencher| {
            bencher.iter(|| write_packets(sink.as_mut(), &packets));
        });
    }
}

fn write_packets(sink: &mut dyn Sink, packets: &[Packet]) {
    for packet in packets {
        let _ = sink.handle(Event::Packet(packet)).unwrap();
    }
    sink.flush().unwrap();
}

fn flow_formats(criterion: &mut Criterion) {
    let records = flow_records();
    let mut group = measure::group(criterion, "sink");
    group.throughput(Throughput::Elements(u64::from(FLOW_COUNT)));
    for format in FORMATS {
        let SinkFactory::Flows(open) = &format.factory else {
            continue;
        };
        let mut sink = open(Box::new(io::sink()), &TableLayout::default());
        group.bench_function(format!("flows as {}", format.name), |bencher| {
            bencher.iter(|| {
                for record in &records {
                    let event = FlowEvent {
                        id: &record.id,
                        time: record.first_time,
                        due: None,
                        kind: FlowEventKind::Closed(record),
                    };
                    let _ = sink.handle(Event::Flow(&event)).unwrap();
                }
                sink.flush().unwrap();
            });
        });
    }
}

/// Returns flows of one request each, with a detected service.
fn flow_records() -> Vec<FlowRecord> {
    let mut traffic = SyntheticTraffic::new(LinkType::ETHERNET);
    (0..FLOW_COUNT).for_each(|number| SyntheticConnection::v4(number).complete(&mut traffic));
    let mut table = FlowTable::new(FlowSettings::FLOWS);
    let mut records = Vec::new();
    let mut keep = |event: FlowEvent| {
        if let FlowEventKind::Closed(record) = event.kind {
            records.push(record.clone());
        }
    };
    for packet in packets(&traffic.frames()) {
        table.push(&packet, &mut keep);
    }
    table.finish(&mut keep);
    assert_eq!(records.len(), FLOW_COUNT as usize);
    assert!(records.iter().all(|record| record.service.is_some()));
    records
}

criterion_group!(benches, packet_formats, capture_formats, flow_formats);
criterion_main!(benches);
