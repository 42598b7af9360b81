//! UDP and ICMP flows: requests with and without responses, and ICMP errors (RFC 768, RFC 792,
//! RFC 4443).

use lcap::internals::flow::{FlowRecord, GapCause, OutcomeKind, Side};
use std::net::SocketAddr;

use super::script::{
    CapturedFrame, FlowLog, PORT, Peers, STREAMS, captured_frame, outcomes, run_checked,
};
use super::wire::{self, ICMP, ICMPV6};

/// Returns peers over IPv4 and over IPv6.
fn all_peers() -> [Peers; 2] {
    [Peers::on_port(PORT), Peers::on_port_v6(PORT)]
}

/// Returns datagrams, 10 µs apart; `messages` contains the sender and the data of each.
fn datagrams(peers: &Peers, messages: &[(Side, &str)]) -> Vec<CapturedFrame> {
    let times = (0..).step_by(10_000);
    let packets = times.zip(messages).map(|(time, (side, data))| {
        let (from, to) = match side {
            Side::Orig => (peers.client, peers.server),
            Side::Resp => (peers.server, peers.client),
        };
        captured_frame(time, &wire::udp(from, to, data.as_bytes()))
    });
    packets.collect()
}

/// Returns the ICMP error "port unreachable" that the server's host sends about a packet.
fn port_unreachable(time: i64, about: &CapturedFrame, peers: &Peers) -> CapturedFrame {
    let (kind, code) = if peers.client.is_ipv4() {
        (3, 3)
    } else {
        (1, 4)
    };
    let (from, to) = (peers.server.ip(), peers.client.ip());
    let quoted = &about.bytes[14..];
    captured_frame(time, &wire::icmp(from, to, kind, code, quoted))
}

#[test]
fn requests_and_responses_are_one_flow() {
    use Side::{Orig, Resp};
    for peers in all_peers() {
        let script = [(Orig, "get"), (Resp, "answer"), (Orig, ""), (Orig, "more")];
        let log = run_checked(&datagrams(&peers, &script), STREAMS);
        assert_eq!(outcomes(&log), ["SF Dd Normal Capture"]);
        assert_eq!(
            log.stream_events,
            [
                "1 orig 0 \"get\"",
                "1 resp 0 \"answer\"",
                "1 orig 3 \"\"",
                "1 orig 3 \"more\""
            ]
        );
        let flow = log.only_flow();
        assert_eq!(
            (flow.id.orig(), flow.id.resp()),
            (peers.client, peers.server)
        );
        assert_eq!(flow.sides.map(|side| side.bytes), [7, 6]);
        assert_eq!(flow.sides.map(|side| side.traffic.pkts), [3, 1]);
        assert_eq!(flow.duration.0, 30_000);
        assert_eq!(flow.response_times.map(|times| times.max), Some(10_000));
    }
}

/// If only one of the two ports is a server port, its side is the responder.
#[test]
fn port_determines_direction_of_a_response_without_its_request() {
    use Side::{Orig, Resp};
    for (port, script, expected, client_is_orig) in [
        (
            PORT,
            &[(Resp, "answer")][..],
            "S0 D NoAnswer Capture",
            false,
        ),
        (53, &[(Resp, "answer")], "SHR ^d Midstream Capture", true),
        (
            53,
            &[(Resp, "answer"), (Orig, "get")],
            "SF ^dD Normal Capture",
            true,
        ),
    ] {
        let peers = Peers::on_port(port);
        let log = run_checked(&datagrams(&peers, script), STREAMS);
        assert_eq!(outcomes(&log), [expected]);
        assert_eq!(log.only_flow().id.orig() == peers.client, client_is_orig);
    }
}

#[test]
fn icmp_port_unreachable_refuses_a_udp_flow() {
    for peers in all_peers() {
        let mut script = datagrams(&peers, &[(Side::Orig, "hello")]);
        script.push(port_unreachable(14_000, &script[0], &peers));
        let log = run_checked(&script, STREAMS);
        // The error is a separate flow, as in Zeek, and is not counted in the flow whose packet it
        // quotes.
        assert_eq!(outcomes(&log)[0], "S0 D Refused Capture");
        let FlowRecord { sides, outcome, .. } = &log.records[0];
        assert_eq!(sides.map(|side| side.traffic.pkts), [1, 0]);
        assert_eq!(outcome.evidence().to_string(), "ICMP: port unreachable");
        let error = &log.records[1];
        assert_eq!(log.records.len(), 2);
        assert_eq!(error.id.orig().ip(), peers.server.ip());
        let (proto, kind, code) = match peers.client.is_ipv4() {
            true => (ICMP, 3, 3),
            false => (ICMPV6, 1, 4),
        };
        let ports = [error.id.orig(), error.id.resp()].map(|end| end.port());
        assert_eq!((error.id.proto(), ports), (proto, [kind, code]));
        assert_eq!(log.counts.unreadable, 0);
    }
}

#[test]
fn unrelated_icmp_errors_do_not_refuse_a_flow() {
    use Side::{Orig, Resp};
    let peers = Peers::on_port(PORT);
    let request = datagrams(&peers, &[(Orig, "hello")]);
    let exchange = datagrams(&peers, &[(Orig, "hello"), (Resp, "hello")]);
    let other = Peers::on_port(PORT + 1);
    let other_flow = datagrams(&other, &[(Orig, "hello")]);
    let error_about = |frame: &CapturedFrame| port_unreachable(14_000, frame, &peers);
    let mut host_unreachable = error_about(&request[0]);
    // Code 1: host unreachable.
    host_unreachable.bytes[14 + 20 + 1] = 1;
    let mut truncated = error_about(&request[0]);
    // Without the quoted ports.
    truncated.bytes.truncate(14 + 20 + 8 + 20 + 3);
    for (name, script, expected) in [
        (
            "after the response",
            [&exchange[..], &[error_about(&exchange[0])]].concat(),
            OutcomeKind::Normal,
        ),
        (
            "about the response",
            [&request[..], &[error_about(&exchange[1])]].concat(),
            OutcomeKind::NoAnswer,
        ),
        (
            "about another flow",
            [&request[..], &[error_about(&other_flow[0])]].concat(),
            OutcomeKind::NoAnswer,
        ),
        (
            "host unreachable",
            [&request[..], &[host_unreachable]].concat(),
            OutcomeKind::NoAnswer,
        ),
        (
            "truncated",
            [&request[..], &[truncated]].concat(),
            OutcomeKind::NoAnswer,
        ),
        (
            "before its cause",
            [&[error_about(&request[0])], &request[..]].concat(),
            OutcomeKind::NoAnswer,
        ),
    ] {
        let log = run_checked(&script, STREAMS);
        let flow = log.records.iter().find(|flow| flow.id.transport() == "udp");
        assert_eq!(flow.unwrap().outcome.kind, expected, "{name}");
    }
}

/// Pushes ICMP messages, 10 µs apart, through a table; `messages` contains the sender, type, code
/// and data of each.
fn run_icmp_messages(peers: &Peers, messages: &[(Side, u8, u8, &str)]) -> FlowLog {
    let times = (0..).step_by(10_000);
    let packets = times.zip(messages).map(|(time, (side, kind, code, data))| {
        let (from, to) = match side {
            Side::Orig => (peers.client.ip(), peers.server.ip()),
            Side::Resp => (peers.server.ip(), peers.client.ip()),
        };
        captured_frame(time, &wire::icmp(from, to, *kind, *code, data.as_bytes()))
    });
    run_checked(&packets.collect::<Vec<_>>(), STREAMS)
}

/// An echo request and its reply are one flow even if both have the same source and destination
/// address, as on loopback.
#[test]
fn an_echo_and_its_reply_are_one_flow() {
    use Side::{Orig, Resp};
    for (mut peers, request, reply) in [
        (Peers::on_port(PORT), 8, 0),
        (Peers::on_port_v6(PORT), 128, 129),
    ] {
        for server in ["10.0.0.7:0", "127.0.0.1:0"] {
            if peers.client.is_ipv4() {
                peers.server = server.parse::<SocketAddr>().unwrap();
            }
            let log = run_icmp_messages(
                &peers,
                &[
                    (Orig, request, 0, "hello"),
                    (Resp, reply, 0, "hello"),
                    (Orig, request, 0, "again"),
                ],
            );
            assert_eq!(outcomes(&log), ["OTH  Midstream Capture"]);
            let flow = log.only_flow();
            let ports = [flow.id.orig(), flow.id.resp()].map(|end| end.port());
            assert_eq!(ports, [u16::from(request), u16::from(reply)]);
            assert_eq!(flow.sides.map(|side| side.traffic.pkts), [2, 1]);
            assert_eq!(flow.sides.map(|side| side.bytes), [10, 5]);
            assert_eq!(flow.outcome.evidence().to_string(), "3 messages");
            assert_eq!(log.stream_events, [""; 0]);
        }
    }
}

/// ICMP types that have no reply type form one flow per direction.
#[test]
fn one_way_icmp_messages_are_one_flow_per_direction() {
    use Side::{Orig, Resp};
    let log = run_icmp_messages(
        &Peers {
            server: ([127, 0, 0, 2], 0).into(),
            ..Peers::on_port(PORT)
        },
        &[
            (Orig, 3, 1, "quoted"),
            (Resp, 3, 1, "quoted"),
            (Orig, 3, 1, "quoted"),
            (Orig, 11, 0, "quoted"),
        ],
    );
    let pkts: Vec<_> = log
        .records
        .iter()
        .map(|flow| flow.sides[0].traffic.pkts)
        .collect();
    assert_eq!(pkts, [2, 1, 1]);
}

/// The snapshot length also cuts datagrams.
#[test]
fn datagrams_cut_by_the_snap_length_report_a_cut() {
    let peers = Peers::on_port(PORT);
    let mut script = datagrams(&peers, &[(Side::Orig, "hello"), (Side::Orig, "again")]);
    script[0].bytes.truncate(14 + 20 + 8 + 2);
    script[1].bytes.truncate(14 + 20 + 8);
    let log = run_checked(&script, STREAMS);
    let cut = format!("{:?}", GapCause::Cut).to_lowercase();
    let expected = [
        "1 orig 0 \"he\"".into(),
        format!("1 orig 2 {cut} 3"),
        format!("1 orig 5 {cut} 5"),
    ];
    assert_eq!(log.stream_events, expected);
    assert_eq!(log.only_flow().sides[0].bytes, 10);

    // Cut inside the UDP header: the length is unknown, and the packet is counted as unreadable.
    let mut script = datagrams(&peers, &[(Side::Orig, "hello")]);
    script[0].bytes.truncate(14 + 20 + 5);
    let log = run_checked(&script, STREAMS);
    assert_eq!((log.records.len(), log.counts.unreadable), (0, 1));
}
