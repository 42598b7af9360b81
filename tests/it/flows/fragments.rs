//! Fragments become the datagrams that they are parts of (RFC 791 section 3.2, RFC 8200 section 4.5).

use lcap::decode::decode;
use lcap::flow::{FlowTable, Side};
use lcap::packet::{Frame, LinkType, Options, Timestamp};
use std::ops::Range;

use super::script::{Captured, PORT, Peers, STREAMS, captured, ends, run};
use super::wire;

/// 4000 bytes.
fn data() -> String {
    (0..4000)
        .map(|at| char::from(b'a' + (at % 23) as u8))
        .collect()
}

/// Fragments of a datagram with `data` from the client, 10 µs apart.
fn parts(peers: &Peers, id: u32, parts: &[Range<usize>]) -> Vec<Captured> {
    let contents = wire::datagram(peers.client, peers.server, data().as_bytes());
    let (from, to) = (peers.client.ip(), peers.server.ip());
    let times = (0..).step_by(10_000);
    let packets = times
        .zip(parts)
        .map(|(time, part)| captured(time, &wire::fragment(from, to, id, &contents, part.clone())));
    packets.collect()
}

const FIRST: Range<usize> = 0..1480;
const SECOND: Range<usize> = 1480..2960;
const THIRD: Range<usize> = 2960..4008;

#[test]
fn in_any_order() {
    for peers in [Peers::on_port(PORT), Peers::on_port_6(PORT)] {
        for order in [
            [FIRST, SECOND, THIRD],
            [THIRD, SECOND, FIRST],
            [SECOND, THIRD, FIRST],
            [THIRD, FIRST, SECOND],
        ] {
            let fragments = parts(&peers, 7, &order);
            let frames: u32 = fragments.iter().map(|frame| frame.wire_len).sum();
            let told = run(&fragments, STREAMS);
            let whole = format!("1 orig 0 {:?}", data());
            assert_eq!(told.streams, [whole], "{order:?}");
            let traffic = told.only().sides[0].traffic;
            assert_eq!((traffic.pkts, traffic.payload_bytes), (1, 4000));
            assert_eq!(traffic.wire_bytes, u64::from(frames));
            // One header, as if it had not been fragmented; IPv6 without that for fragments.
            let header = if peers.client.is_ipv4() { 20 } else { 40 };
            assert_eq!(traffic.ip_bytes, header + 4008);
            assert_eq!(told.counts.incomplete, 0);
        }
    }
}

#[test]
fn twice_and_overlapping() {
    let peers = Peers::on_port(PORT);
    for order in [
        &[FIRST, FIRST, SECOND, SECOND, THIRD][..],
        &[FIRST, 800..2960, THIRD],
        &[THIRD, 800..3200, FIRST],
        &[FIRST, THIRD, 0..4000],
    ] {
        let told = run(&parts(&peers, 7, order), STREAMS);
        assert_eq!(told.only().sides[0].bytes, 4000, "{order:?}");
        assert_eq!(told.said(Side::Orig), data().as_bytes(), "{order:?}");
    }
}

/// Two datagrams are told apart by their numbers, and by who sends them.
#[test]
fn two_at_once() {
    let peers = Peers::on_port(PORT);
    let other = Peers {
        client: ([127, 0, 0, 9], 40_000).into(),
        ..peers
    };
    let all = [FIRST, SECOND, THIRD];
    let three = [
        parts(&peers, 1, &all),
        parts(&peers, 2, &all),
        parts(&other, 1, &all),
    ];
    let mixed: Vec<Captured> = (0..3)
        .flat_map(|n| three.iter().map(move |one| one[n].clone()))
        .collect();
    let told = run(&mixed, STREAMS);
    let pkts: Vec<u64> = told
        .records
        .iter()
        .map(|flow| flow.sides[0].traffic.pkts)
        .collect();
    assert_eq!(pkts, [2, 1]);
    assert_eq!(told.counts.incomplete, 0);
}

#[test]
fn what_is_missing_is_counted() {
    let peers = Peers::on_port(PORT);
    for order in [
        &[FIRST, SECOND][..],
        &[FIRST, THIRD],
        &[SECOND, THIRD],
        &[THIRD],
        // What lies behind the end fills no hole.
        &[3200..3600, FIRST, 1480..1488],
    ] {
        let told = run(&parts(&peers, 7, order), STREAMS);
        assert_eq!(told.records.len(), 0, "{order:?}");
        assert_eq!(told.counts.incomplete, 1, "{order:?}");
    }
}

#[test]
fn an_impossible_header_is_counted() {
    let peers = Peers::on_port(PORT);
    let mut contents = wire::datagram(peers.client, peers.server, data().as_bytes());
    // A length in the header of UDP that is shorter than the header.
    contents[4..6].copy_from_slice(&[0, 3]);
    let (from, to) = (peers.client.ip(), peers.server.ip());
    let fragment = |part| captured(0, &wire::fragment(from, to, 7, &contents, part));
    let told = run(&[FIRST, SECOND, THIRD].map(fragment), STREAMS);
    assert_eq!((told.opened.len(), told.counts.incomplete), (0, 0));
    assert_eq!(told.counts.unreadable, 1);
}

/// The last fragment says where the end is: what claims to be behind it does not make the datagram whole.
#[test]
fn bytes_behind_the_end_fill_no_hole() {
    let peers = Peers::on_port(PORT);
    let mut fragments = parts(&peers, 7, &[800..1480, 16..24]);
    // The second one is the last.
    fragments[1].bytes[14 + 6] &= !0x20;
    let told = run(&fragments, STREAMS);
    assert_eq!((told.opened.len(), told.counts.unreadable), (0, 0));
    assert_eq!(told.counts.incomplete, 1);
}

/// 30 s (ip-sysctl, `ipfrag_time`).
#[test]
fn what_comes_too_late() {
    let peers = Peers::on_port(PORT);
    for (after, whole) in [(30_000_000_000, 1), (30_000_010_001, 0)] {
        let mut fragments = parts(&peers, 7, &[FIRST, SECOND, THIRD]);
        fragments[2].time = after;
        let told = run(&fragments, STREAMS);
        assert_eq!(told.records.len(), whole, "{after}");
    }
}

/// A datagram is counted once, however many of its fragments the snap length cut.
#[test]
fn what_is_cut_is_counted() {
    let mut fragments = parts(&Peers::on_port(PORT), 7, &[FIRST, SECOND, THIRD]);
    for fragment in &mut fragments {
        fragment.bytes.truncate(200);
    }
    let told = run(&fragments, STREAMS);
    assert_eq!((told.records.len(), told.counts.incomplete), (0, 1));
}

/// Fragments without contents wait, too, and not without bounds: 8 MiB are fewer than 100 000 datagrams.
#[test]
fn nothing_in_many_parts() {
    let interface = lcap::packet::Interface::default();
    let mut table = FlowTable::new(STREAMS);
    for n in 0..100_000_u32 {
        let [.., a, b] = (n >> 8).to_be_bytes();
        let from = [10, 0, a, b].into();
        let bytes = wire::fragment(from, [127, 0, 0, 1].into(), n & 0xff, &[0; 16], 8..8);
        let frame = Frame {
            number: u64::from(n) + 1,
            time: Timestamp(0),
            interface: &interface,
            link: LinkType::RAW,
            wire_len: bytes.len() as u32,
            bytes: &bytes,
            options: Options::default(),
        };
        let packet = decode(&frame);
        assert!(packet.fragment.is_some());
        table.push(&packet, &mut |_| panic!("a flow"));
    }
    assert!(table.counts().incomplete > 10_000);
    table.finish(&mut |_| panic!("a flow"));
    assert_eq!(table.counts().incomplete, 100_000);
}

/// An answer that is fragmented belongs to the flow of its question.
#[test]
fn a_whole_question_and_an_answer_in_parts() {
    let peers = Peers::on_port(PORT);
    let back = Peers {
        client: peers.server,
        server: peers.client,
        ..peers
    };
    let mut script = vec![captured(0, &wire::udp(peers.client, peers.server, b"ask"))];
    script.extend(parts(&back, 7, &[FIRST, SECOND, THIRD]));
    let told = run(&script, STREAMS);
    assert_eq!(ends(&told), ["SF Dd Normal Capture"]);
    assert_eq!(told.only().side(Side::Resp).bytes, 4000);
}
