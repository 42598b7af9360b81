//! Missing bytes, late starts, hostile bytes and limits.

use super::messages::*;
use super::{connected, detail, turns};
use crate::flow::Side;
use crate::packet::TCP;
use crate::request::analyzer::EndReason;
use crate::request::tests::{Line, requests, requests_with, rows};
use crate::request::{Detail, Request, RequestSettings};

#[test]
fn missing_bytes_in_a_row_are_skipped() {
    let [startup, accepted] = connected();
    let select = query("select 1");
    let long = row(&[Some(&[b'x'; 9000])]);
    let before = [columns(&[("x", 25)]), long[..100].to_vec()].concat();
    let after = [&long[8900..], &complete("SELECT 1"), &ready()].concat();
    let plain = [complete("SELECT 0"), ready()].concat();
    let lines = [
        Line::Client(&startup),
        Line::Server(&accepted),
        Line::Client(&select),
        Line::Server(&before),
        Line::Missing(Side::Resp, 8800),
        Line::Server(&after),
        Line::Client(&select),
        Line::Server(&plain),
        Line::Client(&select),
        Line::Missing(Side::Resp, 1),
        Line::Server(&plain),
        Line::Client(&select),
        Line::Server(&plain),
    ];
    let settings = RequestSettings::default();
    let cut = "SELECT select 1 → - cut (bytes are missing in the capture)";
    let expected = [
        "SELECT select 1 → 00000 cut (bytes are missing in the capture)",
        "SELECT select 1 → 00000 ok",
        cut,
        cut,
    ];
    let found = requests_with(settings, TCP, &lines, EndReason::Closed);
    assert_eq!(rows(&found[1..]), expected);
    assert_eq!(detail(&found[1], "rows"), Some(&Detail::Count(1)));
    assert_eq!(rows(&requests(&lines, EndReason::Closed)[1..]), expected);

    let lines = [
        Line::Client(&startup),
        Line::Server(&accepted),
        Line::Client(&select),
        Line::Missing(Side::Orig, 1),
        Line::Server(&plain),
        Line::Client(&select),
        Line::Server(&plain),
    ];
    assert_eq!(rows(&requests(&lines, EndReason::Closed)[1..]), [cut]);
}

#[test]
fn hostile_messages_end_the_analysis() {
    for hostile in [
        &b"Q\0\0\0\x03"[..],
        b"Q\xff\xff\xff\xff",
        b"Q\0\0\0\x08a\0b\0",
        b"?\0\0\0\x04",
        b"P\0\0\0\x09\0\0\xff\xff\0",
        b"S\0\0\0\x05x",
    ] {
        let found = turns(&[hostile.to_vec(), b"Z\0\0\0\x05I".to_vec()]);
        assert_eq!(found.len(), 0, "{hostile:?}");
    }
    for hostile in [
        ready(),
        done("1"),
        b"?\0\0\0\x04".to_vec(),
        b"C\0\0\0\0".to_vec(),
    ] {
        let found = turns(&[query("select 1"), hostile, query("select 2"), ready()]);
        let error = "(bytes that are not valid in the protocol)";
        let row = |number| format!("SELECT select {number} → - cut {error}");
        assert_eq!(rows(&found), [row(1), row(2)]);
    }
}

#[test]
fn many_pipelined_requests_use_little_memory() {
    const COUNT: usize = 100_000;
    let [startup, accepted] = connected();
    let (one, answer) = (query("select 1"), [complete("SELECT 0"), ready()].concat());
    let (client, server) = (one.repeat(COUNT), answer.repeat(COUNT));
    let lines = [
        Line::Client(&startup),
        Line::Server(&accepted),
        Line::Client(&client),
        Line::Server(&server),
        Line::Client(&one),
        Line::Server(&answer),
    ];
    let settings = RequestSettings {
        max_pending: 100,
        ..RequestSettings::default()
    };
    let found = requests_with(settings, TCP, &lines, EndReason::Closed);
    assert_eq!(found.len(), COUNT + 2);
    let limit = "SELECT select 1 → - cut (a memory limit of lcap was reached)";
    assert_eq!(rows(&found[1..2]), [limit]);
    let is_ok = |request: &&Request| request.outcome.name() == "ok";
    assert_eq!(found.iter().filter(is_ok).count(), 102);
}

#[test]
fn a_late_start_has_no_wrong_text() {
    let run = [bind("", "s1", 0, &[]), execute(""), sync()].concat();
    let ran = [done("2"), complete("SELECT 0"), ready()].concat();
    let select = query("select 1");
    let answer = [complete("SELECT 0"), ready()].concat();
    // The rest of an answer, and the answer to a request before the capture.
    for first in [&b"rest of a row"[..], &ran] {
        let lines = [
            Line::Server(first),
            Line::Client(&run),
            Line::Server(&ran),
            Line::Client(&select),
            Line::Server(&answer),
        ];
        let found = rows(&requests(&lines, EndReason::Closed));
        let [earlier, run] = match first.starts_with(b"2") {
            true => ["SELECT  → 00000 unrequested", "SELECT ? → 00000 ok"],
            false => ["receive  → 13 B unrequested", "send 32 B → 25 B ok"],
        };
        let expected = [earlier, run, "SELECT select 1 → 00000 ok"];
        assert_eq!(found, expected);
    }
}

/// Requests before the capture can be unanswered: their number is not certain.
#[test]
fn pipelined_requests_at_a_late_start_are_cut() {
    let run = [bind("", "s1", 0, &[]), execute(""), sync()].concat();
    let ran = [done("2"), complete("SELECT 0"), ready()].concat();
    let two = run.repeat(2);
    let lines = [
        Line::Client(&two),
        Line::Server(&ran),
        Line::Server(&ran),
        Line::Client(&run),
        Line::Server(&ran),
    ];
    let found = requests(&lines, EndReason::Closed);
    let cut = "EXECUTE ? → - cut (bytes are missing in the capture)";
    assert_eq!(rows(&found), [cut]);
}

/// Each byte of a conversation is replaced, and pieces are missing at each position: no panic, and
/// all memory is counted as free.
#[test]
fn damaged_conversations_are_harmless() {
    let client = [
        parse("s", "select $1", &[23]),
        describe("S", "s"),
        bind("p", "s", 1, &[Some(&[0, 0, 0, 1]), None]),
        describe("P", "p"),
        execute("p"),
        close("P", "p"),
        sync(),
        query("copy t from stdin"),
        message(b'd', b"1\n"),
        done("c"),
    ]
    .concat();
    let server = [
        done("1"),
        message(b't', &[0, 1, 0, 0, 0, 23]),
        columns(&[("a", 23)]),
        done("2"),
        columns(&[("a", 23)]),
        row(&[Some(b"1")]),
        complete("SELECT 1"),
        done("3"),
        ready(),
        message(b'G', &[0, 0, 0]),
        error("22P02", "invalid"),
        ready(),
    ]
    .concat();
    let run = |client: &[Line], server: &[Line]| {
        let [startup, accepted] = connected();
        let start = [Line::Client(&startup), Line::Server(&accepted)];
        let lines = [&start, client, server, &[Line::End(Side::Resp)]].concat();
        requests(&lines, EndReason::Closed).len()
    };
    let (all_client, all_server) = ([Line::Client(&client)], [Line::Server(&server)]);
    assert_eq!(run(&all_client, &all_server), 3);
    for byte in [0, 1, 0x7f, 0xff, b'E', b'Z', b'S'] {
        for at in 0..client.len() {
            let mut damaged = client.clone();
            damaged[at] = byte;
            run(&[Line::Client(&damaged)], &all_server);
        }
        for at in 0..server.len() {
            let mut damaged = server.clone();
            damaged[at] = byte;
            run(&all_client, &[Line::Server(&damaged)]);
        }
    }
    const MISSING: usize = 3;
    for at in 0..client.len() - MISSING {
        let (before, after) = (&client[..at], &client[at + MISSING..]);
        let missing = Line::Missing(Side::Orig, MISSING as u64);
        run(
            &[Line::Client(before), missing, Line::Client(after)],
            &all_server,
        );
    }
    for at in 0..server.len() - MISSING {
        let (before, after) = (&server[..at], &server[at + MISSING..]);
        let missing = Line::Missing(Side::Resp, MISSING as u64);
        run(
            &all_client,
            &[Line::Server(before), missing, Line::Server(after)],
        );
    }
}
