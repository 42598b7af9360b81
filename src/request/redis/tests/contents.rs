//! Tests of the contents of commands and answers, and of hidden passwords.

use super::{Client, EndReason, Server, array, only_request, requests, rows};

#[test]
fn answers_are_printed_as_redis_cli_does() {
    let answer = b"*5\r\n$3\r\na\"b\r\n:5\r\n*2\r\n+OK\r\n*1\r\n$-1\r\n-ERR x\r\n*0\r\n";
    let request = only_request(&array("EVAL x 0"), answer);
    assert_eq!(request.request.head, "EVAL x 0");
    assert_eq!(
        request.answer.head,
        "1) \"a\\\"b\"\n2) (integer) 5\n3) 1) OK\n   2) 1) (nil)\n4) (error) ERR x\n5) (empty array)"
    );
    let map = b"%2\r\n+a\r\n#t\r\n+b\r\n~2\r\n,1.5\r\n(7\r\n";
    let request = only_request(&array("hello 3"), map);
    assert_eq!(
        request.answer.head,
        "1# a => (true)\n2# b => 1~ (double) 1.5\n   2~ (7)"
    );
}

#[test]
fn contents_are_limited() {
    let value = "x".repeat(1 << 20);
    let answer = format!("${}\r\n{value}\r\n", value.len());
    let command = format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n{answer}");
    let lines = [Client(command.as_bytes()), Server(answer.as_bytes())];
    let found = requests(&lines, EndReason::Closed);
    for message in [&found[0].request, &found[0].answer] {
        assert!((60 << 10..=64 << 10).contains(&message.head.len()));
        assert!(message.left_out as usize > (1 << 20) - (64 << 10));
    }
}

/// Returns all text of a request.
fn all_text(command: &[u8], answer: &[u8]) -> String {
    let request = only_request(command, answer);
    format!("{request:?}")
}

#[test]
fn passwords_are_hidden() {
    for (command, target) in [
        ("AUTH secret", "(hidden)"),
        ("auth secret1 secret2", "(hidden)"),
        (
            "HELLO 3 AUTH secret1 secret2 SETNAME x",
            "3 (AUTH) SETNAME x",
        ),
        (
            "hello 3 setname x auth secret1 secret2",
            "3 setname x (auth)",
        ),
        (
            "ACL SETUSER alice on >secret1 #secret2 ~* +@all",
            "alice on (hidden) ~* +@all",
        ),
        ("CONFIG SET requirepass secret", "requirepass (hidden)"),
        (
            "CONFIG SET maxmemory 1 MasterAuth secret",
            "maxmemory 1 MasterAuth (hidden)",
        ),
        (
            "CONFIG SET tls-key-file-pass secret",
            "tls-key-file-pass (hidden)",
        ),
        (
            "MIGRATE h 1 k 0 5 AUTH secret KEYS a",
            "h 1 k 0 5 (AUTH) KEYS a",
        ),
        (
            "MIGRATE h 1 k 0 5 AUTH2 secret1 secret2",
            "h 1 k 0 5 (AUTH2)",
        ),
        ("SENTINEL SET m auth-pass secret", "m auth-pass (hidden)"),
    ] {
        let target = ["AUTH2", "AUTH", "auth"]
            .iter()
            .fold(target.to_owned(), |text, word| {
                text.replace(&format!("({word})"), &format!("{word} (hidden)"))
            });
        for answer in [
            "+OK\r\n",
            "-ERR unknown command 'x', with args beginning with: 'secret1' 'secret2' \r\n",
            "-ERR unknown command `x`, with args beginning with: `secret`, \r\n",
        ] {
            for bytes in [array(command), format!("{command}\r\n").into_bytes()] {
                // A detector recognizes the connection by its first command.
                let ping = array("PING");
                let lines = [
                    Client(&ping),
                    Server(b"+PONG\r\n"),
                    Client(&bytes),
                    Server(answer.as_bytes()),
                ];
                let found = requests(&lines, EndReason::Closed);
                assert_eq!(found[1].target, target);
                let text = format!("{found:?}");
                assert!(!text.contains("secret"), "{text}");
            }
        }
    }
}

#[test]
fn passwords_in_answers_are_hidden() {
    let answer = b"*4\r\n$11\r\nrequirepass\r\n$6\r\nsecret\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n";
    let text = all_text(&array("CONFIG GET *"), answer);
    assert!(
        !text.contains("secret") && text.contains("maxmemory"),
        "{text}"
    );
    let text = all_text(&array("ACL LIST"), b"*1\r\n$17\r\nuser a on #secret\r\n");
    assert!(!text.contains("secret"), "{text}");
    let commands = ["MULTI", "ACL SETUSER a >secret", "ACL LIST", "EXEC"].map(array);
    let commands = commands.concat();
    let lines = [
        Client(&commands),
        Server(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-ERR '>secret'\r\n*1\r\n$7\r\n#secret\r\n"),
    ];
    let found = requests(&lines, EndReason::Closed);
    assert_eq!(rows(&found)[3], "EXEC  → ERR error (ERR (hidden))");
    assert!(!format!("{found:?}").contains("secret"), "{found:?}");
}
