//! However many threads read a file: the same bytes, the same complaints, the same exit code.

use std::path::{Path, PathBuf};

use crate::command::{ROOT, Ran, fixtures, run};
use crate::craft::{Craft, ORDERS, drain};
use lcap::packet::LinkType;
use lcap::source::file;

/// What is asked of every capture.
const ASKED: [&str; 16] = [
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

fn ask(capture: &Path, asked: &str, threads: usize) -> Ran {
    let threads = threads.to_string();
    let mut words: Vec<&str> = asked.split_whitespace().collect();
    let at = usize::from(words.first() == Some(&"flows"));
    let capture = capture.to_str().unwrap();
    words.splice(at..at, ["-r", capture, "--threads", &threads]);
    run(words)
}

fn compare(capture: &Path) {
    for asked in ASKED {
        let one = ask(capture, asked, 1);
        for threads in [2, 3, 8] {
            let more = ask(capture, asked, threads);
            let row = format!("{} {asked} --threads {threads}", capture.display());
            assert_eq!((more.code, &more.errors), (one.code, &one.errors), "{row}");
            assert!(
                more.out == one.out,
                "{row}: {}",
                difference(&one.out, &more.out)
            );
        }
    }
}

/// The first lines that differ.
fn difference(one: &[u8], more: &[u8]) -> String {
    let lines = |bytes: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        text.lines().map(str::to_owned).collect()
    };
    let (one, more) = (lines(one), lines(more));
    let at = one.iter().zip(&more).position(|(one, more)| one != more);
    let at = at.unwrap_or(one.len().min(more.len()));
    format!("line {at}:\n{:?}\n{:?}", one.get(at), more.get(at))
}

#[test]
fn captures_of_this_project() {
    for name in fixtures() {
        compare(&Path::new(ROOT).join("fixtures").join(name));
    }
}

/// A generator (D. Knuth, MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Frames of all fixtures on Ethernet again and again, each time between other addresses, mixed.
fn frames(random: &mut Random, copies: u8) -> Vec<Vec<u8>> {
    let mut queues: Vec<Vec<Vec<u8>>> = Vec::new();
    for name in fixtures() {
        let path = Path::new(ROOT).join("fixtures").join(name);
        let seen = drain(file::open(&path)).frames;
        let seen = seen.iter().filter(|frame| frame.link == LinkType::ETHERNET);
        let mut frames: Vec<Vec<u8>> = seen.map(|frame| frame.bytes.clone()).collect();
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

/// How times go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    Steady,
    /// Flows become due.
    Slow,
    /// The same, and some packets come late.
    Uneven,
    /// Hours are passed over, at once, for a while or for one packet.
    Leaping,
}

fn times(times: Times, random: &mut Random, count: usize) -> Vec<u64> {
    let (mut now, mut all) = (1_700_000_000_000_000_u64, Vec::new());
    for _ in 0..count {
        now += random.below(60);
        let mut time = now;
        match (times, random.below(400)) {
            (Times::Steady, _) => {}
            (_, 0) => now += random.below(140_000_000),
            (Times::Slow, _) => {}
            (_, 1..4) => time -= random.below(900_000),
            (Times::Leaping, 4) => now += 4_000_000_000 + random.below(90_000_000_000),
            (Times::Leaping, 5) => time += 9_000_000_000,
            (Times::Leaping, 6) => now -= 5_000_000_000,
            _ => {}
        }
        all.push(time);
    }
    all
}

fn pcap(frames: &[Vec<u8>], times: &[u64]) -> Vec<u8> {
    let mut craft = Craft::pcap(ORDERS[0], 0xA1B2_C3D4, (2, 4), 1);
    for (frame, time) in frames.iter().zip(times) {
        let parts = ((time / 1_000_000) as u32, (time % 1_000_000) as u32);
        craft.record(parts, frame.len() as u32, frame);
    }
    craft.bytes
}

/// Sections of either byte order, whose interfaces come between the packets and tell microseconds or nanoseconds; some packets have no time.
fn pcapng(frames: &[Vec<u8>], times: &[u64], random: &mut Random) -> Vec<u8> {
    let mut craft = Craft::pcapng(ORDERS[0]);
    let mut interfaces: Vec<u8> = Vec::new();
    for (frame, time) in frames.iter().zip(times) {
        if random.below(50) == 0 {
            craft.section(ORDERS[random.below(2) as usize]);
            interfaces.clear();
        }
        if interfaces.is_empty() || random.below(500) == 0 {
            let digits = 6 + 3 * random.below(2) as u8;
            craft.interface(1, 0, &[(2, b"lo"), (9, &[digits])]);
            interfaces.push(digits);
        }
        let id = random.below(interfaces.len() as u64) as u32;
        if random.below(2000) == 0 {
            let mut body = craft.body();
            body.u32(frame.len() as u32).padded(frame);
            craft.block(3, &body.bytes);
        } else {
            let ticks = time * 10_u64.pow(u32::from(interfaces[id as usize]) - 6);
            craft.enhanced(id, ticks, frame.len() as u32, frame, &[]);
        }
        if random.below(700) == 0 {
            craft.block(0xbad, b"skip");
        }
    }
    craft.bytes
}

fn written(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn captures_of_many_stretches() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random(7);
    for kind in [Times::Steady, Times::Slow, Times::Uneven, Times::Leaping] {
        let frames = frames(&mut random, 48);
        assert!(frames.len() > 12_000, "{}", frames.len());
        let times = times(kind, &mut random, frames.len());
        let mut bytes = pcap(&frames, &times);
        compare(&written(directory.path(), "whole", &bytes));
        bytes.truncate(bytes.len() - 9);
        compare(&written(directory.path(), "cut", &bytes));
        bytes = pcapng(&frames, &times, &mut random);
        compare(&written(directory.path(), "blocks", &bytes));
        let half = bytes.len() / 2;
        bytes[half..].fill(0xff);
        compare(&written(directory.path(), "overwritten", &bytes));
    }
}

/// How far frames are read depends on what is wanted; what is wrong with them is counted alike.
#[test]
fn what_is_wrong_is_told_however_little_is_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random(9);
    let mut frames = frames(&mut random, 4);
    for frame in &mut frames {
        if random.below(3) == 0 {
            frame.truncate(random.below(70) as usize);
        } else if let Some(octet) = frame.get_mut(random.below(70) as usize) {
            *octet = random.below(256) as u8;
        }
    }
    let times = times(Times::Steady, &mut random, frames.len());
    let capture = written(directory.path(), "wrong", &pcap(&frames, &times));
    let told = ask(&capture, "--format json", 1).errors;
    assert!(told.contains("frames with a cut or impossible header"));
    for asked in [
        "--count",
        "--count -p 1-65535",
        "-q",
        "-q tcp",
        "--format json -p 80",
    ] {
        assert_eq!(ask(&capture, asked, 1).errors, told, "{asked}");
    }
    // What belongs to no flow is told behind it.
    assert!(ask(&capture, "flows", 1).errors.starts_with(&told));
}

/// A reader that goes away ends everything, and is no failure.
#[test]
fn readers_that_go_away() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random(8);
    let frames = frames(&mut random, 48);
    let times = times(Times::Uneven, &mut random, frames.len());
    let capture = written(directory.path(), "whole", &pcap(&frames, &times));
    for words in [&["-v"][..], &["flows"]] {
        let mut command = crate::command::lcap();
        command.args(words).arg("-r").arg(&capture);
        command
            .args(["--threads", "3"])
            .stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        assert!(child.wait().unwrap().success(), "{words:?}");
    }
}
