//! Live output of `flows` and `follow`: printed as soon as flows end and data arrives, and equal to
//! the output for a saved file.

use super::session::{Session, can_capture_or_skip, lcap_lines};
use super::traffic::{ReservedPort, V4, V6, bound_socket};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;

/// Port without a listener, reserved so that no other process gets it.
struct ClosedPort {
    address: SocketAddr,
    _socket: OwnedFd,
}

impl ClosedPort {
    fn reserve(host: IpAddr) -> ClosedPort {
        let (socket, address) = bound_socket(host);
        ClosedPort {
            address,
            _socket: socket,
        }
    }

    fn assert_refused(&self) {
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
fn flow_row_is_printed_when_its_flow_ends() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let closed = ClosedPort::reserve(V4);
    let (own, other) = (port.number, closed.address.port());
    let expression = format!("port {own} or tcp port {other}");
    let mut session = Session::start(["flows", &expression]);
    for (host, server) in [
        (V4, format!("127.0.0.1:{}", port.number)),
        (V6, format!("[::1]:{}", port.number)),
    ] {
        port.exchange(host);
        let ended = |line: &str| line.contains(&server) && line.ends_with("closed normally");
        // No packet follows that could cause the row to be printed.
        session.output.wait_for(ended);
        assert!(session.is_running());
    }
    closed.assert_refused();
    let server = closed.address.to_string();
    let refused = |line: &str| line.contains(&server) && line.contains("refused: nothing was");
    session.output.wait_for(refused);
    assert!(session.is_running());
    let ended = session.interrupt();
    let output = &ended.assert_lossless().output;
    assert_eq!(
        (output[0].split_whitespace().next(), output.len()),
        (Some("#"), 5),
        "{output:#?}"
    );
    assert_eq!(output[4], "3 flows: 2 ended normally, 1 refused");
}

#[test]
fn unfinished_flow_is_reported_as_still_open() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let args = ["flows", "-p", &port.arg(), "--format", "json"];
    let session = Session::start(args.into_iter().chain(["--fail-on", "unclosed"]));
    let (mut client, mut server) = port.connect(V4);
    client.write_all(b"wait").unwrap();
    server.read_exact(&mut [0; 4]).unwrap();
    let ended = session.interrupt();
    // Closed only after lcap has exited.
    drop((client, server));
    let [row] = &rows(&ended.output)[..] else {
        panic!("{ended:?}");
    };
    assert_eq!(row["outcome"], "still open");
    assert_eq!(
        (&row["orig_bytes"], &row["conn_state"]),
        (&4.into(), &"S1".into())
    );
    assert_eq!((ended.code, ended.dropped()), (Some(3), 0));
    let is_listed = |line: &String| line.starts_with("unclosed: flow 1: 127.0.0.1:");
    assert!(ended.errors.iter().any(is_listed), "{:?}", ended.errors);
}

#[test]
fn saved_file_yields_the_flows_printed_live() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let closed = [V4, V6].map(ClosedPort::reserve);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcapng");
    let path = path.to_str().unwrap();
    let [a, b] = [0, 1].map(|index| closed[index].address.port());
    let number = port.number;
    // ICMP reports unreachable UDP ports; its messages to other tests do no harm.
    let expression = format!("port {number} or port {a} or port {b} or icmp or icmp6");
    let args = [
        "flows",
        "--no-processes",
        "--format",
        "json",
        "-w",
        path,
        &expression,
    ];
    let session = Session::start(args);
    let (client, server) = port.connect(V4);
    for host in [V4, V6, V4] {
        port.exchange(host);
    }
    port.transfer(300_000);
    for host in [V4, V6] {
        let client = port.sender(host);
        client.send(b"request").unwrap();
        let (_, address) = port.udp(host).recv_from(&mut [0; 100]).unwrap();
        port.udp(host).send_to(b"reply", address).unwrap();
    }
    for closed in &closed {
        closed.assert_refused();
        let client = UdpSocket::bind((closed.address.ip(), 0)).unwrap();
        client.send_to(b"request", closed.address).unwrap();
    }
    let live = session.interrupt();
    drop((client, server));
    let live = rows(&live.assert_lossless().output);
    let saved = lcap_lines(&["flows", "--format", "json", "-r", path]);
    assert_eq!(live, rows(&saved));
    let count = |outcome: &str| live.iter().filter(|row| row["outcome"] == outcome).count();
    assert_eq!(count("still open"), 1, "{live:#?}");
    assert_eq!(count("closed normally"), 4, "{live:#?}");
    assert_eq!(count("answered"), 2, "{live:#?}");
    assert!(count("refused: nothing was listening") >= 2, "{live:#?}");
}

#[test]
fn http_exchange_is_detected() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let args = ["flows", "-p", &port.arg(), "--format", "json"];
    let session = Session::start(args);
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
    let [row] = &rows(&ended.assert_lossless().output)[..] else {
        panic!("{ended:?}");
    };
    assert_eq!(row["service"], "http");
    let info = &row["service_info"];
    let values = ["method", "path", "status"].map(|name| info[name].as_str());
    assert_eq!(values, [Some("GET"), Some("/pets?kind=cat"), Some("404")]);
    assert_eq!(row["resp_bytes"], answer.len());
}

#[test]
fn follow_prints_lines_as_they_arrive() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let session = Session::start(["follow", "--no-processes", "-p", &port.arg()]);
    let (mut client, mut server) = port.connect(V4);
    // The next line is sent, and the connection closed, only after the previous line is printed.
    for (request, reply) in [("how are you?", "fine"), ("and now?", "still fine")] {
        for (sender, text, prefix) in [(&mut client, request, '>'), (&mut server, reply, '<')] {
            writeln!(sender, "{text}").unwrap();
            let printed = format!("{prefix} {text}");
            session.output.wait_for(|line| line == printed);
        }
    }
    let address = client.local_addr().unwrap();
    // Closing a socket with unread data sends RST instead of FIN.
    client.read_exact(&mut [0; 16]).unwrap();
    server.read_exact(&mut [0; 22]).unwrap();
    drop((client, server));
    session
        .output
        .wait_for(|line| line.ends_with("closed normally"));
    let ended = session.interrupt();
    let server = SocketAddr::new(V4, port.number);
    let request = format!("1  {address} → {server}");
    let reply = format!("1  {server} → {address}");
    let expected = [
        &request,
        "> how are you?",
        &reply,
        "< fine",
        &request,
        "> and now?",
        &reply,
        "< still fine",
        &format!("{request}  closed normally"),
    ];
    let output = &ended.assert_lossless().output;
    assert_eq!(output.len(), expected.len(), "{output:#?}");
    // A heading starts with its time, which is not compared.
    let matches = |(line, end): (&String, &&str)| line.ends_with(end);
    assert!(output.iter().zip(&expected).all(matches), "{output:#?}");
}

#[test]
fn raw_follow_exits_when_its_flow_ends() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let port_arg = port.arg();
    let args = ["follow", "-p", &port_arg, "--flow", "2", "--raw", "resp"];
    let session = Session::start(args);
    port.exchange(V4);
    port.exchange(V6);
    // No interrupt is necessary.
    let ended = session.wait();
    assert_eq!(ended.assert_lossless().output, ["pong"]);
}

#[test]
fn streams_are_written_to_files() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("streams");
    let port_arg = port.arg();
    let args = [
        "follow",
        "-p",
        &port_arg,
        "--output-dir",
        path.to_str().unwrap(),
    ];
    let session = Session::start(args);
    let mut expected = Vec::new();
    for (number, host, server) in [(1, V4, "127.0.0.1"), (2, V6, "::1")] {
        let client = port.exchange(host);
        let endpoints = format!("{}-{}_{server}-{port_arg}", client.ip(), client.port());
        expected.push((format!("{number:06}_{endpoints}.orig"), b"ping!".to_vec()));
        expected.push((format!("{number:06}_{endpoints}.resp"), b"pong".to_vec()));
    }
    let ended = session.interrupt();
    assert!(ended.assert_lossless().output.is_empty());
    let entries = std::fs::read_dir(&path).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    assert_eq!(files, expected);
}
