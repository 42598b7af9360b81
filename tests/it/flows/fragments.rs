//! IP fragment reassembly (RFC 791 section 3.2, RFC 8200 section 4.5).

use lcap::internals::decode::decode;
use lcap::internals::flow::{FlowTable, Side};
use lcap::internals::packet::{Frame, FrameOptions, LinkType, Timestamp};
use std::ops::Range;

use super::script::{CapturedFrame, PORT, Peers, STREAMS, captured_frame, outcomes, run_checked};
use super::wire;

/// Returns 4000 bytes of text.
fn test_data() -> String {
    (0..4000)
        .map(|at| char::from(b'a' + (at % 23) as u8))
        .collect()
}

/// Returns fragments of a datagram from the client with [`test_data`], 10 µs apart.
fn fragments(peers: &Peers, id: u32, parts: &[Range<usize>]) -> Vec<CapturedFrame> {
    let contents = wire::datagram(peers.client, peers.server, test_data().as_bytes());
    let (from, to) = (peers.client.ip(), peers.server.ip());
    let times = (0..).step_by(10_000);
    let packets = times.zip(parts).map(|(time, part)| {
        captured_frame(time, &wire::fragment(from, to, id, &contents, part.clone()))
    });
    packets.collect()
}

const FIRST: Range<usize> = 0..1480;
const SECOND: Range<usize> = 1480..2960;
const THIRD: Range<usize> = 2960..4008;

#[test]
fn fragments_are_reassembled_in_any_order() {
    for peers in [Peers::on_port(PORT), Peers::on_port_v6(PORT)] {
        for order in [
            [FIRST, SECOND, THIRD],
            [THIRD, SECOND, FIRST],
            [SECOND, THIRD, FIRST],
            [THIRD, FIRST, SECOND],
        ] {
            let fragments = fragments(&peers, 7, &order);
            let wire_len: u32 = fragments.iter().map(|frame| frame.wire_len).sum();
            let log = run_checked(&fragments, STREAMS);
            let expected = format!("1 orig 0 {:?}", test_data());
            assert_eq!(log.stream_events, [expected], "{order:?}");
            let traffic = log.only_flow().sides[0].traffic;
            assert_eq!((traffic.pkts, traffic.payload_bytes), (1, 4000));
            assert_eq!(traffic.wire_bytes, u64::from(wire_len));
            // One IP header, as in an unfragmented packet; without IPv6's fragment header.
            let header = if peers.client.is_ipv4() { 20 } else { 40 };
            assert_eq!(traffic.ip_bytes, header + 4008);
            assert_eq!(log.counts.incomplete, 0);
        }
    }
}

#[test]
fn duplicate_and_overlapping_fragments_are_reassembled() {
    let peers = Peers::on_port(PORT);
    for order in [
        &[FIRST, FIRST, SECOND, SECOND, THIRD][..],
        &[FIRST, 800..2960, THIRD],
        &[THIRD, 800..3200, FIRST],
        &[FIRST, THIRD, 0..4000],
    ] {
        let log = run_checked(&fragments(&peers, 7, order), STREAMS);
        assert_eq!(log.only_flow().sides[0].bytes, 4000, "{order:?}");
        assert_eq!(log.payload(Side::Orig), test_data().as_bytes(), "{order:?}");
    }
}

/// Datagrams are distinguished by their identification and their addresses.
#[test]
fn interleaved_datagrams_are_reassembled_separately() {
    let peers = Peers::on_port(PORT);
    let other = Peers {
        client: ([127, 0, 0, 9], 40_000).into(),
        ..peers
    };
    let parts = [FIRST, SECOND, THIRD];
    let datagrams = [
        fragments(&peers, 1, &parts),
        fragments(&peers, 2, &parts),
        fragments(&other, 1, &parts),
    ];
    let mixed: Vec<CapturedFrame> = (0..3)
        .flat_map(|n| datagrams.iter().map(move |fragments| fragments[n].clone()))
        .collect();
    let log = run_checked(&mixed, STREAMS);
    let pkts: Vec<u64> = log
        .records
        .iter()
        .map(|flow| flow.sides[0].traffic.pkts)
        .collect();
    assert_eq!(pkts, [2, 1]);
    assert_eq!(log.counts.incomplete, 0);
}

#[test]
fn incomplete_datagrams_are_counted() {
    let peers = Peers::on_port(PORT);
    for order in [
        &[FIRST, SECOND][..],
        &[FIRST, THIRD],
        &[SECOND, THIRD],
        &[THIRD],
        // Bytes beyond the end do not fill a gap.
        &[3200..3600, FIRST, 1480..1488],
    ] {
        let log = run_checked(&fragments(&peers, 7, order), STREAMS);
        assert_eq!(log.records.len(), 0, "{order:?}");
        assert_eq!(log.counts.incomplete, 1, "{order:?}");
    }
}

#[test]
fn an_unreadable_header_of_a_reassembled_datagram_is_counted() {
    let peers = Peers::on_port(PORT);
    let mut contents = wire::datagram(peers.client, peers.server, test_data().as_bytes());
    // The UDP length field is smaller than the header.
    contents[4..6].copy_from_slice(&[0, 3]);
    let (from, to) = (peers.client.ip(), peers.server.ip());
    let fragment = |part| captured_frame(0, &wire::fragment(from, to, 7, &contents, part));
    let log = run_checked(&[FIRST, SECOND, THIRD].map(fragment), STREAMS);
    assert_eq!((log.opened.len(), log.counts.incomplete), (0, 0));
    assert_eq!(log.counts.unreadable, 1);
}

/// The last fragment determines the datagram's length; fragments beyond it do not complete the
/// datagram.
#[test]
fn bytes_beyond_the_end_do_not_complete_a_datagram() {
    let peers = Peers::on_port(PORT);
    let mut fragments = fragments(&peers, 7, &[800..1480, 16..24]);
    // The second fragment is the last: clear its more-fragments flag.
    fragments[1].bytes[14 + 6] &= !0x20;
    let log = run_checked(&fragments, STREAMS);
    assert_eq!((log.opened.len(), log.counts.unreadable), (0, 0));
    assert_eq!(log.counts.incomplete, 1);
}

/// The timeout is Linux's (ip-sysctl, `ipfrag_time`).
#[test]
fn fragments_time_out_after_30_seconds() {
    let peers = Peers::on_port(PORT);
    for (last_time, flows) in [(30_000_000_000, 1), (30_000_010_001, 0)] {
        let mut fragments = fragments(&peers, 7, &[FIRST, SECOND, THIRD]);
        fragments[2].time = last_time;
        let log = run_checked(&fragments, STREAMS);
        assert_eq!(log.records.len(), flows, "{last_time}");
    }
}

/// The snapshot length cut every fragment; the datagram still counts as one incomplete datagram.
#[test]
fn a_datagram_cut_by_the_snap_length_is_counted_once() {
    let mut fragments = fragments(&Peers::on_port(PORT), 7, &[FIRST, SECOND, THIRD]);
    for fragment in &mut fragments {
        fragment.bytes.truncate(200);
    }
    let log = run_checked(&fragments, STREAMS);
    assert_eq!((log.records.len(), log.counts.incomplete), (0, 1));
}

/// Fragments without contents also use memory, and are subject to the limit of 8 MiB, which is less
/// than 100,000 datagrams need.
#[test]
fn empty_fragments_are_bounded() {
    let interface = lcap::internals::packet::Interface::default();
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
            options: FrameOptions::default(),
        };
        let packet = decode(&frame);
        assert!(packet.fragment().is_some());
        table.push(&packet, &mut |_| panic!("unexpected flow event"));
    }
    assert!(table.counts().incomplete > 10_000);
    table.finish(&mut |_| panic!("unexpected flow event"));
    assert_eq!(table.counts().incomplete, 100_000);
}

/// A fragmented response belongs to the flow of its request.
#[test]
fn a_fragmented_response_belongs_to_its_flow() {
    let peers = Peers::on_port(PORT);
    let reversed = Peers {
        client: peers.server,
        server: peers.client,
        ..peers
    };
    let mut script = vec![captured_frame(
        0,
        &wire::udp(peers.client, peers.server, b"get"),
    )];
    script.extend(fragments(&reversed, 7, &[FIRST, SECOND, THIRD]));
    let log = run_checked(&script, STREAMS);
    assert_eq!(outcomes(&log), ["SF Dd Normal Capture"]);
    assert_eq!(log.only_flow().side(Side::Resp).bytes, 4000);
}
