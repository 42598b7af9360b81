//! Capture files to frames: mapped, through a pipe, packed.

// A bench that cannot begin has nothing to measure.
#![allow(clippy::unwrap_used)]

mod files;
mod measure;
mod traffic;

use std::io::{self, Read, Write};
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::GzEncoder;
use lcap::source::{FileSource, Next, file};
use tempfile::NamedTempFile;
use traffic::mixed;

const PACKETS: usize = 100_000;

/// As much as a pipe holds, and so gives at once.
const PIPE: usize = 64 << 10;

/// Gives the bytes of a file as a pipe does.
struct Pipe {
    bytes: Arc<[u8]>,
    at: usize,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let count = rest.len().min(buffer.len()).min(PIPE);
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

/// Reads to the end: how many frames there were, and how many bytes in them.
fn drain(mut source: FileSource) -> (usize, usize) {
    let (mut frames, mut bytes) = (0, 0);
    loop {
        match source.next().unwrap() {
            Next::Frame(frame) => {
                frames += 1;
                bytes += frame.bytes.len();
            }
            Next::Idle(_) => {}
            Next::End => return (frames, bytes),
        }
    }
}

fn stored(bytes: &[u8]) -> NamedTempFile {
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
    let traffic = mixed(PACKETS);
    let (pcap, pcapng) = (files::pcap(&traffic), files::pcapng(&traffic));
    let len = traffic.frames.iter().map(|(_, frame)| frame.len()).sum();
    let mut group = measure::group(criterion, "source");
    group.throughput(Throughput::Elements(PACKETS as u64));
    for (name, contents) in [
        ("pcap, mapped", pcap.clone()),
        ("pcapng, mapped", pcapng.clone()),
        ("pcap.gz", gzip(&pcap)),
        ("pcap.zst", zstd::encode_all(&pcap[..], 3).unwrap()),
    ] {
        let stored = stored(&contents);
        let read = || drain(file::open(stored.path()).unwrap());
        assert_eq!(read(), (PACKETS, len), "{name}");
        group.bench_function(name, |bencher| bencher.iter(read));
    }
    for (name, contents) in [("pcap, piped", pcap), ("pcapng, piped", pcapng)] {
        let bytes: Arc<[u8]> = contents.into();
        let read = || {
            let bytes = Arc::clone(&bytes);
            drain(file::read("pipe", Pipe { bytes, at: 0 }).unwrap())
        };
        assert_eq!(read(), (PACKETS, len), "{name}");
        group.bench_function(name, |bencher| bencher.iter(read));
    }
}

criterion_group!(benches, readers);
criterion_main!(benches);
