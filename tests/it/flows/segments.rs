//! What the places of segments say: repeated, late, missing, alive (Wireshark User's Guide, "TCP Analysis"; tcptrace; RFC 5681).

use lcap::flow::Side;

use super::script::{HANDSHAKE, PORT, Peers, STREAMS, Told, all, frames, play, remarks, run};

/// Plays a script behind a handshake; what is to be remarked on both sides, and the history behind the handshake's.
fn remarked(script: &str) -> (Told, [String; 2], String) {
    let told = play(&format!("{HANDSHAKE}{script}"));
    let flow = told.only();
    let remarks = Side::BOTH.map(|side| remarks(flow, side));
    let history = flow.history.strip_prefix("ShA").unwrap().to_string();
    (told, remarks, history)
}

#[test]
fn what_segments_are() {
    let rows = [
        (
            "sent again, and acknowledged then",
            "30 > P. 1 1 *100
             40 > P. 1 1 *100
             50 < . 1 101",
            ["retrans 1 bytes 100", ""],
            "DTa",
        ),
        (
            "sent again although it was acknowledged",
            "30 > P. 1 1 *100
             40 < . 1 101
             50 > P. 1 1 *100",
            ["retrans 1 bytes 100 spurious 1", ""],
            "DaT",
        ),
        (
            "in part sent again",
            "30 > P. 1 1 *100
             40 > P. 51 1 *100",
            ["retrans 1 bytes 50", ""],
            "D",
        ),
        (
            "sent again with what was lost before it",
            "30 > P. 1 1 *100 lost
             40 > P. 101 1 *100
             50 > P. 1 1 *200",
            ["retrans 1 bytes 100 behind 1", ""],
            "DT",
        ),
        (
            "sent again with other bytes",
            "30 > P. 1 1 *100
             40 > P. 1 1 !100",
            ["retrans 1 bytes 100 other 100", ""],
            "DT",
        ),
        (
            "two in the wrong order",
            "30 > P. 101 1 *100
             40 > P. 1 1 *100
             50 < . 1 201",
            ["late 1 behind 1", ""],
            "DTa",
        ),
        (
            "three in the wrong order",
            "30 > P. 201 1 *100
             40 > P. 101 1 *100
             50 > P. 1 1 *100",
            ["late 2 behind 1", ""],
            "DT",
        ),
        (
            "not captured, and acknowledged",
            "30 > P. 1 1 *100 lost
             40 > P. 101 1 *100
             50 < . 1 201",
            ["behind 1 missed 100", ""],
            "DaG",
        ),
        (
            "not captured at all, and acknowledged",
            "30 > P. 1 1 *100
             40 < . 1 151
             50 < . 1 201",
            ["missed 100", ""],
            "DaG",
        ),
        (
            "two holes at once",
            "30 > P. 101 1 *100
             40 > P. 301 1 *100
             50 < . 1 401",
            ["behind 2 missed 200", ""],
            "DaG",
        ),
        (
            "acknowledged before it was captured",
            "30 > P. 101 1 *100
             40 < . 1 201
             50 > P. 1 1 *100",
            ["late 1 behind 1 missed 100", ""],
            "DaGT",
        ),
        (
            "the FIN is sent again",
            "30 > F. 1 1
             40 > F. 1 1",
            ["retrans 1", ""],
            "F",
        ),
        (
            "a keep-alive without data, and its answer",
            "30 > P. 1 1 *100
             40 < . 1 101
             50 > . 100 1
             60 < . 1 101",
            ["alive 1", ""],
            "Da",
        ),
        (
            "a keep-alive with a byte",
            "30 > P. 1 1 *100
             40 < . 1 101
             50 > . 100 1 *1
             60 < . 1 101",
            ["alive 1", ""],
            "DaT",
        ),
        (
            "keep-alives from both before anything is said",
            "30 > . 0 1
             40 < . 1 1
             50 < . 0 1
             60 > . 1 1",
            ["alive 1", "alive 1"],
            "a",
        ),
        (
            "the window closes and opens",
            "30 > P. 1 1 *100
             40 < . 1 101 w=0
             50 < . 1 101 w=500
             60 > P. 101 1 *100",
            ["", "closed 1"],
            "Daw",
        ),
        (
            "a closed window is probed with a byte, which is sent again behind that",
            "30 > P. 1 1 *100
             40 < . 1 101 w=0
             50 > . 101 1 *1
             60 < . 1 101 w=0
             70 < . 1 101 w=500
             80 > P. 101 1 *100
             90 < . 1 201",
            // The answer says nothing new (RFC 5681).
            ["probe 1", "dup 1 closed 2"],
            "Daw",
        ),
        (
            "a byte is no probe while the window is open",
            "30 > P. 1 1 *100
             40 < . 1 101
             50 > . 101 1 *1
             60 > P. 101 1 *100",
            ["retrans 1 bytes 1", ""],
            "Da",
        ),
        (
            "closed windows do not count with RST, nor behind FINs in the history",
            "30 > F. 1 1
             40 < . 1 2 w=0
             50 < R. 1 2 w=0",
            ["", "closed 1"],
            "Far",
        ),
    ];
    for (name, script, expected, history) in rows {
        let (_, remarks, letters) = remarked(script);
        assert_eq!(remarks, expected, "{name}");
        let letters = letters.trim_start_matches('A');
        assert_eq!(letters, history, "{name}");
    }
}

/// RFC 5681 section 2: data is outstanding, the segment carries none, no SYN or FIN, the same number, the same window.
#[test]
fn acknowledgements_that_repeat() {
    for (name, script, expected) in [
        ("three", "50 < . 1 101\n60 < . 1 101\n70 < . 1 101", 3),
        (
            "the window changes",
            "50 < . 1 101 w=600\n60 < . 1 101 w=700",
            0,
        ),
        (
            "the window stays again",
            "50 < . 1 101 w=600\n60 < . 1 101 w=600",
            1,
        ),
        ("with data", "50 < P. 1 101 *10\n60 < P. 11 101 *10", 0),
        ("behind data", "50 < P. 1 101 *10\n60 < . 11 101", 1),
        ("a FIN", "50 < F. 1 101", 0),
        ("it goes on", "50 < . 1 201\n60 < . 1 301", 0),
        (
            "nothing is outstanding",
            "50 < . 1 401\n60 < . 1 401\n70 < . 1 401",
            0,
        ),
        ("an old one", "50 < . 1 51", 0),
    ] {
        let (_, [_, resp], _) = remarked(&format!(
            "30 > P. 1 1 *100
             35 > P. 101 1 *300
             40 < . 1 101
             {script}"
        ));
        let expected = match expected {
            0 => String::new(),
            count => format!("dup {count}"),
        };
        assert_eq!(resp, expected, "{name}");
    }
}

#[test]
fn the_streams_of_what_was_lost() {
    let (told, ..) = remarked(
        "30 > P. 1 1 hello
         40 > P. 6 1 lost
         50 > P. 10 1 world
         60 < . 1 15
         70 > F. 15 1
         80 < F. 1 16",
    );
    // What is missing may still come until the end.
    assert_eq!(
        told.streams,
        [
            "1 orig 0 \"hello\"",
            "1 orig 5 lost 4",
            "1 orig 9 \"world\""
        ]
    );
    let flow = told.only();
    assert_eq!(flow.sides[0].bytes, 14);
    assert_eq!(flow.missed_bytes(), 4);
}

/// Bytes that a connection without a handshake is said to have had may have been another's (Zeek's `content_gap`).
#[test]
fn nothing_is_missed_of_what_was_not_established() {
    let told = play(
        "30 > P. 1 1 hello
         40 > P. 106 1 world
         50 < . 1 111",
    );
    assert_eq!(remarks(told.only(), Side::Orig), "behind 1");
    assert_eq!(told.streams[1], "1 orig 5 lost 100");
}

const LONG: &str = "
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

/// The numbers wrap anywhere, in one stream or in both; nothing else changes.
#[test]
fn numbers_wrap() {
    let run_from = |start: [u32; 2]| {
        let peers = Peers {
            start,
            ..Peers::on_port(PORT)
        };
        let told = run(&frames(&format!("{HANDSHAKE}{LONG}"), &peers), STREAMS);
        (all(&told), told.streams)
    };
    let expected = run_from([1, 1]);
    assert!(expected.0[0].contains("missed_bytes: 148"), "{expected:?}");
    for back in [
        0, 1, 2, 50, 100, 101, 102, 151, 250, 301, 302, 351, 352, 505, 510, 511,
    ] {
        let wraps = 0_u32.wrapping_sub(back);
        for start in [[wraps, 1], [1, wraps], [wraps, wraps], [1 << 31, wraps]] {
            assert_eq!(run_from(start), expected, "{start:?}");
        }
    }
}

/// More than the numbers can count, a gigabyte lost at a time.
#[test]
fn streams_longer_than_their_numbers() {
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
        start: [0, 0],
        ..Peers::on_port(PORT)
    };
    let told = run(&frames(&script, &peers), STREAMS);
    let flow = told.only();
    assert_eq!(flow.sides[0].bytes, 120 + 11 * (1 << 30));
    assert_eq!(flow.missed_bytes(), 11 << 30);
}
