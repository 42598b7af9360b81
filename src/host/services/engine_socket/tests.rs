//! Tests with engines that answer correctly, incompletely, slowly and with hostile data.

use std::os::unix::net::UnixListener;

use super::*;

const JSON: &str = r#"{"Id": "0123456789abcdef", "Name": "/shop"}"#;

/// Queries an engine that sends these parts, and closes the connection after them. Returns the
/// result, and the request that the engine received.
fn query(name: &str, parts: &[&[u8]]) -> (Result<Option<Vec<u8>>, String>, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("engine.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    thread::scope(|scope| {
        let engine = scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = vec![0; 4096];
            let count = stream.read(&mut request).expect("a request");
            request.truncate(count);
            for part in parts {
                // Fails if the client has rejected the answer.
                if stream.write_all(part).is_err() {
                    break;
                }
            }
            String::from_utf8(request).expect("text")
        });
        let result = inspect_container(&path, name).map_err(|error| error.to_string());
        (result, engine.join().expect("a request"))
    })
}

fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").into_bytes()
}

#[test]
fn body_is_read_from_every_encoding_of_an_answer() {
    let (body, expected_body) = (JSON, Ok(Some(JSON.as_bytes().to_vec())));
    let (first, second) = body.split_at(11);
    let chunked = format!(
        "{:x}\r\n{first}\r\n{:X};x=y\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let with_length = answer(&format!("content-length:{}", body.len()), body);
    for bytes in [
        answer("Content-Type: application/json", body),
        with_length.clone(),
        answer("Server: x\r\nTransfer-Encoding: Chunked", &chunked),
    ] {
        let single_bytes: Vec<&[u8]> = bytes.chunks(1).collect();
        for parts in [&[&bytes[..]][..], &single_bytes] {
            let (found, request) = query("shop", parts);
            assert_eq!(found, expected_body);
            let expected = "GET /containers/shop/json HTTP/1.1\r\nHost: localhost\r\n";
            assert!(request.starts_with(expected), "{request}");
            assert!(request.ends_with("\r\n\r\n"), "{request}");
        }
    }
    let excess = [&with_length[..], b"bytes after the answer"].concat();
    assert_eq!(query("shop", &[&excess]).0, expected_body);
}

#[test]
fn names_are_percent_encoded() {
    let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let (found, request) = query("a/../b c\r\nX: \u{e9}?", &[missing]);
    assert_eq!(found, Ok(None));
    let expected = "GET /containers/a%2F..%2Fb%20c%0D%0AX%3A%20%C3%A9%3F/json HTTP/1.1\r\n";
    assert!(request.starts_with(expected), "{request}");
}

#[test]
fn answers_that_are_not_those_of_an_engine_are_errors() {
    for (bytes, message) in [
        (
            b"HTTP/1.1 500 Internal Server Error\r\n\r\n".to_vec(),
            "HTTP status 500",
        ),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n".to_vec(),
            "HTTP status 301",
        ),
        (
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec(),
            "it is not HTTP/1.1",
        ),
        (b"HTTP/1.1 \xFF\r\n\r\n".to_vec(), "its header is not text"),
        (b"HTTP/1.1 abc\r\n\r\n".to_vec(), "it is not HTTP/1.1"),
        (b"HTTP/1.1".to_vec(), "it ends early"),
        (Vec::new(), "it ends early"),
        (answer("Content-Length: 10", "{}"), "it ends early"),
        (
            answer("Content-Length: -1", "{}"),
            "its length is not a number",
        ),
        (
            answer("Content-Length: 99999999999999999999", ""),
            "its length is not a number",
        ),
        (
            answer("Transfer-Encoding: chunked", "2\r\n{}\r\n"),
            "it ends early",
        ),
        (
            answer("Transfer-Encoding: chunked", "2\r\n{"),
            "it ends early",
        ),
        (
            answer("Transfer-Encoding: chunked", "x\r\n{}\r\n"),
            "the length of a chunk",
        ),
        (
            answer("Transfer-Encoding: chunked", "ffffffffffffffff\r\n{}\r\n"),
            "it ends early",
        ),
    ] {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned();
        let error = query("shop", &[&bytes]).0.expect_err(&text);
        assert!(error.contains(message), "{error} for {text}");
    }
}

#[test]
fn answers_are_bounded() {
    let endless = vec![b'x'; MAX_ANSWER_LEN + (1 << 20)];
    for (head, message) in [
        ("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "it is too long"),
        ("HTTP/1.1 200 OK\r\n", "its header is too long"),
    ] {
        let (result, _) = query("shop", &[head.as_bytes(), &endless]);
        let error = result.expect_err("too long");
        assert!(error.ends_with(message), "{error}");
    }
}

/// An engine that accepts connections but never answers, and one that does not accept them.
#[test]
fn silent_engines_time_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("engine.sock");
    let _listener = UnixListener::bind(&path).expect("a socket");
    let error = inspect_container(&path, "shop").expect_err("a timeout");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);

    let path = directory.path().join("full.sock");
    let address = SocketAddrUnix::new(&path).expect("an address");
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    );
    let socket = socket.expect("a socket");
    rustix::net::bind(&socket, &address).expect("an address");
    rustix::net::listen(&socket, 0).expect("a listening socket");
    let _queued = UnixStream::connect(&path).expect("a place in the queue");
    let error = inspect_container(&path, "shop").expect_err("a timeout");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}
