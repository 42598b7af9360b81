//! Connection endings and the outcomes they lead to (Zeek, scripts/base/protocols/conn/main.zeek;
//! RFC 9293 section 3.6).

use lcap::internals::flow::Side;
use lcap::internals::packet::TimeDelta;

use super::script::{
    HANDSHAKE, Peers, STREAMS, describe_analysis, outcomes, run_checked, run_script, script_frames,
};

/// A request and its response, after the handshake.
const EXCHANGE: &str = "
    30 > P. 1 1 hello
    40 < .  1 6
    50 < P. 1 6 world!
    60 > .  6 7
";

#[test]
fn established_connections_have_the_expected_outcome() {
    let rows = [
        (
            "both close",
            "70 > F. 6 7
             80 < F. 7 7
             90 > .  7 8",
            "SF ShADadFf Normal Closed",
        ),
        (
            "both close at the same time",
            "70 > F. 6 7
             70 < F. 7 6
             80 > .  7 8
             80 < .  8 7",
            "SF ShADadFf Normal Closed",
        ),
        (
            "FIN with data",
            "70 > FP. 6 7 bye
             80 < FP. 7 10 bye
             90 > .  10 11",
            "SF ShADadFf Normal Closed",
        ),
        ("no side closes", "", "S1 ShADad Open Capture"),
        (
            "the client closes",
            "70 > F. 6 7
             80 < .  7 7
             90 < P. 7 7 more
             99 > .  7 11",
            "S2 ShADadF HalfClosed(Orig) Capture",
        ),
        (
            "the server closes",
            "70 < F. 7 6
             80 > .  6 8
             90 > P. 6 8 more",
            "S3 ShADadf HalfClosed(Resp) Capture",
        ),
        (
            "the client resets",
            "70 > R. 6 7",
            "RSTO ShADadR Reset(Orig) Closed",
        ),
        (
            "the server resets",
            "70 < R. 7 6",
            "RSTR ShADadr Reset(Resp) Closed",
        ),
        (
            "both reset after data",
            "70 < R. 7 6
             70 > R. 6 7",
            "RSTR ShADadrR Reset(Resp) Closed",
        ),
        (
            "the client closes, the server resets with unread data",
            "70 > F. 6 7
             80 < R. 7 7",
            "RSTR ShADadFr Reset(Resp) Closed",
        ),
        (
            "a RST after both have closed",
            "70 > F. 6 7
             80 < F. 7 7
             90 > R  7",
            "SF ShADadFfR Normal Closed",
        ),
        (
            "a RST between the FINs",
            "70 > F. 6 7
             75 > R  7
             80 < F. 7 7",
            "SF ShADadFRf Normal Closed",
        ),
        (
            "FIN and RST in one segment",
            "70 > FR. 6 7",
            "RSTO ShADadI Reset(Orig) Closed",
        ),
        (
            "the FIN is retransmitted",
            "70 > F. 6 7
             75 > F. 6 7
             80 < F. 7 7",
            "SF ShADadFf Normal Closed",
        ),
        (
            "a second FIN with a higher sequence number",
            "70 > F. 6 7
             75 > F. 9 7
             80 < F. 7 10",
            "SF ShADadFFfG Normal Closed",
        ),
    ];
    for (name, end, expected) in rows {
        let log = run_script(&format!("{HANDSHAKE}{EXCHANGE}{end}"));
        assert_eq!(outcomes(&log), [expected], "{name}");
    }
}

#[test]
fn a_server_that_closes_without_an_answer_is_reported() {
    let rows = [
        (
            "the server closes first",
            "30 > P. 1 1 hello
             40 < F. 1 6
             50 > F. 6 2
             60 < .  2 7",
            "SF ShADfFa ClosedUnanswered Closed",
        ),
        (
            "only the server closes",
            "30 > P. 1 1 hello
             40 < F. 1 6
             50 > .  6 2",
            "S3 ShADf ClosedUnanswered Capture",
        ),
        (
            "the client closes first",
            "30 > P. 1 1 hello
             40 > F. 6 1
             50 < F. 1 7
             60 > .  7 2",
            "SF ShADFf Normal Closed",
        ),
        (
            "the client sends nothing",
            "30 < F. 1 1
             40 > F. 1 2
             50 < .  2 2",
            "SF ShAfFa Normal Closed",
        ),
        (
            "the answer is not captured",
            "30 > P. 1 1 hello
             40 < P. 1 6 world lost
             50 < F. 6 6
             60 > F. 6 7",
            "SF ShADfFg Normal Closed",
        ),
    ];
    for (name, script, expected) in rows {
        let log = run_script(&format!("{HANDSHAKE}{script}"));
        assert_eq!(outcomes(&log), [expected], "{name}");
    }
}

#[test]
fn failed_connections_have_the_expected_outcome() {
    let rows = [
        (
            "refused",
            "0 > S 0
             14 < R. 0 1",
            "REJ Sr Refused Closed",
        ),
        ("no answer", "0 > S 0", "S0 S NoAnswer Capture"),
        (
            "no answer, SYN retransmitted",
            "0 > S 0
             1000000 > S 0
             3000000 > S 0",
            "S0 S NoAnswer Capture",
        ),
        (
            "half open",
            "0 > S 0
             10 < S. 0 1
             1000000 < S. 0 1",
            "S1 Sh HalfOpen Capture",
        ),
        (
            "abandoned",
            "0 > S 0
             900 > R 1",
            "RSTOS0 SR GivenUp Closed",
        ),
        (
            "abandoned after a SYN-ACK",
            "0 > S 0
             10 < S. 0 1
             20 > R 1",
            "RSTO ShR Reset(Orig) Closed",
        ),
        (
            "reset by the client before any data",
            "0 > S 0
             10 < S. 0 1
             20 > . 1 1
             30 > R. 1 1",
            "RSTO ShAR Reset(Orig) Closed",
        ),
        (
            "reset by the server before any data",
            "0 > S 0
             10 < S. 0 1
             20 > . 1 1
             30 < R. 1 1",
            "RSTR ShAr Reset(Resp) Closed",
        ),
        (
            "established, both reset before any data",
            "0 > S 0
             10 < S. 0 1
             20 > . 1 1
             30 < R. 1 1
             30 > R. 1 1",
            "REJ ShArR Reset(Resp) Closed",
        ),
        (
            "SYN and FIN without a reply",
            "0 > S 0
             10 > F. 1 0",
            "SH SF NoAnswer Closed",
        ),
        (
            "SYN and FIN in one segment",
            "0 > SF 0",
            "SH Q NoAnswer Closed",
        ),
        (
            "SYN-ACK and RST, no SYN",
            "0 < S. 0 1
             10 < R 1",
            "RSTRH ^hr Reset(Resp) Closed",
        ),
        (
            "SYN-ACK and FIN, no SYN",
            "0 < S. 0 1
             10 < F. 1 1",
            "SHR ^hf HalfClosed(Resp) Closed",
        ),
    ];
    for (name, script, expected) in rows {
        // Port 80 identifies the server.
        let log = run_checked(&script_frames(script, &Peers::on_port(80)), STREAMS);
        assert_eq!(outcomes(&log), [expected], "{name}");
    }
}

/// The other side sent a packet, so "no reply" would be wrong.
#[test]
fn a_midstream_fin_is_half_closed() {
    let log = run_script(
        "0 > P. 1 1 hello
         10 < . 1 6
         20 > F. 6 1
         30 < . 1 7",
    );
    assert_eq!(outcomes(&log), ["SH DaF HalfClosed(Orig) Capture"]);
}

#[test]
fn a_normal_connection_is_counted_and_measured() {
    let close = "70 > F. 6 7
                 80 < F. 7 7
                 5000000 > . 7 8";
    let log = run_script(&format!("{HANDSHAKE}{EXCHANGE}{close}"));
    let flow = log.only_flow();
    let [orig, resp] = flow.sides;
    assert_eq!((orig.bytes, resp.bytes), (5, 6));
    assert_eq!((orig.traffic.pkts, resp.traffic.pkts), (6, 4));
    assert_eq!(orig.traffic.payload_bytes, 5);
    assert_eq!(orig.traffic.ip_bytes, 6 * 40 + 5);
    assert_eq!(resp.traffic.wire_bytes, 4 * 54 + 6);
    // The duration excludes the last acknowledgement, as in Zeek.
    assert_eq!(flow.duration, TimeDelta(80_000));
    assert_eq!(flow.handshake_rtt, Some(TimeDelta(20_000)));
    assert_eq!(flow.response_times.map(|times| times.max), Some(20_000));
    assert_eq!(
        log.stream_events,
        ["1 orig 0 \"hello\"", "1 resp 0 \"world!\""]
    );
    for side in Side::BOTH {
        assert_eq!(describe_analysis(flow, side), "");
    }
    assert_eq!(flow.outcome.to_string(), "closed normally");
}

#[test]
fn outcomes_show_their_times() {
    for (script, text, evidence) in [
        (
            "0 > S 0
             14 < R. 0 1",
            "refused: nothing was listening",
            "SYN, then RST after 14 µs",
        ),
        (
            "0 > S 0
             1000000 > S 0
             3000000 > S 0",
            "no answer",
            "3 packets in 3.0 s, no reply",
        ),
        (
            "0 > S 0
             10 < S. 0 1
             20 > . 1 1
             12345 < R. 1 1
             99999 > . 1 1",
            "reset by the server after 12 ms",
            "RST from the server",
        ),
    ] {
        let log = run_script(script);
        let outcome = &log.only_flow().outcome;
        assert_eq!(
            (
                &outcome.to_string()[..],
                &outcome.evidence().to_string()[..]
            ),
            (text, evidence)
        );
    }
}

/// Data in a RST explains the reset (RFC 9293 section 3.5.3): it is delivered, but does not count
/// toward the length of the stream.
#[test]
fn rst_data_is_delivered_but_not_counted() {
    let log = run_script(&format!("{HANDSHAKE}30 < R. 1 1 timeout"));
    assert_eq!(log.stream_events, ["1 resp 0 \"timeout\""]);
    assert_eq!(log.only_flow().sides[1].bytes, 0);
    // Zeek's history shows this data as a retransmission (t).
    assert_eq!(&*log.only_flow().history, "ShArt");
}
