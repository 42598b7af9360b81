//! Tests of outcomes: every pair of endpoint states, and the text and evidence of every outcome.

use super::*;
use crate::packet::{ICMP, ICMPV6};
use EndpointState::{Closed, Established, Inactive, Partial, Reset, SynAckSent, SynSent};

const STATES: [EndpointState; 7] = [
    Inactive,
    SynSent,
    SynAckSent,
    Partial,
    Established,
    Closed,
    Reset,
];

/// A TCP flow of 14 ms with an empty history.
const TCP_INPUT: OutcomeInput = OutcomeInput {
    proto: TCP,
    orig: side(Inactive, 1, 0),
    resp: side(Inactive, 1, 0),
    history: b"",
    ended_after: TimeDelta(12_000_000),
    duration: TimeDelta(14_000_000),
    is_port_unreachable: false,
    is_self_connection: false,
    dropped_pkts: 0,
    end_reason: FlowEndReason::Capture,
};

const fn side(state: EndpointState, pkts: u64, bytes: u64) -> SideSummary {
    SideSummary {
        state,
        pkts,
        bytes,
        syn_ack_seen: false,
    }
}

fn tcp_input(orig: EndpointState, resp: EndpointState, bytes: u64) -> OutcomeInput<'static> {
    OutcomeInput {
        orig: side(orig, 3, bytes),
        resp: side(resp, 3, 0),
        ..TCP_INPUT
    }
}

/// Zeek's function `conn_state` (scripts/base/protocols/conn/main.zeek), written as a table.
#[test]
fn conn_state_matches_zeek_for_every_pair_of_states() {
    // Rows: the originator's state; columns: the responder's; both in the order of STATES.
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
            let state = conn_state(&tcp_input(orig, resp, 5));
            assert_eq!(state.name(), expected, "{orig:?} {resp:?}");
        }
    }
}

/// RSTs from both sides count as a rejection if neither side sent data.
#[test]
fn payload_distinguishes_a_reset_from_a_rejection() {
    for (orig, resp, expected) in [
        (0, 0, ConnState::Rej),
        (1, 0, ConnState::RstR),
        (0, 1, ConnState::RstR),
    ] {
        let input = OutcomeInput {
            orig: side(Reset, 3, orig),
            resp: side(Reset, 3, resp),
            ..TCP_INPUT
        };
        assert_eq!(conn_state(&input), expected, "{orig} {resp}");
    }
}

/// The pattern is Zeek's: `^?S[^HAFGIQ]*R.*`, anchored at both ends.
#[test]
fn rstos0_requires_a_syn_and_then_a_rst() {
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
            let input = OutcomeInput {
                history: history.as_bytes(),
                ..tcp_input(Reset, resp, 0)
            };
            assert_eq!(conn_state(&input), expected, "{history} {resp:?}");
        }
    }
}

#[test]
fn udp_state_depends_on_which_sides_sent() {
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
        let input = OutcomeInput {
            proto,
            orig: side(Inactive, orig, 0),
            resp: side(Inactive, resp, 0),
            ..TCP_INPUT
        };
        assert_eq!(conn_state(&input).name(), expected, "{proto} {orig} {resp}");
    }
}

/// Returns the kind, the text and the evidence of an outcome.
fn describe(input: &OutcomeInput) -> (OutcomeKind, String, String) {
    let outcome = outcome(input, conn_state(input));
    let evidence = outcome.evidence().to_string();
    (outcome.kind, outcome.to_string(), evidence)
}

/// Input for a handshake in these states, with this history.
fn handshake_input(
    orig: EndpointState,
    resp: EndpointState,
    history: &'static str,
) -> OutcomeInput<'static> {
    let mut input = OutcomeInput {
        history: history.as_bytes(),
        ..tcp_input(orig, resp, 1)
    };
    input.resp.syn_ack_seen = history.contains('h');
    input.orig.syn_ack_seen = history.contains('H');
    input
}

#[test]
fn every_tcp_outcome_has_text_and_evidence() {
    use OutcomeKind::{
        ClosedUnanswered, GivenUp, HalfClosed, HalfOpen, Midstream, NoAnswer, Normal, Open, Refused,
    };
    let (orig, resp) = (Side::Orig, Side::Resp);
    let reset = OutcomeKind::Reset;
    #[rustfmt::skip]
    let rows = [
        (Closed, Closed, "ShADadFf", Normal, "closed normally", "FIN from both sides"),
        (Established, Established, "ShADad", Open, "still open", "handshake, no FIN or RST"),
        (Established, Established, "ShD", Open, "still open", "handshake, no FIN or RST"),
        (Established, Established, "Sh", HalfOpen, "half open", "SYN and SYN-ACK, no ACK"),
        (Established, Established, "Shad", HalfOpen, "half open", "SYN and SYN-ACK, no ACK"),
        (Closed, Established, "ShADaF", HalfClosed(orig), "closed by the client only", "FIN from the client only"),
        (Established, Closed, "ShADdaf", HalfClosed(resp), "closed by the server only", "FIN from the server only"),
        (Closed, Closed, "ShADafF", ClosedUnanswered, "closed without an answer", "FIN from the server first, and no data from it"),
        (Established, Closed, "ShADaf", ClosedUnanswered, "closed without an answer", "FIN from the server first, and no data from it"),
        (Closed, Closed, "ShADaFf", Normal, "closed normally", "FIN from both sides"),
        (Closed, Closed, "ADafF", Normal, "closed normally", "FIN from both sides"),
        (Closed, Partial, "DaF", HalfClosed(orig), "closed by the client only", "FIN from the client only"),
        (Partial, Closed, "Daf", HalfClosed(resp), "closed by the server only", "FIN from the server only"),
        (SynSent, Reset, "Sr", Refused, "refused: nothing was listening", "SYN, then RST after 12 ms"),
        (SynAckSent, Reset, "Hr", reset(resp), "reset by the server after 12 ms", "RST from the server"),
        (Established, Reset, "ShADr", reset(resp), "reset by the server after 12 ms", "RST from the server"),
        (Partial, Reset, "Ar", reset(resp), "reset by the server after 12 ms", "RST from the server"),
        (Reset, Established, "ShAR", reset(orig), "reset by the client after 12 ms", "RST from the client"),
        (Reset, Partial, "AaR", reset(orig), "reset by the client after 12 ms", "RST from the client"),
        (Reset, Inactive, "SR", GivenUp, "abandoned by the client after 12 ms", "SYN, then RST from the client, no reply"),
        (SynSent, Inactive, "S", NoAnswer, "no answer", "3 packets in 14 ms, no reply"),
        (Closed, Inactive, "SF", NoAnswer, "no answer", "3 packets in 14 ms, no reply"),
        (Partial, Partial, "DadA", Midstream, "started before the capture", "no handshake seen"),
        (Partial, Inactive, "D", Midstream, "started before the capture", "no handshake seen"),
    ];
    for (orig, resp, history, kind, text, evidence) in rows {
        let mut input = handshake_input(orig, resp, history);
        if kind == NoAnswer {
            input.resp.pkts = 0;
        }
        let expected = (kind, text.into(), evidence.into());
        assert_eq!(describe(&input), expected, "{history}");
    }
}

/// RSTs from both sides without data: refused, unless a SYN-ACK was captured.
#[test]
fn a_reset_after_a_handshake_is_not_refused() {
    for (history, kind) in [
        ("SrR", OutcomeKind::Refused),
        ("ShRr", OutcomeKind::Reset(Side::Resp)),
    ] {
        let mut input = handshake_input(Reset, Reset, history);
        input.orig.bytes = 0;
        assert_eq!(describe(&input).0, kind, "{history}");
    }
}

#[test]
fn evidence_for_one_packet_is_singular() {
    let mut input = handshake_input(SynSent, Inactive, "S");
    (input.orig.pkts, input.resp.pkts) = (1, 0);
    input.duration = TimeDelta(0);
    assert_eq!(describe(&input).2, "1 packet in 0 s, no reply");
}

#[test]
fn text_of_an_open_connection_shows_the_end_reason() {
    for (end, text) in [
        (FlowEndReason::Capture, "still open"),
        (FlowEndReason::Closed, "still open"),
        (FlowEndReason::Idle, "open but idle"),
        (FlowEndReason::Reused, "superseded (ports reused)"),
        (
            FlowEndReason::Evicted,
            "open when evicted (flow limit reached)",
        ),
    ] {
        let input = OutcomeInput {
            end_reason: end,
            ..handshake_input(Established, Established, "ShA")
        };
        assert_eq!(describe(&input).1, text, "{end:?}");
    }
}

#[test]
fn every_datagram_outcome_has_text_and_evidence() {
    use OutcomeKind::{Midstream, NoAnswer, Normal, Refused};
    #[rustfmt::skip]
    let rows = [
        (UDP, 1, 2, false, Normal, "answered", "datagrams from both sides"),
        (UDP, 1, 2, true, Normal, "answered", "datagrams from both sides"),
        (UDP, 1, 0, false, NoAnswer, "no answer", "no datagram in reply"),
        (UDP, 1, 0, true, Refused, "refused: nothing was listening", "ICMP: port unreachable"),
        (UDP, 0, 1, false, Midstream, "only answers seen", "datagrams from the server only"),
        (ICMP, 1, 2, false, Midstream, "messages seen", "3 messages"),
        (ICMPV6, 2, 0, false, Midstream, "messages seen", "2 messages"),
    ];
    for (proto, orig, resp, unreachable, kind, text, evidence) in rows {
        let input = OutcomeInput {
            proto,
            orig: side(Inactive, orig, 0),
            resp: side(Inactive, resp, 0),
            is_port_unreachable: unreachable,
            ..TCP_INPUT
        };
        let expected = (kind, text.into(), evidence.into());
        assert_eq!(describe(&input), expected, "{proto} {orig} {resp}");
    }
}

/// A firewall that rejects connections sends this ICMP message for TCP, too.
#[test]
fn icmp_port_unreachable_refuses_a_tcp_connection() {
    let mut input = handshake_input(SynSent, Inactive, "S");
    (input.resp.pkts, input.is_port_unreachable) = (0, true);
    let (kind, _, evidence) = describe(&input);
    assert_eq!(kind, OutcomeKind::Refused);
    assert_eq!(evidence, "ICMP: port unreachable");
}
