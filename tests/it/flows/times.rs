//! Times of flows: handshake and response times, idle timeouts, and wrong or missing timestamps.

use lcap::internals::flow::{FlowEndReason, FlowSettings, FlowTable};
use lcap::internals::packet::{TimeDelta, Timestamp};

use super::script::{
    CapturedFrame, FlowLog, HANDSHAKE, PORT, Peers, STREAMS, captured_frame, outcomes, run_checked,
    run_script, script_frames,
};
use super::wire;

const SECOND_NS: i64 = 1_000_000_000;

/// Returns a datagram from a client on this port; `time` is in nanoseconds.
fn datagram(time: i64, port: u16) -> CapturedFrame {
    let mut peers = Peers::on_port(PORT);
    peers.client.set_port(port);
    captured_frame(time, &wire::udp(peers.client, peers.server, b"x"))
}

/// Returns the number and end reason of each flow, in the order in which the flows were reported.
fn end_reasons(log: &FlowLog) -> Vec<(u64, FlowEndReason)> {
    let records = log.records.iter();
    records
        .map(|flow| (flow.id.number, flow.end_reason))
        .collect()
}

#[test]
fn handshakes_are_measured_only_without_retransmissions() {
    for (name, script, expected) in [
        ("without data", "0 > S 0\n10 < S. 0 1\n25 > . 1 1", Some(25)),
        (
            "with data",
            "0 > S 0\n10 < S. 0 1\n25 > P. 1 1 hello",
            Some(25),
        ),
        ("no SYN", "10 < S. 0 1\n25 > . 1 1", None),
        ("no SYN-ACK", "0 > S 0\n25 > . 1 1", None),
        ("no ACK", "0 > S 0\n10 < S. 0 1", None),
        ("reset", "0 > S 0\n10 < S. 0 1\n20 > R. 1 1", None),
        (
            "SYN retransmitted",
            "0 > S 0\n5 > S 0\n10 < S. 0 1\n25 > . 1 1",
            None,
        ),
        (
            "SYN-ACK retransmitted",
            "0 > S 0\n10 < S. 0 1\n15 < S. 0 1\n25 > . 1 1",
            None,
        ),
        (
            "SYN-ACK before SYN",
            "0 < S. 0 1\n10 > S 0\n25 > . 1 1",
            None,
        ),
        ("midstream", "0 > P. 1 1 hello\n10 < . 1 6", None),
    ] {
        let log = run_script(script);
        let rtt = log.only_flow().handshake_rtt;
        assert_eq!(
            rtt,
            expected.map(|micros: i64| TimeDelta(micros * 1000)),
            "{name}"
        );
    }
}

#[test]
fn response_times_are_measured_per_turn() {
    for (name, script, expected) in [
        (
            "one turn",
            "100 > P. 1 1 get\n140 < P. 1 4 answer",
            Some((1, 40, 40)),
        ),
        (
            "request in two segments, response in two",
            "100 > P. 1 1 ge\n110 > P. 3 1 t\n140 < P. 1 4 an\n190 < P. 3 4 swer",
            Some((1, 30, 30)),
        ),
        (
            "three turns",
            "100 > P. 1 1 a\n110 < P. 1 2 A
             200 > P. 2 2 b\n230 < P. 2 3 B
             300 > P. 3 3 c\n320 < P. 3 4 C",
            Some((3, 20, 30)),
        ),
        ("no response", "100 > P. 1 1 get\n140 < . 1 4", None),
        (
            "server data first",
            "100 < P. 1 1 hello\n140 > P. 1 6 get",
            None,
        ),
        (
            "server data first, then a response",
            "100 < P. 1 1 hello\n140 > P. 1 6 get\n150 < P. 6 4 answer",
            Some((1, 10, 10)),
        ),
        (
            "a retransmission is not a new request",
            "100 > P. 1 1 get\n120 > P. 1 1 get\n140 < P. 1 4 answer",
            Some((1, 40, 40)),
        ),
        (
            "a retransmission is not a response",
            "100 < P. 1 1 hello\n120 > P. 1 6 get\n130 < P. 1 1 hello\n140 < P. 6 4 answer",
            Some((1, 20, 20)),
        ),
    ] {
        let log = run_script(&format!("{HANDSHAKE}{script}"));
        let times = log.only_flow().response_times;
        let micros = |nanos: u64| nanos / 1000;
        let measured = times.map(|times| (times.count, micros(times.median), micros(times.max)));
        assert_eq!(measured, expected, "{name}");
    }
}

/// Each timeout, checked with another flow's datagrams: one just before the deadline, then one
/// exactly at the deadline.
#[test]
fn idle_flows_time_out() {
    let closing = "30 > F. 1 1\n40 < F. 1 2\n50 > . 2 2";
    for (name, script, timeout_secs, end) in [
        ("opening", "0 > S 0".to_string(), 130, FlowEndReason::Idle),
        (
            "half open",
            "0 > S 0\n0 < S. 0 1".into(),
            7200,
            FlowEndReason::Idle,
        ),
        ("open", HANDSHAKE.into(), 7200, FlowEndReason::Idle),
        (
            "half closed",
            format!("{HANDSHAKE}30 > F. 1 1"),
            7200,
            FlowEndReason::Idle,
        ),
        (
            "closed",
            format!("{HANDSHAKE}{closing}"),
            60,
            FlowEndReason::Closed,
        ),
        (
            "reset",
            format!("{HANDSHAKE}30 < R. 1 1"),
            60,
            FlowEndReason::Closed,
        ),
        (
            "refused",
            "0 > S 0\n0 < R. 0 1".into(),
            60,
            FlowEndReason::Closed,
        ),
        (
            "midstream",
            "0 > P. 1 1 hello\n0 < . 1 6".into(),
            7200,
            FlowEndReason::Idle,
        ),
        (
            "midstream, one side",
            "0 > P. 1 1 hello".into(),
            7200,
            FlowEndReason::Idle,
        ),
    ] {
        let script = script_frames(&script, &Peers::on_port(PORT));
        let last = script.last().unwrap().time;
        // Another flow continues: without its packets, a step of the clock would be large enough to
        // need confirmation.
        let ticks = (0..timeout_secs / 30).map(|tick| datagram(last + tick * 30 * SECOND_NS, 1));
        let due = last + timeout_secs * SECOND_NS;
        let before = script
            .iter()
            .cloned()
            .chain(ticks)
            .chain([datagram(due - 1, 1)]);
        let mut before: Vec<CapturedFrame> = before.collect();
        let log = run_checked(&before, STREAMS);
        let expected = match end {
            FlowEndReason::Closed => FlowEndReason::Closed,
            _ => FlowEndReason::Capture,
        };
        assert_eq!(
            end_reasons(&log),
            [(1, expected), (2, FlowEndReason::Capture)],
            "{name}"
        );
        before.push(datagram(due, 1));
        before.push(datagram(due, 2));
        let log = run_checked(&before, STREAMS);
        let others = [(2, FlowEndReason::Capture), (3, FlowEndReason::Capture)];
        assert_eq!(
            end_reasons(&log),
            [&[(1, end)], &others[..]].concat(),
            "{name}"
        );
    }
}

#[test]
fn datagrams_60_seconds_apart_are_two_flows() {
    for (gap, flows) in [(60 * SECOND_NS - 1, 1), (60 * SECOND_NS, 2)] {
        let log = run_checked(&[datagram(0, 1), datagram(gap, 1)], STREAMS);
        assert_eq!(log.records.len(), flows, "{gap}");
    }
}

/// The time for which an ended flow stays in the table is configurable.
#[test]
fn closed_flows_linger_as_configured() {
    let mut script = script_frames(&format!("{HANDSHAKE}30 < R. 1 1"), &Peers::on_port(PORT));
    let last = script.last().unwrap().time;
    script.push(datagram(last + SECOND_NS, 1));
    let settings = FlowSettings {
        linger_ns: SECOND_NS,
        ..STREAMS
    };
    let log = run_checked(&script, settings);
    assert_eq!(outcomes(&log)[0], "RSTR ShAr Reset(Resp) Closed");
    // The flow was reported at its deadline and not at the end of the capture: a later packet of
    // the connection belongs to a new flow.
    script.extend(script_frames("2000000 < R. 1 1", &Peers::on_port(PORT)));
    assert_eq!(run_checked(&script, settings).records.len(), 3);
    assert_eq!(run_checked(&script, STREAMS).records.len(), 2);
}

/// Time can pass without packets.
#[test]
fn the_clock_alone_expires_flows() {
    let mut table = FlowTable::new(STREAMS);
    let interface = lcap::internals::packet::Interface::default();
    let captured = datagram(5 * SECOND_NS, 1);
    let frame = captured.frame(1, &interface);
    table.push(&lcap::internals::decode::decode(&frame), &mut |_| {});
    let mut closed = 0;
    for (now, expected) in [
        (Timestamp::ABSENT, 0),
        (Timestamp(65 * SECOND_NS - 1), 0),
        (Timestamp(65 * SECOND_NS), 1),
        (Timestamp(66 * SECOND_NS), 1),
    ] {
        let mut emit = |event: lcap::internals::flow::FlowEvent| {
            closed += u32::from(matches!(
                event.kind,
                lcap::internals::flow::FlowEventKind::Closed(_)
            ));
        };
        table.expire(now, &mut emit);
        assert_eq!(closed, expected, "{now:?}");
    }
}

#[test]
fn a_single_clock_jump_is_ignored() {
    let year = 365 * 24 * 3600 * SECOND_NS;
    for wrong_time in [year, i64::MAX, -year, i64::MIN + 1] {
        let handshake = script_frames(HANDSHAKE, &Peers::on_port(PORT));
        let data = script_frames("50 > P. 1 1 hello", &Peers::on_port(PORT));
        let stray = [datagram(wrong_time, 1)];
        let log = run_checked(&[&handshake[..], &stray, &data].concat(), STREAMS);
        assert_eq!(outcomes(&log)[0], "S1 ShAD Open Capture", "{wrong_time}");
        assert_eq!(log.records.len(), 2, "{wrong_time}");
        // The wrong timestamp is in one of the flow's own packets.
        for at in 1..3 {
            let mut script = [&handshake[..], &data].concat();
            script[at].time = wrong_time;
            let log = run_checked(&script, STREAMS);
            assert_eq!(outcomes(&log), ["S1 ShAD Open Capture"], "{wrong_time}");
        }
    }
}

/// Two consecutive timestamps after a large jump are accepted as correct: the machine was
/// suspended.
#[test]
fn a_confirmed_clock_jump_expires_flows() {
    let mut script = script_frames("0 > S 0", &Peers::on_port(PORT));
    script.push(datagram(10_000 * SECOND_NS, 1));
    script.push(datagram(10_001 * SECOND_NS, 2));
    let log = run_checked(&script, STREAMS);
    assert_eq!(end_reasons(&log)[0], (1, FlowEndReason::Idle));
    // The flow of the first packet after the jump was active, so it does not time out.
    assert_eq!(
        end_reasons(&log)[1..],
        [(2, FlowEndReason::Capture), (3, FlowEndReason::Capture)]
    );
}

/// A capture with little traffic can have several pauses of hours in a row: each packet confirms
/// the previous one's timestamp, and needs confirmation itself.
#[test]
fn repeated_clock_jumps_are_confirmed() {
    let hour = 3600;
    let seconds = [0, 3 * hour, 9 * hour, 20 * hour, 20 * hour + 1000];
    let mut script: Vec<CapturedFrame> = (1..)
        .zip(seconds)
        .map(|(port, second)| datagram(second * SECOND_NS, port))
        .collect();
    // The last client sends again one second later.
    script.push(datagram((seconds[4] + 1) * SECOND_NS, 5));
    let log = run_checked(&script, STREAMS);
    let expected = (1..=5).map(|number| match number {
        5 => (number, FlowEndReason::Capture),
        _ => (number, FlowEndReason::Idle),
    });
    assert_eq!(end_reasons(&log), expected.collect::<Vec<_>>());
}

#[test]
fn timestamps_may_go_backwards() {
    let log = run_script(
        "1000000 > S 0
         1000010 < S. 0 1
         999990  > . 1 1
         500000  > P. 1 1 hello
         1000040 < P. 1 6 world
         1000050 > F. 6 6
         900000  < F. 6 7",
    );
    assert_eq!(outcomes(&log), ["SF ShADdFf Normal Closed"]);
    assert_eq!(
        log.stream_events,
        ["1 orig 0 \"hello\"", "1 resp 0 \"world\""]
    );
}

#[test]
fn packets_without_a_timestamp_get_the_clock_time() {
    let mut script = script_frames(
        &format!("{HANDSHAKE}30 > P. 1 1 hello"),
        &Peers::on_port(PORT),
    );
    for frame in &mut script {
        frame.time = i64::MIN;
    }
    let log = run_checked(&script, STREAMS);
    assert_eq!(outcomes(&log), ["S1 ShAD Open Capture"]);
    assert_eq!(
        (log.only_flow().first_time, log.only_flow().duration),
        (Timestamp(0), TimeDelta(0))
    );
    // A packet between other packets gets the time of the preceding packet.
    let mut script = script_frames(
        &format!("{HANDSHAKE}30 > P. 1 1 hello"),
        &Peers::on_port(PORT),
    );
    script[3].time = i64::MIN;
    assert_eq!(
        run_checked(&script, STREAMS).only_flow().duration,
        TimeDelta(20_000)
    );
}
