//! Tests of the PostgreSQL analyzer: conversations, split at any positions.

mod damaged;
mod extended;
mod messages;
mod values;

use crate::flow::Side;
use crate::request::analyzer::EndReason;
use crate::request::tests::{Line, STEP, assert_same_for_any_split, requests, rows};
use crate::request::{Detail, Request};
use messages::*;

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
