//! Originator detection, and boundaries between successive connections on the same ports.

use lcap::internals::flow::Side;

use super::script::{
    FlowLog, HANDSHAKE, PORT, Peers, STREAMS, describe_analysis, outcomes, run_checked, run_script,
    script_frames,
};

/// Returns true if the client is the originator of every flow.
fn is_client_originator(log: &FlowLog, peers: &Peers) -> bool {
    let ids = log.records.iter().map(|flow| flow.id);
    ids.clone().count() > 0
        && ids
            .into_iter()
            .all(|id| (id.orig(), id.resp()) == (peers.client, peers.server))
}

#[test]
fn the_originator_is_detected() {
    const CLOSE: &str = "
        50 > F. 1 1
        60 < F. 1 2
        70 > .  2 2";
    #[rustfmt::skip]
    let rows = [
        ("handshake", PORT, "0 > S 0
            10 < S. 0 1
            20 > . 1 1", true, "SF ShAFf Normal Closed"),
        ("handshake, the client on a server port", 0, "0 > S 0
            10 < S. 0 1
            20 > . 1 1", true, "SF ShAFf Normal Closed"),
        ("SYN-ACK before SYN", PORT, "0 < S. 0 1
            10 > S 0
            20 > . 1 1", true, "SF Hs^AFf Normal Closed"),
        ("SYN-ACK before SYN, from a server port", 80, "0 < S. 0 1
            10 > S 0
            20 > . 1 1", true, "SF ^hSAFf Normal Closed"),
        ("no SYN", PORT, "10 < S. 0 1
            20 > . 1 1", false, "SF HafF Normal Closed"),
        ("no SYN, from a server port", 80, "10 < S. 0 1
            20 > . 1 1", true, "SF ^hAFf Normal Closed"),
        ("midstream, client data first", PORT, "30 > P. 1 1", true, "SF AFf Normal Closed"),
        ("midstream, server data first", PORT, "30 < P. 1 1", false, "SF AfFa Normal Closed"),
        ("midstream, server data first, from a server port", 443, "30 < P. 1 1", true,
            "SF ^aFfA Normal Closed"),
        ("simultaneous open", PORT, "0 > S 0
            0 < S 0
            10 > S. 0 1
            10 < S. 0 1", true, "SF SsFfA Normal Closed"),
    ];
    for (name, port, script, client_is_orig, expected) in rows {
        // Port 0 marks the row whose client uses a server port; its server uses PORT.
        let mut peers = Peers::on_port(if port == 0 { PORT } else { port });
        if port == 0 {
            peers.client.set_port(80);
        }
        let log = run_checked(&script_frames(&format!("{script}{CLOSE}"), &peers), STREAMS);
        assert_eq!(outcomes(&log), [expected], "{name}");
        assert_eq!(is_client_originator(&log, &peers), client_is_orig, "{name}");
    }
}

/// If both ports are server ports, the lower port is the responder's. A SYN-ACK is an exception: it
/// may be part of a scan (Zeek's `WantConnection`).
#[test]
fn the_lower_of_two_server_ports_is_the_responder() {
    for (script, client_is_orig) in [
        ("0 < P. 1 1 hello", true),
        ("0 > P. 1 1 hello", true),
        ("0 < S. 0 1", false),
    ] {
        let mut peers = Peers::on_port(80);
        peers.client.set_port(8080);
        let log = run_checked(&script_frames(script, &peers), STREAMS);
        assert_eq!(
            is_client_originator(&log, &peers),
            client_is_orig,
            "{script}"
        );
    }
}

/// Data that arrived before the originator was determined remains with its sender.
#[test]
fn early_data_stays_with_its_sender() {
    let peers = Peers::on_port(PORT);
    let script = "0 < S. 0 1 early
                  10 > S 0 hello
                  20 < P. 6 6 more";
    let log = run_checked(&script_frames(script, &peers), STREAMS);
    let flow = log.only_flow();
    assert_eq!(log.opened, [flow.id]);
    let sent = |side: Side| String::from_utf8(log.payload(side)).unwrap();
    for (end, expected) in [(peers.client, "hello"), (peers.server, "earlymore")] {
        let side = if flow.id.orig() == end {
            Side::Orig
        } else {
            Side::Resp
        };
        assert_eq!(sent(side), expected);
    }
}

/// The packet that swaps originator and responder is itself counted for the client.
#[test]
fn data_of_a_syn_after_its_syn_ack_belongs_to_the_client() {
    let peers = Peers::on_port(PORT);
    let script = "0 < S. 0 6
                  10 > S 0 hello
                  20 < P. 1 6 world";
    let log = run_checked(&script_frames(script, &peers), STREAMS);
    assert!(is_client_originator(&log, &peers));
    assert_eq!(
        log.stream_events,
        ["1 orig 0 \"hello\"", "1 resp 0 \"world\""]
    );
}

const FIRST_CONNECTION: &str = "
    0  > S  0
    10 < S. 0 1
    20 > .  1 1
    30 > P. 1 1 one
";
const SECOND_CONNECTION: &str = "
    100000 > S 500000
    100010 < S. 900000 500001
    100020 > . 500001 900001
    100030 > P. 500001 900001 two
";

#[test]
fn a_new_isn_starts_a_new_flow() {
    for (name, between, first) in [
        ("left open", "", "S1 ShAD Open Reused"),
        (
            "closed",
            "40 > F. 4 1
             50 < F. 1 5
             60 > . 5 2",
            "SF ShADFf Normal Closed",
        ),
        ("reset", "40 < R. 1 4", "RSTR ShADr Reset(Resp) Closed"),
    ] {
        let log = run_script(&format!("{FIRST_CONNECTION}{between}{SECOND_CONNECTION}"));
        assert_eq!(outcomes(&log), [first, "S1 ShAD Open Capture"], "{name}");
        assert_eq!(
            log.stream_events,
            ["1 orig 0 \"one\"", "2 orig 0 \"two\""],
            "{name}"
        );
        assert_eq!(log.records[1].sides[0].bytes, 3, "{name}");
    }
}

/// As in Wireshark, which assigns an initial sequence number even to a stream captured midstream.
#[test]
fn a_syn_after_a_midstream_flow_starts_a_new_flow() {
    let log = run_script(&format!(
        "0 > P. 1 1 one
         10 < P. 1 4 ONE
         20 > F. 4 4
         30 < F. 4 5
         40 > . 5 5
         {SECOND_CONNECTION}"
    ));
    assert_eq!(
        outcomes(&log),
        ["SF DdFfA Normal Closed", "S1 ShAD Open Capture"]
    );
}

/// No packet of the client was captured, but the server's acknowledgement number shows whether a
/// later SYN belongs to the same connection.
#[test]
fn a_syn_after_its_response_belongs_to_the_same_flow() {
    #[rustfmt::skip]
    let rows = [
        ("RST before the SYN that it refuses", "0 < R. 0 1
            10 > S 0", &["REJ ^rS Refused Closed"][..]),
        ("SYN of the same connection, after other packets", "0 < S. 0 1
            10 < P. 1 400 hello
            20 > S 0", &["OTH ^hdS Midstream Capture"]),
        ("SYN of another connection", "0 < S. 0 1
            10 < P. 1 400 hello
            20 > S 5000000", &["OTH ^hd Midstream Reused", "S0 S NoAnswer Capture"]),
        ("SYN of another connection, with a lower ISN", "0 < P. 1 5000000 hello
            20 > S 0", &["OTH ^d Midstream Reused", "S0 S NoAnswer Capture"]),
    ];
    for (name, script, expected) in rows {
        let log = run_checked(&script_frames(script, &Peers::on_port(80)), STREAMS);
        assert_eq!(outcomes(&log), expected, "{name}");
    }
}

/// Two programs can take turns connecting to each other on the same ports.
#[test]
fn a_reversed_connection_is_a_new_flow() {
    let log = run_script(&format!(
        "{FIRST_CONNECTION}
         40 > F. 4 1
         50 < F. 1 5
         60 > . 5 2
         100000 < S 900000
         100010 > S. 500000 900001
         100020 < . 900001 500001"
    ));
    assert_eq!(
        outcomes(&log),
        ["SF ShADFf Normal Closed", "S1 ShA Open Capture"]
    );
}

#[test]
fn a_retransmitted_syn_belongs_to_the_same_flow() {
    for (name, script, expected) in [
        (
            "before the SYN-ACK",
            "0 > S 0
             1000000 > S 0
             1000010 < S. 0 1
             1000020 > . 1 1",
            "S1 ShA Open Capture",
        ),
        (
            "after the SYN-ACK",
            "0 > S 0
             10 < S. 0 1
             20 > S 0
             30 < S. 0 1
             40 > . 1 1",
            "S1 ShA Open Capture",
        ),
    ] {
        let log = run_script(script);
        assert_eq!(outcomes(&log), [expected], "{name}");
        let flow = log.only_flow();
        assert_eq!(flow.sides[0].analysis.retrans_pkts, 1, "{name}");
        // It is unknown which SYN the SYN-ACK answers.
        assert_eq!(flow.handshake_rtt, None, "{name}");
    }
}

/// TCP Fast Open (RFC 7413).
#[test]
fn syn_data_is_part_of_the_stream() {
    let log = run_script(
        "0 > S 0 hello
         10 < S. 0 6 world
         20 > . 6 6
         30 > P. 6 6 again",
    );
    // Zeek's history shows data in a SYN as a retransmission (T).
    assert_eq!(outcomes(&log), ["S1 SThtAD Open Capture"]);
    assert_eq!(
        log.stream_events,
        [
            "1 orig 0 \"hello\"",
            "1 resp 0 \"world\"",
            "1 orig 5 \"again\""
        ]
    );
    let flow = log.only_flow();
    assert_eq!([flow.sides[0].bytes, flow.sides[1].bytes], [10, 5]);
    assert_eq!(flow.handshake_rtt.map(|span| span.0), Some(20_000));

    // The SYN-ACK acknowledges only the SYN, so the data is retransmitted.
    let log = run_script(
        "0 > S 0 hello
         10 < S. 0 1
         20 > . 1 1
         30 > P. 1 1 hello",
    );
    assert_eq!(log.stream_events, ["1 orig 0 \"hello\""]);
    assert_eq!(
        describe_analysis(log.only_flow(), Side::Orig),
        "retrans 1 bytes 5"
    );
}

/// A new handshake can start before the last ACK of the previous connection.
#[test]
fn a_flow_closes_without_its_last_ack() {
    let log = run_script(&format!(
        "{HANDSHAKE}30 < F. 1 1\n40 > F. 1 2\n{SECOND_CONNECTION}"
    ));
    assert_eq!(outcomes(&log)[0], "SF ShAfF Normal Closed");
    assert_eq!(log.records.len(), 2);
}
