//! Tests of replies of all types: status, error and details.

use super::super::super::Detail;
use super::{Client, Server, array, only_request};

/// Returns the status and the sizes in a reply: elements, bytes.
fn result(answer: &[u8]) -> (String, Option<u64>, Option<u64>) {
    let request = only_request(&array("GET a"), answer);
    let count = |name| request.details.get(name).and_then(Detail::as_count);
    let status = request.status.as_deref().unwrap_or("-").to_owned();
    (status, count("items"), count("value_bytes"))
}

#[test]
fn each_type_has_a_status() {
    let long = format!("+{}\r\n", "x".repeat(300));
    for (answer, status, items, bytes) in [
        (&b"+OK\r\n"[..], "OK", None, None),
        (
            b"+Background saving started\r\n",
            "Background saving started",
            None,
            None,
        ),
        (long.as_bytes(), &"x".repeat(256), None, None),
        (b":-5\r\n", "-5", None, None),
        (b"$0\r\n\r\n", "OK", None, Some(0)),
        (b"$4\r\na\r\nb\r\n", "OK", None, Some(4)),
        (b"$-1\r\n", "nil", None, None),
        (b"*-1\r\n", "nil", None, None),
        (b"*0\r\n", "OK", Some(0), None),
        (b"*2\r\n*1\r\n:1\r\n*0\r\n", "OK", Some(2), None),
        (b"_\r\n", "nil", None, None),
        (b"#t\r\n", "true", None, None),
        (b"#f\r\n", "false", None, None),
        (b",1.5e3\r\n", "1.5e3", None, None),
        (b",inf\r\n", "inf", None, None),
        (
            b"(3492890328409238509324850943850\r\n",
            "3492890328409238509324850943850",
            None,
            None,
        ),
        (b"=7\r\ntxt:abc\r\n", "OK", None, Some(7)),
        (
            b"%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n+c\r\n_\r\n",
            "OK",
            Some(2),
            None,
        ),
        (b"%0\r\n", "OK", Some(0), None),
        (b"~1\r\n:1\r\n", "OK", Some(1), None),
        (b"|1\r\n+ttl\r\n:10\r\n$3\r\nabc\r\n", "OK", None, Some(3)),
        (
            b"|0\r\n*2\r\n|1\r\n+a\r\n-ERR x\r\n:1\r\n:2\r\n",
            "OK",
            Some(2),
            None,
        ),
    ] {
        let expected = (status.to_owned(), items, bytes);
        assert_eq!(result(answer), expected, "{}", answer.escape_ascii());
    }
}

#[test]
fn errors_have_a_code_and_a_message() {
    for (answer, status, error) in [
        (&b"-ERR no such key\r\n"[..], "ERR", "ERR no such key"),
        (
            b"-MOVED 3999 127.0.0.1:6381\r\n",
            "MOVED",
            "MOVED 3999 127.0.0.1:6381",
        ),
        (
            b"!21\r\nSYNTAX invalid syntax\r\n",
            "SYNTAX",
            "SYNTAX invalid syntax",
        ),
    ] {
        let request = only_request(&array("GET a"), answer);
        assert_eq!(request.status.as_deref(), Some(status));
        assert_eq!(request.error.as_deref(), Some(error));
        assert_eq!(request.outcome.name(), "error");
    }
}

#[test]
fn arguments_are_values() {
    let text = |text: &str| Detail::Text(text.to_owned().into());
    let request = only_request(
        b"*4\r\n$3\r\nset\r\n$3\r\na b\r\n$0\r\n\r\n$3\r\n\xff\x00\xc3\r\n",
        b"+OK\r\n",
    );
    assert_eq!(request.target, r#""a b" "" "\xff\x00\xc3""#);
    let values = ["a b", "", "\u{fffd}\0\u{fffd}"].map(text).to_vec();
    assert_eq!(
        request.details.get("arguments"),
        Some(&Detail::List(values))
    );
}

#[test]
fn long_arguments_are_shortened() {
    let value = "é".repeat(100_000);
    let command = format!(
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n${}\r\n{value}\r\n",
        value.len()
    );
    let request = only_request(command.as_bytes(), b"+OK\r\n");
    assert!(request.target.starts_with("a \"éé") && request.target.ends_with("é\"…"));
    assert!(request.target.len() < 1_100);
    assert_eq!(request.request_bytes, command.len() as u64);
    let many: Vec<String> = (0..100_000).map(|number| format!("key{number}")).collect();
    let command = array(&format!("MGET {}", many.join(" ")));
    let found = super::requests(&[Client(&command)], super::EndReason::Closed);
    assert!(found[0].target.starts_with("key0 key1 ") && found[0].target.ends_with(" …"));
    assert!(found[0].target.len() <= (16 << 10) + 4);
    let Some(Detail::List(arguments)) = found[0].details.get("arguments") else {
        panic!("no arguments");
    };
    assert_eq!(arguments.len(), 256);
}

#[test]
fn the_database_is_the_selected_one() {
    let commands = [
        "GET a", "SELECT 3", "GET a", "SELECT x", "GET a", "RESET", "GET a",
    ];
    let commands = commands.map(array).concat();
    let lines = [
        Client(&commands),
        Server(b":1\r\n+OK\r\n:1\r\n-ERR x\r\n:1\r\n+RESET\r\n:1\r\n"),
    ];
    let found = super::requests(&lines, super::EndReason::Closed);
    let databases = found.iter().map(|request| {
        let database = request.details.get("database");
        database.and_then(Detail::as_count)
    });
    let expected = [None, None, Some(3), Some(3), Some(3), Some(3), Some(0)];
    assert_eq!(databases.collect::<Vec<_>>(), expected);
}
