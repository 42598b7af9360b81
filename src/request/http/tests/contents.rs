//! Tests of the contents of HTTP/1 messages: heads, and decoded bodies.

use super::*;
use crate::packet::TCP;
use crate::request::tests::requests_with;
use crate::request::{Message, RequestSettings};
use flate2::{Compress, Compression, FlushCompress};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    compressed(Compress::new_gzip(Compression::default(), 15), bytes)
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    compressed(Compress::new(Compression::default(), true), bytes)
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    compressed(Compress::new(Compression::default(), false), bytes)
}

fn compressed(mut compress: Compress, bytes: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(bytes.len() + 100);
    let status = compress.compress_vec(bytes, &mut output, FlushCompress::Finish);
    assert!(matches!(status, Ok(flate2::Status::StreamEnd)));
    output
}

/// `hello hello hello hello` with brotli.
const BROTLI: &[u8] = &[
    0x1b, 0x16, 0x00, 0xf8, 0x8d, 0x94, 0x6e, 0xde, 0x44, 0x55, 0x86, 0x96, 0x6c, 0x20, 0x6f, 0x21,
    0x4f, 0x1c, 0xe0, 0x38,
];
const TEXT: &[u8] = b"hello hello hello hello";

/// Returns an answer with this body.
fn answer(coding: &str, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Returns the contents of an answer with this body.
fn decoded(coding: &str, body: &[u8]) -> Message {
    let answer = answer(coding, body);
    only_request(&[GET, Server(&answer)]).answer
}

#[test]
fn heads_are_text_lines() {
    let request = only_request(&[
        Client(b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\r\n\r\n"),
        Server(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"),
    ]);
    assert_eq!(request.request.head, "GET / HTTP/1.1\nHost: a\nX: \u{fffd}");
    assert_eq!(request.answer.head, "HTTP/1.1 200 OK\nContent-Length: 2");
    assert_eq!(request.answer.body, b"hi");
    let lines = [GET, OK];
    let found = requests_with(RequestSettings::default(), TCP, &lines, EndReason::Closed);
    assert_eq!(found[0].answer, Message::default(), "not required");
}

#[test]
fn bodies_are_decoded() {
    let twice = gzip(&zlib(TEXT));
    let members = [gzip(b"hello hello "), gzip(b"hello hello")].concat();
    for (coding, body) in [
        ("gzip", gzip(TEXT)),
        ("X-GZIP", gzip(TEXT)),
        ("gzip", members),
        ("deflate", zlib(TEXT)),
        ("deflate", deflate(TEXT)),
        ("br", BROTLI.to_vec()),
        ("identity", TEXT.to_vec()),
        ("deflate, gzip", twice),
        #[cfg(feature = "zstd")]
        ("zstd", zstd::encode_all(TEXT, 3).expect("in memory")),
    ] {
        let message = decoded(coding, &body);
        assert_eq!(
            String::from_utf8_lossy(&message.body),
            String::from_utf8_lossy(TEXT),
            "{coding}"
        );
        assert_eq!(message.left_out, 0, "{coding}");
    }
    let chunk = gzip(TEXT);
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
    let size = format!("{:x}\r\n", chunk.len());
    let lines = [&head[..], size.as_bytes(), &chunk, b"\r\n0\r\n\r\n"].concat();
    let request = only_request(&[GET, Server(&lines)]);
    assert_eq!(request.answer.body, TEXT);
}

#[test]
fn a_body_that_cannot_be_decoded_is_missing() {
    let mut damaged = gzip(&[TEXT; 40].concat());
    damaged[14] ^= 0xff;
    let whole = gzip(TEXT);
    for (coding, body) in [
        ("gzip", TEXT),
        ("gzip", &damaged),
        ("gzip", &whole[..whole.len() - 1]),
        ("deflate", TEXT),
        ("br", TEXT),
        ("br", &BROTLI[..BROTLI.len() - 1]),
        ("zstd", TEXT),
        ("compress", TEXT),
        ("gzip, gzip, gzip, gzip, gzip", TEXT),
    ] {
        let message = decoded(coding, body);
        assert_eq!(message.left_out, body.len() as u64, "{coding}");
        assert!([TEXT; 40].concat().starts_with(&message.body), "{coding}");
    }
}

/// The limit of a body also ends its decoding.
#[test]
fn a_decompression_bomb_is_bounded() {
    let bomb = gzip(&vec![0; 3 << 20]);
    let answer = answer("gzip", &bomb);
    let lines = [GET, Server(&answer)];
    let found = requests(&lines, EndReason::Closed);
    assert_eq!(found[0].answer.body.len(), 64 << 10);
    assert_eq!(found[0].answer.left_out, bomb.len() as u64);
    let settings = RequestSettings {
        has_messages: true,
        ..RequestSettings::default()
    };
    let found = requests_with(settings, TCP, &lines, EndReason::Closed);
    assert_eq!(found[0].answer.left_out, bomb.len() as u64);
}

#[test]
fn encoded_events_are_counted() {
    let events = b"data: 1\n\ndata: 2\n\n";
    let head =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n";
    let answer = [&head[..], &gzip(events)].concat();
    let lines = [GET, Server(&answer), End(Side::Resp)];
    assert_eq!(count(&only_request(&lines), "events"), Some(2));
    let found = requests_with(RequestSettings::default(), TCP, &lines, EndReason::Closed);
    assert_eq!(count(&found[0], "events"), Some(2));
    let answer = [&head[..], events].concat();
    let lines = [GET, Server(&answer), End(Side::Resp)];
    assert_eq!(count(&only_request(&lines), "events"), None);
}
