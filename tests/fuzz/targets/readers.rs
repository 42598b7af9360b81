//! Fuzz target: arbitrary bytes as a capture file. Nothing panics, and a file gives the same frames
//! and errors as a stream that is read a few bytes at a time.
//! `tests/fuzz/run` builds and runs the targets.
#![no_main]

use lcap::internals::error::{Error, Result};
use lcap::internals::source::{FileSource, Losses, Source, SourceEvent, file};
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
    let from_file = contents(file::open(&path));

    // The first byte selects the size of a read.
    let max_read_bytes = usize::from(bytes.first().copied().unwrap_or(0)) % 40 + 1;
    let stream = ShortReads {
        rest: bytes.to_vec().into(),
        max_read_bytes,
    };
    let streamed = contents(file::read("stream", stream));
    if from_file.has_broken_zstd() || streamed.has_broken_zstd() {
        // If the size of a zstd frame differs from the size in its header, the decoder rejects
        // its last block: all of it, or only the part that was not already read.
        let common = from_file.frames.len().min(streamed.frames.len());
        assert_eq!(from_file.frames[..common], streamed.frames[..common]);
    } else {
        assert_eq!(from_file, streamed);
    }
});

/// The contents of a file, without its name.
#[derive(Debug, PartialEq)]
struct Contents {
    frames: Vec<String>,
    damage: Option<(u64, u64, String)>,
    losses: Losses,
}

impl Contents {
    fn has_broken_zstd(&self) -> bool {
        matches!(&self.damage, Some((_, _, what)) if what.contains("the zstd data is corrupt"))
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
            Ok(SourceEvent::Frame(frame)) => contents.frames.push(format!("{frame:?}")),
            Ok(SourceEvent::Idle(_) | SourceEvent::Dropped(_)) => {}
            Ok(SourceEvent::End) => break,
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

/// A reader that returns at most `max_read_bytes` per read.
struct ShortReads {
    rest: std::collections::VecDeque<u8>,
    max_read_bytes: usize,
}

impl Read for ShortReads {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = self.max_read_bytes.min(buffer.len());
        self.rest.read(&mut buffer[..len])
    }
}
