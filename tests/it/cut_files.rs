//! Files that are truncated or appended to while lcap reads them.

use crate::blocked_readers::wait_until_blocked;
use crate::command::lcap;
use crate::craft::{ByteOrder, CaptureBuilder, gzip, udp_datagrams, zstd};
use lcap::internals::error::Error;
use lcap::internals::source::{SourceEvent, file};
use std::io::{Read, Write};
use std::process::Stdio;

/// Number of packets, and the bytes of each: more than is read ahead.
const PACKET_COUNT: u32 = 4000;
const PACKET_LEN: usize = 1000;
/// Packets that are delivered before the file changes.
const FIRST_PACKETS: u64 = 100;

/// Returns the payload of a packet, which cannot be compressed.
fn payload(number: u32) -> Vec<u8> {
    let mut state = u64::from(number) + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..PACKET_LEN).map(|_| next()).collect()
}

fn pcap() -> Vec<u8> {
    let mut capture = CaptureBuilder::pcap(ByteOrder::Little, 0xA1B2_C3D4, (2, 4), 1);
    for number in 0..PACKET_COUNT {
        capture.record((number, 0), PACKET_LEN as u32, &payload(number));
    }
    capture.bytes
}

fn pcapng() -> Vec<u8> {
    let mut capture = CaptureBuilder::pcapng(ByteOrder::Little);
    capture.interface(1, 0, &[]);
    for number in 0..PACKET_COUNT {
        let len = PACKET_LEN as u32;
        capture.enhanced_packet(0, u64::from(number), len, &payload(number), &[]);
    }
    capture.bytes
}

/// Number of datagrams whose text exceeds a pipe and the buffers of lcap.
const DATAGRAM_COUNT: u16 = 6000;

/// Reads some packets, changes the length of the file, and reads to the end. Returns the number of
/// packets, of which each has the right bytes, and the error.
fn read_while_cut(bytes: &[u8], new_len: u64) -> (u64, Option<Error>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut source = file::open(file.path()).unwrap();
    let mut count = 0;
    loop {
        match source.next() {
            Ok(SourceEvent::Frame(frame)) => {
                assert!(frame.bytes == payload(count as u32), "packet {count}");
                count += 1;
            }
            Ok(SourceEvent::End) => return (count, None),
            Ok(_) => {}
            Err(error) => return (count, Some(error)),
        }
        if count == FIRST_PACKETS {
            file.as_file().set_len(new_len).unwrap();
        }
    }
}

#[test]
fn cut_file_delivers_the_packets_before_the_cut() {
    for (name, bytes, record) in [
        ("pcap", pcap(), PACKET_LEN as u64 + 16),
        ("pcapng", pcapng(), PACKET_LEN as u64 + 32),
    ] {
        let start = bytes.len() as u64 - u64::from(PACKET_COUNT) * record;
        for cut in [
            0,
            1,
            start + 10 * record,
            start + 3000 * record,
            start + 3000 * record + 1,
            start + 3001 * record - 1,
            bytes.len() as u64 - 1,
        ] {
            let (count, error) = read_while_cut(&bytes, cut);
            let before = cut.saturating_sub(start) / record;
            let row = format!("{name} cut at {cut}: {count} packets, {error:?}");
            assert!(count >= before.max(FIRST_PACKETS), "{row}");
            let Some(Error::Damaged {
                packets,
                what,
                offset,
                ..
            }) = error
            else {
                panic!("{row}");
            };
            assert_eq!(packets, count, "{row}");
            let message = format!("the file was cut while being read at byte {offset}");
            assert!(what.starts_with(&message), "{row}");
            if cut > start + 1000 * record {
                assert_eq!((offset, count), (cut, before), "{row}");
            }
        }
        let (count, error) = read_while_cut(&bytes, bytes.len() as u64);
        assert!(
            error.is_none() && count == u64::from(PACKET_COUNT),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn cut_compressed_file_is_reported() {
    for (name, bytes) in [("gzip", gzip(&pcap())), ("zstd", zstd(&pcap()))] {
        for cut in [0, bytes.len() as u64 - 100] {
            let (count, error) = read_while_cut(&bytes, cut);
            let text = error.map(|error| error.to_string()).unwrap_or_default();
            let row = format!("{name} cut at {cut}: {count} packets, {text}");
            assert!(
                text.contains("the file was cut while being read at byte"),
                "{row}"
            );
            assert!(
                count >= FIRST_PACKETS && count < u64::from(PACKET_COUNT),
                "{row}"
            );
        }
    }
}

#[test]
fn every_command_reports_a_file_that_is_cut() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let capture = udp_datagrams(DATAGRAM_COUNT, 1000);
    for args in ["", "--format json", "-w -", "follow"] {
        file.as_file().set_len(0).unwrap();
        std::fs::write(file.path(), &capture).unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = lcap();
        command
            .args(args.split_whitespace())
            .arg("-r")
            .arg(file.path());
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn();
        drop(command);
        wait_until_blocked(&reader);
        let cut = capture.len() as u64 - 50;
        file.as_file_mut().set_len(cut).unwrap();
        let mut output = Vec::new();
        reader.read_to_end(&mut output).unwrap();
        let mut child = child.unwrap();
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        let message = format!(
            "lcap: {}: damaged at byte {cut}, after {} packets: \
             the file was cut while being read at byte {cut}",
            file.path().display(),
            DATAGRAM_COUNT - 1
        );
        assert!(stderr.contains(&message), "{args}: {stderr}");
        assert_eq!(child.wait().unwrap().code(), Some(1), "{args}");
        if args == "-w -" {
            let whole = capture.len() - (16 + 28 + 1000);
            assert!(output == capture[..whole], "{args}: {} bytes", output.len());
        }
    }
}
