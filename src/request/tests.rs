//! Tests of request tracking, and scripted conversations for the tests of analyzers.

use super::analyzer::EndReason;
use super::*;
use crate::flow::{FlowEvent, FlowEventKind, GapCause};
use crate::packet::{Endpoints, TCP, UDP};
use proptest::prelude::*;

/// A step of a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Line<'a> {
    /// The client sends these bytes.
    Client(&'a [u8]),
    /// The server sends these bytes.
    Server(&'a [u8]),
    /// This number of bytes of a side is missing.
    Missing(Side, u64),
    /// A side's stream ends.
    End(Side),
    /// Nothing is sent for this number of milliseconds.
    Pause(i64),
    /// The connection was opened before the capture.
    LateStart,
}

/// Interval between segments, in nanoseconds.
pub(super) const STEP: i64 = 1_000_000;

/// Returns the requests of a TCP connection with these segments, one every millisecond.
pub(super) fn requests(lines: &[Line], reason: EndReason) -> Vec<Request> {
    let settings = RequestSettings {
        body_limit: 64 << 10,
        ..RequestSettings::default()
    };
    requests_with(settings, TCP, lines, reason)
}

/// Returns the requests of a flow over a transport protocol, with these settings.
pub(super) fn requests_with(
    settings: RequestSettings,
    transport: u8,
    lines: &[Line],
    reason: EndReason,
) -> Vec<Request> {
    let mut requests = Vec::new();
    for_each_event(settings, transport, lines, reason, &mut |event| {
        if let RequestEvent::Request(request) = event {
            requests.push(request.clone());
        }
    });
    requests
}

/// Returns the identity of the flow of a conversation.
pub(in crate::request) fn flow_id(transport: u8) -> FlowId {
    FlowId {
        number: 1,
        first_time: Timestamp(0),
        first_frame: 1,
        endpoints: Endpoints::from_ipv4([127, 0, 0, 1], [127, 0, 0, 1], [50_000, 80], transport),
    }
}

/// Passes the events of a flow over a transport protocol to a callback.
fn for_each_event(
    settings: RequestSettings,
    transport: u8,
    lines: &[Line],
    reason: EndReason,
    emit: &mut dyn FnMut(RequestEvent),
) {
    let mut now = 0;
    let mut table = RequestTable::new(settings);
    let id = flow_id(transport);
    for line in lines {
        now += STEP;
        let data = |side, bytes| FlowEventKind::Data {
            captured: Timestamp(now),
            side,
            offset: 0,
            bytes,
        };
        let kind = match *line {
            Line::Client(bytes) => data(Side::Orig, bytes),
            Line::Server(bytes) => data(Side::Resp, bytes),
            Line::End(side) => FlowEventKind::End { side },
            Line::LateStart => FlowEventKind::Opened { is_late: true },
            Line::Missing(side, len) => FlowEventKind::Gap {
                side,
                offset: 0,
                len,
                cause: GapCause::Lost,
            },
            Line::Pause(milliseconds) => {
                now += milliseconds * STEP;
                table.advance(Timestamp(now), emit);
                continue;
            }
        };
        let (time, due) = (Timestamp(now), None);
        table.follow(
            &FlowEvent {
                id: &id,
                time,
                due,
                kind,
            },
            emit,
        );
    }
    table.finish(&id, [Timestamp(now); 2], reason, emit);
    assert_eq!(table.buffered_bytes(), 0, "all memory is counted as free");
}

/// Returns the parts of messages as lines: `3 ms orig Body "GET / HTTP/1.1"`.
pub(super) fn messages(transport: u8, lines: &[Line]) -> Vec<String> {
    let settings = RequestSettings {
        has_messages: true,
        ..RequestSettings::default()
    };
    let mut parts = Vec::new();
    for_each_event(
        settings,
        transport,
        lines,
        EndReason::Closed,
        &mut |event| {
            if let RequestEvent::Message(event) = event {
                let (name, content) = match event.part {
                    MessagePart::Head(text) => ("Head", text.into()),
                    MessagePart::Encoding(name) => ("Encoding", name.into()),
                    MessagePart::Body(bytes) => ("Body", String::from_utf8_lossy(bytes)),
                    MessagePart::Missing(len) => ("Missing", len.to_string().into()),
                    MessagePart::Unanalyzed(bytes) => {
                        ("Unanalyzed", String::from_utf8_lossy(bytes))
                    }
                };
                let (time, side) = (event.time.0 / STEP, event.side.name());
                parts.push(format!("{time} ms {side} {name} {content:?}"));
            }
        },
    );
    parts
}

/// Returns the requests as lines: `GET /cart/7 → 200 ok`, with the error in parentheses.
pub(super) fn rows(requests: &[Request]) -> Vec<String> {
    let rows = requests.iter().map(|request| {
        let status = request.status.as_deref().unwrap_or("-");
        let (operation, target) = (&request.operation, &request.target);
        let error = request.error.as_deref();
        let error = error.map_or_else(String::new, |error| format!(" ({error})"));
        format!(
            "{operation} {target} → {status} {}{error}",
            request.outcome.name()
        )
    });
    rows.collect()
}

/// Asserts that the requests, apart from their times, are the same if each segment is split at any
/// positions, also into single bytes.
pub(super) fn assert_same_for_any_split(lines: &[Line]) {
    let timeless = |requests: Vec<Request>| -> Vec<Request> {
        let timeless = requests.into_iter().map(|request| Request {
            time: Timestamp::ABSENT,
            request_end: Timestamp::ABSENT,
            answer_start: Timestamp::ABSENT,
            answer_end: Timestamp::ABSENT,
            end: Timestamp::ABSENT,
            ..request
        });
        timeless.collect()
    };
    let expected = timeless(requests(lines, EndReason::Closed));
    let check = |size_of: &mut dyn FnMut() -> usize| {
        let mut split = Vec::new();
        for line in lines {
            let (wrap, bytes): (fn(&[u8]) -> Line, _) = match line {
                Line::Client(bytes) => (|bytes| Line::Client(bytes), bytes),
                Line::Server(bytes) => (|bytes| Line::Server(bytes), bytes),
                other => {
                    split.push(*other);
                    continue;
                }
            };
            let mut rest: &[u8] = bytes;
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(size_of().clamp(1, rest.len()));
                split.push(wrap(piece));
                rest = after;
            }
        }
        assert_eq!(timeless(requests(&split, EndReason::Closed)), expected);
    };
    check(&mut || 1);
    let config = ProptestConfig {
        failure_persistence: None,
        cases: 64,
        ..ProptestConfig::default()
    };
    proptest!(config, |(sizes in prop::collection::vec(1usize..200, 1..20))| {
        let mut sizes = sizes.iter().copied().cycle();
        check(&mut || sizes.next().unwrap_or(1));
    });
}

/// The first segments of a side can match a protocol that later ones contradict.
#[test]
fn the_protocol_does_not_depend_on_the_split() {
    let query = Line::Client(b"Q\0\0\0\x0dselect 1\0");
    assert_same_for_any_split(&[query, Line::Server(b"Zero"), QUESTION, ANSWER]);
    let late = [Line::Client(b"GET /"), Line::Server(b"HTTP/1.1 200")];
    assert_same_for_any_split(&[late[0], late[1], QUESTION, late[1], late[0]]);
    // A protocol is detected after some turns, or not at all.
    let turns = [Line::Client(b"S"), Line::Server(b"S")].repeat(12);
    assert_same_for_any_split(&turns);
    assert_same_for_any_split(&[&turns, &[QUESTION, ANSWER, QUESTION][..]].concat());
}

/// A protocol that no detector matches.
const QUESTION: Line = Line::Client(b"\x01\x02question");
const ANSWER: Line = Line::Server(b"\x03\x04the answer");

#[test]
fn other_protocols_have_a_row_for_each_turn() {
    let lines = [
        QUESTION, ANSWER, ANSWER, QUESTION, QUESTION, ANSWER, QUESTION,
    ];
    let found = requests(&lines, EndReason::Closed);
    assert_eq!(
        rows(&found),
        [
            "send 10 B → 24 B ok",
            "send 20 B → 12 B ok",
            "send 10 B → - unanswered (the connection ended without an answer)",
        ]
    );
    let times = |request: &Request| [request.first_byte(), request.duration()];
    let [step, two_steps] = [1, 2].map(|steps| Some(TimeDelta(steps * STEP)));
    assert_eq!(times(&found[0]), [step, two_steps]);
    assert_eq!(times(&found[2]), [None, None]);
    assert_eq!((found[0].protocol, found[0].time), ("tcp", Timestamp(STEP)));
    let bytes = |request: &Request| (request.request_bytes, request.answer_bytes);
    assert_eq!(bytes(&found[1]), (20, 12));
}

#[test]
fn an_answer_is_complete_after_a_quiet_time() {
    let lines = [
        QUESTION,
        ANSWER,
        Line::Pause(20),
        ANSWER,
        Line::Pause(31),
        ANSWER,
    ];
    assert_eq!(
        rows(&requests(&lines, EndReason::Closed)),
        ["send 10 B → 24 B ok", "receive  → 12 B unrequested"]
    );
}

#[test]
fn a_datagram_without_an_answer_ends_when_it_is_repeated() {
    let lines = [
        QUESTION,
        Line::Pause(1000),
        QUESTION,
        QUESTION,
        ANSWER,
        ANSWER,
    ];
    assert_eq!(
        rows(&requests_with(
            RequestSettings::default(),
            UDP,
            &lines,
            EndReason::Closed
        )),
        [
            "send 10 B → - unanswered (no answer before the next datagram)",
            "send 20 B → 24 B ok",
        ]
    );
}

#[test]
fn missing_bytes_mark_the_turn_as_cut() {
    let lines = [
        QUESTION,
        Line::Missing(Side::Resp, 100),
        ANSWER,
        QUESTION,
        ANSWER,
    ];
    assert_eq!(
        rows(&requests(&lines, EndReason::Closed)),
        [
            "send 10 B → 112 B cut (bytes are missing in the capture)",
            "send 10 B → 12 B ok",
        ]
    );
}

#[test]
fn the_end_of_the_capture_is_not_the_end_of_the_connection() {
    for (reason, row) in [
        (
            EndReason::Capture,
            "send 10 B → - cut (the capture ended before the end of the answer)",
        ),
        (
            EndReason::Reset,
            "send 10 B → - unanswered (the connection was reset without an answer)",
        ),
        (
            EndReason::Dropped,
            "send 10 B → - cut (packets were dropped by the capture)",
        ),
    ] {
        assert_eq!(rows(&requests(&[QUESTION], reason)), [row]);
    }
}

#[test]
fn texts_are_cut_between_characters() {
    assert_eq!(text("é".as_bytes()), "é");
    let long = "é".repeat(MAX_TEXT_LEN);
    let cut = text(format!("x{long}").as_bytes());
    assert!(cut.ends_with("é…") && cut.len() <= MAX_TEXT_LEN + "…".len());
}

#[test]
fn messages_of_other_protocols_are_those_of_the_segments() {
    let lines = [QUESTION, ANSWER, ANSWER, Line::Pause(40), QUESTION];
    assert_eq!(
        messages(TCP, &lines),
        [
            r#"1 ms orig Body "\u{1}\u{2}question""#,
            r#"2 ms resp Body "\u{3}\u{4}the answer""#,
            r#"3 ms resp Body "\u{3}\u{4}the answer""#,
            r#"45 ms orig Body "\u{1}\u{2}question""#,
        ]
    );
    let datagrams = [Line::Client(b""), Line::Server(b"\x01\xff")];
    assert_eq!(
        messages(UDP, &datagrams),
        [r#"1 ms orig Body """#, r#"2 ms resp Body "\u{1}�""#]
    );
}

#[test]
fn messages_do_not_wait_for_an_answer() {
    let settings = RequestSettings {
        has_messages: true,
        ..RequestSettings::default()
    };
    // With more bytes, the first one belongs to any of several protocols.
    for bytes in [&b"P"[..], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"question"] {
        let mut table = RequestTable::new(settings);
        let id = flow_id(TCP);
        let mut count = 0;
        let mut emit = |event: RequestEvent| {
            count += usize::from(matches!(event, RequestEvent::Message(_)));
        };
        let kind = FlowEventKind::Data {
            captured: Timestamp(0),
            side: Side::Orig,
            offset: 0,
            bytes,
        };
        let event = FlowEvent {
            id: &id,
            time: Timestamp(0),
            due: None,
            kind,
        };
        table.follow(&event, &mut emit);
        table.advance(Timestamp(turns::QUIET_TIME), &mut emit);
        assert_eq!(count, 1, "{bytes:?}");
    }
}
