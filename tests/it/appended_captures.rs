//! Captures appended to another one in the same file, of every format, and packets that resemble
//! their headers.

use crate::command::{run, run_with_stdin};
use crate::craft::{
    BYTE_ORDERS, ByteOrder, CaptureBuilder, CaptureContents, gzip, read_stored, read_streamed, zstd,
};
use crate::follow::udp_datagram;
use lcap::internals::packet::LinkType;
use lcap::internals::source::{SourceEvent, file};
use std::fs;
use std::io::Cursor;

const MICROS: u32 = 0xA1B2_C3D4;
const NANOS: u32 = 0xA1B2_3C4D;
const KUZNETZOV: u32 = 0xA1B2_CD34;
const HEADER_LEN: usize = 24;

/// Returns a capture of two packets in each format.
fn captures() -> Vec<CaptureBuilder> {
    let mut captures = Vec::new();
    for order in BYTE_ORDERS {
        for magic in [MICROS, NANOS] {
            let mut file = CaptureBuilder::pcap(order, magic, (2, 4), 1);
            file.record((5, 6), 60, b"one").record((7, 8), 60, b"four");
            captures.push(file);
        }
        let mut file = CaptureBuilder::pcap(order, KUZNETZOV, (2, 4), 113);
        for _ in 0..2 {
            file.u32(5).u32(6).u32(3).u32(60).raw(&[0; 8]).raw(b"one");
        }
        captures.push(file);
        let mut file = CaptureBuilder::pcapng(order);
        file.interface(101, 0, &[(9, &[9])]);
        file.enhanced_packet(0, 9, 60, b"one", &[(1, b"comment")]);
        file.enhanced_packet(0, 10, 60, b"four", &[]);
        captures.push(file);
    }
    captures
}

/// The properties of a frame that do not depend on its position in the file.
fn properties(contents: &CaptureContents) -> Vec<(i64, LinkType, u32, Vec<u8>)> {
    let frames = contents.frames.iter();
    frames
        .map(|frame| (frame.nanos, frame.link, frame.wire_len, frame.bytes.clone()))
        .collect()
}

#[test]
fn every_format_can_follow_every_other() {
    for first in captures() {
        for second in captures() {
            let parts = [&first.bytes[..], &second.bytes, &first.bytes];
            let bytes = parts.concat();
            let mut expected = Vec::new();
            for part in parts {
                expected.extend(properties(&read_stored(part)));
            }
            assert_eq!(expected.len(), 6);
            for contents in [
                read_stored(&bytes),
                read_streamed(&bytes, 1),
                read_streamed(&bytes, 7),
                read_stored(&parts.map(gzip).concat()),
                read_stored(&parts.map(zstd).concat()),
                read_streamed(&parts.map(zstd).concat(), 7),
            ] {
                assert_eq!(contents.error_text(), "");
                assert_eq!(properties(&contents), expected);
                let numbers = contents.frames.iter().map(|frame| frame.number);
                assert!(numbers.eq(1..=6));
            }
        }
    }
}

/// A cut between records is a normal end, any other is damage.
#[test]
fn a_truncated_appended_capture_returns_every_frame_before_the_cut() {
    for first in captures() {
        for second in captures() {
            let bytes = [&first.bytes[..], &second.bytes].concat();
            for cut in 0..second.bytes.len() {
                let (whole, part) = (&bytes[..first.bytes.len() + cut], &second.bytes[..cut]);
                let part = read_stored(part);
                for contents in [read_stored(whole), read_streamed(whole, 5)] {
                    assert_eq!(contents.frames.len(), 2 + part.frames.len(), "cut at {cut}");
                    let is_damaged = cut > 0 && part.error.is_some();
                    assert_eq!(contents.error.is_some(), is_damaged, "cut at {cut}");
                }
            }
        }
    }
    let mut bytes = captures()[0].bytes.repeat(2);
    bytes.truncate(bytes.len() / 2 + HEADER_LEN - 1);
    let error = read_stored(&bytes).error_text();
    let message =
        "the file ends inside the header of another capture: 24 bytes expected, 23 present";
    assert!(error.contains(message), "{error}");
}

/// A packet whose time starts like a file header remains a packet.
#[test]
fn packets_with_the_magic_number_as_time_are_no_captures() {
    for order in BYTE_ORDERS {
        for current in [MICROS, NANOS] {
            let magics = [MICROS, NANOS, KUZNETZOV, 0x0A0D_0D0A];
            for seconds in magics.into_iter().chain(magics.map(u32::swap_bytes)) {
                // The fractions of the version 2.4, in both byte orders.
                for fraction in [0, 0x0002_0004, 0x0004_0002, 0x0400_0200, 0x0200_0400] {
                    let mut file = CaptureBuilder::pcap(order, current, (2, 4), 1);
                    for length in [60_u32, 1, 0] {
                        let data = vec![0; length as usize];
                        file.record((seconds, fraction), length.max(1), &data);
                    }
                    for contents in [read_stored(&file.bytes), read_streamed(&file.bytes, 3)] {
                        assert_eq!(contents.error_text(), "", "{seconds:x} {fraction:x}");
                        assert_eq!(contents.frames.len(), 3, "{seconds:x} {fraction:x}");
                    }
                }
            }
        }
        // A block of a type that is reserved for local use.
        for magic in [MICROS, MICROS.swap_bytes()] {
            let mut file = CaptureBuilder::pcapng(order);
            file.block(magic, b"contents of 20 bytes");
            let contents = read_stored(&file.bytes);
            assert_eq!(
                contents.losses.skipped_blocks,
                1,
                "{}",
                contents.error_text()
            );
        }
    }
}

#[test]
fn headers_with_implausible_fields_are_no_captures() {
    let first = &captures()[0].bytes;
    let second = CaptureBuilder::pcap(ByteOrder::Little, MICROS, (2, 4), 1).bytes;
    // The field at this offset, and its value.
    for (at, value) in [
        (4, 0x0005_0002),
        (8, 100_000),
        (12, 1),
        (20, 0x0030_0001_u32),
    ] {
        let mut bytes = [&first[..], &second].concat();
        let at = first.len() + at;
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let mut source = file::read("capture", Cursor::new(bytes)).unwrap();
        while let Ok(SourceEvent::Frame(_) | SourceEvent::Idle(_)) = source.next() {}
        assert_eq!(source.appended_captures().count, 0, "{value:x}");
    }
    // A time zone other than UTC is permitted.
    let mut bytes = [&first[..], &second].concat();
    bytes[first.len() + 8..][..4].copy_from_slice(&(-3600_i32).to_le_bytes());
    let mut source = file::read("capture", Cursor::new(bytes)).unwrap();
    while let Ok(SourceEvent::Frame(_) | SourceEvent::Idle(_)) = source.next() {}
    assert_eq!(source.appended_captures().offsets, [first.len() as u64]);
}

#[test]
fn an_interface_with_other_properties_is_a_new_one() {
    let capture = |magic, link, snap_len: u32| {
        let mut file = CaptureBuilder::pcap(ByteOrder::Little, magic, (2, 4), link);
        file.bytes[16..20].copy_from_slice(&snap_len.to_le_bytes());
        file.record((1, 0), 60, b"data").bytes.clone()
    };
    let parts = [
        capture(MICROS, 1, 100),
        capture(MICROS, 1, 100),
        capture(MICROS, 1, 200),
        capture(MICROS, 113, 200),
        capture(NANOS, 113, 200),
        captures()[3].bytes.clone(),
        capture(NANOS, 113, 200),
    ];
    let contents = read_stored(&parts.concat());
    assert_eq!(contents.error_text(), "");
    let ids = contents.frames.iter().map(|frame| frame.interface.id);
    assert!(ids.eq([0, 0, 1, 2, 3, 4, 4, 5]));
}

#[test]
fn appended_captures_are_reported_with_their_offsets() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let capture = |link, client| {
        let mut file = CaptureBuilder::pcap(ByteOrder::Little, MICROS, (2, 4), link);
        let datagram = udp_datagram(client, b"data");
        file.record((1, 0), datagram.len() as u32, &datagram);
        file.bytes
    };
    let [raw, again, ipv4] = [capture(101, 1), capture(101, 2), capture(228, 3)];
    let (second, third) = (raw.len(), raw.len() + again.len());
    let bytes = [raw, again, ipv4].concat();
    let notes = format!(
        "lcap: another capture starts at byte {second}\n\
         lcap: another capture starts at byte {third}\n"
    );
    fs::write(path("in.pcap"), &bytes).unwrap();
    fs::write(path("in.pcap.gz"), gzip(&bytes)).unwrap();
    for (name, row) in [
        ("in.pcap", ""),
        ("in.pcap", "--format json"),
        ("in.pcap.gz", ""),
    ] {
        let ran = run(["-r", &path(name)]
            .into_iter()
            .chain(row.split_whitespace()));
        assert_eq!((ran.exit_code, &ran.stderr[..]), (0, &notes[..]), "{row}");
        assert_eq!(ran.stdout_text().lines().count(), 3, "{row}");
    }
    let ran = run_with_stdin(&bytes, ["flows", "-r", "-", "--format", "json"]);
    assert_eq!((ran.exit_code, &ran.stderr[..]), (0, &notes[..]));
    assert_eq!(ran.stdout_text().lines().count(), 3);

    let (pcapng, pcap) = (path("out.pcapng"), path("out.pcap"));
    let ran = run(["-r", &path("in.pcap"), "-w", &pcapng]);
    assert_eq!((ran.exit_code, &ran.stderr[..]), (0, &notes[..]));
    assert_eq!(
        properties(&read_stored(&fs::read(&pcapng).unwrap())),
        properties(&read_stored(&bytes))
    );
    // A pcap file has one link type.
    let ran = run(["-r", &path("in.pcap"), "-w", &pcap]);
    assert_eq!(ran.exit_code, 1);
    let message = "cannot write packet 3: its link type is 228, but the file has link type 101";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
    assert!(ran.stderr.starts_with(&notes), "{}", ran.stderr);
    assert_eq!(read_stored(&fs::read(&pcap).unwrap()).frames.len(), 2);
}

#[test]
fn only_the_first_appended_captures_are_listed() {
    let bytes = captures()[0].bytes.repeat(12);
    let ran = run_with_stdin(&bytes, ["-r", "-", "--count"]);
    assert_eq!((ran.exit_code, &ran.stdout[..]), (0, &b"24 packets\n"[..]));
    let starts = ran.stderr.matches("another capture starts at byte").count();
    assert_eq!(starts, 8, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("lcap: 3 more captures in the file\n"),
        "{}",
        ran.stderr
    );
}
