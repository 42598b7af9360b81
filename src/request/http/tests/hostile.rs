//! Tests of HTTP/1 with invalid and unlimited messages.

use super::super::head;
use super::*;
use crate::flow::{FlowEvent, FlowEventKind};
use crate::packet::TCP;
use crate::request::tests::{flow_id, requests_with};
use crate::request::{RequestEvent, RequestSettings, RequestTable};

#[test]
fn lengths_that_are_uncertain_are_not_guessed() {
    for fields in [
        "Content-Length: 99999999999999999999",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: ",
        "Content-Length : 5",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding : chunked",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nhello");
        assert_eq!(
            closed(&[GET, Server(answer.as_bytes())]),
            ["GET /cart/7 → - cut (bytes that are not valid in the protocol)"],
            "{fields}"
        );
    }
    for chunks in [
        "x\r\n",
        "fffffffffffffffff\r\n",
        "-1\r\n",
        "5\r\nhello5\r\n",
        ";a\r\n",
        "0\r\n\rx",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(
            closed(&[GET, Server(answer.as_bytes())]),
            ["GET /cart/7 → 200 cut (bytes that are not valid in the protocol)"],
            "{chunks:?}"
        );
    }
    // Of a request, only the last coding determines the length.
    let request = Client(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n");
    let bad = Server(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(
        closed(&[GET, OK, request, bad])[1..],
        ["  → 400 unrequested (Bad Request)"]
    );
}

#[test]
fn unusual_heads_are_accepted() {
    for head in [
        &b"GET /cart/7 HTTP/1.1\r\nX: folded\r\n line\r\n\tanother\r\nHost: a\r\n\r\n"[..],
        b"GET /cart/7 HTTP/1.1\nHost: bare LF\n\n",
        b"GET /cart/7 HTTP/1.0\r\nName with spaces: 1\r\nno colon\r\nControl: \x01\r\n\r\n",
        b"\r\n\nGET /cart/7 HTTP/1.1\r\nContent-Length:\t0\r\n\r\n",
        b"GET /cart/7 HTTP/1.1\r\n\r\n",
    ] {
        let answer = Server(b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\nX : 1\r\n\r\nhi");
        assert_eq!(
            closed(&[GET, OK, Client(head), answer])[1..],
            ["GET /cart/7 → 200 ok"]
        );
    }
    let target = Client(b"GET http://a/\xe9?x=\"y\"|z HTTP/1.1\r\n\r\n");
    assert_eq!(
        closed(&[target, OK]),
        ["GET http://a/\u{fffd}?x=\"y\"|z → 200 ok"]
    );
}

#[test]
fn heads_are_limited() {
    let bad = Server(b"HTTP/1.1 431 Too Large\r\nContent-Length: 0\r\n\r\n");
    let unrequested = "  → 431 unrequested (Too Large)";
    let value = "x".repeat(head::MAX_HEAD_LEN);
    let long = format!("GET / HTTP/1.1\r\nX: {value}\r\n\r\n");
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: 1\r\n".repeat(300));
    let old = "GET /\r\n";
    let method = "GETTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT";
    for request in [&long, &many, old, method] {
        let lines = [GET, OK, Client(request.as_bytes()), bad];
        let found = rows(&requests(&lines, EndReason::Closed));
        assert_eq!(
            found[1..],
            [unrequested],
            "{}",
            &request[..20.min(request.len())]
        );
    }
    let bytes: Vec<Line> = long.as_bytes().chunks(1).map(Client).collect();
    let found = requests(
        &[&[GET, OK][..], &bytes, &[bad]].concat(),
        EndReason::Closed,
    );
    assert_eq!(rows(&found)[1..], [unrequested]);
}

#[test]
fn a_million_pipelined_requests_need_bounded_memory() {
    let settings = RequestSettings {
        max_pending: 100,
        max_buffered_bytes: 1 << 20,
        ..RequestSettings::default()
    };
    let mut table = RequestTable::new(settings);
    let id = flow_id(TCP);
    let (mut reported, mut answered) = (0, 0);
    for (side, message) in [
        (Side::Orig, &b"GET /a HTTP/1.1\r\n\r\n"[..]),
        (Side::Resp, b"HTTP/1.1 204 No Content\r\n\r\n"),
    ] {
        let bytes = message.repeat(1000);
        for segment in 0..1000 {
            let (bytes, offset) = (&bytes[..], 0);
            let time = Timestamp(segment);
            let kind = FlowEventKind::Data {
                side,
                offset,
                bytes,
                captured: time,
            };
            let event = FlowEvent {
                id: &id,
                time,
                due: None,
                kind,
            };
            table.follow(&event, &mut |event| {
                if let RequestEvent::Request(request) = event {
                    reported += 1;
                    answered += u64::from(request.status.is_some());
                }
            });
            assert!(table.buffered_bytes() < 1 << 20);
        }
    }
    assert_eq!(
        (reported, answered),
        (1_000_000, 100),
        "the last ones are answered"
    );
    // HEAD and GET have answers of different length.
    let mixed = b"HEAD /a HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n".repeat(40);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    let answers = [&answer[..], answer, b"hi"].concat().repeat(40);
    let settings = RequestSettings {
        max_pending: 79,
        ..settings
    };
    let found = requests_with(
        settings,
        TCP,
        &[Client(&mixed), Server(&answers)],
        EndReason::Closed,
    );
    assert_eq!(rows(&found[79..]), ["GET /a → 200 ok"]);
}

#[test]
fn a_gigabyte_of_body_needs_bounded_memory() {
    let piece = vec![b'x'; 1 << 20];
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        1024_u64 << 20
    );
    let mut lines = vec![GET, Server(head.as_bytes())];
    lines.extend(vec![Server(&piece); 1024]);
    lines.extend([GET, OK]);
    for body_limit in [0, 1000] {
        let settings = RequestSettings {
            body_limit,
            ..RequestSettings::default()
        };
        let found = requests_with(settings, TCP, &lines, EndReason::Closed);
        assert_eq!(rows(&found), ["GET /cart/7 → 200 ok"; 2]);
        assert_eq!(found[0].answer_bytes, (1024 << 20) + head.len() as u64);
        let answer = &found[0].answer;
        assert_eq!(answer.body.len(), body_limit);
    }
}

/// Bytes that change often between valid and invalid do not cost more than their number.
#[test]
fn garbage_is_skipped() {
    let mut lines = vec![GET];
    for _ in 0..10_000 {
        lines.extend([Server(b"\x00"), Client(b"\x00\x01"), OK, GET]);
    }
    let found = requests(&lines, EndReason::Closed);
    let is_cut = |row: &String| row.contains(" cut ") || row.contains("unrequested");
    assert!(rows(&found).iter().all(is_cut));
}
