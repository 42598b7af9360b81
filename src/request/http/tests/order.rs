//! Tests of HTTP/1 answers that can belong to another request than the next one.

use super::*;
use Line::{Missing, Pause};

const FOUND: &str = "GET /cart/7 → 200 ok";
const UNREQUESTED: &str = "  → 200 unrequested";
const UNCERTAIN: &str = "GET /cart/7 → - cut (the order of the answers is uncertain)";
const TWO: Line = Client(b"GET /cart/7 HTTP/1.1\r\n\r\nGET /cart/7 HTTP/1.1\r\n\r\n");
const TWO_OK: Line = Server(
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
);

#[test]
fn an_answer_before_its_request_is_not_that_of_the_next_one() {
    for (lines, expected) in [
        (
            &[GET, OK, OK, GET, GET, OK, GET, OK][..],
            &[FOUND, UNREQUESTED, UNCERTAIN, FOUND, FOUND][..],
        ),
        (
            &[OK, GET, OK, GET, OK, GET],
            &[
                UNREQUESTED,
                UNCERTAIN,
                UNREQUESTED,
                UNCERTAIN,
                UNREQUESTED,
                UNCERTAIN,
            ],
        ),
        (
            &[OK, OK, TWO, GET, OK],
            &[UNREQUESTED, UNREQUESTED, UNCERTAIN, UNCERTAIN, FOUND],
        ),
    ] {
        assert_eq!(closed(lines), expected, "{lines:?}");
    }
}

#[test]
fn after_a_late_start_the_first_request_has_its_answer_if_no_other_follows() {
    let not_found = Server(b"HTTP/1.1 404 No\r\nContent-Type: text/plain\r\n\r\n");
    for (lines, expected) in [
        (&[LateStart, GET, OK, GET, OK][..], &[FOUND, FOUND][..]),
        (
            &[LateStart, OK, GET, OK, GET, GET, OK, OK],
            &[UNREQUESTED, FOUND, FOUND, FOUND],
        ),
        (&[LateStart, GET, OK], &[FOUND]),
        (
            &[LateStart, GET, not_found, End(Side::Resp)],
            &["GET /cart/7 → 404 error (No)"],
        ),
        (
            &[LateStart, GET, not_found],
            &["GET /cart/7 → 404 cut (the connection ended within the answer)"],
        ),
    ] {
        assert_eq!(closed(lines), expected, "{lines:?}");
    }
    let request = only_request(&[LateStart, GET, not_found, Server(b"x"), End(Side::Resp)]);
    assert_eq!(request.first_byte(), Some(TimeDelta(STEP)));
    assert_eq!(request.duration(), Some(TimeDelta(2 * STEP)));
    assert_eq!(request.answer.body, b"x");
    assert_eq!(detail(&request, "content_type"), "text/plain");
    assert_eq!(detail(&request, "host"), "shop");
}

#[test]
fn after_a_late_start_the_first_answer_is_complete_after_a_pause() {
    let lines = [LateStart, GET, OK, Pause(40), OK, GET, OK];
    let found = rows(&requests(&lines, EndReason::Closed));
    assert_eq!(found, [FOUND, UNREQUESTED, UNCERTAIN, UNREQUESTED]);
}

#[test]
fn after_a_late_start_a_pipeline_is_not_paired() {
    for (lines, expected) in [
        // The first answer is that of a request before the capture.
        (
            &[LateStart, GET, OK, OK, GET, OK][..],
            &[UNREQUESTED, UNCERTAIN, UNCERTAIN][..],
        ),
        (
            &[LateStart, GET, TWO_OK, GET, OK],
            &[UNREQUESTED, UNCERTAIN, UNCERTAIN],
        ),
        (
            &[LateStart, TWO, OK, OK, GET, OK],
            &[UNCERTAIN, UNCERTAIN, UNCERTAIN],
        ),
        (
            &[LateStart, GET, OK, TWO, OK, OK, GET, OK],
            &[FOUND, FOUND, FOUND, FOUND],
        ),
        (
            &[
                LateStart,
                GET,
                Server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n0"),
                GET,
                Server(b"1"),
                OK,
                GET,
            ],
            &[UNREQUESTED, UNCERTAIN, UNCERTAIN, UNCERTAIN],
        ),
    ] {
        assert_eq!(closed(lines), expected, "{lines:?}");
    }
}

#[test]
fn after_a_late_start_missing_bytes_end_the_first_exchange() {
    let lines = [LateStart, GET, OK, Missing(Side::Resp, 9), GET, OK, GET, OK];
    let found = rows(&requests(&lines, EndReason::Closed));
    assert_eq!(found, [UNREQUESTED, UNCERTAIN, FOUND, FOUND]);
}

#[test]
fn a_keep_alive_probe_before_the_first_request_is_not_a_part_of_it() {
    let lines = [LateStart, Client(b"\0"), GET, OK];
    assert_eq!(rows(&requests(&lines, EndReason::Closed)), [FOUND]);
}
