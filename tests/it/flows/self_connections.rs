//! Sockets that are connected to themselves: both ends of the flow are one socket, which receives
//! what it sends (RFC 9293 section 3.5, simultaneous open).

use lcap::internals::flow::Side;

use super::script::{
    FlowLog, PORT, Peers, STREAMS, captured_frame, describe_analysis, outcomes, run_checked,
    script_frames,
};
use super::wire;

/// The SYN, and the SYN-ACK and ACK with which the socket answers itself.
const OPEN: &str = "
    0  > S  0
    10 > S. 0 1
    20 > .  1 1
";

/// Returns a socket that is connected to itself.
fn one_socket() -> Peers {
    let peers = Peers::on_port(PORT);
    Peers {
        client: peers.server,
        isns: [peers.isns[0]; 2],
        ..peers
    }
}

fn run(script: &str) -> FlowLog {
    run_checked(&script_frames(script, &one_socket()), STREAMS)
}

#[test]
fn connections_to_oneself_have_the_expected_outcome() {
    for (name, script, expected) in [
        ("SYN only", "0 > S 0".into(), "S0 S NoAnswer Capture"),
        ("opened", OPEN.into(), "S1 SHA Open Capture"),
        (
            "closed",
            format!("{OPEN} 30 > P. 1 1 hello\n 40 > . 6 6\n 50 > F. 6 6\n 60 > . 7 7"),
            "SF SHADF Normal Closed",
        ),
        (
            "reset",
            format!("{OPEN} 30 > P. 1 1 hello\n 50 > R. 6 6"),
            "RSTO SHADR Reset(Orig) Closed",
        ),
        (
            "opened by an unseen SYN",
            "10 > S. 0 1\n 20 > . 1 1\n 30 > F. 1 1".into(),
            "SF HAF Normal Closed",
        ),
        (
            "started before the capture",
            "30 > P. 1 1 hello\n 40 > . 6 6".into(),
            "OTH DA Midstream Capture",
        ),
        (
            "another connection with the same port",
            format!("{OPEN} 50 > F. 1 1\n 60 > . 2 2\n 2000000 > S 90000"),
            "SF SHAF Normal Closed",
        ),
    ] {
        assert_eq!(outcomes(&run(&script))[0], expected, "{name}");
    }
}

/// The socket acknowledges its own data, which is counted once.
#[test]
fn data_to_oneself_is_counted_once() {
    let log = run(&format!(
        "{OPEN}
         30 > P. 1  1  hello
         40 > .  6  6
         50 > P. 1  6  hello
         60 > P. 6  6  world lost
         70 > .  11 11
         80 > F. 11 11
         90 > .  12 12"
    ));
    let flow = log.only_flow();
    assert_eq!(flow.sides.map(|side| side.bytes), [10, 0]);
    assert_eq!(flow.sides.map(|side| side.traffic.pkts), [9, 0]);
    assert_eq!(flow.handshake_rtt.map(|rtt| rtt.0), Some(20_000));
    assert_eq!(
        describe_analysis(flow, Side::Orig),
        "retrans 1 bytes 5 spurious 1 lost 1 missed 5"
    );
    assert_eq!(describe_analysis(flow, Side::Resp), "");
    assert_eq!(flow.outcome.to_string(), "closed normally");
    assert_eq!(log.stream_events, ["1 orig 0 \"hello\"", "1 orig 5 lost 5"]);
}

#[test]
fn datagrams_to_oneself_are_received() {
    let socket = one_socket().client;
    let datagram =
        |time, data: &str| captured_frame(time, &wire::udp(socket, socket, data.as_bytes()));
    let log = run_checked(&[datagram(0, "wake"), datagram(5, "up")], STREAMS);
    assert_eq!(outcomes(&log), ["SF D Normal Capture"]);
    let flow = log.only_flow();
    assert_eq!(flow.sides.map(|side| side.bytes), [6, 0]);
    assert_eq!(flow.outcome.to_string(), "sent to itself");
}
