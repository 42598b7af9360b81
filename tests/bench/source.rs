//! Benchmarks of `source`: capture files to frames, read, through a pipe, and compressed.

// A benchmark panics if its setup fails, because it cannot measure anything.
#![allow(clippy::unwrap_used)]

mod files;
mod measure;
mod traffic;

use std::io::{self, Read, Write};
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::GzEncoder;
use lcap::internals::source::{FileSource, SourceEvent, file};
use tempfile::NamedTempFile;
use traffic::mixed;

const PACKET_COUNT: usize = 100_000;

/// Capacity of a pipe, and thus the maximum number of bytes that one read returns.
const PIPE_CAPACITY_BYTES: usize = 64 << 10;

/// Reader that returns the bytes of a file in chunks of at most the capacity of a pipe.
struct PipeReader {
    bytes: Arc<[u8]>,
    offset: usize,
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.offset..];
        let count = rest.len().min(buffer.len()).min(PIPE_CAPACITY_BYTES);
        buffer[..count].copy_from_slice(&rest[..count]);
        self.offset += count;
        Ok(count)
    }
}

/// Reads to the end; returns the number of frames and their total bytes.
fn drain(mut source: FileSource) -> (usize, usize) {
    let (mut frames, mut bytes) = (0, 0);
    loop {
        match source.next().unwrap() {
            SourceEvent::Frame(frame) => {
                frames += 1;
                bytes += frame.bytes.len();
            }
            SourceEvent::Idle(_) | SourceEvent::Dropped(_) => {}
            SourceEvent::End => return (frames, bytes),
        }
    }
}

fn temp_file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn readers(criterion: &mut Criterion) {
    let traffic = mixed(PACKET_COUNT);
    let (pcap, pcapng) = (files::pcap(&traffic), files::pcapng(&traffic));
    let total_bytes = traffic.frames.iter().map(|(_, frame)| frame.len()).sum();
    let mut group = measure::group(criterion, "source");
    group.throughput(Throughput::Elements(PACKET_COUNT as u64));
    for (name, contents) in [
        ("pcap", pcap.clone()),
        ("pcapng", pcapng.clone()),
        ("pcap.gz", gzip(&pcap)),
        ("pcap.zst", zstd::encode_all(&pcap[..], 3).unwrap()),
    ] {
        let file = temp_file(&contents);
        let read = || drain(file::open(file.path()).unwrap());
        assert_eq!(read(), (PACKET_COUNT, total_bytes), "{name}");
        group.bench_function(name, |bencher| bencher.iter(read));
    }
    for (name, contents) in [("pcap, piped", pcap), ("pcapng, piped", pcapng)] {
        let bytes: Arc<[u8]> = contents.into();
        let read = || {
            let bytes = Arc::clone(&bytes);
            drain(file::read("pipe", PipeReader { bytes, offset: 0 }).unwrap())
        };
        assert_eq!(read(), (PACKET_COUNT, total_bytes), "{name}");
        group.bench_function(name, |bencher| bencher.iter(read));
    }
}

criterion_group!(benches, readers);
criterion_main!(benches);
