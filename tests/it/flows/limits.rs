//! Limits: the number of flows, out-of-order data, segments beyond 64 KB, and frames cut by the
//! snapshot length.

use lcap::internals::flow::{FlowEndReason, FlowEventKind, FlowSettings, FlowTable, Side};
use lcap::internals::packet::{FrameOptions, Interface, LinkType, Timestamp};
use std::collections::HashSet;

use super::script::{
    CapturedFrame, HANDSHAKE, PORT, Peers, STREAMS, captured_frame, describe_analysis, outcomes,
    run_checked, run_script, script_frames,
};
use super::wire;

/// Returns a datagram from a client on this port; `time` is in nanoseconds.
fn datagram(time: i64, port: u16) -> CapturedFrame {
    let mut peers = Peers::on_port(PORT);
    peers.client.set_port(port);
    captured_frame(time, &wire::udp(peers.client, peers.server, b"x"))
}

#[test]
fn the_least_recently_active_flow_is_evicted() {
    let settings = FlowSettings {
        max_flows: 3,
        ..STREAMS
    };
    // The first flow is active again before a flow is evicted.
    let ports = [1, 2, 3, 1, 4, 5, 3];
    let script: Vec<_> = (0..)
        .zip(ports)
        .map(|(time, port)| datagram(time, port))
        .collect();
    let log = run_checked(&script, settings);
    let ends: Vec<_> = log
        .records
        .iter()
        .map(|flow| (flow.id.orig().port(), flow.end_reason))
        .collect();
    use FlowEndReason::{Capture, Evicted};
    assert_eq!(
        ends,
        [
            (2, Evicted),
            (3, Evicted),
            (1, Evicted),
            (4, Capture),
            (5, Capture),
            (3, Capture)
        ]
    );
    assert_eq!(log.counts.evicted, 3);
    let pkts: u64 = log
        .records
        .iter()
        .map(|flow| flow.sides[0].traffic.pkts)
        .sum();
    assert_eq!(pkts, 7);
}

/// Buffered data is delivered; a flow that had ended is reported as closed, not as evicted.
#[test]
fn an_evicted_flow_delivers_its_buffered_data() {
    let settings = FlowSettings {
        max_flows: 1,
        ..STREAMS
    };
    for (last, expected, evicted) in [
        ("40 > P. 9 1 world", "S1 ShAD Open Evicted", 1),
        ("40 > RP. 9 1 world", "RSTO ShAR Reset(Orig) Closed", 0),
    ] {
        let mut script = script_frames(&format!("{HANDSHAKE}{last}"), &Peers::on_port(PORT));
        script.push(datagram(50_000, 1));
        let log = run_checked(&script, settings);
        assert_eq!(outcomes(&log)[0], expected);
        assert_eq!(
            log.stream_events[..2],
            ["1 orig 0 lost 8", "1 orig 8 \"world\""]
        );
        assert_eq!((log.records.len(), log.counts.evicted), (2, evicted));
    }
}

#[test]
fn remaining_flows_are_reported_in_order() {
    // The ports, timeout classes and times of last activity of the flows are in different orders.
    let mut script: Vec<_> = (0..50)
        .map(|n| datagram(n, 100 + (n * 7 % 50) as u16))
        .collect();
    for n in 0..20_u16 {
        let mut peers = Peers::on_port(PORT);
        peers.client.set_port(1000 + n * 7 % 20);
        let kind = ["0 > S 0", "0 > P. 1 1 hello", "0 > S 0\n0 < R. 0 1"][usize::from(n) % 3];
        script.extend(script_frames(kind, &peers));
    }
    script.extend((0..50).rev().map(|n| datagram(100 + n, 100 + n as u16)));
    let log = run_checked(&script, STREAMS);
    let numbers = log.records.iter().map(|flow| flow.id.number);
    assert!(numbers.eq(1..=70));
}

/// A gap is declared lost when the data after it exceeds the limit; its bytes still count as missed
/// when they are acknowledged.
#[test]
fn the_out_of_order_limit_skips_a_gap() {
    let mut script = format!("{HANDSHAKE}30 > P. 1 1 *1000 lost\n");
    for n in 1..20 {
        script += &format!("{} > P. {} 1 *1000\n", 30 + n, 1 + n * 1000);
    }
    script += "60 < . 1 20001";
    let log = run_checked(
        &script_frames(&script, &Peers::on_port(PORT)),
        FlowSettings {
            max_out_of_order_bytes: 5000,
            ..STREAMS
        },
    );
    let flow = log.only_flow();
    assert_eq!(log.stream_events[0], "1 orig 0 lost 1000");
    assert_eq!(log.payload(Side::Orig).len(), 19_000);
    assert_eq!(flow.sides[0].bytes, 20_000);
    assert_eq!(describe_analysis(flow, Side::Orig), "lost 1 missed 1000");
}

/// Without acknowledgements, a gap remains open while the data after it is below the limit.
#[test]
fn a_gap_is_kept_open_below_the_limit() {
    let script = format!(
        "{HANDSHAKE}
         30 > P. 1001 1 *1000
         40 > P. 1 1 *1000"
    );
    for (max_out_of_order_bytes, lost) in [(2000, 0), (100, 1)] {
        let settings = FlowSettings {
            max_out_of_order_bytes,
            ..STREAMS
        };
        let log = run_checked(&script_frames(&script, &Peers::on_port(PORT)), settings);
        let gaps = log
            .stream_events
            .iter()
            .filter(|line| line.contains("lost"))
            .count();
        assert_eq!(gaps, lost, "{max_out_of_order_bytes}");
        assert_eq!(log.payload(Side::Orig).len(), 2000 - 1000 * lost);
    }
}

/// Segmentation offload produces segments of nearly 64 KB. BIG TCP produces larger ones: the IP
/// length field is 0, and IPv6 has a jumbo payload option.
#[test]
fn segments_beyond_64_kb_are_counted_in_full() {
    for peers in [Peers::on_port(PORT), Peers::on_port_v6(PORT)] {
        for len in [65_483, 65_500, 200_000] {
            let script = format!(
                "{HANDSHAKE}
                 30 > P. 1 1 *{len}
                 40 > P. {} 1 *{len}
                 50 < . 1 {}",
                1 + len,
                1 + 2 * len
            );
            let log = run_checked(&script_frames(&script, &peers), STREAMS);
            assert_eq!(outcomes(&log), ["S1 ShADa Open Capture"]);
            let flow = log.only_flow();
            let traffic = flow.sides[0].traffic;
            assert_eq!(
                (flow.sides[0].bytes, traffic.payload_bytes),
                (2 * len, 2 * len)
            );
            assert_eq!(log.payload(Side::Orig).len() as u64, 2 * len);
            assert!(traffic.ip_bytes > 2 * len && traffic.wire_bytes > traffic.ip_bytes);
            assert_eq!(describe_analysis(flow, Side::Orig), "");
        }
    }
}

#[test]
fn bytes_cut_by_the_snap_length_are_not_missed() {
    let log = run_script(&format!(
        "{HANDSHAKE}
         30 > P. 1 1 *100 cut=90
         40 > P. 101 1 *100 cut=100
         50 < . 1 201
         60 > P. 201 1 *100
         70 > P. 1 1 *100"
    ));
    let flow = log.only_flow();
    assert_eq!((flow.missed_bytes(), flow.sides[0].bytes), (0, 300));
    let positions: Vec<_> = log
        .stream_events
        .iter()
        .map(|line| line.split('"').next())
        .collect();
    assert_eq!(
        positions,
        [
            Some("1 orig 0 "),
            Some("1 orig 10 cut 90"),
            Some("1 orig 100 cut 100"),
            Some("1 orig 200 ")
        ]
    );
    assert_eq!(
        describe_analysis(flow, Side::Orig),
        "retrans 1 bytes 100 spurious 1"
    );
}

/// A packet with a truncated or invalid header belongs to no flow, and is counted as unreadable.
#[test]
fn unreadable_headers_are_counted() {
    let mut script = script_frames(HANDSHAKE, &Peers::on_port(PORT));
    script[1].bytes.truncate(14 + 20 + 10);
    // The third packet's data offset is too small.
    script[2].bytes[14 + 20 + 12] = 0x10;
    let log = run_checked(&script, STREAMS);
    assert_eq!(outcomes(&log), ["S0 S NoAnswer Capture"]);
    assert_eq!(log.counts.unreadable, 2);
}

/// As many connections as on a busy machine, each from a different client address.
#[test]
fn two_hundred_thousand_flows_are_tracked_at_the_same_time() {
    const FLOWS: u32 = 200_000;
    let interface = Interface::default();
    let mut peers = Peers::on_port(PORT);
    let mut table = FlowTable::new(FlowSettings::FLOWS);
    let (mut opened, mut closed) = (0, HashSet::new());
    for n in 0..FLOWS {
        let [.., a, b, c] = n.to_be_bytes();
        peers.client = ([10, a, b, c], 40_000).into();
        let segment = wire::Segment {
            from: peers.client,
            to: peers.server,
            seq: n,
            ack: 0,
            flags: wire::flags("S"),
            window: 500,
        };
        let bytes = wire::tcp(&segment, b"");
        let frame = lcap::internals::packet::Frame {
            number: u64::from(n) + 1,
            time: Timestamp(i64::from(n)),
            interface: &interface,
            link: LinkType::RAW,
            wire_len: bytes.len() as u32,
            bytes: &bytes,
            options: FrameOptions::default(),
        };
        table.push(&lcap::internals::decode::decode(&frame), &mut |event| {
            assert!(matches!(event.kind, FlowEventKind::Opened { .. }));
            opened += 1;
        });
    }
    assert_eq!((opened, table.counts().open), (FLOWS, u64::from(FLOWS)));
    table.finish(&mut |event| {
        if let FlowEventKind::Closed(record) = event.kind {
            assert_eq!(record.id.number, closed.len() as u64 + 1);
            closed.insert(record.id.orig());
        }
    });
    assert_eq!((closed.len(), table.counts().open), (FLOWS as usize, 0));
}
