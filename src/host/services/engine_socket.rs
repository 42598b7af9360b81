//! Client of the HTTP API of container engines (Docker, Podman) on their Unix sockets.
//!
//! One request is sent per connection (HTTP/1.1, RFC 9112). The answer is bounded in length and in
//! time, because any process can be at the other end of the socket.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// Time limit for one query.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum length of an answer in bytes; a usual one has 10 kB.
const MAX_ANSWER_LEN: usize = 4 << 20;
/// Maximum length of the header of an answer in bytes.
const MAX_HEAD_LEN: usize = 16 << 10;

/// Returns the description of the container with this name or start of an ID, as JSON; `None` if
/// the engine has no such container.
///
/// # Errors
/// The socket cannot be connected to, or does not answer as an engine does.
pub(super) fn inspect_container(socket: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    let name = percent_encoded(name);
    let answer = get(socket, &format!("/containers/{name}/json"))?;
    match answer.status {
        200 => Ok(Some(answer.body)),
        404 => Ok(None),
        status => Err(io::Error::other(format!("HTTP status {status}"))),
    }
}

/// Returns the error for an answer that no engine sends.
pub(super) fn invalid_answer(what: &str) -> io::Error {
    let message = format!("not the answer of a container engine: {what}");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// A complete answer.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::host) struct Answer {
    status: u16,
    pub(in crate::host) body: Vec<u8>,
}

/// Sends a GET request, and waits for the answer.
fn get(socket: &Path, target: &str) -> io::Result<Answer> {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let stream = connect_with_timeout(socket)?;
    let (sender, result) = mpsc::channel();
    let thread_stream = stream.try_clone()?;
    // The time limit is one for the whole answer, which a socket's own timeouts are not.
    thread::spawn(move || sender.send(exchange(thread_stream, request.as_bytes())));
    result.recv_timeout(QUERY_TIMEOUT).unwrap_or_else(|_| {
        // Ends the thread.
        let _ = stream.shutdown(Shutdown::Both);
        Err(io::ErrorKind::TimedOut.into())
    })
}

fn exchange(mut stream: UnixStream, request: &[u8]) -> io::Result<Answer> {
    stream.write_all(request)?;
    let (mut bytes, mut chunk) = (Vec::new(), [0; 16 << 10]);
    loop {
        let count = match stream.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(answer) = parse_answer(&bytes, count == 0)? {
            return Ok(answer);
        }
        if count == 0 {
            return Err(invalid_answer("it ends early"));
        }
        if bytes.len() > MAX_ANSWER_LEN {
            return Err(invalid_answer("it is too long"));
        }
    }
}

/// Connects to a Unix socket. The time limit also applies to connect(2), which waits while the
/// queue of the listening socket is full.
fn connect_with_timeout(socket: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(socket)?;
    let fd = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_timeout(&fd, Timeout::Send, Some(QUERY_TIMEOUT))?;
    connect(&fd, &address).map_err(|error| match error {
        Errno::AGAIN => io::ErrorKind::TimedOut.into(),
        error => io::Error::from(error),
    })?;
    Ok(UnixStream::from(fd))
}

/// Parses an answer; `None` if it is incomplete. Without a length, it ends with the connection.
pub(in crate::host) fn parse_answer(bytes: &[u8], is_end: bool) -> io::Result<Option<Answer>> {
    let Some((head, body)) = split_at(bytes, b"\r\n\r\n") else {
        return match bytes.len() > MAX_HEAD_LEN {
            true => Err(invalid_answer("its header is too long")),
            false => Ok(None),
        };
    };
    let head = std::str::from_utf8(head).map_err(|_| invalid_answer("its header is not text"))?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5)?.parse().ok());
    let status = status.ok_or_else(|| invalid_answer("it is not HTTP/1.1"))?;
    let (mut length, mut is_chunked) = (None, false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("Content-Length") {
            let number = value.parse::<usize>();
            length = Some(number.map_err(|_| invalid_answer("its length is not a number"))?);
        } else if name.eq_ignore_ascii_case("Transfer-Encoding") {
            is_chunked = value.eq_ignore_ascii_case("chunked");
        }
    }
    let body = match length {
        _ if is_chunked => join_chunks(body)?,
        Some(length) => body.get(..length).map(<[u8]>::to_vec),
        None => is_end.then(|| body.to_vec()),
    };
    Ok(body.map(|body| Answer { status, body }))
}

/// Joins the chunks of a body (RFC 9112 section 7.1); `None` if the last one is missing.
///
/// ```text
///     LENGTH [; extensions] CRLF data CRLF … 0 CRLF
/// ```
fn join_chunks(mut rest: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some((line, after)) = split_at(rest, b"\r\n") {
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let length = std::str::from_utf8(digits).ok();
        let length = length.and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        let length =
            length.ok_or_else(|| invalid_answer("the length of a chunk is not a number"))?;
        if length == 0 {
            return Ok(Some(body));
        }
        let end = length.checked_add(2).filter(|end| *end <= after.len());
        let Some(end) = end else {
            break;
        };
        body.extend_from_slice(&after[..length]);
        rest = &after[end..];
    }
    Ok(None)
}

/// Splits bytes before and after the first occurrence of a separator.
fn split_at<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut windows = bytes.windows(separator.len());
    let at = windows.position(|window| window == separator)?;
    Some((&bytes[..at], &bytes[at + separator.len()..]))
}

/// Encodes a name as one segment of a path (RFC 3986 section 2.1).
fn percent_encoded(name: &str) -> String {
    let encode = |byte: u8| match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}

#[cfg(test)]
#[path = "engine_socket/tests.rs"]
mod tests;
