//! Streams out of segments: scripts with what is told of them, and any segments against a model that has the whole stream.

use super::*;
use proptest::prelude::*;

/// Everything is kept that fits.
const STREAMS: Rules = Rules {
    keep: Keep::Repeats,
    most: 1 << 20,
};
/// Places, and the bytes of a short opening.
const PLACES: Rules = Rules {
    keep: Keep::Opening(8),
    ..STREAMS
};

/// What happens to an assembler.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A segment's data at this offset.
    In(u64, &'static str),
    /// Data of which only this was captured of that many bytes.
    Cut(u64, &'static str, u32),
    /// The receiver has everything before this offset.
    Ack(u64),
    /// No more will come.
    Finish,
}
use Step::{Ack, Cut, Finish, In};

/// What is told, as text: `0 abc`, with `+2` where two bytes more were cut off; `gap 3 4` and `mismatch 3 4`: offset and length.
fn show(delivery: Delivery) -> String {
    match delivery {
        Delivery::Data { offset, bytes, len } => {
            let text = String::from_utf8_lossy(bytes);
            match len - bytes.len() as u64 {
                0 => format!("{offset} {text}"),
                cut => format!("{offset} {text}+{cut}"),
            }
        }
        Delivery::Gap { offset, len } => format!("gap {offset} {len}"),
        Delivery::Mismatch { offset, len } => format!("mismatch {offset} {len}"),
    }
}

/// Where something is told, without its bytes.
fn place(delivery: Delivery) -> Option<(bool, u64, u64)> {
    match delivery {
        Delivery::Data { offset, len, .. } => Some((true, offset, len)),
        Delivery::Gap { offset, len } => Some((false, offset, len)),
        Delivery::Mismatch { .. } => None,
    }
}

/// Takes one step at a time of the clock; nothing where it is no acknowledgement or no segment.
fn step(
    assembler: &mut Assembler,
    step: Step,
    time: i64,
    rules: Rules,
    deliver: &mut dyn FnMut(Delivery),
) -> (Evidence, (u64, u32)) {
    let whole = |bytes: &'static str| Payload {
        bytes: bytes.as_bytes(),
        len: bytes.len() as u32,
    };
    let mut evidence = Evidence::default();
    let mut missing = (0, 0);
    match step {
        In(offset, bytes) => {
            evidence = assembler.insert(offset, whole(bytes), time, rules, deliver);
        }
        Cut(offset, bytes, len) => {
            let payload = Payload {
                len,
                ..whole(bytes)
            };
            evidence = assembler.insert(offset, payload, time, rules, deliver);
        }
        Ack(offset) => missing = assembler.acknowledged(offset, time),
        Finish => assembler.finish(rules, deliver),
    }
    (evidence, missing)
}

/// What a script makes an assembler tell, at one point in time.
fn told(steps: &[Step]) -> Vec<String> {
    let (mut streams, mut places) = (Assembler::default(), Assembler::default());
    let (mut shown, mut with, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for &now in steps {
        let mut deliver = |delivery: Delivery| {
            shown.push(show(delivery));
            with.extend(place(delivery));
        };
        let one = step(&mut streams, now, 0, STREAMS, &mut deliver);
        let mut deliver = |delivery: Delivery| without.extend(place(delivery));
        let other = step(&mut places, now, 0, PLACES, &mut deliver);
        assert_eq!(one, other, "{now:?} of {steps:?}");
    }
    assert_eq!(with, without, "{steps:?}");
    shown
}

#[test]
fn scripts() {
    let rows: [(&str, &[Step], &[&str]); 24] = [
        ("in order", &[In(0, "abc"), In(3, "de")], &["0 abc", "3 de"]),
        (
            "the other way round",
            &[In(3, "de"), In(0, "abc")],
            &["0 abc", "3 de"],
        ),
        (
            "backwards, one by one",
            &[In(2, "c"), In(1, "b"), In(0, "a")],
            &["0 a", "1 b", "2 c"],
        ),
        (
            "overlaps what was told",
            &[In(0, "abc"), In(1, "bcde")],
            &["0 abc", "3 de"],
        ),
        (
            "overlaps what waits, on its right",
            &[In(3, "def"), In(0, "abcde")],
            &["0 abc", "3 def"],
        ),
        (
            "overlaps what waits, on its left",
            &[In(2, "cd"), In(3, "defg"), In(0, "ab")],
            &["0 ab", "2 cd", "4 efg"],
        ),
        (
            "inside what waits",
            &[In(5, "fghij"), In(6, "gh"), In(0, "abcde")],
            &["0 abcde", "5 fghij"],
        ),
        (
            "around what waits",
            &[In(2, "c"), In(4, "e"), In(0, "abcdef")],
            &["0 ab", "2 c", "3 d", "4 e", "5 f"],
        ),
        ("twice", &[In(0, "abc"), In(0, "abc")], &["0 abc"]),
        (
            "other bytes after they were told",
            &[In(0, "abc"), In(0, "XYc")],
            &["0 abc", "mismatch 0 2"],
        ),
        (
            "other bytes while they wait",
            &[In(3, "def"), In(3, "Xef"), In(0, "abc")],
            &["mismatch 3 1", "0 abc", "3 def"],
        ),
        (
            "other bytes, some told and some waiting",
            &[In(0, "ab"), In(3, "d"), In(1, "XcX")],
            &["0 ab", "mismatch 1 1", "mismatch 3 1", "2 c", "3 d"],
        ),
        (
            "what was acknowledged is not compared any more",
            &[In(0, "abcd"), Ack(2), In(0, "XXcX")],
            &["0 abcd", "mismatch 2 1"],
        ),
        ("cut", &[Cut(0, "ab", 4), In(4, "e")], &["0 ab+2", "4 e"]),
        (
            "cut, and sent again",
            &[Cut(0, "ab", 4), In(0, "abcd")],
            &["0 ab+2"],
        ),
        (
            "cut while it waits",
            &[Cut(4, "e", 2), In(0, "abcd"), In(6, "g")],
            &["0 abcd", "4 e+1", "6 g"],
        ),
        (
            "cut, and split by what waits behind the cut",
            &[In(3, "d"), Cut(0, "ab", 6)],
            &["0 ab+1", "3 d", "4 +2"],
        ),
        (
            "missing at the end",
            &[In(5, "f"), Finish],
            &["gap 0 5", "5 f"],
        ),
        (
            "missing twice",
            &[In(1, "b"), In(3, "d"), Finish],
            &["gap 0 1", "1 b", "gap 2 1", "3 d"],
        ),
        (
            "acknowledged and never seen",
            &[In(0, "abc"), Ack(10), Finish],
            &["0 abc", "gap 3 7"],
        ),
        (
            "acknowledged and late",
            &[In(0, "abc"), Ack(6), In(3, "def")],
            &["0 abc", "3 def"],
        ),
        (
            "acknowledged, with some behind it, and late",
            &[In(0, "a"), In(4, "e"), Ack(5), In(2, "cd"), In(1, "b")],
            &["0 a", "1 b", "2 cd", "4 e"],
        ),
        (
            "nothing that came too late",
            &[In(3, "d"), Ack(4), Finish, In(0, "abc")],
            &["gap 0 3", "3 d"],
        ),
        (
            "finished twice",
            &[In(1, "b"), Finish, Finish],
            &["gap 0 1", "1 b"],
        ),
    ];
    for (name, steps, expected) in rows {
        assert_eq!(told(steps), expected, "{name}");
    }
}

#[test]
fn old_and_new_bytes_are_told_apart() {
    let mut assembler = Assembler::default();
    for (now, old, new) in [
        (In(0, "abc"), 0, 3),
        (In(0, "abc"), 3, 0),
        (In(1, "bcde"), 2, 2),
        (In(8, "ijk"), 0, 3),
        (In(9, "jk"), 2, 0),
        (In(7, "hijklm"), 3, 3),
        (Cut(5, "", 3), 1, 2),
        (In(0, "abcdefghijklmn"), 13, 1),
        (In(3, ""), 0, 0),
    ] {
        let (evidence, _) = step(&mut assembler, now, 0, STREAMS, &mut |_| {});
        assert_eq!((evidence.old, evidence.new), (old, new), "{now:?}");
    }
}

#[test]
fn what_is_acknowledged_and_missing_counts_once() {
    let mut assembler = Assembler::default();
    for (now, bytes, pieces) in [
        (In(0, "abc"), 0, 0),
        (Ack(3), 0, 0),
        (In(6, "g"), 0, 0),
        (In(9, "jk"), 0, 0),
        // In the middle of a hole, and again.
        (Ack(5), 2, 1),
        (Ack(5), 0, 0),
        (Ack(4), 0, 0),
        // In the middle of a piece.
        (Ack(10), 3, 2),
        (Ack(11), 0, 0),
        // What comes late was missed all the same.
        (In(3, "def"), 0, 0),
        (Ack(11), 0, 0),
        (Ack(20), 9, 1),
        (In(15, "p"), 0, 0),
        (Ack(21), 1, 1),
    ] {
        let (_, missing) = step(&mut assembler, now, 0, STREAMS, &mut |_| {});
        assert_eq!(missing, (bytes, pieces), "{now:?}");
    }
}

/// What is told while `acknowledged` segments behind a hole of three bytes come at these times.
fn behind_a_hole(rules: Rules, acknowledged: u64, times: &[i64]) -> Vec<Vec<String>> {
    let mut assembler = Assembler::default();
    let mut all = Vec::new();
    step(&mut assembler, In(0, "abc"), 0, rules, &mut |_| {});
    step(&mut assembler, In(6, "g"), 0, rules, &mut |_| {});
    step(&mut assembler, Ack(acknowledged), 0, rules, &mut |_| {});
    for (n, &time) in times.iter().enumerate() {
        let mut shown = Vec::new();
        let mut deliver = |delivery: Delivery| shown.push(show(delivery));
        let now = In(7 + n as u64, "x");
        step(&mut assembler, now, time, rules, &mut deliver);
        all.push(shown);
    }
    all
}

#[test]
fn a_hole_that_was_acknowledged_is_waited_for_so_long() {
    let segments = behind_a_hole(STREAMS, 7, &[0; 17]);
    assert!(segments[..15].iter().all(Vec::is_empty), "{segments:?}");
    assert_eq!(segments[15][..3], ["gap 3 3", "6 g", "7 x"]);
    assert_eq!(segments[15].len(), 2 + 16);
    assert_eq!(segments[16], ["23 x"]);

    let later = behind_a_hole(STREAMS, 7, &[PATIENCE - 1, PATIENCE]);
    assert_eq!(later[0], [""; 0]);
    assert_eq!(later[1], ["gap 3 3", "6 g", "7 x", "8 x"]);

    // Who has not acknowledged it still waits for it, too.
    let unknown = behind_a_hole(STREAMS, 3, &[i64::MAX; 40]);
    assert!(unknown.iter().all(Vec::is_empty), "{unknown:?}");

    // Only what was acknowledged is given up.
    let part = behind_a_hole(STREAMS, 5, &[0; 16]);
    assert_eq!(part[15], ["gap 3 2"]);
}

#[test]
fn too_much_does_not_wait() {
    // Four pieces of one byte fit, with what they cost beside.
    let rules = Rules {
        most: 4 * (PIECE + 1),
        ..STREAMS
    };
    let all = behind_a_hole(rules, 3, &[0; 5]);
    assert!(all[..3].iter().all(Vec::is_empty), "{all:?}");
    assert_eq!(all[3], ["gap 3 3", "6 g", "7 x", "8 x", "9 x", "10 x"]);
    assert_eq!(all[4], ["11 x"]);
}

#[test]
fn what_is_over_takes_no_memory() {
    let mut assembler = Assembler::default();
    for now in [In(3, "def"), In(0, "abc"), Ack(3)] {
        step(&mut assembler, now, 0, STREAMS, &mut |_| {});
    }
    let kept = assembler.rest.as_ref().map_or(0, |rest| rest.recent.len());
    assert_eq!((kept, assembler.waiting()), (3, 0));
    step(&mut assembler, Ack(6), 0, STREAMS, &mut |_| {});
    assert!(assembler.rest.is_none());

    // What nobody acknowledges is not kept for ever.
    let large = vec![7; RECENT / 2 + 1];
    for n in 0..4 {
        let payload = Payload {
            bytes: &large,
            len: large.len() as u32,
        };
        assembler.insert(6 + n * large.len() as u64, payload, 0, STREAMS, &mut |_| {});
    }
    let kept = assembler.rest.as_ref().map_or(0, |rest| rest.recent.len());
    assert_eq!(kept, RECENT);
}

mod properties;
