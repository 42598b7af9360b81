//! Who opened a connection, and where one ends and the next begins.

use lcap::flow::{End, Side};

use super::script::{HANDSHAKE, PORT, Peers, STREAMS, Told, ends, frames, play, remarks, run};

/// Whether the client is the originator of every flow.
fn is_upright(told: &Told, peers: &Peers) -> bool {
    let ids = told.records.iter().map(|flow| flow.id);
    ids.clone().count() > 0
        && ids
            .into_iter()
            .all(|id| (id.orig(), id.resp()) == (peers.client, peers.server))
}

#[test]
fn who_opened_it() {
    const CLOSE: &str = "
        50 > F. 1 1
        60 < F. 1 2
        70 > .  2 2";
    #[rustfmt::skip]
    let rows = [
        ("a handshake", PORT, "0 > S 0
            10 < S. 0 1
            20 > . 1 1", true, "SF ShAFf Normal Closed"),
        ("a handshake with a server's port for the client", 0, "0 > S 0
            10 < S. 0 1
            20 > . 1 1", true, "SF ShAFf Normal Closed"),
        ("the answer first", PORT, "0 < S. 0 1
            10 > S 0
            20 > . 1 1", true, "SF Hs^AFf Normal Closed"),
        ("the answer first, from a server's port", 80, "0 < S. 0 1
            10 > S 0
            20 > . 1 1", true, "SF ^hSAFf Normal Closed"),
        ("no SYN", PORT, "10 < S. 0 1
            20 > . 1 1", false, "SF HafF Normal Closed"),
        ("no SYN, from a server's port", 80, "10 < S. 0 1
            20 > . 1 1", true, "SF ^hAFf Normal Closed"),
        ("midstream, the client first", PORT, "30 > P. 1 1", true, "SF AFf Normal Closed"),
        ("midstream, the server first", PORT, "30 < P. 1 1", false, "SF AfFa Normal Closed"),
        ("midstream, the server first, from its port", 443, "30 < P. 1 1", true, "SF ^aFfA Normal Closed"),
        ("simultaneous open", PORT, "0 > S 0
            0 < S 0
            10 > S. 0 1
            10 < S. 0 1", true, "SF SsFfA Normal Closed"),
    ];
    for (name, port, script, upright, expected) in rows {
        let mut peers = Peers::on_port(if port == 0 { PORT } else { port });
        if port == 0 {
            peers.client.set_port(80);
        }
        let told = run(&frames(&format!("{script}{CLOSE}"), &peers), STREAMS);
        assert_eq!(ends(&told), [expected], "{name}");
        assert_eq!(is_upright(&told, &peers), upright, "{name}");
    }
}

/// Both ports are a server's: the lower one is, but a SYN-ACK may be a scan (Zeek's `WantConnection`).
#[test]
fn two_ports_of_servers() {
    for (script, upright) in [
        ("0 < P. 1 1 hello", true),
        ("0 > P. 1 1 hello", true),
        ("0 < S. 0 1", false),
    ] {
        let mut peers = Peers::on_port(80);
        peers.client.set_port(8080);
        let told = run(&frames(script, &peers), STREAMS);
        assert_eq!(is_upright(&told, &peers), upright, "{script}");
    }
}

/// Whoever is found to be whom only later: data stays with who said it.
#[test]
fn data_before_both_are_known() {
    let peers = Peers::on_port(PORT);
    let script = "0 < S. 0 1 early
                  10 > S 0 hello
                  20 < P. 6 6 more";
    let told = run(&frames(script, &peers), STREAMS);
    let flow = told.only();
    assert_eq!(told.opened, [flow.id]);
    let said = |side: Side| String::from_utf8(told.said(side)).unwrap();
    for (end, expected) in [(peers.client, "hello"), (peers.server, "earlymore")] {
        let side = if flow.id.orig() == end {
            Side::Orig
        } else {
            Side::Resp
        };
        assert_eq!(said(side), expected);
    }
}

/// The packet that exchanges the ends is already the client's.
#[test]
fn data_with_the_syn_behind_its_answer() {
    let peers = Peers::on_port(PORT);
    let script = "0 < S. 0 6
                  10 > S 0 hello
                  20 < P. 1 6 world";
    let told = run(&frames(script, &peers), STREAMS);
    assert!(is_upright(&told, &peers));
    assert_eq!(told.streams, ["1 orig 0 \"hello\"", "1 resp 0 \"world\""]);
}

const FIRST: &str = "
    0  > S  0
    10 < S. 0 1
    20 > .  1 1
    30 > P. 1 1 one
";
const SECOND: &str = "
    100000 > S 500000
    100010 < S. 900000 500001
    100020 > . 500001 900001
    100030 > P. 500001 900001 two
";

#[test]
fn a_new_number_is_a_new_connection() {
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
        let told = play(&format!("{FIRST}{between}{SECOND}"));
        assert_eq!(ends(&told), [first, "S1 ShAD Open Capture"], "{name}");
        assert_eq!(
            told.streams,
            ["1 orig 0 \"one\"", "2 orig 0 \"two\""],
            "{name}"
        );
        assert_eq!(told.records[1].sides[0].bytes, 3, "{name}");
    }
}

/// As in Wireshark, where a stream that was met midway has a first number, too.
#[test]
fn a_new_connection_after_one_whose_begin_was_not_seen() {
    let told = play(&format!(
        "0 > P. 1 1 one
         10 < P. 1 4 ONE
         20 > F. 4 4
         30 < F. 4 5
         40 > . 5 5
         {SECOND}"
    ));
    assert_eq!(
        ends(&told),
        ["SF DdFfA Normal Closed", "S1 ShAD Open Capture"]
    );
}

/// Nothing was captured of the client, but for what the server acknowledges: a SYN is its own or another's.
#[test]
fn a_syn_behind_what_answers_it() {
    #[rustfmt::skip]
    let rows = [
        ("a refusal before what it refuses", "0 < R. 0 1
            10 > S 0", &["REJ ^rS Refused Closed"][..]),
        ("after others of the connection", "0 < S. 0 1
            10 < P. 1 400 hello
            20 > S 0", &["OTH ^hdS Midstream Capture"]),
        ("of another connection", "0 < S. 0 1
            10 < P. 1 400 hello
            20 > S 5000000", &["OTH ^hd Midstream Reused", "S0 S NoAnswer Capture"]),
        ("of another connection, with a lower number", "0 < P. 1 5000000 hello
            20 > S 0", &["OTH ^d Midstream Reused", "S0 S NoAnswer Capture"]),
    ];
    for (name, script, expected) in rows {
        let told = run(&frames(script, &Peers::on_port(80)), STREAMS);
        assert_eq!(ends(&told), expected, "{name}");
    }
}

/// Two programs may take turns in being the client.
#[test]
fn a_new_connection_the_other_way() {
    let told = play(&format!(
        "{FIRST}
         40 > F. 4 1
         50 < F. 1 5
         60 > . 5 2
         100000 < S 900000
         100010 > S. 500000 900001
         100020 < . 900001 500001"
    ));
    assert_eq!(
        ends(&told),
        ["SF ShADFf Normal Closed", "S1 ShA Open Capture"]
    );
}

#[test]
fn the_same_number_is_the_same_connection() {
    for (name, script, expected) in [
        (
            "before the answer",
            "0 > S 0
             1000000 > S 0
             1000010 < S. 0 1
             1000020 > . 1 1",
            "S1 ShA Open Capture",
        ),
        (
            "after the answer",
            "0 > S 0
             10 < S. 0 1
             20 > S 0
             30 < S. 0 1
             40 > . 1 1",
            "S1 ShA Open Capture",
        ),
    ] {
        let told = play(script);
        assert_eq!(ends(&told), [expected], "{name}");
        let flow = told.only();
        assert_eq!(flow.sides[0].analysis.retrans_pkts, 1, "{name}");
        // Nobody knows which one was answered.
        assert_eq!(flow.handshake_rtt, None, "{name}");
    }
}

/// TCP Fast Open (RFC 7413).
#[test]
fn a_syn_with_data() {
    let told = play(
        "0 > S 0 hello
         10 < S. 0 6 world
         20 > . 6 6
         30 > P. 6 6 again",
    );
    // Zeek's history takes data with a SYN for repeated.
    assert_eq!(ends(&told), ["S1 SThtAD Open Capture"]);
    assert_eq!(
        told.streams,
        [
            "1 orig 0 \"hello\"",
            "1 resp 0 \"world\"",
            "1 orig 5 \"again\""
        ]
    );
    let flow = told.only();
    assert_eq!([flow.sides[0].bytes, flow.sides[1].bytes], [10, 5]);
    assert_eq!(flow.handshake_rtt.map(|span| span.0), Some(20_000));

    // The answer takes the SYN only, and the data is sent again.
    let told = play(
        "0 > S 0 hello
         10 < S. 0 1
         20 > . 1 1
         30 > P. 1 1 hello",
    );
    assert_eq!(told.streams, ["1 orig 0 \"hello\""]);
    assert_eq!(remarks(told.only(), Side::Orig), "retrans 1 bytes 5");
}

/// A socket that is connected to itself by simultaneous open: everything comes from the one end that there is.
#[test]
fn a_socket_that_speaks_to_itself() {
    let mut peers = Peers::on_port(PORT);
    peers.client = peers.server;
    peers.start[1] = peers.start[0];
    let script = "0 > S 0
                  10 > S. 0 1
                  20 > P. 1 1 hello
                  30 > . 6 6
                  40 > F. 6 6
                  50 > . 7 7";
    let told = run(&frames(script, &peers), STREAMS);
    let flow = told.only();
    assert_eq!(flow.id.orig(), flow.id.resp());
    assert_eq!(
        [flow.sides[0].traffic.pkts, flow.sides[1].traffic.pkts],
        [6, 0]
    );
    assert_eq!(told.streams, ["1 orig 0 \"hello\""]);
    assert_eq!((flow.end, &flow.history[..]), (End::Closed, "SDAF"));
    assert_eq!(remarks(flow, Side::Orig), "");
}

/// The second handshake's first packets may come before the first one's last.
#[test]
fn the_last_acknowledgement_is_late() {
    let told = play(&format!("{HANDSHAKE}30 < F. 1 1\n40 > F. 1 2\n{SECOND}"));
    assert_eq!(ends(&told)[0], "SF ShAfF Normal Closed");
    assert_eq!(told.records.len(), 2);
}
