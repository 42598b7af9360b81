//! Tests of the order of answers: messages, disabled answers, and missing bytes.

use super::super::super::tests::requests_with;
use super::super::super::{Detail, RequestSettings};
use super::{Client, EndReason, Line, Server, Side, array, assert_rows, requests, rows};
use crate::packet::TCP;

const CONFIRMED: &[u8] =
    b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n";
const MESSAGE: &[u8] = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n";

#[test]
fn subscriptions_have_one_row_and_messages_one_each() {
    let (subscribe, ping) = (array("SUBSCRIBE a b"), array("PING"));
    let (all, get) = (array("UNSUBSCRIBE"), array("GET x"));
    assert_rows(
        &[
            Client(&subscribe),
            Server(CONFIRMED),
            Server(MESSAGE),
            Client(&ping),
            Server(MESSAGE),
            Server(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
            Server(b"*4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$2\r\na1\r\n$2\r\nhi\r\n"),
            Client(&all),
            Client(&get),
            Server(b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n"),
            Server(b"$-1\r\n"),
        ],
        &[
            "SUBSCRIBE a b → OK ok",
            "push message a → - unrequested",
            "push message a → - unrequested",
            "PING  → OK ok",
            "push pmessage a* a1 → - unrequested",
            "UNSUBSCRIBE  → OK ok",
            "GET x → nil ok",
        ],
    );
}

#[test]
fn push_messages_answer_only_subscriptions() {
    let (subscribe, get) = (array("PSUBSCRIBE a*"), array("GET x"));
    assert_rows(
        &[
            Client(&subscribe),
            Client(&get),
            Server(b">2\r\n+invalidate\r\n*1\r\n+x\r\n>3\r\n+psubscribe\r\n+a*\r\n:1\r\n"),
            Server(b">3\r\n+message\r\n+b c\r\n+x\r\n_\r\n>3\r\n+psubscribe\r\n+a*\r\n:1\r\n"),
        ],
        &[
            "push invalidate → - unrequested",
            "PSUBSCRIBE a* → OK ok",
            "push message \"b c\" → - unrequested",
            "GET x → nil ok",
            "push psubscribe a* → - unrequested",
        ],
    );
}

#[test]
fn an_end_of_all_subscriptions_without_a_captured_start_ends_with_the_next_answer() {
    let commands = ["UNSUBSCRIBE", "PING", "SUBSCRIBE x"].map(array);
    assert_rows(
        &[
            Client(&commands[0]),
            Server(b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:5\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:4\r\n"),
            Client(&commands[1]),
            Server(b"+PONG\r\n"),
            Client(&commands[2]),
            Server(b"-NOPERM no\r\n"),
        ],
        &[
            "UNSUBSCRIBE  → OK ok",
            "PING  → PONG ok",
            "SUBSCRIBE x → NOPERM error (NOPERM no)",
        ],
    );
}

#[test]
fn lines_of_monitor_are_counted() {
    let (monitor, reset) = (array("MONITOR"), array("RESET"));
    let lines = [
        Client(&monitor),
        Server(b"+OK\r\n+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n"),
        Server(b"+1339518087.877697 [0 127.0.0.1:60866] \"dbsize\"\r\n"),
        Client(&reset),
        Server(b"+1339518087.9 [0 127.0.0.1:60866] \"reset\"\r\n+RESET\r\n"),
    ];
    assert_rows(&lines, &["MONITOR  → OK ok", "RESET  → RESET ok"]);
    let found = requests(&lines, EndReason::Closed);
    assert_eq!(found[0].details.get("items"), Some(&Detail::Count(3)));
}

#[test]
fn disabled_answers_are_not_expected() {
    let off = ["CLIENT REPLY OFF", "SET a 1", "CLIENT REPLY ON", "GET a"]
        .map(array)
        .concat();
    assert_rows(
        &[Client(&off), Server(b"+OK\r\n$1\r\n1\r\n")],
        &[
            "CLIENT REPLY OFF → - ok",
            "SET a 1 → - ok",
            "CLIENT REPLY ON → OK ok",
            "GET a → OK ok",
        ],
    );
    let skip = ["CLIENT REPLY SKIP", "SET a 1", "GET a"]
        .map(array)
        .concat();
    assert_rows(
        &[Client(&skip), Server(b"$1\r\n1\r\n")],
        &[
            "CLIENT REPLY SKIP → - ok",
            "SET a 1 → - ok",
            "GET a → OK ok",
        ],
    );
    // The server rejects the command, and answers those after it.
    assert_rows(
        &[
            Client(&skip),
            Server(b"-NOAUTH x\r\n-NOAUTH x\r\n-NOAUTH x\r\n"),
        ],
        &[
            "CLIENT REPLY SKIP → - ok",
            "SET a 1 → - ok",
            "  → NOAUTH unrequested (NOAUTH x)",
            "GET a → - cut (the order of the answers is uncertain)",
        ],
    );
}

#[test]
fn a_replication_stream_is_not_analyzed() {
    let (replconf, psync) = (array("REPLCONF capa eof"), array("PSYNC ? -1"));
    let ack = array("REPLCONF ACK 0");
    assert_rows(
        &[
            Client(&replconf),
            Server(b"+OK\r\n"),
            Client(&psync),
            Server(b"\n\n+FULLRESYNC 8371b4fb 0\r\n"),
            Server(b"$88\r\nREDIS0011"),
            Client(&ack),
            Server(b"*1\r\n$4\r\nPING\r\n"),
        ],
        &[
            "REPLCONF capa eof → OK ok",
            "PSYNC ? -1 → FULLRESYNC 8371b4fb 0 ok",
        ],
    );
}

const MISSING: &str = "bytes are missing in the capture";

#[test]
fn missing_bytes_of_a_value_keep_the_order() {
    let (get, set) = (array("GET a"), array("SET a 0123456789"));
    let (start, end) = set.split_at(set.len() - 8);
    let lines = [
        Client(&get),
        Client(start),
        Line::Missing(Side::Orig, 4),
        Client(&end[4..]),
        Client(&get),
        Server(b"$8\r\nab"),
        Line::Missing(Side::Resp, 6),
        Server(b"\r\n+OK\r\n$-1\r\n"),
    ];
    assert_eq!(
        rows(&requests(&lines, EndReason::Closed)),
        [
            format!("GET a → OK cut ({MISSING})"),
            format!("SET a 0123… → OK cut ({MISSING})"),
            "GET a → nil ok".to_owned(),
        ]
    );
}

#[test]
fn a_client_that_waits_for_answers_is_analyzed_again_after_missing_bytes() {
    let [a, b, c] = ["GET a", "GET b", "GET c"].map(array);
    let lines = [
        Client(&a),
        Server(b":1\r\n"),
        Client(&b[..6]),
        Line::Missing(Side::Orig, 40),
        Server(b":2\r\n"),
        Client(&c),
        Server(b":3\r\n"),
    ];
    assert_eq!(
        rows(&requests(&lines, EndReason::Closed)),
        [
            "GET a → 1 ok".to_owned(),
            format!("  → - cut ({MISSING})"),
            "  → 2 unrequested".to_owned(),
            "GET c → 3 ok".to_owned(),
        ]
    );
    // The missing bytes are noticed with the next command.
    let lines = [
        Client(&a),
        Server(b":1\r\n"),
        Client(&b[..6]),
        Server(b":2\r\n"),
        Line::Missing(Side::Orig, 40),
        Client(&c),
        Server(b":3\r\n"),
        Client(&a),
        Server(b":4\r\n"),
    ];
    assert_eq!(
        rows(&requests(&lines, EndReason::Closed))[3..],
        ["  → 3 unrequested", "GET a → 4 ok"]
    );
}

#[test]
fn a_command_that_was_started_before_an_answer_is_a_pipeline() {
    let [a, b, c] = ["GET a", "GET b", "GET c"].map(array);
    let lines = [
        Client(&a),
        Client(&b[..6]),
        Line::Missing(Side::Orig, 40),
        Server(b":1\r\n"),
        Client(&c),
        Server(b":2\r\n:3\r\n"),
    ];
    assert_eq!(
        rows(&requests(&lines, EndReason::Closed)),
        [format!("  → - cut ({MISSING})"), "GET a → 1 ok".to_owned(),]
    );
    // The mode of answers is missing.
    let off = array("CLIENT REPLY OFF");
    let both = [b, c].concat();
    let (start, end) = off.split_at(off.len() - 4);
    let lines = [
        Client(&a),
        Server(b":1\r\n"),
        Client(start),
        Line::Missing(Side::Orig, 2),
        Client(&end[2..]),
        Client(&both),
        Server(b":2\r\n"),
        Client(&a),
        Server(b":3\r\n"),
    ];
    let found = rows(&requests(&lines, EndReason::Closed));
    assert_eq!(found[1], format!("CLIENT REPLY  → - cut ({MISSING})"));
    assert_eq!(found[2..], ["  → 2 unrequested", "GET a → 3 ok"]);
}

#[test]
fn missing_answers_are_not_replaced_by_later_ones() {
    let [a, b, c] = ["GET a", "GET b", "GET c"].map(array);
    let lines = [
        Client(&a),
        Line::Missing(Side::Resp, 10),
        Server(b":1\r\n"),
        Client(&b),
        Server(b":2\r\n"),
        Client(&c),
        Line::Missing(Side::Resp, 3),
        Server(b":4\r\n"),
        Client(&a),
        Server(b":5\r\n"),
    ];
    assert_eq!(
        rows(&requests(&lines, EndReason::Closed)),
        [
            format!("GET a → - cut ({MISSING})"),
            "GET b → 2 ok".to_owned(),
            format!("GET c → - cut ({MISSING})"),
            "GET a → 5 ok".to_owned(),
        ]
    );
}

#[test]
fn after_missing_bytes_a_pipeline_is_not_analyzed() {
    let [a, b] = ["GET a", "GET b"].map(array);
    let both = [a.clone(), b.clone()].concat();
    let lines = [
        Client(&both),
        Server(b":1\r\n"),
        Line::Missing(Side::Resp, 4),
        Client(&a),
        Server(b":3\r\n"),
        Client(&b),
    ];
    let found = rows(&requests(&lines, EndReason::Closed));
    assert_eq!(found[0], "GET a → 1 ok");
    let cut = ["GET b", "GET a", "GET b"].map(|row| format!("{row} → - cut ({MISSING})"));
    assert_eq!(found[1..], cut);
    let lines = [
        Client(&both),
        Line::Missing(Side::Orig, 20),
        Client(&a),
        Server(b":1\r\n:2\r\n:3\r\n:4\r\n"),
    ];
    assert_eq!(
        rows(&requests(&lines, EndReason::Closed)),
        ["GET a → 1 ok", "GET b → 2 ok"]
    );
}

#[test]
fn a_million_pipelined_commands_need_bounded_memory() {
    let segment = array("GET cart:7").repeat(1_000);
    let answers = b"$-1\r\n".repeat(1_000);
    let settings = RequestSettings {
        max_pending: 1_000,
        ..RequestSettings::default()
    };
    let lines: Vec<Line> = (0..1_000)
        .flat_map(|_| [Client(&segment), Server(&answers)])
        .collect();
    let found = requests_with(settings, TCP, &lines, EndReason::Closed);
    assert_eq!(found.len(), 1_000_000);
    assert!(
        found
            .iter()
            .all(|request| request.status.as_deref() == Some("nil"))
    );
    // Without answers, the oldest are reported.
    let lines = vec![Client(&segment); 100];
    let found = requests_with(settings, TCP, &lines, EndReason::Closed);
    let is_cut = |request: &&super::Request| request.outcome.name() == "cut";
    assert_eq!(found.iter().filter(is_cut).count(), 99_000);
}

#[test]
fn a_long_value_and_deep_arrays_need_bounded_memory() {
    let (get, chunk) = (array("GET a"), vec![b'x'; 1 << 20]);
    let head = format!("${}\r\n", 256 << 20);
    let mut lines = vec![Client(&get), Server(head.as_bytes())];
    lines.extend((0..256).map(|_| Server(&chunk)));
    lines.extend([
        Server(b"\r\n"),
        Client(&get),
        Server(b"*1\r\n"),
        Server(b"*1\r\n"),
    ]);
    let deep = b"*1\r\n".repeat(100_000);
    lines.extend([Server(&deep), Client(&get)]);
    let settings = RequestSettings {
        max_buffered_bytes: 1 << 20,
        ..RequestSettings::default()
    };
    let found = requests_with(settings, TCP, &lines, EndReason::Closed);
    assert_eq!(
        found[0].details.get("value_bytes"),
        Some(&Detail::Count(256 << 20))
    );
    assert_eq!(
        rows(&found)[1..],
        [
            "GET a → - cut (bytes that are not valid in the protocol)",
            "GET a → - cut (bytes that are not valid in the protocol)",
        ]
    );
}
