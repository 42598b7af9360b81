//! Redis commands on the wire, compared with those that the server itself reports (MONITOR).

use super::servers::Server;
use super::session::{RING_SIZE, Session, can_capture_or_skip};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

/// Commands of each client port, in order: words in the case of the client, apart from the name.
type CommandsByPort = BTreeMap<u64, Vec<Vec<String>>>;

/// Last command of all.
const LAST_COMMAND: &str = "end-of-test";

/// Returns an array of strings, as clients send it.
fn array(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

/// Sends bytes, and waits for the end of the answer. Returns the answer.
fn call(stream: &mut TcpStream, bytes: &[u8], end: &str) -> Vec<u8> {
    stream.write_all(bytes).unwrap();
    let (mut answer, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    while !answer.ends_with(end.as_bytes()) {
        let len = stream.read(&mut buffer).unwrap();
        assert!(len > 0, "closed by the server");
        answer.extend_from_slice(&buffer[..len]);
    }
    answer
}

/// Sends commands that have answers of one line, one after the other.
fn call_one_by_one(mut stream: TcpStream, count: usize) {
    for number in 0..count {
        let key = format!("key:{}", number / 4 % 25);
        let words: &[&str] = match number % 4 {
            0 => &["SET", &key, "a \"value\"\r\n with spaces"],
            1 => &["strlen", &key],
            // The key is a string, and not a list.
            2 => &["LPUSH", &key, "a"],
            _ => &["exists", &key, "other"],
        };
        call(&mut stream, &array(words), "\r\n");
    }
}

/// Sends commands in pipelines; transactions are among them.
fn call_pipelined(mut stream: TcpStream, rounds: usize, depth: usize) {
    for round in 0..rounds {
        let mut bytes = array(&["MULTI"]);
        bytes.extend(array(&["SET", "string", "x"]));
        bytes.extend(array(&["LPUSH", "string", "error"]));
        bytes.extend(array(&["EXEC"]));
        for number in 0..depth {
            let key = format!("pipelined:{number}");
            bytes.extend(match number % 3 {
                0 => array(&["RPUSH", &key, "1", "2"]),
                1 => array(&["LRANGE", &format!("pipelined:{}", number - 1), "0", "3"]),
                _ => format!("GET {key}\r\n").into_bytes(),
            });
        }
        let marker = format!("round {round}");
        bytes.extend(array(&["ECHO", &marker]));
        call(&mut stream, &bytes, &format!("{marker}\r\n"));
    }
}

/// Reads the lines of MONITOR up to the last command.
fn monitored(stream: TcpStream) -> CommandsByPort {
    let mut commands = CommandsByPort::new();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        let Some((client, words)) = line.split_once("] ") else {
            assert_eq!(line, "+OK");
            continue;
        };
        let port = client.rsplit(':').next().unwrap().parse().unwrap();
        let words = unquoted(words);
        let is_last = words.last().unwrap() == LAST_COMMAND;
        commands
            .entry(port)
            .or_default()
            .push(with_upper_name(words));
        if is_last {
            return commands;
        }
    }
    panic!("MONITOR ended");
}

/// Returns the strings in quotes.
fn unquoted(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_inside) = (Vec::new(), Vec::new(), false);
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        match (byte, is_inside) {
            (b'"', true) => {
                words.push(String::from_utf8_lossy(&std::mem::take(&mut word)).into_owned());
                is_inside = false;
            }
            (b'"', false) => is_inside = true,
            (b'\\', true) => word.push(match rest.next().unwrap() {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'a' => 7,
                b'b' => 8,
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other,
            }),
            (byte, true) => word.push(byte),
            (_, false) => {}
        }
    }
    words
}

fn with_upper_name(mut words: Vec<String>) -> Vec<String> {
    words[0].make_ascii_uppercase();
    words
}

/// Returns the words of a row's command.
fn words(row: &Value) -> Vec<String> {
    let operation = row["operation"].as_str().unwrap();
    let mut words: Vec<String> = operation.split(' ').map(str::to_owned).collect();
    let arguments = row["details"]["arguments"].as_array();
    let arguments = arguments.into_iter().flatten();
    words.extend(arguments.map(|argument| argument.as_str().unwrap().to_owned()));
    words
}

/// Runs a client program with this input.
fn run_client(program: &str, port: u16, args: &[&str], input: &[u8]) {
    let mut command = Command::new(program);
    command.args(["-p", &port.to_string()]).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn rows_are_the_commands_that_the_server_monitors() {
    if !can_capture_or_skip() {
        return;
    }
    let start = |command: &mut Command, _: &std::path::Path, port: u16| {
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]);
    };
    let Some(server) = Server::start_or_skip("redis-server", start) else {
        return;
    };
    let port = server.port.to_string();
    let args = ["requests", "-p", &port, "--format", "json", "-B", RING_SIZE];
    let session = Session::start(args);
    let mut monitor = server.connect();
    call(&mut monitor, &array(&["MONITOR"]), "+OK\r\n");
    let monitor_port = u64::from(monitor.local_addr().unwrap().port());
    let monitor = std::thread::spawn(move || monitored(monitor));
    std::thread::scope(|scope| {
        scope.spawn(|| call_one_by_one(server.connect(), 4_000));
        scope.spawn(|| call_pipelined(server.connect(), 100, 50));
        scope.spawn(|| call_pipelined(server.connect(), 2, 2_000));
        scope.spawn(|| {
            let many: Vec<u8> = (0..5_000)
                .flat_map(|number| array(&["INCRBY", "piped", &number.to_string()]))
                .collect();
            run_client("redis-cli", server.port, &["--pipe"], &many);
        });
        scope.spawn(|| {
            let args = ["-n", "2000", "-c", "4", "-P", "16", "-t", "set,lpush", "-q"];
            run_client("redis-benchmark", server.port, &args, b"");
        });
    });
    let mut last = server.connect();
    call(
        &mut last,
        &array(&["ECHO", LAST_COMMAND]),
        "end-of-test\r\n",
    );
    let expected = monitor.join().unwrap();
    // All but the row of MONITOR, which is open.
    session
        .output
        .wait_for_count(expected.values().map(Vec::len).sum());
    let ended = session.interrupt();
    let mut found = CommandsByPort::new();
    let (mut errors, mut execs) = (0, 0);
    for line in &ended.assert_lossless().output {
        let row: Value = serde_json::from_str(line).unwrap();
        let port = row["id.orig_p"].as_u64().unwrap();
        if port == monitor_port {
            assert_eq!(
                (&row["operation"], &row["outcome"]),
                (&"MONITOR".into(), &"ok".into())
            );
            continue;
        }
        // MONITOR does not show administrative commands: redis-benchmark reads the configuration.
        if row["operation"] == "CONFIG GET" {
            continue;
        }
        errors += u64::from(row["status"] == "WRONGTYPE");
        execs += u64::from(row["operation"] == "EXEC");
        assert!(row["duration"].is_number(), "{row}");
        found.entry(port).or_default().push(words(&row));
    }
    // Those of single commands, and those of transactions.
    assert_eq!((errors, execs), (1_000 + 102, 102));
    let count = |commands: &CommandsByPort| commands.values().map(Vec::len).sum::<usize>();
    assert!(count(&expected) >= 20_000, "{}", count(&expected));
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    for (port, expected) in &expected {
        let found = &found[port];
        assert_eq!(found.len(), expected.len(), "port {port}");
        for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(found, expected, "port {port}, command {number}");
        }
    }
}
