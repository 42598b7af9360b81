//! Events of the table other than streams: detected services; and the records of open flows.

use lcap::internals::decode::decode;
use lcap::internals::flow::{FlowEventKind, FlowSettings, FlowTable, Side};
use lcap::internals::packet::Interface;

use super::script::{
    CapturedFrame, HANDSHAKE, PORT, Peers, STREAMS, captured_frame, comparable_records, push,
    run_checked, script_frames,
};
use super::wire;

const REQUEST: &str = "*1\r\n$4\r\nPING\r\n";
const RESPONSE: &str = "+PONG\r\n";

/// Returns a handshake and then these data segments, in order and acknowledged.
fn connection(segments: &[(Side, &str)]) -> Vec<CapturedFrame> {
    let peers = Peers::on_port(PORT);
    let mut frames = script_frames(HANDSHAKE, &peers);
    let (ends, mut sent) = ([peers.client, peers.server], [1, 1]);
    for (time, (side, data)) in (30_000..).step_by(1000).zip(segments) {
        let (own, other) = (*side as usize, side.other() as usize);
        let segment = wire::Segment {
            from: ends[own],
            to: ends[other],
            seq: peers.isns[own] + sent[own],
            ack: peers.isns[other] + sent[other],
            flags: wire::ACK,
            window: 500,
        };
        frames.push(captured_frame(time, &wire::tcp(&segment, data.as_bytes())));
        sent[own] += data.len() as u32;
    }
    frames
}

/// Returns the number of the frame, the time in microseconds and the name of each event, without
/// streams; the number is 0 at the end of the capture.
fn event_lines(frames: &[CapturedFrame], settings: FlowSettings) -> Vec<String> {
    let (mut lines, interface) = (Vec::new(), Interface::default());
    let mut table = FlowTable::new(settings);
    let mut add_line = |number: usize, time: i64, kind: FlowEventKind| {
        let name = match kind {
            FlowEventKind::Opened { .. } => "opened",
            FlowEventKind::Detected(service) => service.name,
            FlowEventKind::End { side: Side::Orig } => "orig ended",
            FlowEventKind::End { side: Side::Resp } => "resp ended",
            FlowEventKind::Closed(_) => "closed",
            _ => return,
        };
        lines.push(format!("{number} {} {name}", time / 1000));
    };
    for (number, captured) in (1..).zip(frames) {
        let frame = captured.frame(number as u64, &interface);
        table.push(&decode(&frame), &mut |event| {
            add_line(number, event.time.0, event.kind);
        });
    }
    table.finish(&mut |event| add_line(0, event.time.0, event.kind));
    lines
}

#[test]
fn the_end_of_a_stream_follows_its_last_byte() {
    let in_order = "
        30 > P. 1 1 hello
        40 < F. 1 6
        50 > F. 6 2
        60 < .  2 7
    ";
    let hole = "
        30 > F. 6 1 world
        40 > P. 1 1 hello
    ";
    let reset = "
        30 > P. 1 1 hello
        40 < R. 1 6
        50 < R. 1 6
    ";
    let opened = "1 0 opened";
    for (script, expected) in [
        (
            in_order,
            &[opened, "5 40 resp ended", "6 50 orig ended", "0 60 closed"][..],
        ),
        (hole, &[opened, "5 40 orig ended", "0 40 closed"]),
        (reset, &[opened, "5 40 resp ended", "0 50 closed"]),
    ] {
        let frames = script_frames(&format!("{HANDSHAKE}{script}"), &Peers::on_port(PORT));
        assert_eq!(event_lines(&frames, STREAMS), expected, "{script}");
        let without_streams = event_lines(&frames, FlowSettings::FLOWS);
        assert_eq!(without_streams.len(), 2, "{script}");
    }
}

#[test]
fn buffered_data_keeps_the_time_of_its_packet() {
    let script = "
        30 > P. 6  1 world
        40 > P. 1  1 hello
        50 > P. 11 1 again
    ";
    let frames = script_frames(&format!("{HANDSHAKE}{script}"), &Peers::on_port(PORT));
    let (mut times, interface) = (Vec::new(), Interface::default());
    let mut table = FlowTable::new(STREAMS);
    for (number, captured) in (1..).zip(&frames) {
        table.push(&decode(&captured.frame(number, &interface)), &mut |event| {
            if let FlowEventKind::Data { captured, .. } = event.kind {
                times.push((event.time.0 / 1000, captured.0 / 1000));
            }
        });
    }
    assert_eq!(times, [(40, 40), (40, 30), (50, 50)]);
}

#[test]
fn a_service_is_reported_once_and_as_early_as_possible() {
    use Side::{Orig, Resp};
    let request_and_response = [(Orig, REQUEST), (Resp, RESPONSE)];
    let twice = [request_and_response, request_and_response].concat();
    let (start, rest) = REQUEST.split_at(9);
    let only_request = [(Orig, REQUEST)];
    let split_request = [(Orig, start), (Orig, rest), (Resp, RESPONSE)];
    let unknown = [(Orig, "hello"), (Resp, "hello"), (Orig, "hello")];
    for (segments, expected) in [
        (&twice[..], &["1 0 opened", "5 31 redis", "0 33 closed"][..]),
        (&split_request, &["1 0 opened", "5 31 redis", "0 32 closed"]),
        // Only the end of the flow shows that no response follows.
        (&only_request, &["1 0 opened", "0 30 redis", "0 30 closed"]),
        (&unknown, &["1 0 opened", "0 32 closed"]),
        (&[], &["1 0 opened", "0 20 closed"]),
    ] {
        let frames = connection(segments);
        for settings in [FlowSettings::FLOWS, STREAMS] {
            assert_eq!(event_lines(&frames, settings), expected, "{segments:?}");
        }
        run_checked(&frames, STREAMS);
    }
}

/// If detection ends with the flow, its service is reported before the end for every reason.
#[test]
fn a_service_is_reported_before_the_end_of_a_flow() {
    let request = connection(&[(Side::Orig, REQUEST)]);
    let reuse = script_frames("1000 > S 777777", &Peers::on_port(PORT));
    // Packets of another flow, the last of them after the request's flow has timed out.
    let other_flow = "
        3000000000 > . 1 1
        6000000000 > . 1 1
        7300000000 > . 1 1
    ";
    let other_flow = script_frames(other_flow, &Peers::on_port(PORT + 1));
    for (later_frames, expected) in [
        (
            reuse,
            [
                "1 0 opened",
                "5 30 redis",
                "5 30 closed",
                "5 1000 opened",
                "0 1000 closed",
            ],
        ),
        (
            other_flow,
            [
                "1 0 opened",
                "5 3000000000 opened",
                "7 30 redis",
                "7 30 closed",
                "0 7300000000 closed",
            ],
        ),
    ] {
        let frames = [&request[..], &later_frames].concat();
        assert_eq!(event_lines(&frames, FlowSettings::FLOWS), expected);
    }
}

/// The records of open flows are those that the end of the capture would yield, except for a
/// service that only the end reveals; reading them changes nothing.
#[test]
fn open_flows_are_reported_without_a_change() {
    let frames = connection(&[(Side::Orig, REQUEST), (Side::Resp, RESPONSE)]);
    let interface = Interface::default();
    let mut table = FlowTable::new(STREAMS);
    assert_eq!(table.open_flows().count(), 0);
    let mut closed = Vec::new();
    for (n, captured) in frames.iter().enumerate() {
        let frame = captured.frame(n as u64 + 1, &interface);
        table.push(&decode(&frame), &mut |_| {});
        let mut expected = push(&frames[..=n], STREAMS);
        let is_detected = n + 1 == frames.len();
        assert_eq!(expected.records[0].service.is_some(), n >= 3);
        if !is_detected {
            expected.records[0].service = None;
        }
        for _ in 0..2 {
            let open: Vec<_> = table.open_flows().map(|flow| format!("{flow:?}")).collect();
            assert_eq!(open, comparable_records(&expected));
        }
        assert_eq!((table.counts().opened, table.counts().open), (1, 1));
    }
    table.finish(&mut |event| {
        if let FlowEventKind::Closed(record) = event.kind {
            closed.push(format!("{record:?}"));
        }
    });
    assert_eq!(closed, comparable_records(&push(&frames, STREAMS)));
    assert_eq!(table.open_flows().count(), 0);
}
