//! How flows end: every pair of states, and every verdict with its words and what they rest on.

use super::*;
use crate::packet::{ICMP, ICMPV6};
use State::{Closed, Established, Inactive, Partial, Reset, SynAckSent, SynSent};

const STATES: [State; 7] = [
    Inactive,
    SynSent,
    SynAckSent,
    Partial,
    Established,
    Closed,
    Reset,
];

/// A TCP flow of 14 ms that nothing is known of.
const TCP_ENDS: Ends = Ends {
    proto: TCP,
    orig: side(Inactive, 1, 0),
    resp: side(Inactive, 1, 0),
    history: b"",
    ended_after: Span(12_000_000),
    lasted: Span(14_000_000),
    unreachable: false,
    end: End::Capture,
};

const fn side(state: State, pkts: u64, bytes: u64) -> Did {
    Did {
        state,
        pkts,
        bytes,
        syn_ack: false,
    }
}

fn tcp(orig: State, resp: State, bytes: u64) -> Ends<'static> {
    Ends {
        orig: side(orig, 3, bytes),
        resp: side(resp, 3, 0),
        ..TCP_ENDS
    }
}

/// Zeek's function `conn_state` (scripts/base/protocols/conn/main.zeek), as a table.
#[test]
fn every_pair_of_states() {
    // By the originator's state, the rows; by the responder's, the columns; both as in STATES.
    let table = [
        "OTH OTH OTH OTH OTH  SHR RSTRH",
        "S0  OTH OTH OTH OTH  S3  REJ",
        "OTH OTH OTH OTH OTH  S3  REJ",
        "OTH OTH OTH OTH OTH  SHR RSTRH",
        "OTH OTH OTH OTH S1   S3  RSTR",
        "SH  S2  S2  SH  S2   SF  RSTR",
        "OTH RSTO RSTO OTH RSTO RSTO RSTR",
    ];
    for (orig, row) in STATES.into_iter().zip(table) {
        let row: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(row.len(), STATES.len());
        for (resp, expected) in STATES.into_iter().zip(row) {
            let state = conn_state(&tcp(orig, resp, 5));
            assert_eq!(state.name(), expected, "{orig:?} {resp:?}");
        }
    }
}

/// Both reset is a rejection if nothing was said.
#[test]
fn bytes_tell_a_rejection_from_a_reset() {
    for (orig, resp, expected) in [
        (0, 0, ConnState::Rej),
        (1, 0, ConnState::RstR),
        (0, 1, ConnState::RstR),
    ] {
        let ends = Ends {
            orig: side(Reset, 3, orig),
            resp: side(Reset, 3, resp),
            ..TCP_ENDS
        };
        assert_eq!(conn_state(&ends), expected, "{orig} {resp}");
    }
}

/// The pattern is Zeek's: `^?S[^HAFGIQ]*R.*`, from begin to end.
#[test]
fn who_gives_up_has_sent_a_syn_and_nothing_else() {
    for (history, expected) in [
        ("SR", ConnState::RstOS0),
        ("^SR", ConnState::RstOS0),
        ("SRR", ConnState::RstOS0),
        ("SSR", ConnState::RstOS0),
        ("SDR", ConnState::RstOS0),
        ("STWR", ConnState::RstOS0),
        ("SaR", ConnState::RstOS0),
        ("SRA", ConnState::RstOS0),
        ("S^R", ConnState::RstOS0),
        ("SAR", ConnState::Oth),
        ("SHR", ConnState::Oth),
        ("SFR", ConnState::Oth),
        ("SGR", ConnState::Oth),
        ("SIR", ConnState::Oth),
        ("SQR", ConnState::Oth),
        ("SARR", ConnState::Oth),
        ("S", ConnState::Oth),
        ("Sr", ConnState::Oth),
        ("R", ConnState::Oth),
        ("^^SR", ConnState::Oth),
        ("DSR", ConnState::Oth),
        ("", ConnState::Oth),
    ] {
        for resp in [Inactive, Partial] {
            let ends = Ends {
                history: history.as_bytes(),
                ..tcp(Reset, resp, 0)
            };
            assert_eq!(conn_state(&ends), expected, "{history} {resp:?}");
        }
    }
}

#[test]
fn datagrams_count_who_spoke() {
    for (proto, orig, resp, expected) in [
        (UDP, 1, 1, "SF"),
        (UDP, 9, 0, "S0"),
        (UDP, 0, 9, "SHR"),
        (UDP, 0, 0, "OTH"),
        (ICMP, 1, 1, "OTH"),
        (ICMP, 1, 0, "OTH"),
        (ICMPV6, 0, 1, "OTH"),
        (132, 1, 1, "OTH"),
    ] {
        let ends = Ends {
            proto,
            orig: side(Inactive, orig, 0),
            resp: side(Inactive, resp, 0),
            ..TCP_ENDS
        };
        assert_eq!(conn_state(&ends).name(), expected, "{proto} {orig} {resp}");
    }
}

/// What is said of a flow.
fn said(ends: &Ends) -> (Verdict, String, String) {
    let outcome = outcome(ends, conn_state(ends));
    let evidence = outcome.evidence().to_string();
    (outcome.verdict, outcome.to_string(), evidence)
}

/// A handshake that came so far, and its history.
fn so_far(orig: State, resp: State, history: &'static str) -> Ends<'static> {
    let mut ends = Ends {
        history: history.as_bytes(),
        ..tcp(orig, resp, 1)
    };
    ends.resp.syn_ack = history.contains('h');
    ends.orig.syn_ack = history.contains('H');
    ends
}

#[test]
fn every_verdict_on_a_connection() {
    use Verdict::{GivenUp, HalfClosed, HalfOpen, Midstream, NoAnswer, Normal, Open, Refused};
    let (orig, resp) = (Side::Orig, Side::Resp);
    let reset = Verdict::Reset;
    #[rustfmt::skip]
    let rows = [
        (Closed, Closed, "ShADadFf", Normal, "closed normally", "FIN from both sides"),
        (Established, Established, "ShADad", Open, "still open", "handshake, neither FIN nor RST"),
        (Established, Established, "ShD", Open, "still open", "handshake, neither FIN nor RST"),
        (Established, Established, "Sh", HalfOpen, "half open", "SYN and SYN-ACK, no ACK"),
        (Established, Established, "Shad", HalfOpen, "half open", "SYN and SYN-ACK, no ACK"),
        (Closed, Established, "ShADaF", HalfClosed(orig), "closed by the client only", "FIN from the client only"),
        (Established, Closed, "ShADdaf", HalfClosed(resp), "closed by the server only", "FIN from the server only"),
        (Closed, Partial, "DaF", HalfClosed(orig), "closed by the client only", "FIN from the client only"),
        (Partial, Closed, "Daf", HalfClosed(resp), "closed by the server only", "FIN from the server only"),
        (SynSent, Reset, "Sr", Refused, "refused: nothing was listening", "SYN, then RST after 12 ms"),
        (SynAckSent, Reset, "Hr", reset(resp), "reset by the server after 12 ms", "RST from the server"),
        (Established, Reset, "ShADr", reset(resp), "reset by the server after 12 ms", "RST from the server"),
        (Partial, Reset, "Ar", reset(resp), "reset by the server after 12 ms", "RST from the server"),
        (Reset, Established, "ShAR", reset(orig), "reset by the client after 12 ms", "RST from the client"),
        (Reset, Partial, "AaR", reset(orig), "reset by the client after 12 ms", "RST from the client"),
        (Reset, Inactive, "SR", GivenUp, "given up by the client after 12 ms", "SYN, then RST from the client, and no answer"),
        (SynSent, Inactive, "S", NoAnswer, "no answer", "3 packets in 14 ms, and none back"),
        (Closed, Inactive, "SF", NoAnswer, "no answer", "3 packets in 14 ms, and none back"),
        (Partial, Partial, "DadA", Midstream, "begin not seen", "no handshake"),
        (Partial, Inactive, "D", Midstream, "begin not seen", "no handshake"),
    ];
    for (orig, resp, history, verdict, words, evidence) in rows {
        let mut ends = so_far(orig, resp, history);
        if verdict == NoAnswer {
            ends.resp.pkts = 0;
        }
        let expected = (verdict, words.into(), evidence.into());
        assert_eq!(said(&ends), expected, "{history}");
    }
}

/// Both reset, and nothing was said: refused, unless there was a handshake.
#[test]
fn a_server_that_answers_did_listen() {
    for (history, verdict) in [
        ("SrR", Verdict::Refused),
        ("ShRr", Verdict::Reset(Side::Resp)),
    ] {
        let mut ends = so_far(Reset, Reset, history);
        ends.orig.bytes = 0;
        assert_eq!(said(&ends).0, verdict, "{history}");
    }
}

#[test]
fn one_packet_is_not_several() {
    let mut ends = so_far(SynSent, Inactive, "S");
    (ends.orig.pkts, ends.resp.pkts) = (1, 0);
    ends.lasted = Span(0);
    assert_eq!(said(&ends).2, "1 packet in 0 s, and none back");
}

#[test]
fn an_open_connection_says_why_it_is_reported() {
    for (end, words) in [
        (End::Capture, "still open"),
        (End::Closed, "still open"),
        (End::Idle, "open, and silent"),
        (End::Reused, "left open, and its ports used again"),
        (End::Evicted, "open, and not followed any further"),
    ] {
        let ends = Ends {
            end,
            ..so_far(Established, Established, "ShA")
        };
        assert_eq!(said(&ends).1, words, "{end:?}");
    }
}

#[test]
fn every_verdict_on_datagrams() {
    use Verdict::{Midstream, NoAnswer, Normal, Refused};
    #[rustfmt::skip]
    let rows = [
        (UDP, 1, 2, false, Normal, "answered", "datagrams from both sides"),
        (UDP, 1, 2, true, Normal, "answered", "datagrams from both sides"),
        (UDP, 1, 0, false, NoAnswer, "no answer", "no datagram back"),
        (UDP, 1, 0, true, Refused, "refused: nothing was listening", "ICMP: port unreachable"),
        (UDP, 0, 1, false, Midstream, "only answers seen", "datagrams from the server only"),
        (ICMP, 1, 2, false, Midstream, "seen", "3 messages"),
        (ICMPV6, 2, 0, false, Midstream, "seen", "2 messages"),
    ];
    for (proto, orig, resp, unreachable, verdict, words, evidence) in rows {
        let ends = Ends {
            proto,
            orig: side(Inactive, orig, 0),
            resp: side(Inactive, resp, 0),
            unreachable,
            ..TCP_ENDS
        };
        let expected = (verdict, words.into(), evidence.into());
        assert_eq!(said(&ends), expected, "{proto} {orig} {resp}");
    }
}

/// A packet filter that rejects sends that for TCP, too.
#[test]
fn a_connection_that_icmp_refused() {
    let mut ends = so_far(SynSent, Inactive, "S");
    (ends.resp.pkts, ends.unreachable) = (0, true);
    let (verdict, _, evidence) = said(&ends);
    assert_eq!(verdict, Verdict::Refused);
    assert_eq!(evidence, "ICMP: port unreachable");
}
