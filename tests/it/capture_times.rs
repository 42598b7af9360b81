//! Times before 1970, after 2038 and outside the supported range, in every output format.

use crate::command::{RunOutput, run};
use crate::craft::{BYTE_ORDERS, ByteOrder, CaptureBuilder, read_stored};
use crate::follow::udp_datagram;
use std::fs;
use std::path::Path;

/// 1969-01-01 00:00:10.25 UTC.
const BEFORE_1970: i64 = -31_535_989_750_000_000;
/// 2100-01-01 00:00:00.000000001 UTC.
const AFTER_2038: i64 = 4_102_444_800_000_000_001;
const EARLIEST: i64 = i64::MIN + 1;

/// Earliest time that `if_tsoffset` expresses with nanoseconds, in seconds.
const OFFSET: i64 = i64::MIN.div_euclid(1_000_000_000);

/// Returns a pcapng file with datagrams at these times, which are in nanoseconds.
fn pcapng_at(order: ByteOrder, times: &[i64]) -> Vec<u8> {
    let mut file = CaptureBuilder::pcapng(order);
    let offset = match order {
        ByteOrder::Little => OFFSET.to_le_bytes(),
        ByteOrder::Big => OFFSET.to_be_bytes(),
    };
    file.interface(101, 0, &[(9, &[9]), (14, &offset)]);
    file.interface(101, 0, &[(9, &[9])]);
    for (&time, number) in times.iter().zip(0..) {
        let (interface, ticks) = match time < 0 {
            true => (0, i128::from(time) - i128::from(OFFSET) * 1_000_000_000),
            false => (1, i128::from(time)),
        };
        let (datagram, ticks) = (udp_datagram(number, b"data"), ticks as u64);
        file.enhanced_packet(interface, ticks, datagram.len() as u32, &datagram, &[]);
    }
    file.bytes
}

/// Runs `lcap` with a file in this directory as input, and the words of `row`.
fn read_file(directory: &Path, name: &str, row: &str) -> RunOutput {
    let path = directory.join(name).to_str().unwrap().to_owned();
    let words = row.split_whitespace().map(str::to_owned);
    let words = words.map(|word| word.replace("DIR", directory.to_str().unwrap()));
    let mut arguments: Vec<String> = words.collect();
    let at = usize::from(arguments.first().is_some_and(|word| word == "flows"));
    arguments.splice(at..at, ["-r".to_owned(), path]);
    run(arguments)
}

#[test]
fn every_output_shows_times_before_1970_and_after_2038() {
    let directory = tempfile::tempdir().unwrap();
    let times = [BEFORE_1970, AFTER_2038];
    let bytes = pcapng_at(ByteOrder::Little, &times);
    fs::write(directory.path().join("in.pcapng"), bytes).unwrap();
    for (row, expected) in [
        ("", ["00:00:10.250000 IP", "00:00:00.000000 IP"]),
        ("-t", ["IP", "IP"]),
        ("-tt", ["-31535989.750000 IP", "4102444800.000000 IP"]),
        ("-ttt", [" 00:00:00.000000 IP", " 23:59:49.750000 IP"]),
        (
            "-tttt --nano",
            [
                "1969-01-01 00:00:10.250000000 IP",
                "2100-01-01 00:00:00.000000001 IP",
            ],
        ),
        ("-ttttt", [" 00:00:00.000000 IP", " 23:59:49.750000 IP"]),
        (
            "--format json",
            [
                "{\"number\":1,\"time\":\"1969-01-01T00:00:10.250000000Z\",\
                 \"time_ns\":-31535989750000000,",
                "{\"number\":2,\"time\":\"2100-01-01T00:00:00.000000001Z\",\
                 \"time_ns\":4102444800000000001,",
            ],
        ),
        (
            "flows --format json --sort start",
            [
                "{\"number\":1,\"ts\":-31535989.750000000,",
                "{\"number\":2,\"ts\":4102444800.000000001,",
            ],
        ),
    ] {
        let ran = read_file(directory.path(), "in.pcapng", row);
        assert_eq!(ran.exit_code, 0, "{row}: {}", ran.stderr);
        let lines: Vec<String> = ran.stdout_text().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 2, "{row}: {lines:?}");
        for (line, start) in lines.iter().zip(expected) {
            assert!(line.starts_with(start), "{row}: {line}");
        }
    }
    for (row, expected) in [
        (
            "flows --sort start",
            ["   1 00:00:10.250000 ", "   2 00:00:00.000000 "],
        ),
        (
            "flows --format csv --sort start",
            ["1,-31535989.750000000,", "2,4102444800.000000001,"],
        ),
        (
            "flows --format zeek --sort start",
            ["-31535989.750000\t", "4102444800.000000\t"],
        ),
    ] {
        let ran = read_file(directory.path(), "in.pcapng", row);
        let output = ran.stdout_text();
        let mut lines = output.lines();
        for start in expected {
            assert!(lines.any(|line| line.starts_with(start)), "{row}: {output}");
        }
    }
    let zeek = read_file(directory.path(), "in.pcapng", "flows --format zeek").stdout_text();
    for line in ["#open\t1969-01-01-00-00-10", "#close\t2100-01-01-00-00-00"] {
        assert!(zeek.lines().any(|found| found == line), "{zeek}");
    }
}

#[test]
fn pcapng_keeps_every_time() {
    let directory = tempfile::tempdir().unwrap();
    let times = [EARLIEST, -1, 0, 1, AFTER_2038, BEFORE_1970, i64::MAX, -1];
    for order in BYTE_ORDERS {
        let bytes = pcapng_at(order, &times);
        fs::write(directory.path().join("in.pcapng"), &bytes).unwrap();
        let ran = read_file(directory.path(), "in.pcapng", "-w DIR/out.pcapng");
        assert_eq!(ran.exit_code, 0, "{}", ran.stderr);
        let contents = read_stored(&fs::read(directory.path().join("out.pcapng")).unwrap());
        assert_eq!(contents.error_text(), "");
        assert_eq!(contents.nanos(), times);
    }
}

/// The seconds in a pcap file are unsigned, with 32 bits.
#[test]
fn pcap_rejects_times_that_it_cannot_store() {
    const LAST: i64 = (1 << 32) * 1_000_000_000 - 1;
    let directory = tempfile::tempdir().unwrap();
    for rejected in [EARLIEST, BEFORE_1970, -1, LAST + 1, i64::MAX] {
        let bytes = pcapng_at(ByteOrder::Little, &[0, LAST, rejected]);
        fs::write(directory.path().join("in.pcapng"), bytes).unwrap();
        for format in ["--micro", "--nano"] {
            let row = format!("-w DIR/out.pcap {format}");
            let ran = read_file(directory.path(), "in.pcapng", &row);
            assert_eq!(ran.exit_code, 1, "{rejected}");
            let message = "cannot write packet 3: its time is not from 1970 to 2106, the range of \
                           pcap files; write a .pcapng file instead";
            assert!(ran.stderr.contains(message), "{}", ran.stderr);
            let contents = read_stored(&fs::read(directory.path().join("out.pcap")).unwrap());
            let hidden = if format == "--micro" { 999 } else { 0 };
            assert_eq!(
                contents.nanos(),
                [0, LAST - hidden],
                "the packets before it"
            );
        }
    }
}

#[test]
fn times_outside_the_range_are_errors_after_the_packets_before_them() {
    let directory = tempfile::tempdir().unwrap();
    for (if_tsresol, if_tsoffset, ticks) in [
        (6, 0, 32_503_680_000_000_000),
        (0x80 | 20, 0, 32_503_680_000 << 20),
        (0, 0, u64::MAX),
        (9, 0, 1 << 63),
        (6, i64::MIN, 0),
        (6, i64::MAX, u64::MAX),
        (9, OFFSET, 145_224_192),
    ] {
        let mut file = CaptureBuilder::pcapng(ByteOrder::Little);
        let offset = if_tsoffset.to_le_bytes();
        file.interface(101, 0, &[]);
        file.interface(101, 0, &[(9, &[if_tsresol]), (14, &offset)]);
        file.enhanced_packet(0, 1_000_000, 3, b"one", &[]);
        let at = file.bytes.len();
        file.enhanced_packet(1, ticks, 3, b"two", &[]);
        fs::write(directory.path().join("in.pcapng"), file.bytes).unwrap();
        for row in ["-tt", "--format json", "flows", "-w DIR/out.pcapng"] {
            let ran = read_file(directory.path(), "in.pcapng", row);
            assert_eq!(ran.exit_code, 1, "{row}");
            let message = format!(
                "damaged at byte {at}, after 1 packet: a packet time outside the years 1677 to 2262"
            );
            assert!(ran.stderr.contains(&message), "{row}: {}", ran.stderr);
        }
        let contents = read_stored(&fs::read(directory.path().join("out.pcapng")).unwrap());
        assert_eq!(contents.nanos(), [1_000_000_000]);
    }
}

#[test]
fn files_are_rotated_by_times_before_1970() {
    let directory = tempfile::tempdir().unwrap();
    let second = 1_000_000_000;
    let times = [-7 * second, -6 * second, -second / 2, second, i64::MAX];
    let bytes = pcapng_at(ByteOrder::Little, &times);
    fs::write(directory.path().join("in.pcapng"), bytes).unwrap();
    let row = "-G 5 -w DIR/part%s.pcapng";
    let ran = read_file(directory.path(), "in.pcapng", row);
    assert_eq!(ran.exit_code, 0, "{}", ran.stderr);
    for (name, expected) in [
        ("part-7.pcapng", &times[..2]),
        ("part-1.pcapng", &times[2..4]),
        ("part9223372036.pcapng", &times[4..]),
    ] {
        let contents = read_stored(&fs::read(directory.path().join(name)).unwrap());
        assert_eq!(contents.nanos(), expected, "{name}");
    }
}
