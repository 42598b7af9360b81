//! Opening bytes to what is spoken: one question to all detectors.

mod measure;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lcap::detect::{Answer, OPENING, Opening, detect};
use lcap::packet::TCP;

/// An opening, and the service that it is.
struct Row {
    name: &'static str,
    orig: Vec<u8>,
    resp: Vec<u8>,
    service: Option<&'static str>,
}

fn rows() -> [Row; 5] {
    let row = |name, orig: &[u8], resp: &[u8], service| Row {
        name,
        orig: orig.into(),
        resp: resp.into(),
        service,
    };
    // Bytes of no sense, another few for each side.
    let noise = |seed: u32| -> Vec<u8> {
        let numbers = (seed..).take(OPENING);
        numbers
            .map(|number| (number.wrapping_mul(0x9E37_79B9) >> 24) as u8)
            .collect()
    };
    [
        row(
            "http",
            b"GET /items/42 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
            Some("http"),
        ),
        row("tls", &client_hello(), b"", Some("tls")),
        row(
            "redis",
            b"*2\r\n$3\r\nGET\r\n$7\r\nuser:42\r\n",
            b"$5\r\nhello\r\n",
            Some("redis"),
        ),
        row(
            "a line of text",
            b"hello, is anybody there?\n",
            b"you said hello\n",
            None,
        ),
        row("4 KB of no sense", &noise(1), &noise(9999), None),
    ]
}

/// What a client of TLS 1.3 says first (RFC 8446 section 4.1.2).
fn client_hello() -> Vec<u8> {
    let extensions = [
        // The server's name (RFC 6066).
        extension(0, &sized(&[&[0], &sized(b"localhost")[..]].concat())),
        // Groups: x25519, secp256r1.
        extension(10, &sized(&[0x00, 0x1d, 0x00, 0x17])),
        // Signature algorithms.
        extension(13, &sized(&[4, 3, 8, 4, 4, 1, 5, 3, 8, 5])),
        // Application protocols (RFC 7301).
        extension(16, &sized(b"\x02h2\x08http/1.1")),
        // Versions: 1.3, 1.2.
        extension(43, &[4, 3, 4, 3, 3]),
        // A key for x25519.
        extension(51, &sized(&[&[0x00, 0x1d], &sized(&[9; 32])[..]].concat())),
    ];
    let mut hello = vec![3, 3];
    hello.extend([5; 32]);
    hello.push(32);
    hello.extend([6; 32]);
    hello.extend(sized(&[0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2b, 0xc0, 0x2f]));
    hello.extend([1, 0]);
    hello.extend(sized(&extensions.concat()));
    let handshake = [&[1, 0][..], &sized(&hello)].concat();
    [&[22, 3, 1][..], &sized(&handshake)].concat()
}

fn extension(kind: u16, contents: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &sized(contents)].concat()
}

/// Bytes after their length.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn openings(criterion: &mut Criterion) {
    let mut group = measure::group(criterion, "detect");
    group.throughput(Throughput::Elements(1));
    for row in rows() {
        let opening = Opening {
            orig: &row.orig,
            resp: &row.resp,
        };
        let (Answer::Open(service) | Answer::Final(service)) = detect(TCP, &opening);
        let service = service.map(|service| service.name);
        assert_eq!(service, row.service, "{}", row.name);
        group.bench_function(row.name, |bencher| {
            bencher.iter(|| detect(TCP, black_box(&opening)));
        });
    }
}

criterion_group!(benches, openings);
criterion_main!(benches);
