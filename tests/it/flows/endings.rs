//! How connections end (Zeek, scripts/base/protocols/conn/main.zeek; RFC 9293 section 3.6), segment by segment.

use lcap::flow::Side;
use lcap::packet::Span;

use super::script::{HANDSHAKE, Peers, STREAMS, ends, frames, play, remarks, run};

/// A request and its answer, after the handshake.
const EXCHANGE: &str = "
    30 > P. 1 1 hello
    40 < .  1 6
    50 < P. 1 6 world!
    60 > .  6 7
";

#[test]
fn how_connections_end() {
    let rows = [
        (
            "both close",
            "70 > F. 6 7
             80 < F. 7 7
             90 > .  7 8",
            "SF ShADadFf Normal Closed",
        ),
        (
            "both close at once",
            "70 > F. 6 7
             70 < F. 7 6
             80 > .  7 8
             80 < .  8 7",
            "SF ShADadFf Normal Closed",
        ),
        (
            "the FIN comes with data",
            "70 > FP. 6 7 bye
             80 < FP. 7 10 bye
             90 > .  10 11",
            "SF ShADadFf Normal Closed",
        ),
        ("nobody closes", "", "S1 ShADad Open Capture"),
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
            "both reset, and there was data",
            "70 < R. 7 6
             70 > R. 6 7",
            "RSTR ShADadrR Reset(Resp) Closed",
        ),
        (
            "the client closes, and the server has not read all",
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
            "FIN and RST in one",
            "70 > FR. 6 7",
            "RSTO ShADadI Reset(Orig) Closed",
        ),
        (
            "the FIN comes twice",
            "70 > F. 6 7
             75 > F. 6 7
             80 < F. 7 7",
            "SF ShADadFf Normal Closed",
        ),
        (
            "another FIN comes, further on",
            "70 > F. 6 7
             75 > F. 9 7
             80 < F. 7 10",
            "SF ShADadFFfG Normal Closed",
        ),
    ];
    for (name, end, expected) in rows {
        let told = play(&format!("{HANDSHAKE}{EXCHANGE}{end}"));
        assert_eq!(ends(&told), [expected], "{name}");
    }
}

#[test]
fn how_connections_do_not_begin() {
    let rows = [
        (
            "refused",
            "0 > S 0
             14 < R. 0 1",
            "REJ Sr Refused Closed",
        ),
        ("no answer", "0 > S 0", "S0 S NoAnswer Capture"),
        (
            "no answer, asked again",
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
            "given up",
            "0 > S 0
             900 > R 1",
            "RSTOS0 SR GivenUp Closed",
        ),
        (
            "given up although there was an answer",
            "0 > S 0
             10 < S. 0 1
             20 > R 1",
            "RSTO ShR Reset(Orig) Closed",
        ),
        (
            "reset by the client before it says anything",
            "0 > S 0
             10 < S. 0 1
             20 > . 1 1
             30 > R. 1 1",
            "RSTO ShAR Reset(Orig) Closed",
        ),
        (
            "reset by the server before it says anything",
            "0 > S 0
             10 < S. 0 1
             20 > . 1 1
             30 < R. 1 1",
            "RSTR ShAr Reset(Resp) Closed",
        ),
        (
            "answered, and both reset before anything is said",
            "0 > S 0
             10 < S. 0 1
             20 > . 1 1
             30 < R. 1 1
             30 > R. 1 1",
            "REJ ShArR Reset(Resp) Closed",
        ),
        (
            "SYN and FIN without an answer",
            "0 > S 0
             10 > F. 1 0",
            "SH SF NoAnswer Closed",
        ),
        ("SYN and FIN in one", "0 > SF 0", "SH Q NoAnswer Closed"),
        (
            "an answer and a RST, no SYN",
            "0 < S. 0 1
             10 < R 1",
            "RSTRH ^hr Reset(Resp) Closed",
        ),
        (
            "an answer and a FIN, no SYN",
            "0 < S. 0 1
             10 < F. 1 1",
            "SHR ^hf HalfClosed(Resp) Closed",
        ),
    ];
    for (name, script, expected) in rows {
        // The server's port tells who it is.
        let told = run(&frames(script, &Peers::on_port(80)), STREAMS);
        assert_eq!(ends(&told), [expected], "{name}");
    }
}

/// Midstream: the other side was heard of, so that "none back" would not be true.
#[test]
fn a_fin_without_the_begin() {
    let told = play(
        "0 > P. 1 1 hello
         10 < . 1 6
         20 > F. 6 1
         30 < . 1 7",
    );
    assert_eq!(ends(&told), ["SH DaF HalfClosed(Orig) Capture"]);
}

#[test]
fn what_is_counted_and_measured() {
    let close = "70 > F. 6 7
                 80 < F. 7 7
                 5000000 > . 7 8";
    let told = play(&format!("{HANDSHAKE}{EXCHANGE}{close}"));
    let flow = told.only();
    let [orig, resp] = flow.sides;
    assert_eq!((orig.bytes, resp.bytes), (5, 6));
    assert_eq!((orig.traffic.pkts, resp.traffic.pkts), (6, 4));
    assert_eq!(orig.traffic.payload_bytes, 5);
    assert_eq!(orig.traffic.ip_bytes, 6 * 40 + 5);
    assert_eq!(resp.traffic.wire_bytes, 4 * 54 + 6);
    // Without the last acknowledgement, as Zeek has it.
    assert_eq!(flow.duration, Span(80_000));
    assert_eq!(flow.handshake_rtt, Some(Span(20_000)));
    assert_eq!(flow.response_times.map(|times| times.max), Some(20_000));
    assert_eq!(told.streams, ["1 orig 0 \"hello\"", "1 resp 0 \"world!\""]);
    for side in Side::BOTH {
        assert_eq!(remarks(flow, side), "");
    }
    assert_eq!(flow.outcome.to_string(), "closed normally");
}

#[test]
fn words_have_times() {
    for (script, words, evidence) in [
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
            "3 packets in 3.0 s, and none back",
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
        let told = play(script);
        let outcome = &told.only().outcome;
        assert_eq!(
            (
                &outcome.to_string()[..],
                &outcome.evidence().to_string()[..]
            ),
            (words, evidence)
        );
    }
}

/// What a RST carries says why (RFC 9293 section 3.5.3): it is shown, and is no part of the stream.
#[test]
fn a_reset_with_a_reason() {
    let told = play(&format!("{HANDSHAKE}30 < R. 1 1 because"));
    assert_eq!(told.streams, ["1 resp 0 \"because\""]);
    assert_eq!(told.only().sides[1].bytes, 0);
    // Zeek's history takes it for repeated.
    assert_eq!(&*told.only().history, "ShArt");
}
