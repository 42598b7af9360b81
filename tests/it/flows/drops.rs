//! Flows that existed while packets were dropped: any of the dropped packets may be theirs.

use crate::command::run_with_stdin;
use crate::craft::{BYTE_ORDERS, ByteOrder, CaptureBuilder};
use lcap::internals::decode::decode;
use lcap::internals::flow::{FlowEventKind, FlowRecord, FlowSettings, FlowTable, OutcomeKind};
use lcap::internals::packet::{Drops, Interface, Timestamp};
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
    let drops = Drops {
        since,
        until,
        count: 3,
    };
    let split = frames.partition_point(|frame| frame.time <= until.0);
    for (at, captured) in frames.iter().enumerate() {
        if at == split {
            table.record_drops(drops);
        }
        let frame = captured.frame(at as u64 + 1, &interface);
        table.push(&decode(&frame), &mut |event| emit(&event.kind));
    }
    if split == frames.len() {
        table.record_drops(drops);
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

/// Returns a number of drops in a byte order, as the value of an option.
fn count(order: ByteOrder, count: u64) -> [u8; 8] {
    match order {
        ByteOrder::Little => count.to_le_bytes(),
        ByteOrder::Big => count.to_be_bytes(),
    }
}

/// Appends an interface statistics block with this time, in microseconds, and this option.
fn statistics(file: &mut CaptureBuilder, time: u32, option: (u16, &[u8])) {
    let mut body = file.empty_body();
    body.u32(0).u32(0).u32(time).options(&[option]);
    file.block(5, &body.bytes);
}

/// pcapng files state drops before a packet, and between two blocks of statistics.
#[test]
fn drops_that_a_file_states_are_those_of_its_flows() {
    const EPB_DROPCOUNT: u16 = 4;
    const ISB_IFDROP: u16 = 5;
    const ISB_OSDROP: u16 = 7;
    let frames = script_frames(HANDSHAKE, &Peers::on_port(PORT));
    for order in BYTE_ORDERS {
        let packet = |file: &mut CaptureBuilder, at: usize, options: &[(u16, &[u8])]| {
            let (frame, ticks) = (&frames[at], frames[at].time as u64 / 1000);
            file.enhanced_packet(0, ticks, frame.wire_len, &frame.bytes, options);
        };
        let start = || {
            let mut file = CaptureBuilder::pcapng(order);
            file.interface(1, 0, &[]);
            packet(&mut file, 0, &[]);
            packet(&mut file, 1, &[]);
            file
        };
        let [three, seven, max] = [3, 7, u64::MAX].map(|drops| count(order, drops));
        let mut by_packet = start();
        packet(&mut by_packet, 2, &[(EPB_DROPCOUNT, &three)]);
        let mut by_statistics = start();
        for (time, option) in [(12, (ISB_IFDROP, &three)), (15, (ISB_OSDROP, &seven))] {
            statistics(&mut by_statistics, time, (option.0, option.1));
        }
        packet(&mut by_statistics, 2, &[]);
        // One block does not state when the packets were dropped.
        let mut only_total = start();
        packet(&mut only_total, 2, &[]);
        statistics(&mut only_total, 30, (ISB_OSDROP, &three));
        let mut too_many = start();
        packet(&mut too_many, 2, &[(EPB_DROPCOUNT, &max)]);
        statistics(&mut too_many, 30, (ISB_OSDROP, &three));
        statistics(&mut too_many, 31, (ISB_OSDROP, &max));
        let total = |drops: u64| {
            format!("lcap: {drops} packets dropped during the capture, according to the file\n")
        };
        for (name, file, dropped, notice) in [
            ("packet", by_packet, 3, String::new()),
            ("statistics", by_statistics, 4, total(7)),
            ("only a total", only_total, 0, total(3)),
            ("too many", too_many, u64::MAX, total(u64::MAX)),
        ] {
            let output = run_with_stdin(&file.bytes, ["flows", "-r", "-", "--format", "json"]);
            assert_eq!(output.stderr, notice, "{name}");
            let row: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(row["dropped_pkts"], dropped, "{name}");
        }
    }
}
