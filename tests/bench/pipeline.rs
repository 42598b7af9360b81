//! The whole way from a file to packets and to flows, as a library's user goes it.

// A bench that cannot begin has nothing to measure.
#![allow(clippy::unwrap_used)]

mod files;
mod measure;
mod traffic;

use std::io::{self, Write};
use std::num::NonZero;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lcap::filter::Filter;
use lcap::flow::Settings;
use lcap::packet::Body;
use lcap::pipeline::{Flush, Output, Task, Totals, run};
use lcap::sink::flows::Layout;
use lcap::sink::text::{Style, Text};
use lcap::sink::{FORMATS, Json, Open, Shown, Sink};
use lcap::source::file;
use tempfile::NamedTempFile;
use traffic::mixed;

const PACKETS: usize = 100_000;

fn capture() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&files::pcap(&mixed(PACKETS))).unwrap();
    file
}

fn whole(criterion: &mut Criterion) {
    let file = capture();
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

/// To bytes, by one thread and by two.
fn shared(criterion: &mut Criterion) {
    let file = capture();
    let mut group = measure::group(criterion, "pipeline");
    group.throughput(Throughput::Elements(PACKETS as u64));
    for threads in [1, 2] {
        let mut bench = |name: &str, open: &dyn Fn() -> Box<dyn Sink>, flows| {
            let name = format!("{name}, threads: {threads}");
            let task = Task {
                flows,
                threads: NonZero::new(threads).unwrap(),
                ..Task::default()
            };
            group.bench_function(name, |bencher| {
                bencher.iter(|| put(file.path(), open(), &task));
            });
        };
        bench(
            "text",
            &|| Box::new(Shown::new(io::sink(), Text::new(Style::default()))),
            None,
        );
        bench(
            "json",
            &|| Box::new(Shown::new(io::sink(), Json::default())),
            None,
        );
        for format in FORMATS {
            let Open::Flows(open) = format.open else {
                continue;
            };
            let open = || open(Box::new(io::sink()), &Layout::default());
            let name = format!("flows as {}", format.name);
            bench(&name, &open, Some(Settings::FLOWS));
        }
    }
}

fn put(path: &Path, sink: Box<dyn Sink>, task: &Task) {
    let (mut source, mut filter, totals) = (
        file::open(path).unwrap(),
        Filter::default(),
        Totals::default(),
    );
    let mut output = Output::new(vec![sink], Flush::Full, None);
    run(&mut source, &mut filter, &mut output, task, &totals).unwrap();
    output.finish().unwrap();
    assert_eq!(totals.now().packets, PACKETS as u64);
}

criterion_group!(benches, whole, shared);
criterion_main!(benches);
