//! Tests of the PostgreSQL analyzer: conversations, split at any positions.

use crate::flow::Side;
use crate::packet::TCP;
use crate::request::analyzer::EndReason;
use crate::request::tests::{Line, STEP, assert_same_for_any_split, requests, requests_with, rows};
use crate::request::{Detail, Request, RequestSettings};

/// Returns a message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &len.to_be_bytes()[..], body].concat()
}

fn query(text: &str) -> Vec<u8> {
    message(b'Q', format!("{text}\0").as_bytes())
}

fn parse(name: &str, text: &str, types: &[u32]) -> Vec<u8> {
    let count = u16::try_from(types.len()).unwrap().to_be_bytes();
    let types: Vec<u8> = types.iter().flat_map(|oid| oid.to_be_bytes()).collect();
    let names = format!("{name}\0{text}\0");
    message(b'P', &[names.as_bytes(), &count, &types].concat())
}

/// Returns a Bind message with parameters in one format.
fn bind(portal: &str, statement: &str, format: u16, values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = format!("{portal}\0{statement}\0").into_bytes();
    body.extend([0, 1]);
    body.extend(format.to_be_bytes());
    body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
    body.extend(data(values));
    body.extend([0, 0]);
    message(b'B', &body)
}

fn data(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        match value {
            Some(value) => {
                bytes.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
                bytes.extend(*value);
            }
            None => bytes.extend(u32::MAX.to_be_bytes()),
        }
    }
    bytes
}

fn execute(portal: &str) -> Vec<u8> {
    message(b'E', &[portal.as_bytes(), &[0; 5]].concat())
}

fn describe(kind: &str, name: &str) -> Vec<u8> {
    message(b'D', format!("{kind}{name}\0").as_bytes())
}

fn close(kind: &str, name: &str) -> Vec<u8> {
    message(b'C', format!("{kind}{name}\0").as_bytes())
}

fn sync() -> Vec<u8> {
    message(b'S', b"")
}

/// Returns a description of columns in the text format, by their names and types.
fn columns(columns: &[(&str, u32)]) -> Vec<u8> {
    let mut body = u16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
    for (name, type_oid) in columns {
        body.extend(format!("{name}\0").into_bytes());
        body.extend([0; 6]);
        body.extend(type_oid.to_be_bytes());
        body.extend([0; 8]);
    }
    message(b'T', &body)
}

fn row(values: &[Option<&[u8]>]) -> Vec<u8> {
    let count = u16::try_from(values.len()).unwrap().to_be_bytes();
    message(b'D', &[&count[..], &data(values)].concat())
}

fn complete(tag: &str) -> Vec<u8> {
    message(b'C', format!("{tag}\0").as_bytes())
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

fn error(code: &str, text: &str) -> Vec<u8> {
    let fields = format!("SERROR\0VERROR\0C{code}\0M{text}\0\0");
    message(b'E', fields.as_bytes())
}

fn fatal(code: &str, text: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{text}\0\0");
    message(b'E', fields.as_bytes())
}

/// Returns ParseComplete, BindComplete and CloseComplete.
fn done(kinds: &str) -> Vec<u8> {
    kinds.bytes().flat_map(|kind| message(kind, b"")).collect()
}

fn startup(parameters: &str) -> Vec<u8> {
    let len = u32::try_from(parameters.len() + 9).unwrap();
    let version = 0x0003_0000u32;
    [
        &len.to_be_bytes()[..],
        &version.to_be_bytes(),
        parameters.as_bytes(),
        &[0],
    ]
    .concat()
}

/// Returns StartupMessage, and its answer without a password.
fn connected() -> [Vec<u8>; 2] {
    let accepted = [message(b'R', &[0; 4]), message(b'K', &[0; 8]), ready()].concat();
    [startup("user\0ann\0database\0shop\0"), accepted]
}

/// Returns the requests of a conversation after StartupMessage, in which client and server send in
/// turn.
fn turns(turns: &[Vec<u8>]) -> Vec<Request> {
    let [startup, accepted] = connected();
    let mut lines = vec![Line::Client(&startup), Line::Server(&accepted)];
    for (index, turn) in turns.iter().enumerate() {
        lines.push(match index % 2 {
            0 => Line::Client(turn),
            _ => Line::Server(turn),
        });
    }
    assert_same_for_any_split(&lines);
    let found = requests(&lines, EndReason::Closed);
    assert_eq!(rows(&found[..1]), ["CONNECT ann@shop → 00000 ok"]);
    found[1..].to_vec()
}

fn detail<'a>(request: &'a Request, name: &str) -> Option<&'a Detail> {
    request.details.get(name)
}

#[test]
fn a_query_is_a_row() {
    let found = turns(&[
        query("select name from pets"),
        [
            columns(&[("name", 25)]),
            row(&[Some(b"cat")]),
            row(&[None]),
            complete("SELECT 2"),
            ready(),
        ]
        .concat(),
        query("-- two\n begin; insert into pets values ('dog'), ('bird')"),
        [complete("BEGIN"), complete("INSERT 0 2"), ready()].concat(),
        query("selec 1"),
        [error("42601", "syntax error at or near \"selec\""), ready()].concat(),
        query(";"),
        [message(b'I', b""), ready()].concat(),
    ]);
    assert_eq!(
        rows(&found),
        [
            "SELECT select name from pets → 00000 ok",
            "BEGIN -- two\n begin; insert into pets values ('dog'), ('bird') → 00000 ok",
            "SELEC selec 1 → 42601 error (ERROR: syntax error at or near \"selec\")",
            "EMPTY ; → 00000 ok",
        ]
    );
    assert_eq!(detail(&found[0], "rows"), Some(&Detail::Count(2)));
    assert_eq!(detail(&found[0], "affected"), None);
    assert_eq!(detail(&found[1], "affected"), Some(&Detail::Count(2)));
    let tags = Detail::Text("BEGIN; INSERT 0 2".into());
    assert_eq!(detail(&found[1], "command_tag"), Some(&tags));
    assert_eq!(
        found[0].answer.head,
        "Columns: name\nRow: cat\nRow: NULL\nComplete: SELECT 2"
    );
    assert_eq!(found[0].request.head, "Q: select name from pets");
    assert_eq!((found[0].request_bytes, found[0].answer_bytes), (27, 75));
}

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
fn copied_data_of_both_directions_is_counted() {
    let found = turns(&[
        query("copy t to stdout"),
        [
            message(b'H', &[0, 0, 0]),
            message(b'd', b"1\t2\n"),
            done("c"),
            complete("COPY 1"),
            ready(),
        ]
        .concat(),
        query("copy t from stdin"),
        message(b'G', &[0, 0, 0]),
        [message(b'd', b"x\n"), message(b'f', b"stopped\0")].concat(),
        [error("57014", "COPY from stdin failed: stopped"), ready()].concat(),
        query("select 1"),
        [complete("SELECT 0"), ready()].concat(),
    ]);
    assert_eq!(
        rows(&found),
        [
            "COPY copy t to stdout → 00000 ok",
            "COPY copy t from stdin → 57014 error (ERROR: COPY from stdin failed: stopped)",
            "SELECT select 1 → 00000 ok",
        ]
    );
    assert_eq!(detail(&found[0], "copy_bytes"), Some(&Detail::Count(4)));
    assert_eq!(found[0].answer.head, "Copy: 1\t2\nComplete: COPY 1");
    assert_eq!(
        found[1].request.head,
        "Q: copy t from stdin\nCopy: x\nCopyFail: stopped"
    );
}

#[test]
fn asynchronous_messages_do_not_disturb_answers() {
    let notification = [&7u32.to_be_bytes()[..], b"news\0hello\0"].concat();
    let found = turns(&[
        query("notify news"),
        [
            message(b'S', b"a\0b\0"),
            message(b'A', &notification),
            message(b'N', b"SNOTICE\0C00000\0Mnote\0\0"),
            complete("NOTIFY"),
            ready(),
            message(b'A', &notification),
        ]
        .concat(),
        Vec::new(),
        fatal("57P01", "terminating connection"),
    ]);
    assert_eq!(
        rows(&found),
        [
            "notification news → - unrequested",
            "NOTIFY notify news → 00000 ok",
            "notification news → - unrequested",
            "error  → 57P01 unrequested (FATAL: terminating connection)",
        ]
    );
    assert_eq!(found[1].answer.head, "Notice: 00000 note\nComplete: NOTIFY");
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

#[test]
fn passwords_are_hidden_and_refused_encryption_is_no_row() {
    let ssl = [0, 0, 0, 8, 4, 210, 22, 47];
    let startup = startup("user\0ann\0application_name\0psql\0");
    let password = message(b'p', b"secret\0");
    let refusal = fatal("28P01", "password authentication failed");
    let request = message(b'R', &[0, 0, 0, 3]);
    let lines = [
        Line::Client(&ssl),
        Line::Server(b"N"),
        Line::Client(&startup),
        Line::Server(&request),
        Line::Client(&password),
        Line::Server(&refusal),
    ];
    assert_same_for_any_split(&lines);
    let found = requests(&lines, EndReason::Closed);
    let row = "CONNECT ann@ann → 28P01 error (FATAL: password authentication failed)";
    assert_eq!(rows(&found), [row]);
    assert!(!format!("{found:?}").contains("secret"));
    assert_eq!(
        found[0].request.head,
        "CONNECT: ann@ann\nPassword: (hidden)"
    );
    assert_eq!(
        found[0].duration().map(|duration| duration.0),
        Some(3 * STEP)
    );

    let lines = [
        Line::Client(&ssl),
        Line::Server(b"S"),
        Line::Client(b"\x16\x03\x01"),
    ];
    assert_eq!(rows(&requests(&lines, EndReason::Closed)), ["SSL  → S ok"]);
}

#[test]
fn a_cancelled_statement_and_its_cancel_request_are_rows() {
    let cancel = [0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 7, 1, 2, 3, 4];
    let lines = [Line::Client(&cancel), Line::End(Side::Resp)];
    assert_eq!(
        rows(&requests(&lines, EndReason::Closed)),
        ["CANCEL process 7 → - ok"]
    );
    let found = turns(&[
        query("select pg_sleep(9)"),
        [
            error("57014", "canceling statement due to user request"),
            ready(),
        ]
        .concat(),
        query("select pg_sleep(9)"),
        [
            error("57014", "canceling statement due to statement timeout"),
            ready(),
        ]
        .concat(),
    ]);
    assert_eq!(found[0].outcome.name(), "cancelled");
    assert_eq!(found[1].outcome.name(), "error");
}

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
