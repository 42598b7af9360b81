//! Capture files that arrive in pieces through a pipe, or are compressed and damaged.

use crate::command::{fixture_path, lcap};
use crate::craft::{ByteOrder, CaptureBuilder, gzip, read_stored, read_streamed, zstd};
use lcap::internals::error::Error;
use lcap::internals::source::{FileSource, IdleClock, SourceEvent, Stop, file};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::Ordering;

fn pcap_header() -> CaptureBuilder {
    CaptureBuilder::pcap(ByteOrder::Little, 0xA1B2_C3D4, (2, 4), 1)
}

/// Asserts that no more frames arrive. The pipe can stay open for a moment, because a process that
/// another test has just forked inherits it until that process executes a program.
fn assert_end(source: &mut FileSource) {
    loop {
        match source.next().unwrap() {
            SourceEvent::Idle(_) | SourceEvent::Dropped(_) => {}
            SourceEvent::Frame(frame) => panic!("frame {}", frame.number),
            SourceEvent::End => return,
        }
    }
}

/// A packet is returned as soon as it has arrived, and an idle event when no more data is
/// available.
#[test]
fn a_live_pipe_returns_each_packet_immediately() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    writer.write_all(&pcap_header().bytes).unwrap();
    let mut source = file::open(&path).unwrap();
    assert_eq!(source.progress().total, None);
    for second in 1..4_u32 {
        let mut record = pcap_header().empty_body();
        record
            .record((second, 0), 60, b"abc")
            .record((second, 1), 60, b"d");
        // The second record is still incomplete.
        writer.write_all(&record.bytes[..30]).unwrap();
        assert!(matches!(source.next(), Ok(SourceEvent::Frame(frame)) if frame.bytes == b"abc"));
        assert!(matches!(
            source.next(),
            Ok(SourceEvent::Idle(IdleClock::Stopped))
        ));
        writer.write_all(&record.bytes[30..]).unwrap();
        assert!(matches!(source.next(), Ok(SourceEvent::Frame(frame)) if frame.bytes == b"d"));
    }
    assert!(matches!(source.next(), Ok(SourceEvent::Idle(_))));
    drop(writer);
    assert_end(&mut source);
    assert!(matches!(source.next(), Ok(SourceEvent::End)));
    assert_eq!(source.progress().done.load(Ordering::Relaxed), 24 + 3 * 36);
}

/// Data that is already in the pipe is read without an idle event.
#[test]
fn a_pipe_with_pending_data_is_never_idle() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    let mut builder = pcap_header();
    for _ in 0..1000 {
        builder.record((1, 0), 60, &[7; 40]);
    }
    writer.write_all(&builder.bytes).unwrap();
    drop(writer);
    let mut source = file::open(&path).unwrap();
    for number in 1..=1000 {
        assert!(matches!(source.next(), Ok(SourceEvent::Frame(frame)) if frame.number == number));
    }
    assert_end(&mut source);
}

/// Packets that the writer has flushed pass through decompression even if no data follows.
#[test]
fn a_live_compressed_pipe_returns_flushed_packets() {
    for chunk_len in [1, 100, 64 * 1024 - 16, 200_000] {
        let (reader, writer) = std::io::pipe().unwrap();
        let encoder = flate2::write::GzEncoder::new(writer, flate2::Compression::fast());
        assert_flushed_packets_arrive(&reader, encoder, chunk_len);
        let (reader, writer) = std::io::pipe().unwrap();
        let encoder = zstd::stream::write::Encoder::new(writer, 1).unwrap();
        assert_flushed_packets_arrive(&reader, encoder, chunk_len);
    }
}

/// Writes three batches of packets. Each is returned before the pipe is idle, although the decoder
/// has read all of it and returns it in pieces: a stop request must not end the wait for data that
/// has arrived.
fn assert_flushed_packets_arrive(
    reader: &std::io::PipeReader,
    mut writer: impl Write,
    packet_len: usize,
) {
    let path = PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    writer.write_all(&pcap_header().bytes).unwrap();
    writer.flush().unwrap();
    let mut source = file::open(&path).unwrap();
    source.set_stop(Stop::new().unwrap());
    const BATCH: u64 = 7;
    for batch in 0..3 {
        let mut records = pcap_header().empty_body();
        for _ in 0..BATCH {
            records.record((1, 0), 60, &vec![7; packet_len]);
        }
        writer.write_all(&records.bytes).unwrap();
        writer.flush().unwrap();
        for number in 1..=BATCH {
            let event = source.next().unwrap();
            let SourceEvent::Frame(frame) = event else {
                panic!("{event:?} instead of packet {number}");
            };
            assert_eq!(frame.number, batch * BATCH + number);
        }
        let event = source.next().unwrap();
        assert!(matches!(event, SourceEvent::Idle(_)), "{event:?}");
    }
}

/// The clock of a pipe with times of 1970 goes on after a silence.
#[test]
fn clock_of_a_silent_pipe_goes_on() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut writer = flate2::write::GzEncoder::new(writer, flate2::Compression::fast());
    let path = PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    let mut file = pcap_header();
    writer
        .write_all(&file.record((1, 0), 60, b"abc").bytes)
        .unwrap();
    writer.flush().unwrap();
    let mut source = file::open(&path).unwrap();
    assert!(matches!(source.next(), Ok(SourceEvent::Frame(_))));
    let mut is_live = false;
    while !is_live {
        match source.next().unwrap() {
            SourceEvent::Idle(IdleClock::Stopped) => {}
            SourceEvent::Idle(IdleClock::Elapsed(elapsed)) => {
                assert!(elapsed.as_secs() >= 1, "{elapsed:?}");
                is_live = true;
            }
            event => panic!("{event:?}"),
        }
    }
}

/// The pipe stays open until the row has arrived.
#[test]
fn flows_that_ended_are_shown_while_the_pipe_is_silent() {
    let capture = std::fs::read(fixture_path("http.pcap")).unwrap();
    for (name, bytes) in [
        ("plain", capture.clone()),
        ("gzip", gzip(&capture)),
        ("zstd", zstd(&capture)),
    ] {
        let mut child = lcap()
            .args(["flows", "-r", "-", "--format", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut writer = child.stdin.take().unwrap();
        writer.write_all(&bytes).unwrap();
        let mut rows = BufReader::new(child.stdout.take().unwrap());
        let mut row = String::new();
        rows.read_line(&mut row).unwrap();
        assert!(
            row.contains("\"outcome\":\"closed normally\""),
            "{name}: {row}"
        );
        drop(writer);
        assert!(child.wait().unwrap().success(), "{name}");
    }
}

#[test]
fn progress_counts_compressed_bytes() {
    let mut builder = pcap_header();
    for second in 0..1000 {
        builder.record((second, 0), 60, &[7; 40]);
    }
    for bytes in [
        builder.bytes.clone(),
        gzip(&builder.bytes),
        zstd(&builder.bytes),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let mut source = file::open(file.path()).unwrap();
        let progress = source.progress();
        while !matches!(source.next().unwrap(), SourceEvent::End) {}
        assert_eq!(progress.total, Some(bytes.len() as u64));
        assert_eq!(progress.done.load(Ordering::Relaxed), bytes.len() as u64);
    }
}

#[test]
fn open_and_read_errors_name_the_file() {
    let missing = file::open("/no/such/file".as_ref()).err().unwrap();
    assert_eq!(
        missing.to_string(),
        "cannot open /no/such/file: No such file or directory (os error 2)"
    );
    let directory = file::open("/".as_ref()).err().unwrap();
    assert!(directory.to_string().starts_with("cannot read /: "));
}

/// A truncated compressed file still returns the packets of the blocks before the cut.
#[test]
fn truncated_compressed_files_are_reported_as_damaged() {
    let mut builder = pcap_header();
    for second in 0..20 {
        builder.record((second, 0), 60, &second.to_le_bytes());
    }
    for (name, compressed) in [
        ("gzip", gzip(&builder.bytes)),
        ("zstd", zstd(&builder.bytes)),
    ] {
        let mut max_frames = 0;
        for cut in 4..compressed.len() {
            for contents in [
                read_stored(&compressed[..cut]),
                read_streamed(&compressed[..cut], 3),
            ] {
                max_frames = max_frames.max(contents.frames.len());
                let error = contents.error_text();
                let Some(Error::Damaged { packets, .. }) = contents.error else {
                    panic!("{name} cut at {cut}: {error}");
                };
                assert!(error.contains(name), "{error}");
                assert_eq!(packets, contents.frames.len() as u64);
            }
        }
        assert_eq!(
            max_frames, 20,
            "{name}: only the trailer of the compressed data is missing"
        );
        assert_eq!(read_stored(&compressed).error_text(), "");
    }
}

/// The decompression buffer fills up at the end of the compressed data, or near it.
#[test]
fn compressed_files_of_buffer_size_are_read_whole() {
    for length in [65_535, 65_536, 65_537, 131_072, 196_608] {
        let mut builder = pcap_header();
        builder.record((1, 0), 60, &vec![7; length - 24 - 16]);
        let plain_zstd = zstd::stream::encode_all(&builder.bytes[..], 1).unwrap();
        for compressed in [gzip(&builder.bytes), zstd(&builder.bytes), plain_zstd] {
            for count in [1, 2] {
                let contents = read_stored(&compressed.repeat(count));
                let expected = read_stored(&builder.bytes.repeat(count));
                assert_eq!(contents.frames, expected.frames, "{length}");
                assert_eq!(
                    contents.error.is_none(),
                    expected.error.is_none(),
                    "{length}"
                );
            }
        }
    }
}

#[test]
fn a_wrong_checksum_is_reported_after_all_packets() {
    let mut builder = pcap_header();
    for second in 0..1000_u32 {
        builder.record((second, 0), 60, &second.to_le_bytes());
    }
    for (name, mut compressed) in [
        ("gzip", gzip(&builder.bytes)),
        ("zstd", zstd(&builder.bytes)),
    ] {
        // gzip ends with the checksum and the length, zstd with the checksum.
        let at = compressed.len() - if name == "gzip" { 8 } else { 1 };
        compressed[at] ^= 1;
        let contents = read_stored(&compressed);
        assert_eq!(contents.frames.len(), 1000);
        let error = contents.error_text();
        assert!(error.contains("data is corrupt"), "{error}");
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn garbage_after_the_compressed_data_is_damage() {
    let mut builder = pcap_header();
    builder.record((1, 0), 60, b"abc");
    for compressed in [gzip(&builder.bytes), zstd(&builder.bytes)] {
        let contents = read_stored(&[&compressed[..], b"garbage that is not a header"].concat());
        assert_eq!(contents.frames.len(), 1);
        assert!(matches!(
            contents.error,
            Some(Error::Damaged { packets: 1, .. })
        ));
    }
}
