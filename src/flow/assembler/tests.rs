//! Tests of stream reassembly: scripted segments with the expected deliveries, and random segments
//! against a model of the whole stream.

use super::gaps::GAP_TIMEOUT_NS;
use super::*;
use proptest::prelude::*;

/// All data is kept, up to the limits.
const KEEP_ALL: ReassemblyOptions = ReassemblyOptions {
    retention: Retention::Unacknowledged,
    max_out_of_order_bytes: 1 << 20,
};
/// Only positions and the bytes of a short opening are kept.
const KEEP_OPENING: ReassemblyOptions = ReassemblyOptions {
    retention: Retention::Opening(8),
    ..KEEP_ALL
};

/// A step of a script.
#[derive(Debug, Clone, Copy)]
enum AssemblerStep {
    /// A segment's data at this offset.
    Data(u64, &'static str),
    /// Data at this offset, cut by the snapshot length: captured bytes and length on the wire.
    Cut(u64, &'static str, u32),
    /// The receiver acknowledges everything before this offset.
    Ack(u64),
    /// The stream ends.
    Finish,
}
use AssemblerStep::{Ack, Cut, Data, Finish};

/// Formats a delivery: `0 abc`, with `+2` if two more bytes were cut off; `gap 3 4` and
/// `mismatch 3 4` with offset and length.
fn describe(delivery: Delivery) -> String {
    match delivery {
        Delivery::Data {
            offset, bytes, len, ..
        } => {
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

/// Returns the type, offset and length of a delivery; `None` for a mismatch.
fn position(delivery: Delivery) -> Option<(bool, u64, u64)> {
    match delivery {
        Delivery::Data { offset, len, .. } => Some((true, offset, len)),
        Delivery::Gap { offset, len } => Some((false, offset, len)),
        Delivery::Mismatch { .. } => None,
    }
}

/// Applies one step at this time. Returns the summary of a segment and the missing bytes of an
/// acknowledgement; zeros for other steps.
fn apply_step(
    assembler: &mut Assembler,
    step: AssemblerStep,
    time: i64,
    options: ReassemblyOptions,
    deliver: &mut dyn FnMut(Delivery),
) -> (InsertSummary, (u64, u32)) {
    let whole = |bytes: &'static str| Payload {
        bytes: bytes.as_bytes(),
        len: bytes.len() as u32,
    };
    let mut summary = InsertSummary::default();
    let mut missing = (0, 0);
    match step {
        Data(offset, bytes) => {
            summary = assembler.insert(offset, whole(bytes), time, options, deliver);
        }
        Cut(offset, bytes, len) => {
            let payload = Payload {
                len,
                ..whole(bytes)
            };
            summary = assembler.insert(offset, payload, time, options, deliver);
        }
        Ack(offset) => missing = assembler.acknowledge(offset, time),
        Finish => assembler.finish(options, deliver),
    }
    (summary, missing)
}

/// Runs all steps of a script at the same time and returns the deliveries. Also checks that an
/// assembler that keeps only positions delivers the same positions.
fn run_steps(steps: &[AssemblerStep]) -> Vec<String> {
    let (mut full, mut positions_only) = (Assembler::default(), Assembler::default());
    let (mut deliveries, mut positions, mut expected_positions) =
        (Vec::new(), Vec::new(), Vec::new());
    for &step in steps {
        let mut deliver = |delivery: Delivery| {
            deliveries.push(describe(delivery));
            expected_positions.extend(position(delivery));
        };
        let expected = apply_step(&mut full, step, 0, KEEP_ALL, &mut deliver);
        let mut deliver = |delivery: Delivery| positions.extend(position(delivery));
        let actual = apply_step(&mut positions_only, step, 0, KEEP_OPENING, &mut deliver);
        assert_eq!(actual, expected, "{step:?} of {steps:?}");
    }
    assert_eq!(positions, expected_positions, "{steps:?}");
    deliveries
}

#[test]
fn scripted_segments_are_delivered_in_order() {
    let rows: [(&str, &[AssemblerStep], &[&str]); 24] = [
        (
            "in order",
            &[Data(0, "abc"), Data(3, "de")],
            &["0 abc", "3 de"],
        ),
        (
            "in reverse",
            &[Data(3, "de"), Data(0, "abc")],
            &["0 abc", "3 de"],
        ),
        (
            "backwards, one by one",
            &[Data(2, "c"), Data(1, "b"), Data(0, "a")],
            &["0 a", "1 b", "2 c"],
        ),
        (
            "overlaps delivered data",
            &[Data(0, "abc"), Data(1, "bcde")],
            &["0 abc", "3 de"],
        ),
        (
            "overlaps buffered data on its right",
            &[Data(3, "def"), Data(0, "abcde")],
            &["0 abc", "3 def"],
        ),
        (
            "overlaps buffered data on its left",
            &[Data(2, "cd"), Data(3, "defg"), Data(0, "ab")],
            &["0 ab", "2 cd", "4 efg"],
        ),
        (
            "inside buffered data",
            &[Data(5, "fghij"), Data(6, "gh"), Data(0, "abcde")],
            &["0 abcde", "5 fghij"],
        ),
        (
            "around buffered data",
            &[Data(2, "c"), Data(4, "e"), Data(0, "abcdef")],
            &["0 ab", "2 c", "3 d", "4 e", "5 f"],
        ),
        ("repeated", &[Data(0, "abc"), Data(0, "abc")], &["0 abc"]),
        (
            "different bytes after delivery",
            &[Data(0, "abc"), Data(0, "XYc")],
            &["0 abc", "mismatch 0 2"],
        ),
        (
            "different bytes while buffered",
            &[Data(3, "def"), Data(3, "Xef"), Data(0, "abc")],
            &["mismatch 3 1", "0 abc", "3 def"],
        ),
        (
            "different bytes, some delivered and some buffered",
            &[Data(0, "ab"), Data(3, "d"), Data(1, "XcX")],
            &["0 ab", "mismatch 1 1", "mismatch 3 1", "2 c", "3 d"],
        ),
        (
            "acknowledged bytes are no longer compared",
            &[Data(0, "abcd"), Ack(2), Data(0, "XXcX")],
            &["0 abcd", "mismatch 2 1"],
        ),
        ("cut", &[Cut(0, "ab", 4), Data(4, "e")], &["0 ab+2", "4 e"]),
        (
            "cut, and retransmitted",
            &[Cut(0, "ab", 4), Data(0, "abcd")],
            &["0 ab+2"],
        ),
        (
            "cut while buffered",
            &[Cut(4, "e", 2), Data(0, "abcd"), Data(6, "g")],
            &["0 abcd", "4 e+1", "6 g"],
        ),
        (
            "cut, and split by buffered data after the cut",
            &[Data(3, "d"), Cut(0, "ab", 6)],
            &["0 ab+1", "3 d", "4 +2"],
        ),
        (
            "missing at the end",
            &[Data(5, "f"), Finish],
            &["gap 0 5", "5 f"],
        ),
        (
            "two gaps",
            &[Data(1, "b"), Data(3, "d"), Finish],
            &["gap 0 1", "1 b", "gap 2 1", "3 d"],
        ),
        (
            "acknowledged and never captured",
            &[Data(0, "abc"), Ack(10), Finish],
            &["0 abc", "gap 3 7"],
        ),
        (
            "acknowledged and late",
            &[Data(0, "abc"), Ack(6), Data(3, "def")],
            &["0 abc", "3 def"],
        ),
        (
            "acknowledged, with buffered data after it, and late",
            &[
                Data(0, "a"),
                Data(4, "e"),
                Ack(5),
                Data(2, "cd"),
                Data(1, "b"),
            ],
            &["0 a", "1 b", "2 cd", "4 e"],
        ),
        (
            "data after the end is dropped",
            &[Data(3, "d"), Ack(4), Finish, Data(0, "abc")],
            &["gap 0 3", "3 d"],
        ),
        (
            "finished twice",
            &[Data(1, "b"), Finish, Finish],
            &["gap 0 1", "1 b"],
        ),
    ];
    for (name, steps, expected) in rows {
        assert_eq!(run_steps(steps), expected, "{name}");
    }
}

#[test]
fn old_and_new_bytes_are_counted_separately() {
    let mut assembler = Assembler::default();
    for (step, old, new) in [
        (Data(0, "abc"), 0, 3),
        (Data(0, "abc"), 3, 0),
        (Data(1, "bcde"), 2, 2),
        (Data(8, "ijk"), 0, 3),
        (Data(9, "jk"), 2, 0),
        (Data(7, "hijklm"), 3, 3),
        (Cut(5, "", 3), 1, 2),
        (Data(0, "abcdefghijklmn"), 13, 1),
        (Data(3, ""), 0, 0),
    ] {
        let (summary, _) = apply_step(&mut assembler, step, 0, KEEP_ALL, &mut |_| {});
        assert_eq!(
            (summary.old_bytes, summary.new_bytes),
            (old, new),
            "{step:?}"
        );
    }
}

#[test]
fn acknowledged_missing_bytes_count_once() {
    let mut assembler = Assembler::default();
    for (step, bytes, pieces) in [
        (Data(0, "abc"), 0, 0),
        (Ack(3), 0, 0),
        (Data(6, "g"), 0, 0),
        (Data(9, "jk"), 0, 0),
        // In the middle of a gap, and then repeated.
        (Ack(5), 2, 1),
        (Ack(5), 0, 0),
        (Ack(4), 0, 0),
        // In the middle of a buffered range.
        (Ack(10), 3, 2),
        (Ack(11), 0, 0),
        // Late data does not undo the count.
        (Data(3, "def"), 0, 0),
        (Ack(11), 0, 0),
        (Ack(20), 9, 1),
        (Data(15, "p"), 0, 0),
        (Ack(21), 1, 1),
    ] {
        let (_, missing) = apply_step(&mut assembler, step, 0, KEEP_ALL, &mut |_| {});
        assert_eq!(missing, (bytes, pieces), "{step:?}");
    }
}

/// Returns the deliveries of segments that arrive at these times after a gap of three bytes, while
/// everything before `acknowledged` is acknowledged.
fn deliveries_after_a_gap(
    options: ReassemblyOptions,
    acknowledged: u64,
    times: &[i64],
) -> Vec<Vec<String>> {
    let mut assembler = Assembler::default();
    let mut deliveries = Vec::new();
    apply_step(&mut assembler, Data(0, "abc"), 0, options, &mut |_| {});
    apply_step(&mut assembler, Data(6, "g"), 0, options, &mut |_| {});
    apply_step(&mut assembler, Ack(acknowledged), 0, options, &mut |_| {});
    for (n, &time) in times.iter().enumerate() {
        let mut delivered = Vec::new();
        let mut deliver = |delivery: Delivery| delivered.push(describe(delivery));
        let step = Data(7 + n as u64, "x");
        apply_step(&mut assembler, step, time, options, &mut deliver);
        deliveries.push(delivered);
    }
    deliveries
}

#[test]
fn an_acknowledged_gap_is_skipped_after_its_timeout() {
    let segments = deliveries_after_a_gap(KEEP_ALL, 7, &[0; 17]);
    assert!(segments[..15].iter().all(Vec::is_empty), "{segments:?}");
    assert_eq!(segments[15][..3], ["gap 3 3", "6 g", "7 x"]);
    assert_eq!(segments[15].len(), 2 + 16);
    assert_eq!(segments[16], ["23 x"]);

    let later = deliveries_after_a_gap(KEEP_ALL, 7, &[GAP_TIMEOUT_NS - 1, GAP_TIMEOUT_NS]);
    assert_eq!(later[0], [""; 0]);
    assert_eq!(later[1], ["gap 3 3", "6 g", "7 x", "8 x"]);

    // A gap that is not acknowledged does not time out.
    let unacknowledged = deliveries_after_a_gap(KEEP_ALL, 3, &[i64::MAX; 40]);
    assert!(
        unacknowledged.iter().all(Vec::is_empty),
        "{unacknowledged:?}"
    );

    // Only acknowledged bytes are declared lost.
    let part = deliveries_after_a_gap(KEEP_ALL, 5, &[0; 16]);
    assert_eq!(part[15], ["gap 3 2"]);
}

#[test]
fn the_out_of_order_limit_skips_the_gap() {
    // Four one-byte ranges fit, including overhead.
    let options = ReassemblyOptions {
        max_out_of_order_bytes: 4 * (RANGE_OVERHEAD_BYTES + 1),
        ..KEEP_ALL
    };
    let segments = deliveries_after_a_gap(options, 3, &[0; 5]);
    assert!(segments[..3].iter().all(Vec::is_empty), "{segments:?}");
    assert_eq!(segments[3], ["gap 3 3", "6 g", "7 x", "8 x", "9 x", "10 x"]);
    assert_eq!(segments[4], ["11 x"]);
}

#[test]
fn acknowledged_data_is_released() {
    let mut assembler = Assembler::default();
    for step in [Data(3, "def"), Data(0, "abc"), Ack(3)] {
        apply_step(&mut assembler, step, 0, KEEP_ALL, &mut |_| {});
    }
    let kept = assembler
        .buffers
        .as_ref()
        .map_or(0, |buffers| buffers.unacknowledged.len());
    assert_eq!((kept, assembler.out_of_order_bytes()), (3, 0));
    apply_step(&mut assembler, Ack(6), 0, KEEP_ALL, &mut |_| {});
    assert!(assembler.buffers.is_none());

    // The amount of unacknowledged data that is kept is limited.
    let large = vec![7; MAX_UNACKNOWLEDGED_BYTES / 2 + 1];
    for n in 0..4 {
        let payload = Payload {
            bytes: &large,
            len: large.len() as u32,
        };
        assembler.insert(
            6 + n * large.len() as u64,
            payload,
            0,
            KEEP_ALL,
            &mut |_| {},
        );
    }
    let kept = assembler
        .buffers
        .as_ref()
        .map_or(0, |buffers| buffers.unacknowledged.len());
    assert_eq!(kept, MAX_UNACKNOWLEDGED_BYTES);
}

mod properties;
