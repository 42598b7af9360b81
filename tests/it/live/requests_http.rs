//! HTTP requests on the wire, compared with nginx's access log, and with what Node was sent.

use super::servers::Server;
use super::session::{RING_SIZE, Session, TEST_TIMEOUT, can_capture_or_skip};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

const CLIENTS: usize = 6;
const CONNECTIONS_PER_CLIENT: usize = 25;
const REQUESTS_PER_CONNECTION: usize = 400;
const SERIAL_REQUESTS: usize = 500;
const PIPELINE_DEPTH: usize = 8;
/// Maximum number of requests that lcap has not printed when a client starts another connection.
const MAX_BACKLOG: usize = 2_000;

/// A request, its answer's status, and the time that it took in seconds.
type Exchange = (String, String, f64);

/// Exchanges of each client port, in order.
type ExchangesByPort = BTreeMap<u64, Vec<Exchange>>;

/// A keep-alive connection of a client.
struct Client {
    stream: TcpStream,
    /// Bytes that were received after the last answer.
    rest: Vec<u8>,
}

impl Client {
    fn new(stream: TcpStream) -> Client {
        let rest = Vec::new();
        Client { stream, rest }
    }

    /// Sends requests at once, then reads their answers.
    fn call(&mut self, requests: &[String]) {
        self.stream.write_all(requests.concat().as_bytes()).unwrap();
        for request in requests {
            self.read_answer(request.starts_with("HEAD"));
        }
    }

    fn read_answer(&mut self, is_head: bool) {
        loop {
            let end = self.rest.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                let head = std::str::from_utf8(&self.rest[..end]).unwrap();
                let mut fields = head.lines().filter_map(|line| line.split_once(": "));
                let len = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
                let len: usize = match len {
                    Some((_, len)) if !is_head => len.parse().unwrap(),
                    _ => 0,
                };
                if self.rest.len() >= end + 4 + len {
                    self.rest.drain(..end + 4 + len);
                    return;
                }
            }
            let mut buffer = [0; 16 << 10];
            let len = self.stream.read(&mut buffer).unwrap();
            assert!(len > 0, "closed by the server");
            self.rest.extend_from_slice(&buffer[..len]);
        }
    }
}

/// Returns a request of any kind.
fn request(number: usize) -> String {
    let (method, path, body) = match number % 7 {
        0 => ("HEAD", "item", ""),
        1 => ("GET", "missing", ""),
        2 => ("POST", "item", "number=1"),
        3 => ("GET", "error", ""),
        4 => ("GET", "empty", ""),
        _ => ("GET", "item", ""),
    };
    let len = body.len();
    let fields = match method {
        "POST" => format!("Host: localhost\r\nContent-Length: {len}\r\n"),
        _ => "Host: localhost\r\n".to_owned(),
    };
    format!("{method} /{path}/{number}?q=a%20b HTTP/1.1\r\n{fields}\r\n{body}")
}

fn prepare_nginx(command: &mut Command, directory: &Path, port: u16) {
    let dir = directory.display();
    let text = "0123456789".repeat(30);
    let configuration = format!(
        "worker_processes 2; daemon off; pid {dir}/pid; error_log {dir}/error; events {{ }}\n\
         http {{ log_format rows '$remote_port $connection_requests $request_time $status $request';\n\
         access_log {dir}/access rows; keepalive_requests 1000000;\n\
         server {{ listen 127.0.0.1:{port};\n\
         location /item {{ return 200 {text}; }} location /missing {{ return 404; }}\n\
         location /error {{ return 503; }} location /empty {{ return 204; }} }} }}"
    );
    let file = directory.join("nginx.conf");
    std::fs::write(&file, configuration).unwrap();
    command.arg("-p").arg(directory).arg("-c").arg(&file);
}

/// Returns the exchanges in nginx's access log, which has this number of lines at the end.
fn logged(path: &Path, count: usize) -> ExchangesByPort {
    let deadline = Instant::now() + TEST_TIMEOUT;
    let text = loop {
        let text = std::fs::read_to_string(path).unwrap();
        if text.lines().count() >= count {
            break text;
        }
        assert!(Instant::now() < deadline, "{} lines", text.lines().count());
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut exchanges = ExchangesByPort::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.splitn(5, ' ').collect();
        let [port, number, time, status, request] = fields[..] else {
            panic!("{line}");
        };
        let of_port = exchanges.entry(port.parse().unwrap()).or_default();
        let request = request.strip_suffix(" HTTP/1.1").unwrap();
        of_port.push((request.to_owned(), status.to_owned(), time.parse().unwrap()));
        assert_eq!(of_port.len(), number.parse::<usize>().unwrap(), "{line}");
    }
    exchanges
}

/// Returns the exchanges in rows of lcap.
fn shown(rows: &[String]) -> ExchangesByPort {
    let mut exchanges = ExchangesByPort::new();
    for row in rows {
        let row: Value = serde_json::from_str(row).unwrap();
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        let port = row["id.orig_p"].as_u64().unwrap();
        exchanges.entry(port).or_default().push((
            format!("{} {}", text("operation"), text("target")),
            text("status"),
            row["duration"].as_f64().unwrap(),
        ));
    }
    exchanges
}

/// Asserts that the requests and statuses are the same; returns the largest difference in time.
fn assert_equal(found: &ExchangesByPort, expected: &ExchangesByPort) -> f64 {
    assert!(found.keys().eq(expected.keys()));
    let mut difference: f64 = 0.0;
    for (port, expected) in expected {
        let found = &found[port];
        assert_eq!(found.len(), expected.len(), "port {port}");
        for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
            let same = (&found.0, &found.1) == (&expected.0, &expected.1);
            assert!(same, "port {port}, {number}: {found:?} {expected:?}");
            difference = difference.max((found.2 - expected.2).abs());
        }
    }
    difference
}

#[test]
fn rows_are_the_requests_in_the_access_log() {
    if !can_capture_or_skip() {
        return;
    }
    let Some(server) = Server::start_or_skip("nginx", prepare_nginx) else {
        return;
    };
    let port = server.port.to_string();
    let log = server.directory().join("access");
    // Without load, the times are those of the server.
    let session = Session::start(["requests", "-p", &port, "--format", "json"]);
    let mut client = Client::new(server.connect());
    for number in 0..SERIAL_REQUESTS {
        client.call(&[request(number)]);
    }
    drop(client);
    let ended = session.interrupt();
    let found = shown(&ended.assert_lossless().output);
    let difference = assert_equal(&found, &logged(&log, SERIAL_REQUESTS));
    println!("largest difference in time: {:.3} ms", difference * 1e3);
    assert!(difference < 0.1, "{difference} s");
    // With load: pipelines on some connections.
    let args = ["requests", "-p", &port, "--format", "json", "-B", RING_SIZE];
    let session = Session::start(args);
    let sent = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, output, sent) = (&server, &session.output, &sent);
            scope.spawn(move || {
                for _ in 0..CONNECTIONS_PER_CLIENT {
                    let mut connection = Client::new(server.connect());
                    let depth = if client % 2 == 0 { 1 } else { PIPELINE_DEPTH };
                    for first in (0..REQUESTS_PER_CONNECTION).step_by(depth) {
                        let numbers = first..first + depth;
                        connection.call(&numbers.map(request).collect::<Vec<_>>());
                    }
                    // Without optimization, lcap can be slower than the clients.
                    let sent = sent.fetch_add(REQUESTS_PER_CONNECTION, Relaxed);
                    output.wait_for_count(sent.saturating_sub(MAX_BACKLOG));
                }
            });
        }
    });
    let count = CLIENTS * CONNECTIONS_PER_CLIENT * REQUESTS_PER_CONNECTION;
    let ended = session.interrupt();
    let mut found = found;
    for (port, exchanges) in shown(&ended.assert_lossless().output) {
        assert!(found.insert(port, exchanges).is_none(), "{port} used twice");
    }
    assert_equal(&found, &logged(&log, SERIAL_REQUESTS + count));
}

/// Answers: in chunks, as Server-Sent Events, slow, of no length, and with errors.
const NODE_SERVER: &str = r"
const http = require('http');
http.createServer((request, response) => {
  const path = request.url.slice(1);
  if (path === 'chunks') {
    for (let i = 0; i < 20; i++) response.write('x'.repeat(i * 100 + 1));
    response.end();
  } else if (path === 'events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let left = 5;
    const timer = setInterval(() => {
      response.write('data: ' + left + '\n\n');
      if (--left === 0) { clearInterval(timer); response.end(); }
    }, 5);
  } else if (path === 'slow') {
    setTimeout(() => response.end('late'), 120);
  } else if (path === 'close') {
    response.destroy();
  } else {
    response.writeHead(Number(path));
    response.end();
  }
}).listen(Number(process.argv[2]), '127.0.0.1');
";

#[test]
fn answers_of_node_have_their_status_and_duration() {
    if !can_capture_or_skip() {
        return;
    }
    let start = |command: &mut Command, directory: &Path, port: u16| {
        let file = directory.join("server.js");
        std::fs::write(&file, NODE_SERVER).unwrap();
        command.arg(&file).arg(port.to_string());
    };
    let Some(server) = Server::start_or_skip("node", start) else {
        return;
    };
    let port = server.port.to_string();
    let session = Session::start(["requests", "-p", &port, "--format", "json"]);
    let mut stream = server.connect();
    let paths = ["chunks", "404", "events", "500", "slow", "204", "close"];
    for path in paths {
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    }
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap();
    drop(stream);
    let ended = session.interrupt();
    let rows = ended.assert_lossless().output.iter();
    let rows: Vec<Value> = rows.map(|row| serde_json::from_str(row).unwrap()).collect();
    let found = rows.iter().map(|row| {
        let text = |name: &str| row[name].as_str().unwrap_or("-");
        format!("{} {} {}", text("target"), text("status"), text("outcome"))
    });
    let expected = [
        "/chunks 200 ok",
        "/404 404 error",
        "/events 200 ok",
        "/500 500 error",
        "/slow 200 ok",
        "/204 204 ok",
        "/close - unanswered",
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let duration = |index: usize| rows[index]["duration"].as_f64().unwrap();
    assert!(duration(2) >= 0.02 && duration(4) >= 0.1, "{rows:?}");
    assert_eq!(rows[2]["details"]["events"], 5);
    assert!(rows[0]["answer_bytes"].as_u64().unwrap() > 19_000);
}
