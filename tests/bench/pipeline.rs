//! Benchmarks of `pipeline`: from a capture file to packets, flows and output, through the public
//! API.

// A benchmark panics if its setup fails, because it cannot measure anything.
#![allow(clippy::unwrap_used)]

mod files;
mod measure;
mod traffic;

use std::io::{self, Write};
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lcap::internals::filter::Filter;
use lcap::internals::flow::FlowSettings;

use lcap::internals::pipeline::{FlushPolicy, Output, RunOptions, Totals, run};
use lcap::internals::sink::rows::TableLayout;
use lcap::internals::sink::text::{Style, Text};
use lcap::internals::sink::{FORMATS, Json, LineSink, Sink, SinkFactory};
use lcap::internals::source::file;
use tempfile::NamedTempFile;
use traffic::mixed;

const PACKET_COUNT: usize = 100_000;

fn capture_file() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&files::pcap(&mixed(PACKET_COUNT))).unwrap();
    file
}

fn capture_api(criterion: &mut Criterion) {
    let file = capture_file();
    let open = || lcap::open(file.path()).unwrap();
    let packets = || {
        let mut payload = 0;
        let counts = open().packets(|packet| payload += packet.payload().bytes.len());
        (counts.unwrap().packets, payload)
    };
    let flows = || open().flows().unwrap();
    let (count, payload) = packets();
    assert_eq!(count, PACKET_COUNT as u64);
    assert!(payload > PACKET_COUNT, "{payload}");
    let flow_packets: u64 = flows()
        .iter()
        .flat_map(|flow| &flow.sides)
        .map(|side| side.traffic.pkts)
        .sum();
    assert_eq!(flow_packets, PACKET_COUNT as u64);

    let mut group = measure::group(criterion, "pipeline");
    group.throughput(Throughput::Elements(PACKET_COUNT as u64));
    group.bench_function("packets", |bencher| bencher.iter(packets));
    group.bench_function("flows", |bencher| bencher.iter(flows));
}

fn formats(criterion: &mut Criterion) {
    let file = capture_file();
    let mut group = measure::group(criterion, "pipeline");
    group.throughput(Throughput::Elements(PACKET_COUNT as u64));
    let mut bench = |name: &str, open: &dyn Fn() -> Box<dyn Sink>, flows| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| run_into_sink(file.path(), open(), flows));
        });
    };
    bench(
        "text",
        &|| Box::new(LineSink::new(io::sink(), Text::new(Style::default()))),
        None,
    );
    bench(
        "json",
        &|| Box::new(LineSink::new(io::sink(), Json::default())),
        None,
    );
    for format in FORMATS {
        let SinkFactory::Flows(open) = format.factory else {
            continue;
        };
        let open = || open(Box::new(io::sink()), &TableLayout::default());
        let name = format!("flows as {}", format.name);
        bench(&name, &open, Some(FlowSettings::FLOWS));
    }
}

fn run_into_sink(path: &Path, sink: Box<dyn Sink>, flows: Option<FlowSettings>) {
    let (mut source, mut filter, totals) = (
        file::open(path).unwrap(),
        Filter::default(),
        Totals::default(),
    );
    let mut output = Output::new(vec![sink], FlushPolicy::WhenFull, None);
    let options = RunOptions {
        flows,
        ..RunOptions::default()
    };
    run(&mut source, &mut filter, &mut output, options, &totals).unwrap();
    output.finish().unwrap();
    assert_eq!(totals.snapshot().packets, PACKET_COUNT as u64);
}

criterion_group!(benches, capture_api, formats);
criterion_main!(benches);
