//! Any bytes as a capture file: nothing panics, and a mapped file and a stream of a few bytes at a time say the same.
//!
//! ```sh
//! cd tests/fuzz
//! RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
//!   -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
//!   -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Clink-dead-code" \
//!   cargo build --release --target x86_64-unknown-linux-gnu
//! target/x86_64-unknown-linux-gnu/release/readers -max_len=4096 CORPUS
//! ```
#![no_main]

use lcap::error::{Error, Result};
use lcap::source::{FileSource, Losses, Next, Source, file};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

fuzz_target!(|bytes: &[u8]| {
    let mut file = File::from(memfd_create("capture", MemfdFlags::CLOEXEC).expect("memory"));
    file.write_all(bytes).expect("memory");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let mapped = contents(file::open(&path));

    // The first byte says how much a read gives.
    let portion = usize::from(bytes.first().copied().unwrap_or(0)) % 40 + 1;
    let stream = Portions {
        rest: bytes.to_vec().into(),
        portion,
    };
    let streamed = contents(file::read("stream", stream));
    if mapped.broken_zstd() || streamed.broken_zstd() {
        // The last block of a frame whose size is not the announced one is refused as a whole, or but for the part that came before.
        let common = mapped.frames.len().min(streamed.frames.len());
        assert_eq!(mapped.frames[..common], streamed.frames[..common]);
    } else {
        assert_eq!(mapped, streamed);
    }
});

/// What a file says, but for its name.
#[derive(Debug, PartialEq)]
struct Contents {
    frames: Vec<String>,
    damage: Option<(u64, u64, String)>,
    losses: Losses,
}

impl Contents {
    fn broken_zstd(&self) -> bool {
        matches!(&self.damage, Some((_, _, what)) if what.contains("the zstd compression is broken"))
    }
}

fn contents(opened: Result<FileSource>) -> Contents {
    let mut contents = Contents {
        frames: Vec::new(),
        damage: None,
        losses: Losses::default(),
    };
    let mut source = match opened {
        Ok(source) => source,
        Err(e) => {
            contents.damage = Some(damage(e));
            return contents;
        }
    };
    loop {
        match source.next() {
            Ok(Next::Frame(frame)) => contents.frames.push(format!("{frame:?}")),
            Ok(Next::Idle(_)) => {}
            Ok(Next::End) => break,
            Err(e) => {
                assert!(contents.damage.is_none());
                contents.damage = Some(damage(e));
            }
        }
    }
    contents.losses = source.losses();
    contents
}

fn damage(error: Error) -> (u64, u64, String) {
    match error {
        Error::Damaged {
            offset,
            packets,
            what,
            ..
        } => (offset, packets, what),
        Error::Format { what, .. } => (0, 0, what),
        other => panic!("{other}"),
    }
}

/// A reader that gives a little at once.
struct Portions {
    rest: std::collections::VecDeque<u8>,
    portion: usize,
}

impl Read for Portions {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let portion = self.portion.min(buffer.len());
        self.rest.read(&mut buffer[..portion])
    }
}
