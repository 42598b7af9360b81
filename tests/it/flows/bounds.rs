//! What is too much: too many flows, too much that waits, segments larger than any network's, frames that were cut.

use lcap::flow::{End, FlowTable, Settings, Side, What};
use lcap::packet::{Interface, LinkType, Options, Timestamp};
use std::collections::HashSet;

use super::script::{
    Captured, HANDSHAKE, PORT, Peers, STREAMS, captured, ends, frames, play, remarks, run,
};
use super::wire;

/// A datagram from the client with this port.
fn datagram(time: i64, port: u16) -> Captured {
    let mut peers = Peers::on_port(PORT);
    peers.client.set_port(port);
    captured(time, &wire::udp(peers.client, peers.server, b"x"))
}

#[test]
fn the_quietest_is_let_go() {
    let settings = Settings {
        max_flows: 3,
        ..STREAMS
    };
    // The second flow is heard of again before there are too many.
    let ports = [1, 2, 3, 1, 4, 5, 3];
    let script: Vec<_> = (0..)
        .zip(ports)
        .map(|(time, port)| datagram(time, port))
        .collect();
    let told = run(&script, settings);
    let ends: Vec<_> = told
        .records
        .iter()
        .map(|flow| (flow.id.orig().port(), flow.end))
        .collect();
    use End::{Capture, Evicted};
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
    assert_eq!(told.counts.evicted, 3);
    let pkts: u64 = told
        .records
        .iter()
        .map(|flow| flow.sides[0].traffic.pkts)
        .sum();
    assert_eq!(pkts, 7);
}

/// What waits is told, and who had ended is said to have.
#[test]
fn an_evicted_flow_tells_everything() {
    let settings = Settings {
        max_flows: 1,
        ..STREAMS
    };
    for (last, expected, evicted) in [
        ("40 > P. 9 1 world", "S1 ShAD Open Evicted", 1),
        ("40 > RP. 9 1 world", "RSTO ShAR Reset(Orig) Closed", 0),
    ] {
        let mut script = frames(&format!("{HANDSHAKE}{last}"), &Peers::on_port(PORT));
        script.push(datagram(50_000, 1));
        let told = run(&script, settings);
        assert_eq!(ends(&told)[0], expected);
        assert_eq!(told.streams[..2], ["1 orig 0 lost 8", "1 orig 8 \"world\""]);
        assert_eq!((told.records.len(), told.counts.evicted), (2, evicted));
    }
}

#[test]
fn what_is_left_is_told_in_order() {
    // Their places, classes and times are in other orders.
    let mut script: Vec<_> = (0..50)
        .map(|n| datagram(n, 100 + (n * 7 % 50) as u16))
        .collect();
    for n in 0..20_u16 {
        let mut peers = Peers::on_port(PORT);
        peers.client.set_port(1000 + n * 7 % 20);
        let kind = ["0 > S 0", "0 > P. 1 1 hello", "0 > S 0\n0 < R. 0 1"][usize::from(n) % 3];
        script.extend(frames(kind, &peers));
    }
    script.extend((0..50).rev().map(|n| datagram(100 + n, 100 + n as u16)));
    let told = run(&script, STREAMS);
    let numbers = told.records.iter().map(|flow| flow.id.number);
    assert!(numbers.eq(1..=70));
}

/// A hole is given up when more waits behind it than may; the bytes are missing all the same when they are acknowledged.
#[test]
fn too_much_waits() {
    let mut script = format!("{HANDSHAKE}30 > P. 1 1 *1000 lost\n");
    for n in 1..20 {
        script += &format!("{} > P. {} 1 *1000\n", 30 + n, 1 + n * 1000);
    }
    script += "60 < . 1 20001";
    let told = run(
        &frames(&script, &Peers::on_port(PORT)),
        Settings {
            max_waiting: 5000,
            ..STREAMS
        },
    );
    let flow = told.only();
    assert_eq!(told.streams[0], "1 orig 0 lost 1000");
    assert_eq!(told.said(Side::Orig).len(), 19_000);
    assert_eq!(flow.sides[0].bytes, 20_000);
    assert_eq!(remarks(flow, Side::Orig), "behind 1 missed 1000");
}

/// Without acknowledgements a hole waits as long as there is room.
#[test]
fn what_waits_is_told_where_it_fits() {
    let script = format!(
        "{HANDSHAKE}
         30 > P. 1001 1 *1000
         40 > P. 1 1 *1000"
    );
    for (max_waiting, lost) in [(2000, 0), (100, 1)] {
        let settings = Settings {
            max_waiting,
            ..STREAMS
        };
        let told = run(&frames(&script, &Peers::on_port(PORT)), settings);
        let gaps = told
            .streams
            .iter()
            .filter(|line| line.contains("lost"))
            .count();
        assert_eq!(gaps, lost, "{max_waiting}");
        assert_eq!(told.said(Side::Orig).len(), 2000 - 1000 * lost);
    }
}

/// Segmentation offload gives segments of nearly 64 KB, BIG TCP larger ones: 0 in the length field, or a jumbo option.
#[test]
fn large_segments() {
    for peers in [Peers::on_port(PORT), Peers::on_port_6(PORT)] {
        for len in [65_483, 65_500, 200_000] {
            let script = format!(
                "{HANDSHAKE}
                 30 > P. 1 1 *{len}
                 40 > P. {} 1 *{len}
                 50 < . 1 {}",
                1 + len,
                1 + 2 * len
            );
            let told = run(&frames(&script, &peers), STREAMS);
            assert_eq!(ends(&told), ["S1 ShADa Open Capture"]);
            let flow = told.only();
            let traffic = flow.sides[0].traffic;
            assert_eq!(
                (flow.sides[0].bytes, traffic.payload_bytes),
                (2 * len, 2 * len)
            );
            assert_eq!(told.said(Side::Orig).len() as u64, 2 * len);
            assert!(traffic.ip_bytes > 2 * len && traffic.wire_bytes > traffic.ip_bytes);
            assert_eq!(remarks(flow, Side::Orig), "");
        }
    }
}

#[test]
fn what_the_snap_length_cut_is_not_missed() {
    let told = play(&format!(
        "{HANDSHAKE}
         30 > P. 1 1 *100 cut=90
         40 > P. 101 1 *100 cut=100
         50 < . 1 201
         60 > P. 201 1 *100
         70 > P. 1 1 *100"
    ));
    let flow = told.only();
    assert_eq!((flow.missed_bytes(), flow.sides[0].bytes), (0, 300));
    let places: Vec<_> = told
        .streams
        .iter()
        .map(|line| line.split('"').next())
        .collect();
    assert_eq!(
        places,
        [
            Some("1 orig 0 "),
            Some("1 orig 10 cut 90"),
            Some("1 orig 100 cut 100"),
            Some("1 orig 200 ")
        ]
    );
    assert_eq!(remarks(flow, Side::Orig), "retrans 1 bytes 100 spurious 1");
}

/// A header that is cut or impossible belongs to no flow, and is counted.
#[test]
fn what_cannot_be_read_is_counted() {
    let mut script = frames(HANDSHAKE, &Peers::on_port(PORT));
    script[1].bytes.truncate(14 + 20 + 10);
    // The data offset of the third is too small.
    script[2].bytes[14 + 20 + 12] = 0x10;
    let told = run(&script, STREAMS);
    assert_eq!(ends(&told), ["S0 S NoAnswer Capture"]);
    assert_eq!(told.counts.unreadable, 2);
}

/// As many connections as a busy machine has at once, each from its own address and port.
#[test]
fn two_hundred_thousand_at_once() {
    const FLOWS: u32 = 200_000;
    let interface = Interface::default();
    let mut peers = Peers::on_port(PORT);
    let mut table = FlowTable::new(Settings::FLOWS);
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
        let frame = lcap::packet::Frame {
            number: u64::from(n) + 1,
            time: Timestamp(i64::from(n)),
            interface: &interface,
            link: LinkType::RAW,
            wire_len: bytes.len() as u32,
            bytes: &bytes,
            options: Options::default(),
        };
        table.push(&lcap::decode::decode(&frame), &mut |event| {
            assert!(matches!(event.what, What::Opened));
            opened += 1;
        });
    }
    assert_eq!((opened, table.counts().open), (FLOWS, u64::from(FLOWS)));
    table.finish(&mut |event| {
        if let What::Closed(record) = event.what {
            assert_eq!(record.id.number, closed.len() as u64 + 1);
            closed.insert(record.id.orig());
        }
    });
    assert_eq!((closed.len(), table.counts().open), (FLOWS as usize, 0));
}
