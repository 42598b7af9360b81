//! Tests of the Redis analyzer: conversations and the rows that they yield.

mod contents;
mod late_start;
mod order;
mod values;

use super::super::analyzer::EndReason;
use super::super::tests::Line::{self, Client, Server};
use super::super::tests::{assert_same_for_any_split, requests, rows};
use super::super::{Request, Side};
use proptest::prelude::*;

/// Returns an array of strings, as clients send it.
fn array(command: &str) -> Vec<u8> {
    let words: Vec<&str> = command.split(' ').collect();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

/// Asserts that a conversation yields these rows, however it is split.
#[track_caller]
fn assert_rows(lines: &[Line], expected: &[&str]) {
    assert_eq!(rows(&requests(lines, EndReason::Closed)), expected);
    assert_same_for_any_split(lines);
}

/// Returns the only request of a conversation of one command and its answer.
#[track_caller]
fn only_request(command: &[u8], answer: &[u8]) -> Request {
    let lines = [Client(command), Server(answer)];
    assert_same_for_any_split(&lines);
    let mut found = requests(&lines, EndReason::Closed);
    assert_eq!(found.len(), 1, "{:?}", rows(&found));
    found.remove(0)
}

#[test]
fn commands_have_their_answers() {
    let (set, get, missing) = (
        array("set cart:7 apple"),
        array("GET cart:7"),
        array("GET x"),
    );
    let config = array("config get maxmemory");
    assert_rows(
        &[
            Client(&set),
            Server(b"+OK\r\n"),
            Client(&get),
            Server(b"$5\r\napple\r\n"),
            Client(&missing),
            Server(b"$-1\r\n"),
            Client(&config),
            Server(b"*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n"),
        ],
        &[
            "SET cart:7 apple → OK ok",
            "GET cart:7 → OK ok",
            "GET x → nil ok",
            "CONFIG GET maxmemory → OK ok",
        ],
    );
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let commands = [
        array("INCR a"),
        array("GET b"),
        array("LPUSH a x"),
        array("PING"),
    ]
    .concat();
    assert_rows(
        &[
            Client(&commands),
            Server(b":1\r\n$2\r\nbb\r\n-WRONGTYPE Operation against a key\r\n+PONG\r\n"),
        ],
        &[
            "INCR a → 1 ok",
            "GET b → OK ok",
            "LPUSH a x → WRONGTYPE error (WRONGTYPE Operation against a key)",
            "PING  → PONG ok",
        ],
    );
}

#[test]
fn transactions_have_a_row_for_each_command() {
    let commands = ["MULTI", "SET a 1", "LPUSH a 2", "EXEC", "EXEC"]
        .map(array)
        .concat();
    assert_rows(
        &[
            Client(&commands),
            Server(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n-WRONGTYPE no list\r\n"),
            Server(b"-ERR EXEC without MULTI\r\n"),
        ],
        &[
            "MULTI  → OK ok",
            "SET a 1 → QUEUED ok",
            "LPUSH a 2 → QUEUED ok",
            "EXEC  → WRONGTYPE error (WRONGTYPE no list)",
            "EXEC  → ERR error (ERR EXEC without MULTI)",
        ],
    );
    let watched = ["WATCH a", "MULTI", "EXEC"].map(array).concat();
    let found = requests(
        &[Client(&watched), Server(b"+OK\r\n+OK\r\n*-1\r\n")],
        EndReason::Closed,
    );
    assert_eq!(rows(&found)[2], "EXEC  → nil ok");
}

#[test]
fn inline_commands_are_split_as_redis_does() {
    assert_rows(
        &[
            Client(b"PING\r\n"),
            Server(b"+PONG\r\n"),
            Client(b"\r\nset \"a b\" 'it\\'s' \"\\x41\\n\"\nGET  a\r\n"),
            Server(b"+OK\r\n$-1\r\n"),
        ],
        &[
            "PING  → PONG ok",
            "SET \"a b\" \"it's\" \"A\\n\" → OK ok",
            "GET a → nil ok",
        ],
    );
    // The quotes are not balanced.
    let found = requests(
        &[
            Client(b"PING\r\n"),
            Server(b"+PONG\r\n"),
            Client(b"GET \"a\r\n"),
            Server(b"-ERR Protocol error: unbalanced quotes in request\r\n"),
        ],
        EndReason::Closed,
    );
    assert_eq!(
        rows(&found)[1],
        "  → ERR unrequested (ERR Protocol error: unbalanced quotes in request)"
    );
}

#[test]
fn a_late_start_finds_the_next_command() {
    let (get, long) = (array("GET a"), array("SET a bc"));
    // The first segment is the rest of a command.
    let lines = [
        Client(&long[20..]),
        Server(b"+OK\r\n"),
        Client(&get),
        Server(b"$1\r\nx\r\n"),
        Client(&long),
        Server(b"+OK\r\n"),
    ];
    let found = rows(&requests(&lines, EndReason::Closed));
    assert_eq!(
        found[found.len() - 2..],
        ["GET a → OK ok", "SET a bc → OK ok"]
    );
    // The first segment is the rest of an answer.
    let lines = [
        Line::LateStart,
        Server(b"$3\r\nabc\r\n"),
        Client(&get),
        Server(b"$1\r\nx\r\n"),
    ];
    assert_eq!(
        rows(&requests(&lines, EndReason::Closed)),
        ["  → OK unrequested", "GET a → OK ok"]
    );
}

#[test]
fn requests_without_answers_are_reported() {
    let (get, long) = (array("GET a"), array("SET a bc"));
    let lines = [
        Client(&get),
        Server(b"$5\r\nab"),
        Client(&get),
        Client(&long[..20]),
    ];
    assert_eq!(
        rows(&requests(&lines, EndReason::Closed)),
        [
            "GET a → - cut (the connection ended within the answer)",
            "GET a → - unanswered (the connection ended without an answer)",
            "SET a → - unanswered (the connection ended without an answer)",
        ]
    );
    assert_same_for_any_split(&lines);
    let found = requests(&lines, EndReason::Capture);
    assert!(rows(&found).iter().all(|row| row.contains(" cut ")));
}

#[test]
fn the_times_are_those_of_the_first_and_last_bytes() {
    let get = array("GET a");
    let lines = [
        Client(&get[..9]),
        Client(&get[9..]),
        Server(b"$5\r\nab"),
        Server(b"cde\r\n"),
    ];
    let found = requests(&lines, EndReason::Closed);
    let step = super::super::tests::STEP;
    let times = [
        found[0].time,
        found[0].request_end,
        found[0].answer_start,
        found[0].answer_end,
    ];
    assert_eq!(
        times.map(|time| time.0),
        [1, 2, 3, 4].map(|number| number * step)
    );
    let lens = (found[0].request_bytes, found[0].answer_bytes);
    assert_eq!(lens, (get.len() as u64, 11));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Parts of the protocol in any order cannot panic, and all memory is freed.
    #[test]
    fn any_bytes_are_accepted(
        parts in prop::collection::vec((any::<bool>(), 0..PARTS.len(), 0usize..40), 0..60),
    ) {
        let ping = array("PING");
        let mut lines = vec![Client(&ping)];
        for (is_client, part, missing) in parts {
            let side = if is_client { Side::Orig } else { Side::Resp };
            lines.push(match (is_client, missing) {
                (_, 0) => Line::Missing(side, part as u64 + 1),
                (true, _) => Client(PARTS[part]),
                (false, _) => Server(PARTS[part]),
            });
        }
        requests(&lines, EndReason::Closed);
    }
}

/// Parts of commands and answers.
const PARTS: [&[u8]; 30] = [
    b"*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
    b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n",
    b"*1\r\n$11\r\nUNSUBSCRIBE\r\n",
    b"*1\r\n$7\r\nMONITOR\r\n",
    b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n",
    b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n",
    b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$2\r\nON\r\n",
    b"*1\r\n$5\r\nMULTI\r\n",
    b"*1\r\n$4\r\nEXEC\r\n",
    b"*1\r\n$5\r\nRESET\r\n",
    b"*3\r\n$4\r\nAUTH\r\n$1\r\na\r\n$1\r\nb\r\n",
    b"*3\r\n$5\r\nPSYNC\r\n",
    b"AUTH x\r\n",
    b"GET \"a",
    b"*2\r\n",
    b"$10\r\nabc",
    b"\r\n",
    b"\n",
    b"+OK\r\n",
    b"+1.5 [0 x] \"a\"\r\n",
    b"-ERR no\r\n",
    b":1\r\n",
    b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
    b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n",
    b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n",
    b"|1\r\n+a\r\n:1\r\n",
    b">2\r\n+a\r\n%1\r\n",
    b"%0\r\n",
    b"$99999999999999999\r\n",
];
