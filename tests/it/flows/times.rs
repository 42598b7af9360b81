//! Times: what is measured, how long flows are waited for, and time stamps that are wrong or missing.

use lcap::flow::{End, FlowTable, Settings};
use lcap::packet::{Span, Timestamp};

use super::script::{
    Captured, HANDSHAKE, PORT, Peers, STREAMS, Told, captured, ends, frames, play, run,
};
use super::wire;

const SECOND: i64 = 1_000_000_000;

/// A datagram from the client with this port.
fn datagram(time: i64, port: u16) -> Captured {
    let mut peers = Peers::on_port(PORT);
    peers.client.set_port(port);
    captured(time, &wire::udp(peers.client, peers.server, b"x"))
}

/// Number and reason of every flow, in the order in which they were reported.
fn reports(told: &Told) -> Vec<(u64, End)> {
    let records = told.records.iter();
    records.map(|flow| (flow.id.number, flow.end)).collect()
}

#[test]
fn handshakes_are_measured_where_that_is_sure() {
    for (name, script, expected) in [
        ("plain", "0 > S 0\n10 < S. 0 1\n25 > . 1 1", Some(25)),
        (
            "with data",
            "0 > S 0\n10 < S. 0 1\n25 > P. 1 1 hello",
            Some(25),
        ),
        ("no SYN", "10 < S. 0 1\n25 > . 1 1", None),
        ("no SYN-ACK", "0 > S 0\n25 > . 1 1", None),
        ("not finished", "0 > S 0\n10 < S. 0 1", None),
        ("reset", "0 > S 0\n10 < S. 0 1\n20 > R. 1 1", None),
        (
            "the SYN twice",
            "0 > S 0\n5 > S 0\n10 < S. 0 1\n25 > . 1 1",
            None,
        ),
        (
            "the answer twice",
            "0 > S 0\n10 < S. 0 1\n15 < S. 0 1\n25 > . 1 1",
            None,
        ),
        ("the answer first", "0 < S. 0 1\n10 > S 0\n25 > . 1 1", None),
        ("midstream", "0 > P. 1 1 hello\n10 < . 1 6", None),
    ] {
        let told = play(script);
        let took = told.only().handshake_rtt;
        assert_eq!(
            took,
            expected.map(|micros: i64| Span(micros * 1000)),
            "{name}"
        );
    }
}

#[test]
fn answers_are_measured_turn_by_turn() {
    for (name, script, expected) in [
        (
            "one turn",
            "100 > P. 1 1 ask\n140 < P. 1 4 answer",
            Some((1, 40, 40)),
        ),
        (
            "a request in two segments, an answer in two",
            "100 > P. 1 1 as\n110 > P. 3 1 k\n140 < P. 1 4 an\n190 < P. 3 4 swer",
            Some((1, 30, 30)),
        ),
        (
            "three turns",
            "100 > P. 1 1 a\n110 < P. 1 2 A
             200 > P. 2 2 b\n230 < P. 2 3 B
             300 > P. 3 3 c\n320 < P. 3 4 C",
            Some((3, 20, 30)),
        ),
        ("no answer", "100 > P. 1 1 ask\n140 < . 1 4", None),
        (
            "the server speaks first",
            "100 < P. 1 1 hello\n140 > P. 1 6 ask",
            None,
        ),
        (
            "the server speaks first, then answers",
            "100 < P. 1 1 hello\n140 > P. 1 6 ask\n150 < P. 6 4 answer",
            Some((1, 10, 10)),
        ),
        (
            "what is sent again is not asked again",
            "100 > P. 1 1 ask\n120 > P. 1 1 ask\n140 < P. 1 4 answer",
            Some((1, 40, 40)),
        ),
        (
            "what is sent again is no answer",
            "100 < P. 1 1 hello\n120 > P. 1 6 ask\n130 < P. 1 1 hello\n140 < P. 6 4 answer",
            Some((1, 20, 20)),
        ),
    ] {
        let told = play(&format!("{HANDSHAKE}{script}"));
        let times = told.only().response_times;
        let micros = |nanos: u64| nanos / 1000;
        let found = times.map(|times| (times.count, micros(times.median), micros(times.max)));
        assert_eq!(found, expected, "{name}");
    }
}

/// What is waited for how long: a datagram to another port comes just before, then just in time.
#[test]
fn quiet_flows_are_let_go() {
    let closing = "30 > F. 1 1\n40 < F. 1 2\n50 > . 2 2";
    for (name, script, patience, end) in [
        ("opening", "0 > S 0".to_string(), 130, End::Idle),
        ("half open", "0 > S 0\n0 < S. 0 1".into(), 7200, End::Idle),
        ("open", HANDSHAKE.into(), 7200, End::Idle),
        (
            "half closed",
            format!("{HANDSHAKE}30 > F. 1 1"),
            7200,
            End::Idle,
        ),
        ("closed", format!("{HANDSHAKE}{closing}"), 60, End::Closed),
        ("reset", format!("{HANDSHAKE}30 < R. 1 1"), 60, End::Closed),
        ("refused", "0 > S 0\n0 < R. 0 1".into(), 60, End::Closed),
        (
            "midstream",
            "0 > P. 1 1 hello\n0 < . 1 6".into(),
            7200,
            End::Idle,
        ),
        (
            "midstream, one side",
            "0 > P. 1 1 hello".into(),
            7200,
            End::Idle,
        ),
    ] {
        let script = frames(&script, &Peers::on_port(PORT));
        let last = script.last().unwrap().time;
        // Another flow that goes on, so that no step of the clock is too wide to be believed.
        let ticks = (0..patience / 30).map(|tick| datagram(last + tick * 30 * SECOND, 1));
        let due = last + patience * SECOND;
        let before = script
            .iter()
            .cloned()
            .chain(ticks)
            .chain([datagram(due - 1, 1)]);
        let mut before: Vec<Captured> = before.collect();
        let told = run(&before, STREAMS);
        let expected = match end {
            End::Closed => End::Closed,
            _ => End::Capture,
        };
        assert_eq!(reports(&told), [(1, expected), (2, End::Capture)], "{name}");
        before.push(datagram(due, 1));
        before.push(datagram(due, 2));
        let told = run(&before, STREAMS);
        let rest = [(2, End::Capture), (3, End::Capture)];
        assert_eq!(reports(&told), [&[(1, end)], &rest[..]].concat(), "{name}");
    }
}

#[test]
fn datagrams_a_minute_apart_are_two_flows() {
    for (gap, flows) in [(60 * SECOND - 1, 1), (60 * SECOND, 2)] {
        let told = run(&[datagram(0, 1), datagram(gap, 1)], STREAMS);
        assert_eq!(told.records.len(), flows, "{gap}");
    }
}

/// How long what has ended is waited for is a setting.
#[test]
fn what_has_ended_lingers_as_long_as_is_wanted() {
    let mut script = frames(&format!("{HANDSHAKE}30 < R. 1 1"), &Peers::on_port(PORT));
    let last = script.last().unwrap().time;
    script.push(datagram(last + SECOND, 1));
    let settings = Settings {
        linger: SECOND,
        ..STREAMS
    };
    let told = run(&script, settings);
    assert_eq!(ends(&told)[0], "RSTR ShAr Reset(Resp) Closed");
    // It was reported when it was due, and not with the rest at the end: then a packet of it belongs to another flow.
    script.extend(frames("2000000 < R. 1 1", &Peers::on_port(PORT)));
    assert_eq!(run(&script, settings).records.len(), 3);
    assert_eq!(run(&script, STREAMS).records.len(), 2);
}

/// Time may pass without packets.
#[test]
fn the_clock_alone_lets_flows_go() {
    let mut table = FlowTable::new(STREAMS);
    let interface = lcap::packet::Interface::default();
    let captured = datagram(5 * SECOND, 1);
    let frame = captured.frame(1, &interface);
    table.push(&lcap::decode::decode(&frame), &mut |_| {});
    let mut closed = 0;
    for (now, expected) in [
        (Timestamp::UNKNOWN, 0),
        (Timestamp(65 * SECOND - 1), 0),
        (Timestamp(65 * SECOND), 1),
        (Timestamp(66 * SECOND), 1),
    ] {
        let mut emit = |event: lcap::flow::FlowEvent| {
            closed += u32::from(matches!(event.what, lcap::flow::What::Closed(_)));
        };
        table.expire(now, &mut emit);
        assert_eq!(closed, expected, "{now:?}");
    }
}

#[test]
fn one_wild_time_stamp_changes_nothing() {
    let year = 365 * 24 * 3600 * SECOND;
    for wild in [year, i64::MAX, -year, i64::MIN + 1] {
        let handshake = frames(HANDSHAKE, &Peers::on_port(PORT));
        let data = frames("50 > P. 1 1 hello", &Peers::on_port(PORT));
        let stray = [datagram(wild, 1)];
        let told = run(&[&handshake[..], &stray, &data].concat(), STREAMS);
        assert_eq!(ends(&told)[0], "S1 ShAD Open Capture", "{wild}");
        assert_eq!(told.records.len(), 2, "{wild}");
        // In one of the flow's own packets.
        for at in 1..3 {
            let mut script = [&handshake[..], &data].concat();
            script[at].time = wild;
            let told = run(&script, STREAMS);
            assert_eq!(ends(&told), ["S1 ShAD Open Capture"], "{wild}");
        }
    }
}

/// Two that say the same are right: the machine slept.
#[test]
fn a_long_silence_is_believed_when_it_is_confirmed() {
    let mut script = frames("0 > S 0", &Peers::on_port(PORT));
    script.push(datagram(10_000 * SECOND, 1));
    script.push(datagram(10_001 * SECOND, 2));
    let told = run(&script, STREAMS);
    assert_eq!(reports(&told)[0], (1, End::Idle));
    // Who was heard of first after it was not quiet.
    assert_eq!(reports(&told)[1..], [(2, End::Capture), (3, End::Capture)]);
}

/// A capture of little traffic may be silent for hours again and again: each packet says that the one before was right, and is to be
/// confirmed itself.
#[test]
fn one_long_silence_after_the_other() {
    let hour = 3600;
    let seconds = [0, 3 * hour, 9 * hour, 20 * hour, 20 * hour + 1000];
    let mut script: Vec<Captured> = (1..)
        .zip(seconds)
        .map(|(port, second)| datagram(second * SECOND, port))
        .collect();
    // The last of them is heard of again right away.
    script.push(datagram((seconds[4] + 1) * SECOND, 5));
    let told = run(&script, STREAMS);
    let expected = (1..=5).map(|number| match number {
        5 => (number, End::Capture),
        _ => (number, End::Idle),
    });
    assert_eq!(reports(&told), expected.collect::<Vec<_>>());
}

#[test]
fn times_may_go_back() {
    let told = play(
        "1000000 > S 0
         1000010 < S. 0 1
         999990  > . 1 1
         500000  > P. 1 1 hello
         1000040 < P. 1 6 world
         1000050 > F. 6 6
         900000  < F. 6 7",
    );
    assert_eq!(ends(&told), ["SF ShADdFf Normal Closed"]);
    assert_eq!(told.streams, ["1 orig 0 \"hello\"", "1 resp 0 \"world\""]);
}

#[test]
fn packets_without_a_time() {
    let mut script = frames(
        &format!("{HANDSHAKE}30 > P. 1 1 hello"),
        &Peers::on_port(PORT),
    );
    for frame in &mut script {
        frame.time = i64::MIN;
    }
    let told = run(&script, STREAMS);
    assert_eq!(ends(&told), ["S1 ShAD Open Capture"]);
    assert_eq!(
        (told.only().first, told.only().duration),
        (Timestamp(0), Span(0))
    );
    // Between others: they are as old as the one before.
    let mut script = frames(
        &format!("{HANDSHAKE}30 > P. 1 1 hello"),
        &Peers::on_port(PORT),
    );
    script[3].time = i64::MIN;
    assert_eq!(run(&script, STREAMS).only().duration, Span(20_000));
}
