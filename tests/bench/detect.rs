//! Benchmarks of `detect`: from the first bytes of a flow to its protocol, with all detectors.

mod measure;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lcap::internals::detect::{DetectionResult, MAX_OPENING_LEN, Opening, detect};
use lcap::internals::packet::TCP;

/// The first bytes of both sides, and the expected service.
struct DetectCase {
    name: &'static str,
    orig: Vec<u8>,
    resp: Vec<u8>,
    service: Option<&'static str>,
}

fn cases() -> [DetectCase; 5] {
    let case = |name, orig: &[u8], resp: &[u8], service| DetectCase {
        name,
        orig: orig.into(),
        resp: resp.into(),
        service,
    };
    // Pseudo-random bytes, different for each side.
    let noise = |seed: u32| -> Vec<u8> {
        let numbers = (seed..).take(MAX_OPENING_LEN);
        numbers
            .map(|number| (number.wrapping_mul(0x9E37_79B9) >> 24) as u8)
            .collect()
    };
    [
        case(
            "http",
            b"GET /items/42 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
            Some("http"),
        ),
        case("tls", &client_hello(), b"", Some("tls")),
        case(
            "redis",
            b"*2\r\n$3\r\nGET\r\n$7\r\nuser:42\r\n",
            b"$5\r\nhello\r\n",
            Some("redis"),
        ),
        case(
            "line of text",
            b"hello, is the server up?\n",
            b"you sent hello\n",
            None,
        ),
        case("4 KB of random bytes", &noise(1), &noise(9999), None),
    ]
}

/// Returns the ClientHello of a TLS 1.3 client (RFC 8446 section 4.1.2).
fn client_hello() -> Vec<u8> {
    let extensions = [
        // Server name (RFC 6066).
        extension(
            0,
            &length_prefixed(&[&[0], &length_prefixed(b"localhost")[..]].concat()),
        ),
        // Supported groups: x25519, secp256r1.
        extension(10, &length_prefixed(&[0x00, 0x1d, 0x00, 0x17])),
        // Signature algorithms.
        extension(13, &length_prefixed(&[4, 3, 8, 4, 4, 1, 5, 3, 8, 5])),
        // ALPN (RFC 7301).
        extension(16, &length_prefixed(b"\x02h2\x08http/1.1")),
        // Supported versions: 1.3, 1.2.
        extension(43, &[4, 3, 4, 3, 3]),
        // Key share for x25519.
        extension(
            51,
            &length_prefixed(&[&[0x00, 0x1d], &length_prefixed(&[9; 32])[..]].concat()),
        ),
    ];
    let mut hello = vec![3, 3];
    hello.extend([5; 32]);
    hello.push(32);
    hello.extend([6; 32]);
    hello.extend(length_prefixed(&[
        0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2b, 0xc0, 0x2f,
    ]));
    hello.extend([1, 0]);
    hello.extend(length_prefixed(&extensions.concat()));
    let handshake = [&[1, 0][..], &length_prefixed(&hello)].concat();
    [&[22, 3, 1][..], &length_prefixed(&handshake)].concat()
}

fn extension(kind: u16, contents: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &length_prefixed(contents)].concat()
}

/// Returns the bytes, preceded by their length in 16 bits.
fn length_prefixed(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn openings(criterion: &mut Criterion) {
    let mut group = measure::group(criterion, "detect");
    group.throughput(Throughput::Elements(1));
    for case in cases() {
        let opening = Opening {
            orig: &case.orig,
            resp: &case.resp,
        };
        let (DetectionResult::Tentative(service) | DetectionResult::Final(service)) =
            detect(TCP, &opening);
        let service = service.map(|service| service.name);
        assert_eq!(service, case.service, "{}", case.name);
        group.bench_function(case.name, |bencher| {
            bencher.iter(|| detect(TCP, black_box(&opening)));
        });
    }
}

criterion_group!(benches, openings);
criterion_main!(benches);
