//! UDP and ICMP as flows: what is asked, what is answered, and what nobody listened to (RFC 768, RFC 792, RFC 4443).

use lcap::flow::{Cause, FlowRecord, Side, Verdict};
use std::net::SocketAddr;

use super::script::{Captured, PORT, Peers, STREAMS, Told, captured, ends, run};
use super::wire::{self, ICMP, ICMPV6};

const PEERS: fn() -> [Peers; 2] = || [Peers::on_port(PORT), Peers::on_port_6(PORT)];

/// Datagrams, 10 µs apart: whether the client sends them, and what.
fn datagrams(peers: &Peers, all: &[(Side, &str)]) -> Vec<Captured> {
    let times = (0..).step_by(10_000);
    let packets = times.zip(all).map(|(time, (side, data))| {
        let (from, to) = match side {
            Side::Orig => (peers.client, peers.server),
            Side::Resp => (peers.server, peers.client),
        };
        captured(time, &wire::udp(from, to, data.as_bytes()))
    });
    packets.collect()
}

/// An error about a packet: port unreachable, as the server's host sends it.
fn unreachable(time: i64, about: &Captured, peers: &Peers) -> Captured {
    let (kind, code) = if peers.client.is_ipv4() {
        (3, 3)
    } else {
        (1, 4)
    };
    let (from, to) = (peers.server.ip(), peers.client.ip());
    let quoted = &about.bytes[14..];
    captured(time, &wire::icmp(from, to, kind, code, quoted))
}

#[test]
fn questions_and_answers() {
    use Side::{Orig, Resp};
    for peers in PEERS() {
        let script = [(Orig, "ask"), (Resp, "answer"), (Orig, ""), (Orig, "more")];
        let told = run(&datagrams(&peers, &script), STREAMS);
        assert_eq!(ends(&told), ["SF Dd Normal Capture"]);
        assert_eq!(
            told.streams,
            [
                "1 orig 0 \"ask\"",
                "1 resp 0 \"answer\"",
                "1 orig 3 \"\"",
                "1 orig 3 \"more\""
            ]
        );
        let flow = told.only();
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

/// Who is the server is told by its port, if only that is one.
#[test]
fn answers_whose_question_was_not_captured() {
    use Side::{Orig, Resp};
    for (port, script, expected, upright) in [
        (
            PORT,
            &[(Resp, "answer")][..],
            "S0 D NoAnswer Capture",
            false,
        ),
        (53, &[(Resp, "answer")], "SHR ^d Midstream Capture", true),
        (
            53,
            &[(Resp, "answer"), (Orig, "ask")],
            "SF ^dD Normal Capture",
            true,
        ),
    ] {
        let peers = Peers::on_port(port);
        let told = run(&datagrams(&peers, script), STREAMS);
        assert_eq!(ends(&told), [expected]);
        assert_eq!(told.only().id.orig() == peers.client, upright);
    }
}

#[test]
fn nobody_listens() {
    for peers in PEERS() {
        let mut script = datagrams(&peers, &[(Side::Orig, "hello")]);
        script.push(unreachable(14_000, &script[0], &peers));
        let told = run(&script, STREAMS);
        // The error is a flow of its own, as in Zeek, and no packet of the one that it is about.
        assert_eq!(ends(&told)[0], "S0 D Refused Capture");
        let FlowRecord { sides, outcome, .. } = &told.records[0];
        assert_eq!(sides.map(|side| side.traffic.pkts), [1, 0]);
        assert_eq!(outcome.evidence().to_string(), "ICMP: port unreachable");
        let error = &told.records[1];
        assert_eq!(told.records.len(), 2);
        assert_eq!(error.id.orig().ip(), peers.server.ip());
        let (proto, kind, code) = match peers.client.is_ipv4() {
            true => (ICMP, 3, 3),
            false => (ICMPV6, 1, 4),
        };
        let ports = [error.id.orig(), error.id.resp()].map(|end| end.port());
        assert_eq!((error.id.proto(), ports), (proto, [kind, code]));
        assert_eq!(told.counts.unreadable, 0);
    }
}

#[test]
fn errors_about_something_else() {
    use Side::{Orig, Resp};
    let peers = Peers::on_port(PORT);
    let ask = datagrams(&peers, &[(Orig, "hello")]);
    let both = datagrams(&peers, &[(Orig, "hello"), (Resp, "hello")]);
    let other = Peers::on_port(PORT + 1);
    let others = datagrams(&other, &[(Orig, "hello")]);
    let about = |about: &Captured| unreachable(14_000, about, &peers);
    let mut host = about(&ask[0]);
    // Destination host instead of port unreachable.
    host.bytes[14 + 20 + 1] = 1;
    let mut cut = about(&ask[0]);
    // Without the quoted ports.
    cut.bytes.truncate(14 + 20 + 8 + 20 + 3);
    for (name, script, verdict) in [
        (
            "answered before",
            [&both[..], &[about(&both[0])]].concat(),
            Verdict::Normal,
        ),
        (
            "about the answer",
            [&ask[..], &[about(&both[1])]].concat(),
            Verdict::NoAnswer,
        ),
        (
            "about another flow",
            [&ask[..], &[about(&others[0])]].concat(),
            Verdict::NoAnswer,
        ),
        (
            "another error",
            [&ask[..], &[host]].concat(),
            Verdict::NoAnswer,
        ),
        ("cut", [&ask[..], &[cut]].concat(), Verdict::NoAnswer),
        (
            "before its cause",
            [&[about(&ask[0])], &ask[..]].concat(),
            Verdict::NoAnswer,
        ),
    ] {
        let told = run(&script, STREAMS);
        let flow = told
            .records
            .iter()
            .find(|flow| flow.id.transport() == "udp");
        assert_eq!(flow.unwrap().outcome.verdict, verdict, "{name}");
    }
}

/// Messages, 10 µs apart: type, code, data.
fn messages(peers: &Peers, all: &[(Side, u8, u8, &str)]) -> Told {
    let times = (0..).step_by(10_000);
    let packets = times.zip(all).map(|(time, (side, kind, code, data))| {
        let (from, to) = match side {
            Side::Orig => (peers.client.ip(), peers.server.ip()),
            Side::Resp => (peers.server.ip(), peers.client.ip()),
        };
        captured(time, &wire::icmp(from, to, *kind, *code, data.as_bytes()))
    });
    run(&packets.collect::<Vec<_>>(), STREAMS)
}

/// An echo and its reply are one flow, although on loopback both go from the same address to the same.
#[test]
fn echo_requests_and_replies() {
    use Side::{Orig, Resp};
    for (mut peers, request, reply) in [
        (Peers::on_port(PORT), 8, 0),
        (Peers::on_port_6(PORT), 128, 129),
    ] {
        for server in ["10.0.0.7:0", "127.0.0.1:0"] {
            if peers.client.is_ipv4() {
                peers.server = server.parse::<SocketAddr>().unwrap();
            }
            let told = messages(
                &peers,
                &[
                    (Orig, request, 0, "hello"),
                    (Resp, reply, 0, "hello"),
                    (Orig, request, 0, "again"),
                ],
            );
            assert_eq!(ends(&told), ["OTH  Midstream Capture"]);
            let flow = told.only();
            let ports = [flow.id.orig(), flow.id.resp()].map(|end| end.port());
            assert_eq!(ports, [u16::from(request), u16::from(reply)]);
            assert_eq!(flow.sides.map(|side| side.traffic.pkts), [2, 1]);
            assert_eq!(flow.sides.map(|side| side.bytes), [10, 5]);
            assert_eq!(flow.outcome.evidence().to_string(), "3 messages");
            assert_eq!(told.streams, [""; 0]);
        }
    }
}

/// What is not answered by its like are two flows, one for each direction.
#[test]
fn messages_that_go_one_way() {
    use Side::{Orig, Resp};
    let told = messages(
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
    let pkts: Vec<_> = told
        .records
        .iter()
        .map(|flow| flow.sides[0].traffic.pkts)
        .collect();
    assert_eq!(pkts, [2, 1, 1]);
}

/// The snap length cuts datagrams, too.
#[test]
fn datagrams_that_are_cut() {
    let peers = Peers::on_port(PORT);
    let mut script = datagrams(&peers, &[(Side::Orig, "hello"), (Side::Orig, "again")]);
    script[0].bytes.truncate(14 + 20 + 8 + 2);
    script[1].bytes.truncate(14 + 20 + 8);
    let told = run(&script, STREAMS);
    let cut = format!("{:?}", Cause::Cut).to_lowercase();
    let expected = [
        "1 orig 0 \"he\"".into(),
        format!("1 orig 2 {cut} 3"),
        format!("1 orig 5 {cut} 5"),
    ];
    assert_eq!(told.streams, expected);
    assert_eq!(told.only().sides[0].bytes, 10);

    // Inside the header nobody knows how much it is; it is counted.
    let mut script = datagrams(&peers, &[(Side::Orig, "hello")]);
    script[0].bytes.truncate(14 + 20 + 5);
    let told = run(&script, STREAMS);
    assert_eq!((told.records.len(), told.counts.unreadable), (0, 1));
}
