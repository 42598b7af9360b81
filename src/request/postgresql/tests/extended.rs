//! Prepared statements, portals, batches and their errors.

use super::messages::*;
use super::{detail, turns};
use crate::request::Detail;
use crate::request::tests::{STEP, rows};

#[test]
fn a_prepared_statement_has_its_text_and_parameters() {
    let first = [
        parse("s1", "select $1::int4, $2", &[23, 0]),
        describe("S", "s1"),
        sync(),
    ];
    let types = message(
        b't',
        &[&[0, 2][..], &23u32.to_be_bytes(), &25u32.to_be_bytes()].concat(),
    );
    let described = [done("1"), types, columns(&[("a", 23), ("b", 25)]), ready()];
    let values: [Option<&[u8]>; 2] = [Some(&[0, 0, 1, 0]), None];
    let run = [bind("", "s1", 1, &values), execute(""), sync()].concat();
    let result = [
        done("2"),
        row(&[Some(b"256"), None]),
        complete("SELECT 1"),
        ready(),
    ]
    .concat();
    let found = turns(&[
        first.concat(),
        described.concat(),
        run.clone(),
        result,
        [close("S", "s1"), sync()].concat(),
        [done("3"), ready()].concat(),
        run,
        [
            error("26000", "prepared statement \"s1\" does not exist"),
            ready(),
        ]
        .concat(),
    ]);
    assert_eq!(
        rows(&found),
        [
            "PREPARE select $1::int4, $2 → 00000 ok",
            "SELECT select $1::int4, $2 → 00000 ok",
            "CLOSE select $1::int4, $2 → 00000 ok",
            "EXECUTE ? → 26000 error (ERROR: prepared statement \"s1\" does not exist)",
        ]
    );
    let parameters = Detail::List(vec![Detail::Integer(256), Detail::Null]);
    assert_eq!(detail(&found[1], "parameters"), Some(&parameters));
    assert_eq!(
        detail(&found[1], "statement"),
        Some(&Detail::Text("s1".into()))
    );
    assert_eq!(detail(&found[1], "rows"), Some(&Detail::Count(1)));
    assert_eq!(found[1].request.head, "Bind s1: 256, NULL");
    assert_eq!(found[1].answer.head, "Row: 256, NULL\nComplete: SELECT 1");
}

#[test]
fn pipelined_statements_after_an_error_are_skipped() {
    let one = |text: &str| [parse("", text, &[]), bind("", "", 0, &[]), execute("")].concat();
    let batch = [
        one("insert 1"),
        one("insert x"),
        one("insert 2"),
        sync(),
        one("select 3"),
        sync(),
    ];
    let answers = [
        done("12"),
        complete("INSERT 0 1"),
        done("1"),
        error("22P02", "invalid input"),
        ready(),
        done("12"),
        complete("SELECT 0"),
        ready(),
    ];
    let found = turns(&[batch.concat(), answers.concat()]);
    assert_eq!(
        rows(&found),
        [
            "INSERT insert 1 → 00000 ok",
            "INSERT insert x → 22P02 error (ERROR: invalid input)",
            "INSERT insert 2 → - error (skipped after the error of an earlier statement)",
            "SELECT select 3 → 00000 ok",
        ]
    );
}

#[test]
fn an_error_can_arrive_before_the_rest_of_its_batch() {
    let found = turns(&[
        parse("", "selec", &[]),
        error("42601", "syntax error"),
        [
            bind("", "", 0, &[]),
            execute(""),
            parse("", "select 2", &[]),
        ]
        .concat(),
        Vec::new(),
        [bind("", "", 0, &[]), execute(""), sync()].concat(),
        ready(),
        query("select 3"),
        [complete("SELECT 0"), ready()].concat(),
    ]);
    assert_eq!(
        rows(&found),
        [
            "SELEC selec → 42601 error (ERROR: syntax error)",
            "SELECT select 2 → - error (skipped after the error of an earlier statement)",
            "SELECT select 3 → 00000 ok",
        ]
    );
}

#[test]
fn a_failed_parse_keeps_the_earlier_statement() {
    let run = || [bind("", "s", 0, &[]), execute(""), sync()].concat();
    let ran = || [done("2"), complete("SELECT 0"), ready()].concat();
    let found = turns(&[
        [parse("s", "select 1", &[]), sync()].concat(),
        [done("1"), ready()].concat(),
        // The second batch is sent before the failure of the first one arrives.
        [parse("s", "select 2", &[]), sync(), run()].concat(),
        [error("42P05", "s already exists"), ready(), ran()].concat(),
    ]);
    assert_eq!(
        rows(&found[1..]),
        [
            "PREPARE select 2 → 42P05 error (ERROR: s already exists)",
            "SELECT select 1 → 00000 ok",
        ]
    );
}

#[test]
fn deallocated_statements_have_no_text() {
    for sql in ["deallocate \"s\";", "discard all", "begin; deallocate s"] {
        let tag = match sql {
            "discard all" => "DISCARD ALL",
            _ => "DEALLOCATE",
        };
        let found = turns(&[
            [parse("s", "select 1", &[]), sync()].concat(),
            [done("1"), ready()].concat(),
            query(sql),
            [complete(tag), ready()].concat(),
            [bind("", "s", 0, &[]), execute(""), sync()].concat(),
            [done("2"), complete("FETCH 7"), ready()].concat(),
        ]);
        assert_eq!(rows(&found[2..]), ["FETCH ? → 00000 ok"], "{sql}");
    }
}

#[test]
fn a_suspended_portal_has_a_row_for_each_execute() {
    let found = turns(&[
        [
            parse("", "select 1", &[]),
            bind("p", "", 0, &[]),
            execute("p"),
            message(b'H', b""),
        ]
        .concat(),
        [done("12"), row(&[None]), message(b's', b"")].concat(),
        [execute("p"), close("P", "p"), sync()].concat(),
        [row(&[None]), complete("SELECT 1"), done("3"), ready()].concat(),
    ]);
    let row = "SELECT select 1 → 00000 ok";
    assert_eq!(rows(&found), [row, row]);
    assert_eq!(detail(&found[0], "suspended"), Some(&Detail::Bool(true)));
    assert_eq!(detail(&found[0], "portal"), Some(&Detail::Text("p".into())));
    assert_eq!(detail(&found[1], "suspended"), None);
    // The first request ends with Flush, the second one with Sync.
    assert_eq!(found[0].duration().map(|duration| duration.0), Some(STEP));
}

#[test]
fn the_extended_protocol_ignores_sync_while_data_is_copied() {
    let copy = [
        parse("", "copy t from stdin", &[]),
        bind("", "", 0, &[]),
        execute(""),
        sync(),
    ];
    let start = [done("12"), message(b'G', &[0, 0, 0])].concat();
    let rows_and_end = [
        message(b'd', b"1\n"),
        message(b'd', b"23\n"),
        done("c"),
        sync(),
    ]
    .concat();
    let end = [complete("COPY 2"), ready()].concat();
    let next = [query("select 1"), [complete("SELECT 0"), ready()].concat()];
    let [client, server] = next;
    let expected = [
        "COPY copy t from stdin → 00000 ok",
        "SELECT select 1 → 00000 ok",
    ];
    let found = turns(&[
        copy.concat(),
        start.clone(),
        rows_and_end.clone(),
        end.clone(),
        client.clone(),
        server.clone(),
    ]);
    assert_eq!(rows(&found), expected);
    assert_eq!(detail(&found[0], "copy_bytes"), Some(&Detail::Count(5)));
    assert_eq!(detail(&found[0], "affected"), Some(&Detail::Count(2)));
    // The data is sent before the server requests it.
    let found = turns(&[
        [copy.concat(), rows_and_end, client].concat(),
        [start, end, server].concat(),
    ]);
    assert_eq!(rows(&found), expected);
    assert_eq!(detail(&found[0], "affected"), Some(&Detail::Count(2)));
}

#[test]
fn function_calls_and_failed_commits_are_rows() {
    let call = message(b'F', &[0, 0, 3, 0xbb, 0, 0, 0, 0, 0, 1]);
    let found = turns(&[
        call,
        [message(b'V', &[0xff; 4]), ready()].concat(),
        [
            parse("", "insert", &[]),
            bind("", "", 0, &[]),
            execute(""),
            sync(),
        ]
        .concat(),
        [
            done("12"),
            complete("INSERT 0 1"),
            error("23503", "no such key"),
            ready(),
        ]
        .concat(),
        [sync(), sync()].concat(),
        [ready(), ready()].concat(),
    ]);
    assert_eq!(
        rows(&found),
        [
            "CALL function 955 → 00000 ok",
            "INSERT insert → 00000 ok",
            "SYNC  → 23503 error (ERROR: no such key)",
        ]
    );
}
