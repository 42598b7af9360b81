//! Flows and conversations while they happen: told as they end or are said, and the same as what a file of them tells later.

use super::session::{LCAP, Session, permitted};
use super::traffic::{Port, V4, V6};
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::Command;

/// A port where nobody listens, and which nobody else gets meanwhile.
struct Closed {
    address: SocketAddr,
    _socket: OwnedFd,
}

impl Closed {
    fn take(host: IpAddr) -> Closed {
        let family = match host {
            IpAddr::V4(_) => AddressFamily::INET,
            IpAddr::V6(_) => AddressFamily::INET6,
        };
        let socket = socket(family, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::new(host, 0)).unwrap();
        let address = getsockname(&socket).unwrap().try_into().unwrap();
        Closed {
            address,
            _socket: socket,
        }
    }

    fn knock(&self) {
        let refused = TcpStream::connect(self.address).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}

fn rows(lines: &[String]) -> Vec<Value> {
    let rows = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    let mut rows: Vec<Value> = rows.collect();
    rows.sort_by_key(|row| row["number"].as_u64());
    rows
}

#[test]
fn a_row_comes_when_its_flow_has_ended() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let closed = Closed::take(V4);
    let (own, other) = (port.number, closed.address.port());
    let expression = format!("port {own} or tcp port {other}");
    let mut session = Session::start(["flows", &expression]);
    for (host, server) in [
        (V4, format!("127.0.0.1:{}", port.number)),
        (V6, format!("[::1]:{}", port.number)),
    ] {
        port.converse(host);
        let ended = |line: &str| line.contains(&server) && line.ends_with("closed normally");
        // No packet follows that could push it out.
        session.output.wait_for(ended);
        assert!(session.is_running());
    }
    closed.knock();
    let server = closed.address.to_string();
    let refused = |line: &str| line.contains(&server) && line.contains("refused: nothing was");
    session.output.wait_for(refused);
    assert!(session.is_running());
    let ended = session.interrupt();
    let output = &ended.is_whole().output;
    assert_eq!(
        (output[0].split_whitespace().next(), output.len()),
        (Some("START"), 5),
        "{output:#?}"
    );
    assert_eq!(output[4], "3 flows: 2 ended normally, 1 refused");
}

#[test]
fn what_goes_on_at_the_end_is_still_open() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let words = ["flows", "-p", &port.word(), "--format", "json"];
    let session = Session::start(words.into_iter().chain(["--fail-on", "unclosed"]));
    let (mut client, mut server) = port.connect(V4);
    client.write_all(b"wait").unwrap();
    server.read_exact(&mut [0; 4]).unwrap();
    let ended = session.interrupt();
    // Not closed before lcap has ended.
    drop((client, server));
    let [row] = &rows(&ended.output)[..] else {
        panic!("{ended:?}");
    };
    assert_eq!(row["outcome"], "still open");
    assert_eq!(
        (&row["orig_bytes"], &row["conn_state"]),
        (&4.into(), &"S1".into())
    );
    assert_eq!((ended.code, ended.dropped()), (Some(1), 0));
    let named = |line: &String| line.starts_with("unclosed: flow 1: 127.0.0.1:");
    assert!(ended.errors.iter().any(named), "{:?}", ended.errors);
}

#[test]
fn a_file_tells_the_same_later() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let closed = [V4, V6].map(Closed::take);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcapng");
    let path = path.to_str().unwrap();
    let [a, b] = [0, 1].map(|at| closed[at].address.port());
    let own = port.number;
    // That nobody reads a datagram is ICMP's to say; what it says to other tests does no harm.
    let expression = format!("port {own} or port {a} or port {b} or icmp or icmp6");
    let words = [
        "flows",
        "--no-processes",
        "--format",
        "json",
        "-w",
        path,
        &expression,
    ];
    let session = Session::start(words);
    let (client, server) = port.connect(V4);
    for host in [V4, V6, V4] {
        port.converse(host);
    }
    port.pour(300_000);
    for host in [V4, V6] {
        let client = port.sender(host);
        client.send(b"who are you?").unwrap();
        let (_, address) = port.udp(host).recv_from(&mut [0; 100]).unwrap();
        port.udp(host).send_to(b"nobody", address).unwrap();
    }
    for closed in &closed {
        closed.knock();
        let client = UdpSocket::bind((closed.address.ip(), 0)).unwrap();
        client.send_to(b"anybody?", closed.address).unwrap();
    }
    let live = session.interrupt();
    drop((client, server));
    let live = rows(&live.is_whole().output);
    let later = Command::new(LCAP)
        .args(["flows", "--format", "json", "-r", path])
        .output()
        .unwrap();
    let later = String::from_utf8(later.stdout).unwrap();
    let later: Vec<String> = later.lines().map(str::to_owned).collect();
    assert_eq!(live, rows(&later));
    let count = |outcome: &str| live.iter().filter(|row| row["outcome"] == outcome).count();
    assert_eq!(count("still open"), 1, "{live:#?}");
    assert_eq!(count("closed normally"), 4, "{live:#?}");
    assert_eq!(count("answered"), 2, "{live:#?}");
    assert!(count("refused: nothing was listening") >= 2, "{live:#?}");
}

#[test]
fn an_exchange_over_http_is_recognised() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let words = ["flows", "-p", &port.word(), "--format", "json"];
    let session = Session::start(words);
    let (mut client, server) = port.connect(V4);
    client
        .write_all(b"GET /pets?kind=cat HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut request = BufReader::new(server);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        request.read_line(&mut line).unwrap();
    }
    let mut server = request.into_inner();
    server
        .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n")
        .unwrap();
    drop(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    drop(client);
    session
        .output
        .wait_for(|line| line.contains("closed normally"));
    let ended = session.interrupt();
    let [row] = &rows(&ended.is_whole().output)[..] else {
        panic!("{ended:?}");
    };
    assert_eq!(row["service"], "http");
    let info = &row["service_info"];
    let said = ["method", "path", "status"].map(|name| info[name].as_str());
    assert_eq!(said, [Some("GET"), Some("/pets?kind=cat"), Some("404")]);
    assert_eq!(row["resp_bytes"], answer.len());
}

#[test]
fn words_are_shown_as_they_are_said() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let session = Session::start(["follow", "--no-processes", "-p", &port.word()]);
    let (mut client, mut server) = port.connect(V4);
    // Nobody says more, nor closes, before the line is there.
    for (asked, answered) in [("how are you?", "fine"), ("and now?", "still fine")] {
        for (speaker, said) in [(&mut client, asked), (&mut server, answered)] {
            writeln!(speaker, "{said}").unwrap();
            session.output.wait_for(|line| line == said);
        }
    }
    let address = client.local_addr().unwrap();
    // Whoever closes without having read resets.
    client.read_exact(&mut [0; 16]).unwrap();
    server.read_exact(&mut [0; 22]).unwrap();
    drop((client, server));
    session
        .output
        .wait_for(|line| line.ends_with("closed normally"));
    let ended = session.interrupt();
    let server = SocketAddr::new(V4, port.number);
    let there = format!("1  {address} → {server}");
    let back = format!("1  {server} → {address}");
    let expected = [
        &there,
        "how are you?",
        &back,
        "fine",
        &there,
        "and now?",
        &back,
        "still fine",
        &format!("{there}  closed normally"),
    ];
    let output = &ended.is_whole().output;
    assert_eq!(output.len(), expected.len(), "{output:#?}");
    // Behind the times.
    let same = |(line, end): (&String, &&str)| line.ends_with(end);
    assert!(output.iter().zip(&expected).all(same), "{output:#?}");
}

#[test]
fn one_side_alone_ends_with_its_flow() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let word = port.word();
    let words = ["follow", "-p", &word, "--flow", "2", "--raw", "resp"];
    let session = Session::start(words);
    port.converse(V4);
    port.converse(V6);
    // Nobody interrupts it.
    let ended = session.ended();
    assert_eq!(ended.is_whole().output, ["pong"]);
}

#[test]
fn streams_go_into_files() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("streams");
    let word = port.word();
    let words = [
        "follow",
        "-p",
        &word,
        "--output-dir",
        path.to_str().unwrap(),
    ];
    let session = Session::start(words);
    let mut expected = Vec::new();
    for (number, host, server) in [(1, V4, "127.0.0.1"), (2, V6, "::1")] {
        let client = port.converse(host);
        let ends = format!("{}-{}_{server}-{word}", client.ip(), client.port());
        expected.push((format!("{number:06}_{ends}.orig"), b"ping!".to_vec()));
        expected.push((format!("{number:06}_{ends}.resp"), b"pong".to_vec()));
    }
    let ended = session.interrupt();
    assert!(ended.is_whole().output.is_empty());
    let inside = std::fs::read_dir(&path).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = inside
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    assert_eq!(files, expected);
}
