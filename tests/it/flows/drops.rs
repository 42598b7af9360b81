//! Flows that existed while packets were dropped: any of the dropped packets may be theirs.

use lcap::internals::decode::decode;
use lcap::internals::flow::{FlowEventKind, FlowRecord, FlowSettings, FlowTable, OutcomeKind};
use lcap::internals::packet::{Interface, Timestamp};
use lcap::internals::sink::flows::flow_summary;

use super::script::{CapturedFrame, HANDSHAKE, PORT, Peers, captured_frame, script_frames};
use super::wire;

const CLOSE: &str = "
    30 > F. 1 1
    40 < F. 1 2
    50 > .  2 2
";

/// Returns the only flow of these frames, of which those after `until`, in microseconds, follow
/// after a report that three packets were dropped between the two times.
fn flow_with_drops(frames: &[CapturedFrame], since: i64, until: i64) -> FlowRecord {
    let interface = Interface::default();
    let mut table = FlowTable::new(FlowSettings::FLOWS);
    let mut records = Vec::new();
    let mut emit = |event: &FlowEventKind| {
        if let FlowEventKind::Closed(record) = event {
            records.push((*record).clone());
        }
    };
    let [since, until] = [since, until].map(|time| Timestamp(time * 1000));
    let split = frames.partition_point(|frame| frame.time <= until.0);
    for (at, captured) in frames.iter().enumerate() {
        if at == split {
            table.record_drops(since, until, 3);
        }
        let frame = captured.frame(at as u64 + 1, &interface);
        table.push(&decode(&frame), &mut |event| emit(&event.kind));
    }
    if split == frames.len() {
        table.record_drops(since, until, 3);
    }
    table.finish(&mut |event| emit(&event.kind));
    assert_eq!(records.len(), 1);
    records.remove(0)
}

#[test]
fn flows_that_existed_during_drops_are_possibly_incomplete() {
    let open = script_frames(HANDSHAKE, &Peers::on_port(PORT));
    let closed = script_frames(&format!("{HANDSHAKE}{CLOSE}"), &Peers::on_port(PORT));
    let half_closed = &closed[..4];
    let later = script_frames("90 > P. 1 1 hello", &Peers::on_port(PORT));
    let peers = Peers::on_port(PORT);
    let request = captured_frame(0, &wire::udp(peers.client, peers.server, b"get"));
    let reply = captured_frame(50_000, &wire::udp(peers.server, peers.client, b"got"));
    let answered = [request, reply];
    let note = "possibly incomplete: 3 packets dropped meanwhile";
    for (name, frames, [since, until], expected) in [
        // Its end or more data may have been lost, also long after the last packet.
        ("open", &open[..], [60, 70], note.to_owned()),
        ("half closed", half_closed, [60, 70], note.into()),
        (
            "closed meanwhile",
            &closed,
            [25, 45],
            format!("closed normally, {note}"),
        ),
        ("closed before", &closed, [60, 70], "closed normally".into()),
        (
            "started after",
            &closed,
            [-20, -10],
            "closed normally".into(),
        ),
        (
            "started after the start",
            &later,
            [80, 85],
            "started before the capture".into(),
        ),
        ("started before the start", &later, [80, 95], note.into()),
        ("unanswered", &answered[..1], [60, 70], note.into()),
        ("answered before", &answered, [60, 70], "answered".into()),
        (
            "answered meanwhile",
            &answered,
            [10, 20],
            format!("answered, {note}"),
        ),
    ] {
        let flow = flow_with_drops(frames, since, until);
        assert_eq!(flow.outcome.with_drops().to_string(), expected, "{name}");
        assert!(flow_summary(&flow).ends_with(&expected), "{name}");
        let dropped = if expected.contains(note) { 3 } else { 0 };
        assert_eq!(flow.dropped_pkts, dropped, "{name}");
        let is_incomplete = expected == note;
        assert_eq!(flow.outcome.kind == OutcomeKind::Incomplete, is_incomplete);
        if is_incomplete {
            assert_eq!(
                flow.outcome.evidence().to_string(),
                "3 packets dropped meanwhile"
            );
        }
    }
}
