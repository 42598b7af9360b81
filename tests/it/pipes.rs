//! Capture files that arrive bit by bit, or packed and broken.

use crate::craft::{Craft, Order, gzip, mapped, streamed, zstd};
use lcap::error::Error;
use lcap::packet::Timestamp;
use lcap::source::{FileSource, Next, file};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

fn header() -> Craft {
    Craft::pcap(Order::Little, 0xA1B2_C3D4, (2, 4), 1)
}

/// Nothing more comes. A process that another test has just forked holds the pipe open until it executes something.
fn ends(source: &mut FileSource) {
    loop {
        match source.next().unwrap() {
            Next::Idle(_) => {}
            Next::Frame(frame) => panic!("frame {}", frame.number),
            Next::End => return,
        }
    }
}

/// A packet is given as soon as it has arrived, and its reader knows when nothing more is there.
#[test]
fn a_live_pipe_gives_each_packet_at_once() {
    let (reading, mut writing) = std::io::pipe().unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", reading.as_raw_fd()));
    writing.write_all(&header().bytes).unwrap();
    let mut source = file::open(&path).unwrap();
    assert_eq!(source.progress().total, None);
    for second in 1..4_u32 {
        let mut record = header().body();
        record
            .record((second, 0), 60, b"abc")
            .record((second, 1), 60, b"d");
        // The second record is not whole yet.
        writing.write_all(&record.bytes[..30]).unwrap();
        assert!(matches!(source.next(), Ok(Next::Frame(frame)) if frame.bytes == b"abc"));
        let now = Timestamp::new(i64::from(second), 0);
        assert!(matches!(source.next(), Ok(Next::Idle(time)) if time == now));
        writing.write_all(&record.bytes[30..]).unwrap();
        assert!(matches!(source.next(), Ok(Next::Frame(frame)) if frame.bytes == b"d"));
    }
    assert!(matches!(source.next(), Ok(Next::Idle(_))));
    drop(writing);
    ends(&mut source);
    assert!(matches!(source.next(), Ok(Next::End)));
    assert_eq!(source.progress().done.load(Ordering::Relaxed), 24 + 3 * 36);
}

/// What is there already is read without a word in between.
#[test]
fn a_full_pipe_is_never_idle() {
    let (reading, mut writing) = std::io::pipe().unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", reading.as_raw_fd()));
    let mut made = header();
    for _ in 0..1000 {
        made.record((1, 0), 60, &[7; 40]);
    }
    writing.write_all(&made.bytes).unwrap();
    drop(writing);
    let mut source = file::open(&path).unwrap();
    for number in 1..=1000 {
        assert!(matches!(source.next(), Ok(Next::Frame(frame)) if frame.number == number));
    }
    ends(&mut source);
}

/// What the writer has flushed comes through its compression, though nothing follows.
#[test]
fn a_live_packed_pipe_gives_what_was_flushed() {
    let (reading, writing) = std::io::pipe().unwrap();
    let encoder = flate2::write::GzEncoder::new(writing, flate2::Compression::fast());
    flushed_packets_arrive(&reading, encoder);
    let (reading, writing) = std::io::pipe().unwrap();
    let encoder = zstd::stream::write::Encoder::new(writing, 1).unwrap();
    flushed_packets_arrive(&reading, encoder);
}

fn flushed_packets_arrive(reading: &std::io::PipeReader, mut writing: impl Write) {
    let path = PathBuf::from(format!("/proc/self/fd/{}", reading.as_raw_fd()));
    writing.write_all(&header().bytes).unwrap();
    writing.flush().unwrap();
    let mut source = file::open(&path).unwrap();
    for number in 1..4_u64 {
        let mut record = header().body();
        // As long as what is unpacked at once, which leaves a decoder nothing to say afterwards.
        record.record((1, 0), 60, &[7; 64 * 1024 - 16]);
        writing.write_all(&record.bytes).unwrap();
        writing.flush().unwrap();
        while !matches!(source.next().unwrap(), Next::Frame(frame) if frame.number == number) {}
    }
}

#[test]
fn progress_counts_the_bytes_of_the_file_as_it_is_packed() {
    let mut made = header();
    for second in 0..1000 {
        made.record((second, 0), 60, &[7; 40]);
    }
    for bytes in [made.bytes.clone(), gzip(&made.bytes), zstd(&made.bytes)] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let mut source = file::open(file.path()).unwrap();
        let progress = source.progress();
        while !matches!(source.next().unwrap(), Next::End) {}
        assert_eq!(progress.total, Some(bytes.len() as u64));
        assert_eq!(progress.done.load(Ordering::Relaxed), bytes.len() as u64);
    }
}

#[test]
fn files_that_cannot_be_opened_or_read() {
    let missing = file::open("/no/such/file".as_ref()).err().unwrap();
    assert_eq!(
        missing.to_string(),
        "cannot open /no/such/file: No such file or directory (os error 2)"
    );
    let directory = file::open("/".as_ref()).err().unwrap();
    assert!(directory.to_string().starts_with("cannot read /: "));
}

/// A compressed file that is cut still gives the packets before the cut; which, its blocks say.
#[test]
fn packed_files_cut_at_every_byte() {
    let mut made = header();
    for second in 0..20 {
        made.record((second, 0), 60, &second.to_le_bytes());
    }
    for (name, packed) in [("gzip", gzip(&made.bytes)), ("zstd", zstd(&made.bytes))] {
        let mut most = 0;
        for cut in 4..packed.len() {
            for whole in [mapped(&packed[..cut]), streamed(&packed[..cut], 3)] {
                most = most.max(whole.frames.len());
                let complaint = whole.complaint();
                let Some(Error::Damaged { packets, .. }) = whole.error else {
                    panic!("{name} cut at {cut}: {complaint}");
                };
                assert!(complaint.contains(name), "{complaint}");
                assert_eq!(packets, whole.frames.len() as u64);
            }
        }
        assert_eq!(most, 20, "{name}: only the end of the compression missing");
        assert_eq!(mapped(&packed).complaint(), "");
    }
}

/// What is unpacked at once ends where the compression ends, or near it.
#[test]
fn packed_files_as_long_as_the_buffer() {
    for length in [65_535, 65_536, 65_537, 131_072, 196_608] {
        let mut made = header();
        made.record((1, 0), 60, &vec![7; length - 24 - 16]);
        let plain_zstd = zstd::stream::encode_all(&made.bytes[..], 1).unwrap();
        for packed in [gzip(&made.bytes), zstd(&made.bytes), plain_zstd] {
            for count in [1, 2] {
                let whole = mapped(&packed.repeat(count));
                let expected = mapped(&made.bytes.repeat(count));
                assert_eq!(whole.frames, expected.frames, "{length}");
                assert_eq!(whole.error.is_none(), expected.error.is_none(), "{length}");
            }
        }
    }
}

#[test]
fn a_wrong_checksum_is_told_after_all_packets() {
    let mut made = header();
    for second in 0..1000_u32 {
        made.record((second, 0), 60, &second.to_le_bytes());
    }
    for (name, mut packed) in [("gzip", gzip(&made.bytes)), ("zstd", zstd(&made.bytes))] {
        // gzip ends with the checksum and the length, zstd with the checksum.
        let at = packed.len() - if name == "gzip" { 8 } else { 1 };
        packed[at] ^= 1;
        let whole = mapped(&packed);
        assert_eq!(whole.frames.len(), 1000);
        let complaint = whole.complaint();
        assert!(complaint.contains("compression is broken"), "{complaint}");
        assert!(complaint.contains(name), "{complaint}");
    }
}

#[test]
fn rubbish_behind_the_compression_is_told() {
    let mut made = header();
    made.record((1, 0), 60, b"abc");
    for packed in [gzip(&made.bytes), zstd(&made.bytes)] {
        let whole = mapped(&[&packed[..], b"rubbish that is no header"].concat());
        assert_eq!(whole.frames.len(), 1);
        assert!(matches!(
            whole.error,
            Some(Error::Damaged { packets: 1, .. })
        ));
    }
}
