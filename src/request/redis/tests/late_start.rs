//! Tests of replies that can be the answers of other commands than the next one.

use super::super::super::tests::Line::{LateStart, Missing, Pause};
use super::{Client, EndReason, Line, Server, Side, array, assert_rows, requests, rows};

const UNCERTAIN: &str = "GET a → - cut (the order of the answers is uncertain)";
const ONE: Line = Server(b":1\r\n");
const TWO: Line = Server(b":2\r\n");

#[test]
fn a_reply_before_its_command_is_not_that_of_the_next_one() {
    let get = array("GET a");
    let get = Client(&get);
    assert_rows(
        &[ONE, get, get, TWO, get, ONE],
        &[
            "  → 1 unrequested",
            UNCERTAIN,
            "GET a → 2 ok",
            "GET a → 1 ok",
        ],
    );
    assert_rows(
        &[get, ONE, TWO, get, ONE, get],
        &[
            "GET a → 1 ok",
            "  → 2 unrequested",
            UNCERTAIN,
            "  → 1 unrequested",
            UNCERTAIN,
        ],
    );
}

#[test]
fn after_a_late_start_the_first_command_has_its_reply_if_no_other_follows() {
    let get = array("GET a");
    let get = Client(&get);
    let pair = &["GET a → 1 ok", "GET a → 2 ok"];
    assert_rows(&[LateStart, get, ONE, get, TWO], pair);
    assert_rows(
        &[LateStart, get, ONE, get, get, TWO, ONE],
        &["GET a → 1 ok", pair[1], pair[0]],
    );
    assert_rows(&[LateStart, get, ONE], &pair[..1]);
    assert_rows(
        &[LateStart, ONE, get, TWO, get, ONE],
        &["  → 1 unrequested", "GET a → 2 ok", "GET a → 1 ok"],
    );
    let lines = [LateStart, get, ONE, Pause(40), TWO];
    let found = rows(&requests(&lines, EndReason::Closed));
    assert_eq!(found, ["GET a → 1 ok", "  → 2 unrequested"]);
}

#[test]
fn after_a_late_start_a_pipeline_is_not_paired() {
    let get = array("GET a");
    let get = Client(&get);
    let both = Server(b":1\r\n:2\r\n");
    let unrequested = [
        "  → 1 unrequested",
        UNCERTAIN,
        "  → 2 unrequested",
        UNCERTAIN,
    ];
    for lines in [
        &[LateStart, get, ONE, TWO, get, ONE][..],
        &[LateStart, get, both, get, ONE],
    ] {
        assert_eq!(rows(&requests(lines, EndReason::Closed)), unrequested);
    }
    assert_rows(
        &[LateStart, get, get, ONE, TWO, get, ONE],
        &["  → 1 unrequested", UNCERTAIN, UNCERTAIN, UNCERTAIN],
    );
}

#[test]
fn after_a_late_start_missing_bytes_end_the_first_exchange() {
    let get = array("GET a");
    let get = Client(&get);
    let lines = [
        LateStart,
        get,
        ONE,
        Missing(Side::Resp, 4),
        get,
        TWO,
        get,
        ONE,
    ];
    let found = rows(&requests(&lines, EndReason::Closed));
    assert_eq!(
        found,
        [
            "  → 1 unrequested",
            UNCERTAIN,
            "GET a → 2 ok",
            "GET a → 1 ok"
        ]
    );
}
