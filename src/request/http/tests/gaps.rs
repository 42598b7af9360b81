//! Tests of HTTP/1 with missing bytes, and with captures that start late.

use super::*;
use Line::Missing;

/// Returns the rows of a connection that closes.
fn rows_of(lines: &[Line]) -> Vec<String> {
    rows(&requests(lines, EndReason::Closed))
}

const CUT: &str = "GET /cart/7 → 200 cut (bytes are missing in the capture)";
const LOST: &str = "GET /cart/7 → - cut (bytes are missing in the capture)";
const FOUND: &str = "GET /cart/7 → 200 ok";
const POST: Line = Client(b"POST /p HTTP/1.1\r\nContent-Length: 10\r\n\r\n01234");

#[test]
fn missing_bytes_of_a_body_are_skipped() {
    let chunked = Server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n012");
    let until_close = Server(b"HTTP/1.1 200 OK\r\n\r\n");
    let long = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    for answer in [
        &[long, Missing(Side::Resp, 6), Server(b"6789")][..],
        &[long, Missing(Side::Resp, 10)],
        &[long, Server(b"012"), Missing(Side::Resp, 7)],
        &[chunked, Missing(Side::Resp, 7), Server(b"\r\n0\r\n\r\n")],
        &[
            chunked,
            Missing(Side::Resp, 2),
            Server(b"56789\r\n0\r\n\r\n"),
        ],
    ] {
        let lines = [&[GET], answer, &[GET, OK]].concat();
        assert_eq!(rows_of(&lines), [CUT, FOUND], "{answer:?}");
    }
    let lines = [GET, until_close, Missing(Side::Resp, 99), End(Side::Resp)];
    assert_eq!(rows_of(&lines), [CUT]);
    let lines = [POST, Missing(Side::Orig, 5), OK, GET, OK];
    assert_eq!(
        rows_of(&lines),
        [
            "POST /p → 200 cut (bytes are missing in the capture)",
            FOUND
        ]
    );
    let found = requests(&lines, EndReason::Closed);
    assert_eq!(found[0].request_bytes, 40 + 10);
    assert_eq!(
        (&found[0].request.body[..], found[0].request.left_out),
        (&b"01234"[..], 5)
    );
}

#[test]
fn answers_continue_with_the_next_request() {
    let long = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    let partial_head = Server(b"HTTP/1.1 200 OK\r\nContent-");
    for lost in [
        // The gap is longer than the rest of the body.
        &[long, Missing(Side::Resp, 11)][..],
        &[long, Missing(Side::Resp, 11), Server(b"more of it")],
        &[Missing(Side::Resp, 40)],
        &[Missing(Side::Resp, 40), OK],
        &[partial_head, Missing(Side::Resp, 3), OK],
    ] {
        let found = rows_of(&[&[GET, OK, GET], lost, &[GET, OK, GET, OK]].concat());
        let cut = if found[1] == CUT { CUT } else { LOST };
        assert_eq!(found, [FOUND, cut, FOUND, FOUND], "{lost:?}");
    }
}

#[test]
fn answers_of_a_pipelining_client_do_not_continue() {
    let lines = [GET, GET, OK, Missing(Side::Resp, 9), OK, GET, OK, GET, OK];
    assert_eq!(rows_of(&lines), [FOUND, LOST, LOST, LOST]);
    // Two requests wait when the answers seem to continue.
    let lines = [GET, Missing(Side::Resp, 9), GET, GET, OK, GET, OK];
    assert_eq!(rows_of(&lines), [LOST; 4]);
    let lines = [GET, GET, GET, Missing(Side::Resp, 9), OK, GET, OK];
    assert_eq!(rows_of(&lines), [LOST; 4]);
}

#[test]
fn a_request_without_an_answer_after_a_gap_is_cut() {
    assert_eq!(rows_of(&[GET, Missing(Side::Resp, 9), GET]), [LOST, LOST]);
}

#[test]
fn requests_continue_when_the_missing_ones_are_answered() {
    let unrequested = "  → 200 unrequested";
    for (lines, expected) in [
        // The missing request was answered.
        (
            &[GET, OK, Missing(Side::Orig, 36), OK, GET, OK][..],
            &[FOUND, unrequested, FOUND][..],
        ),
        (
            &[GET, OK, OK, Missing(Side::Orig, 36), GET, OK],
            &[FOUND, unrequested, FOUND],
        ),
        // Whether it was answered is uncertain: the next answer can be its own.
        (
            &[GET, OK, Missing(Side::Orig, 36), GET, OK, OK, GET, OK],
            &[FOUND, unrequested, unrequested, FOUND],
        ),
        // A whole exchange is missing.
        (
            &[
                GET,
                OK,
                Missing(Side::Orig, 36),
                GET,
                Missing(Side::Resp, 43),
                OK,
                GET,
                OK,
            ],
            &[FOUND, FOUND],
        ),
        // The end of a request is missing.
        (
            &[POST, Missing(Side::Orig, 15), OK, GET, OK],
            &[
                "POST /p → 200 cut (bytes are missing in the capture)",
                FOUND,
            ],
        ),
        (
            &[POST, Missing(Side::Orig, 15), GET, OK, GET, OK],
            &[
                "POST /p → 200 cut (bytes are missing in the capture)",
                FOUND,
            ],
        ),
    ] {
        assert_eq!(rows_of(lines), expected, "{lines:?}");
    }
}

#[test]
fn a_capture_can_start_within_an_answer() {
    for start in [
        &[Server(b"\x00rest of a body")][..],
        &[Server(b"t of a body"), Server(b"more\r\n\r\n")],
        &[Server(b"0 OK\r\nContent-Length: 5\r\n\r\nhello")],
        &[Client(b"\"rest\": 1}"), OK],
    ] {
        let found = rows_of(&[start, &[GET, OK, GET, OK]].concat());
        assert_eq!(found[found.len() - 2..], [FOUND, FOUND], "{start:?}");
    }
    // The rest of an earlier answer arrives after the request: it is not its answer.
    let lines = [
        Server(b"rest "),
        GET,
        Server(b"of a body"),
        GET,
        OK,
        GET,
        OK,
    ];
    let found = rows_of(&lines);
    assert!(found[0].starts_with("GET /cart/7 → - cut"), "{found:?}");
    assert_eq!(found[1..], [FOUND, FOUND]);
}
