//! TCP analysis by sequence numbers: retransmissions, out-of-order and missing segments, duplicate
//! ACKs, zero windows, keep-alives (Wireshark User's Guide, "TCP Analysis"; tcptrace; RFC 5681).

use lcap::internals::flow::Side;

use super::script::{
    FlowLog, HANDSHAKE, PORT, Peers, STREAMS, comparable_records, describe_analysis, run_checked,
    run_script, script_frames,
};

/// Runs a script after a handshake. Returns the log, both sides' analysis counters, and the history
/// after the handshake's letters.
fn run_after_handshake(script: &str) -> (FlowLog, [String; 2], String) {
    let log = run_script(&format!("{HANDSHAKE}{script}"));
    let flow = log.only_flow();
    let counters = Side::BOTH.map(|side| describe_analysis(flow, side));
    let history = flow.history.strip_prefix("ShA").unwrap().to_string();
    (log, counters, history)
}

#[test]
fn segments_are_classified() {
    let rows = [
        (
            "retransmission, then acknowledged",
            "30 > P. 1 1 *100
             40 > P. 1 1 *100
             50 < . 1 101",
            ["retrans 1 bytes 100", ""],
            "DTa",
        ),
        (
            "retransmission of acknowledged data",
            "30 > P. 1 1 *100
             40 < . 1 101
             50 > P. 1 1 *100",
            ["retrans 1 bytes 100 spurious 1", ""],
            "DaT",
        ),
        (
            "partial retransmission",
            "30 > P. 1 1 *100
             40 > P. 51 1 *100",
            ["retrans 1 bytes 50", ""],
            "D",
        ),
        (
            "retransmission with a lost segment before it",
            "30 > P. 1 1 *100 lost
             40 > P. 101 1 *100
             50 > P. 1 1 *200",
            ["retrans 1 bytes 100 lost 1", ""],
            "DT",
        ),
        (
            "retransmission with different bytes",
            "30 > P. 1 1 *100
             40 > P. 1 1 !100",
            ["retrans 1 bytes 100 mismatched 100", ""],
            "DT",
        ),
        (
            "two segments out of order",
            "30 > P. 101 1 *100
             40 > P. 1 1 *100
             50 < . 1 201",
            ["ooo 1 lost 1", ""],
            "DTa",
        ),
        (
            "three segments out of order",
            "30 > P. 201 1 *100
             40 > P. 101 1 *100
             50 > P. 1 1 *100",
            ["ooo 2 lost 1", ""],
            "DT",
        ),
        (
            "lost before later data, and acknowledged",
            "30 > P. 1 1 *100 lost
             40 > P. 101 1 *100
             50 < . 1 201",
            ["lost 1 missed 100", ""],
            "DaG",
        ),
        (
            "lost without later data, and acknowledged",
            "30 > P. 1 1 *100
             40 < . 1 151
             50 < . 1 201",
            ["missed 100", ""],
            "DaG",
        ),
        (
            "two gaps, one acknowledgement",
            "30 > P. 101 1 *100
             40 > P. 301 1 *100
             50 < . 1 401",
            ["lost 2 missed 200", ""],
            "DaG",
        ),
        (
            "acknowledged before it was captured",
            "30 > P. 101 1 *100
             40 < . 1 201
             50 > P. 1 1 *100",
            ["ooo 1 lost 1 missed 100", ""],
            "DaGT",
        ),
        (
            "retransmitted FIN",
            "30 > F. 1 1
             40 > F. 1 1",
            ["retrans 1", ""],
            "F",
        ),
        (
            "keep-alive without data, and its ACK",
            "30 > P. 1 1 *100
             40 < . 1 101
             50 > . 100 1
             60 < . 1 101",
            ["keep_alive 1", ""],
            "Da",
        ),
        (
            "keep-alive with a byte",
            "30 > P. 1 1 *100
             40 < . 1 101
             50 > . 100 1 *1
             60 < . 1 101",
            ["keep_alive 1", ""],
            "DaT",
        ),
        (
            "keep-alives from both sides before any data",
            "30 > . 0 1
             40 < . 1 1
             50 < . 0 1
             60 > . 1 1",
            ["keep_alive 1", "keep_alive 1"],
            "a",
        ),
        (
            "zero window, then open",
            "30 > P. 1 1 *100
             40 < . 1 101 w=0
             50 < . 1 101 w=500
             60 > P. 101 1 *100",
            ["", "zero_window 1"],
            "Daw",
        ),
        (
            "zero window, probed with a byte that is then retransmitted",
            "30 > P. 1 1 *100
             40 < . 1 101 w=0
             50 > . 101 1 *1
             60 < . 1 101 w=0
             70 < . 1 101 w=500
             80 > P. 101 1 *100
             90 < . 1 201",
            // The reply to the probe is a duplicate ACK (RFC 5681).
            ["probe 1", "dup_ack 1 zero_window 2"],
            "Daw",
        ),
        (
            "one byte is not a probe while the window is open",
            "30 > P. 1 1 *100
             40 < . 1 101
             50 > . 101 1 *1
             60 > P. 101 1 *100",
            ["retrans 1 bytes 1", ""],
            "Da",
        ),
        (
            "zero window: not counted in a RST, not in the history after a FIN",
            "30 > F. 1 1
             40 < . 1 2 w=0
             50 < R. 1 2 w=0",
            ["", "zero_window 1"],
            "Far",
        ),
    ];
    for (name, script, expected, history) in rows {
        let (_, counters, letters) = run_after_handshake(script);
        assert_eq!(counters, expected, "{name}");
        let letters = letters.trim_start_matches('A');
        assert_eq!(letters, history, "{name}");
    }
}

/// RFC 5681 section 2: data is outstanding; the segment has no data, SYN or FIN, and has the same
/// acknowledgement number and window as the previous segment.
#[test]
fn duplicate_acks_are_counted() {
    for (name, script, expected) in [
        ("three", "50 < . 1 101\n60 < . 1 101\n70 < . 1 101", 3),
        (
            "the window changes",
            "50 < . 1 101 w=600\n60 < . 1 101 w=700",
            0,
        ),
        (
            "the window changes once",
            "50 < . 1 101 w=600\n60 < . 1 101 w=600",
            1,
        ),
        ("with data", "50 < P. 1 101 *10\n60 < P. 11 101 *10", 0),
        ("after data", "50 < P. 1 101 *10\n60 < . 11 101", 1),
        ("a FIN", "50 < F. 1 101", 0),
        ("new data is acknowledged", "50 < . 1 201\n60 < . 1 301", 0),
        (
            "nothing is outstanding",
            "50 < . 1 401\n60 < . 1 401\n70 < . 1 401",
            0,
        ),
        ("an old acknowledgement", "50 < . 1 51", 0),
    ] {
        let (_, [_, resp], _) = run_after_handshake(&format!(
            "30 > P. 1 1 *100
             35 > P. 101 1 *300
             40 < . 1 101
             {script}"
        ));
        let expected = match expected {
            0 => String::new(),
            count => format!("dup_ack {count}"),
        };
        assert_eq!(resp, expected, "{name}");
    }
}

#[test]
fn lost_bytes_are_gaps_in_the_stream() {
    let (log, ..) = run_after_handshake(
        "30 > P. 1 1 hello
         40 > P. 6 1 lost
         50 > P. 10 1 world
         60 < . 1 15
         70 > F. 15 1
         80 < F. 1 16",
    );
    // The gap is reported at the end of the flow: missing data can arrive until then.
    assert_eq!(
        log.stream_events,
        [
            "1 orig 0 \"hello\"",
            "1 orig 5 lost 4",
            "1 orig 9 \"world\""
        ]
    );
    let flow = log.only_flow();
    assert_eq!(flow.sides[0].bytes, 14);
    assert_eq!(flow.missed_bytes(), 4);
}

/// Without a handshake, acknowledged bytes may belong to an earlier connection (Zeek's
/// `content_gap`).
#[test]
fn unestablished_connections_miss_no_bytes() {
    let log = run_script(
        "30 > P. 1 1 hello
         40 > P. 106 1 world
         50 < . 1 111",
    );
    assert_eq!(describe_analysis(log.only_flow(), Side::Orig), "lost 1");
    assert_eq!(log.stream_events[1], "1 orig 5 lost 100");
}

const LONG_CONNECTION: &str = "
    30  > P. 1   1 *100
    40  < .  1   101
    50  > P. 201 1 *100
    60  > P. 101 1 *100
    70  > P. 101 1 *200
    80  < P. 1   301 *150
    90  < P. 151 301 *150
    100 > .  301 301
    110 > P. 301 301 !50
    120 > P. 301 301 *50
    130 > .  350 301
    140 < .  301 351 w=0
    150 > .  351 301 *1
    160 > P. 500 301 *10
    170 < .  301 510
    180 > F. 510 301
    190 < F. 301 511
    200 > .  511 302
";

/// The sequence numbers wrap at any offset, in one stream or in both; the result is the same.
#[test]
fn sequence_numbers_may_wrap_anywhere() {
    let run_from = |isns: [u32; 2]| {
        let peers = Peers {
            isns,
            ..Peers::on_port(PORT)
        };
        let log = run_checked(
            &script_frames(&format!("{HANDSHAKE}{LONG_CONNECTION}"), &peers),
            STREAMS,
        );
        (comparable_records(&log), log.stream_events)
    };
    let expected = run_from([1, 1]);
    assert!(expected.0[0].contains("missed_bytes: 148"), "{expected:?}");
    for before_wrap in [
        0, 1, 2, 50, 100, 101, 102, 151, 250, 301, 302, 351, 352, 505, 510, 511,
    ] {
        let isn = 0_u32.wrapping_sub(before_wrap);
        for isns in [[isn, 1], [1, isn], [isn, isn], [1 << 31, isn]] {
            assert_eq!(run_from(isns), expected, "{isns:?}");
        }
    }
}

/// A stream with more bytes than the sequence space (4 GiB), and gaps of 1 GiB.
#[test]
fn streams_may_exceed_the_sequence_space() {
    let mut script = HANDSHAKE.to_string();
    let mut seq = 1_u32;
    for n in 0..12 {
        let time = 100 + n;
        script += &format!("{time} > P. {seq} 1 *10\n");
        seq = seq.wrapping_add(10);
        script += &format!("{time} < . 1 {seq}\n");
        seq = seq.wrapping_add(1 << 30);
    }
    let peers = Peers {
        isns: [0, 0],
        ..Peers::on_port(PORT)
    };
    let log = run_checked(&script_frames(&script, &peers), STREAMS);
    let flow = log.only_flow();
    assert_eq!(flow.sides[0].bytes, 120 + 11 * (1 << 30));
    assert_eq!(flow.missed_bytes(), 11 << 30);
}
