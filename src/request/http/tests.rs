//! Tests of the HTTP/1 analyzer: messages and their order.

mod contents;
mod gaps;
mod hostile;
mod order;

use crate::flow::Side;
use crate::packet::{TimeDelta, Timestamp};
use crate::request::analyzer::EndReason;
use crate::request::tests::Line::{Client, End, LateStart, Server};
use crate::request::tests::{Line, STEP, assert_same_for_any_split, requests, rows};
use crate::request::{Detail, Request};

const GET: Line = Client(b"GET /cart/7 HTTP/1.1\r\nHost: shop\r\n\r\n");
const OK: Line = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");

/// Returns the rows of a connection that closes, after a check that they are the same for any
/// split.
fn closed(lines: &[Line]) -> Vec<String> {
    assert_same_for_any_split(lines);
    rows(&requests(lines, EndReason::Closed))
}

/// Returns the only request of a connection that closes.
fn only_request(lines: &[Line]) -> Request {
    assert_same_for_any_split(lines);
    let mut found = requests(lines, EndReason::Closed);
    assert_eq!(found.len(), 1, "{:?}", rows(&found));
    found.remove(0)
}

fn count(request: &Request, name: &str) -> Option<u64> {
    request.details.get(name).and_then(Detail::as_count)
}

fn detail(request: &Request, name: &str) -> String {
    match request.details.get(name) {
        Some(Detail::Text(text)) => text.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_request_has_its_answer_times_and_details() {
    let request = only_request(&[
        GET,
        Server(b"HTTP/1.1 404 No such cart\r\nContent-Type: text/plain\r\n"),
        Server(b"Content-Length: 4\r\n\r\nno"),
        Server(b"ne"),
    ]);
    assert_eq!(request.protocol, "http");
    assert_eq!(
        rows(std::slice::from_ref(&request)),
        ["GET /cart/7 → 404 error (No such cart)"]
    );
    assert_eq!(request.time, Timestamp(STEP));
    assert_eq!(request.first_byte(), Some(TimeDelta(STEP)));
    assert_eq!(request.duration(), Some(TimeDelta(3 * STEP)));
    assert_eq!((request.request_bytes, request.answer_bytes), (36, 78));
    assert_eq!(detail(&request, "host"), "shop");
    assert_eq!(detail(&request, "content_type"), "text/plain");
    assert_eq!(count(&request, "status_code"), Some(404));
}

#[test]
fn an_empty_reason_phrase_has_the_standard_one() {
    for (line, row) in [
        (
            &b"HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n"[..],
            "GET /cart/7 → 503 error (Service Unavailable)",
        ),
        (
            b"HTTP/1.1 503\nContent-Length: 0\n\n",
            "GET /cart/7 → 503 error (Service Unavailable)",
        ),
        (
            b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n",
            "GET /cart/7 → 599 error (status 599)",
        ),
    ] {
        assert_eq!(closed(&[GET, Server(line)]), [row]);
    }
}

#[test]
fn pipelined_requests_have_answers_in_order() {
    let lines = [
        Client(b"GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
        Client(b"\r\nHEAD /3 HTTP/1.1\r\n\r\nGET /4 HTTP/1.1\r\n\r\n"),
        Server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n11HTTP/1.1 201 Created\r\n"),
        Server(b"Content-Length: 2, 2\r\n\r\n22HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        Server(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"),
    ];
    assert_eq!(
        closed(&lines),
        [
            "GET /1 → 200 ok",
            "POST /2 → 201 ok",
            "HEAD /3 → 200 ok",
            "GET /4 → 304 ok",
        ]
    );
}

#[test]
fn chunked_bodies_have_extensions_and_trailers() {
    let lines = [
        Client(b"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
        Client(b"3;name=\"v\"\r\nabc\r\n00A  \r\n0123456789\r\n0\r\nChecksum: 1\r\n\r\n"),
        Server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        GET,
        Server(b"HTTP/1.1 200 OK\nTransfer-Encoding: identity, chunked\n\n2\nhi\n0\n\n"),
        GET,
        Server(b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ];
    assert_eq!(
        closed(&lines),
        [
            "PUT /a → 200 ok",
            "GET /cart/7 → 200 ok",
            "GET /cart/7 → 204 ok",
        ]
    );
    let found = requests(&lines, EndReason::Closed);
    let bodies =
        |request: &Request| [&request.request, &request.answer].map(|message| message.body.clone());
    assert_eq!(bodies(&found[0]), [&b"abc0123456789"[..], b"hello"]);
    assert_eq!(bodies(&found[1]), [&b""[..], b"hi"]);
}

#[test]
fn an_answer_without_a_length_ends_with_the_stream() {
    let answer = Server(b"HTTP/1.0 200 OK\r\n\r\nall that follows");
    assert_eq!(
        closed(&[GET, answer, End(Side::Resp)]),
        ["GET /cart/7 → 200 ok"]
    );
    assert_eq!(
        closed(&[GET, answer]),
        ["GET /cart/7 → 200 cut (the connection ended within the answer)"]
    );
    let lines = [
        GET,
        Server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n?"),
        End(Side::Resp),
    ];
    assert_eq!(closed(&lines), ["GET /cart/7 → 200 ok"]);
}

#[test]
fn an_incomplete_answer_is_cut() {
    for start in [
        &b"HT"[..],
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ] {
        let lines = [GET, Server(start), End(Side::Resp)];
        let found = closed(&lines);
        assert!(
            found[0].ends_with("cut (the connection ended within the answer)"),
            "{found:?}"
        );
    }
    assert_eq!(
        closed(&[GET]),
        ["GET /cart/7 → - unanswered (the connection ended without an answer)"]
    );
}

#[test]
fn interim_answers_are_not_the_answer() {
    let request = only_request(&[
        Client(b"POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
        Server(b"HTTP/1.1 100 Continue\r\n\r\n"),
        Client(b"hello"),
        Server(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"),
        Server(b"Content-Length: 0\r\n\r\n"),
    ]);
    assert_eq!(count(&request, "interim"), Some(2));
    assert_eq!(request.status.as_deref(), Some("200"));
    assert_eq!(request.first_byte(), Some(TimeDelta(STEP)));
    assert_eq!(request.answer_bytes, 25 + 40 + 38);
    assert_eq!(request.answer.head, "HTTP/1.1 200 OK\nContent-Length: 0");
}

#[test]
fn an_answer_can_precede_the_end_of_its_request() {
    let lines = [
        Client(b"POST /big HTTP/1.1\r\nContent-Length: 10\r\n\r\n01234"),
        Server(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"),
        Client(b"56789"),
        GET,
        OK,
    ];
    assert_eq!(
        closed(&lines),
        [
            "POST /big → 413 error (Content Too Large)",
            "GET /cart/7 → 200 ok",
        ]
    );
    let found = requests(&lines, EndReason::Closed);
    assert_eq!(found[0].duration(), Some(TimeDelta(STEP)));
}

#[test]
fn an_upgrade_and_a_tunnel_end_http() {
    let upgrade = Client(b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    let switching =
        Server(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi");
    let connect = Client(b"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n");
    let established = Server(b"HTTP/1.1 200 Connection established\r\nContent-Length: 9\r\n\r\n");
    let refused = Server(b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno");
    for (lines, expected) in [
        (
            &[upgrade, switching, Client(b"GET / HTTP/1.1\r\n\r\n")][..],
            &["GET /chat → 101 ok"][..],
        ),
        (
            &[connect, established, Client(b"\x16\x03\x01"), OK],
            &["CONNECT db:5432 → 200 ok"],
        ),
        (
            &[connect, Client(b"\x16\x03\x01"), established, OK],
            &["CONNECT db:5432 → 200 ok"],
        ),
        (
            &[connect, refused, GET, OK],
            &["CONNECT db:5432 → 407 error (No)", "GET /cart/7 → 200 ok"],
        ),
        (
            &[upgrade, OK, GET, OK],
            &["GET /chat → 200 ok", "GET /cart/7 → 200 ok"],
        ),
    ] {
        assert_eq!(closed(lines), expected);
    }
}

#[test]
fn server_sent_events_are_counted() {
    let head = Server(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n");
    for (events, expected) in [
        (&b"data: 1\n\ndata: 2\ndata: 3\n\n"[..], 2),
        (
            b": comment\n\n\n\nevent: a\r\ndata: 1\r\n\r\n:\r\n\r\nid: 2\r\n\r\n",
            2,
        ),
        (b"data: 1\r\rdata: 2\r\r", 2),
        (b"data: 1\n\ndata: incomplete\n", 1),
        (b"", 0),
    ] {
        let lines = [GET, head, Server(events), End(Side::Resp)];
        let lines = if events.is_empty() {
            &[GET, head, End(Side::Resp)][..]
        } else {
            &lines
        };
        let request = only_request(lines);
        assert_eq!(count(&request, "events"), Some(expected));
    }
    let request = only_request(&[GET, head, Server(b"data: 1\n\n")]);
    assert_eq!(count(&request, "events"), Some(1), "the client left");
}

#[test]
fn answers_without_a_captured_request_are_unrequested() {
    let timeout = Server(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
    let moved = Server(b"HTTP/1.1 301 Moved\r\nContent-Length: 5\r\n\r\nthere");
    for (lines, expected) in [
        (
            &[GET, OK, timeout][..],
            &[
                "GET /cart/7 → 200 ok",
                "  → 408 unrequested (Request Timeout)",
            ][..],
        ),
        (
            &[timeout, GET, OK],
            &[
                "  → 408 unrequested (Request Timeout)",
                "GET /cart/7 → 200 ok",
            ],
        ),
        (
            &[LateStart, moved, GET, OK],
            &["  → 301 unrequested", "GET /cart/7 → 200 ok"],
        ),
    ] {
        let lines: Vec<Line> = lines.to_vec();
        assert_eq!(closed(&lines), expected);
    }
}

#[test]
fn an_unrequested_answer_can_be_one_to_head() {
    let head = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n");
    let chunked = Server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    let similar = Server(b"HTTP/1.1 but ...");
    for first in [head, chunked] {
        assert_eq!(
            closed(&[LateStart, first, GET, OK]),
            ["  → 200 unrequested", "GET /cart/7 → 200 ok"]
        );
    }
    let long = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n");
    assert_eq!(
        closed(&[LateStart, long, similar, GET, OK]),
        ["  → 200 unrequested", "GET /cart/7 → 200 ok"]
    );
}
