//! Multi-threaded reading: the number of threads changes neither output, messages nor exit code.

use std::path::{Path, PathBuf};

use crate::command::{ROOT, RunOutput, fixture_names, run};
use crate::craft::{BYTE_ORDERS, CaptureBuilder, read_all};
use lcap::packet::LinkType;
use lcap::source::file;

/// Command lines that are run on every capture.
const ARGUMENTS: [&str; 16] = [
    "",
    "-v -S -#",
    "-e -x",
    "-ttt",
    "-q tcp",
    "--format json",
    "--format json -p 1-1000",
    "--count",
    "--count udp or ip[6:2] & 0x1fff != 0",
    "-c 700",
    "flows",
    "flows --format json",
    "flows --format csv tcp",
    "flows --format zeek -p 6379,80",
    "flows --format json --max-flows 40",
    "flows --sort packets --top 20",
];

fn run_with_threads(capture: &Path, command_line: &str, threads: usize) -> RunOutput {
    let threads = threads.to_string();
    let mut args: Vec<&str> = command_line.split_whitespace().collect();
    let at = usize::from(args.first() == Some(&"flows"));
    let capture = capture.to_str().unwrap();
    args.splice(at..at, ["-r", capture, "--threads", &threads]);
    run(args)
}

fn assert_same_for_all_thread_counts(capture: &Path) {
    for command_line in ARGUMENTS {
        let expected = run_with_threads(capture, command_line, 1);
        for threads in [2, 3, 8] {
            let actual = run_with_threads(capture, command_line, threads);
            let row = format!("{} {command_line} --threads {threads}", capture.display());
            assert_eq!(
                (actual.exit_code, &actual.stderr),
                (expected.exit_code, &expected.stderr),
                "{row}"
            );
            assert!(
                actual.stdout == expected.stdout,
                "{row}: {}",
                first_difference(&expected.stdout, &actual.stdout)
            );
        }
    }
}

/// Describes the first line that differs.
fn first_difference(expected: &[u8], actual: &[u8]) -> String {
    let lines = |bytes: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        text.lines().map(str::to_owned).collect()
    };
    let (expected, actual) = (lines(expected), lines(actual));
    let at = expected.iter().zip(&actual).position(|(a, b)| a != b);
    let at = at.unwrap_or(expected.len().min(actual.len()));
    format!("line {at}:\n{:?}\n{:?}", expected.get(at), actual.get(at))
}

#[test]
fn fixtures_give_the_same_output_with_any_thread_count() {
    for name in fixture_names() {
        assert_same_for_all_thread_counts(&Path::new(ROOT).join("fixtures").join(name));
    }
}

/// A linear congruential generator (D. Knuth, MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Returns the Ethernet frames of all fixtures, copied with different addresses and interleaved.
fn mixed_frames(random: &mut Random, copies: u8) -> Vec<Vec<u8>> {
    let mut queues: Vec<Vec<Vec<u8>>> = Vec::new();
    for name in fixture_names() {
        let path = Path::new(ROOT).join("fixtures").join(name);
        let fixture = read_all(file::open(&path)).frames;
        let ethernet = fixture
            .iter()
            .filter(|frame| frame.link == LinkType::ETHERNET);
        let mut frames: Vec<Vec<u8>> = ethernet.map(|frame| frame.bytes.clone()).collect();
        frames.truncate(300);
        for copy in 0..copies {
            let mut copied = frames.clone();
            for frame in &mut copied {
                frame.truncate(2000);
                // The third octet of both IPv4 addresses.
                for at in [28, 32] {
                    if let Some(octet) = frame.get_mut(at) {
                        *octet ^= copy;
                    }
                }
            }
            copied.reverse();
            queues.push(copied);
        }
    }
    let mut mixed = Vec::new();
    while !queues.is_empty() {
        let at = random.below(queues.len() as u64) as usize;
        for _ in 0..=random.below(4) {
            mixed.extend(queues[at].pop());
        }
        queues.retain(|queue| !queue.is_empty());
    }
    mixed
}

/// Pattern of packet times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimePattern {
    Steady,
    /// Pauses during which flows time out.
    Slow,
    /// Pauses as in `Slow`, and some packets are out of order.
    Uneven,
    /// As `Uneven`, and the clock jumps by hours: permanently, back and forth, or for one packet.
    Jumping,
}

fn packet_times(pattern: TimePattern, random: &mut Random, count: usize) -> Vec<u64> {
    let (mut now, mut times) = (1_700_000_000_000_000_u64, Vec::new());
    for _ in 0..count {
        now += random.below(60);
        let mut time = now;
        match (pattern, random.below(400)) {
            (TimePattern::Steady, _) => {}
            (_, 0) => now += random.below(140_000_000),
            (TimePattern::Slow, _) => {}
            (_, 1..4) => time -= random.below(900_000),
            (TimePattern::Jumping, 4) => now += 4_000_000_000 + random.below(90_000_000_000),
            (TimePattern::Jumping, 5) => time += 9_000_000_000,
            (TimePattern::Jumping, 6) => now -= 5_000_000_000,
            _ => {}
        }
        times.push(time);
    }
    times
}

fn build_pcap(frames: &[Vec<u8>], times: &[u64]) -> Vec<u8> {
    let mut builder = CaptureBuilder::pcap(BYTE_ORDERS[0], 0xA1B2_C3D4, (2, 4), 1);
    for (frame, time) in frames.iter().zip(times) {
        let parts = ((time / 1_000_000) as u32, (time % 1_000_000) as u32);
        builder.record(parts, frame.len() as u32, frame);
    }
    builder.bytes
}

/// Builds a file with sections of both byte orders, whose interfaces are described between packets
/// and have microsecond or nanosecond resolution; some packets have no time.
fn build_pcapng(frames: &[Vec<u8>], times: &[u64], random: &mut Random) -> Vec<u8> {
    let mut builder = CaptureBuilder::pcapng(BYTE_ORDERS[0]);
    let mut interfaces: Vec<u8> = Vec::new();
    for (frame, time) in frames.iter().zip(times) {
        if random.below(50) == 0 {
            builder.section(BYTE_ORDERS[random.below(2) as usize]);
            interfaces.clear();
        }
        if interfaces.is_empty() || random.below(500) == 0 {
            let digits = 6 + 3 * random.below(2) as u8;
            builder.interface(1, 0, &[(2, b"lo"), (9, &[digits])]);
            interfaces.push(digits);
        }
        let id = random.below(interfaces.len() as u64) as u32;
        if random.below(2000) == 0 {
            let mut body = builder.empty_body();
            body.u32(frame.len() as u32).padded(frame);
            builder.block(3, &body.bytes);
        } else {
            let ticks = time * 10_u64.pow(u32::from(interfaces[id as usize]) - 6);
            builder.enhanced_packet(id, ticks, frame.len() as u32, frame, &[]);
        }
        if random.below(700) == 0 {
            builder.block(0xbad, b"skip");
        }
    }
    builder.bytes
}

fn write_file(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn large_captures_give_the_same_output_with_any_thread_count() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random(7);
    for pattern in [
        TimePattern::Steady,
        TimePattern::Slow,
        TimePattern::Uneven,
        TimePattern::Jumping,
    ] {
        let frames = mixed_frames(&mut random, 48);
        assert!(frames.len() > 12_000, "{}", frames.len());
        let times = packet_times(pattern, &mut random, frames.len());
        let mut bytes = build_pcap(&frames, &times);
        assert_same_for_all_thread_counts(&write_file(directory.path(), "whole", &bytes));
        bytes.truncate(bytes.len() - 9);
        assert_same_for_all_thread_counts(&write_file(directory.path(), "cut", &bytes));
        bytes = build_pcapng(&frames, &times, &mut random);
        assert_same_for_all_thread_counts(&write_file(directory.path(), "blocks", &bytes));
        let half = bytes.len() / 2;
        bytes[half..].fill(0xff);
        assert_same_for_all_thread_counts(&write_file(directory.path(), "overwritten", &bytes));
    }
}

/// The parse level of frames depends on the command line; the count of malformed frames does not.
#[test]
fn malformed_frames_are_counted_at_every_parse_level() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random(9);
    let mut frames = mixed_frames(&mut random, 4);
    for frame in &mut frames {
        if random.below(3) == 0 {
            frame.truncate(random.below(70) as usize);
        } else if let Some(octet) = frame.get_mut(random.below(70) as usize) {
            *octet = random.below(256) as u8;
        }
    }
    let times = packet_times(TimePattern::Steady, &mut random, frames.len());
    let capture = write_file(directory.path(), "wrong", &build_pcap(&frames, &times));
    let report = run_with_threads(&capture, "--format json", 1).stderr;
    assert!(report.contains("frames with a truncated or invalid header"));
    for command_line in [
        "--count",
        "--count -p 1-65535",
        "-q",
        "-q tcp",
        "--format json -p 80",
    ] {
        let output = run_with_threads(&capture, command_line, 1);
        assert_eq!(output.stderr, report, "{command_line}");
    }
    // Packets that belong to no flow are reported after the malformed frames.
    assert!(
        run_with_threads(&capture, "flows", 1)
            .stderr
            .starts_with(&report)
    );
}

/// A reader that closes its end of the pipe ends the run, which still succeeds.
#[test]
fn a_closed_stdout_pipe_is_success() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random(8);
    let frames = mixed_frames(&mut random, 48);
    let times = packet_times(TimePattern::Uneven, &mut random, frames.len());
    let capture = write_file(directory.path(), "whole", &build_pcap(&frames, &times));
    for args in [&["-v"][..], &["flows"]] {
        let mut command = crate::command::lcap();
        command.args(args).arg("-r").arg(&capture);
        command
            .args(["--threads", "3"])
            .stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        assert!(child.wait().unwrap().success(), "{args:?}");
    }
}
