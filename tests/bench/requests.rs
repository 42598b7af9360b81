//! Benchmarks of `request`: cost of a request with its answer, from the streams of a connection.

mod measure;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lcap::internals::flow::{FlowEvent, FlowEventKind, FlowId, Side};
use lcap::internals::packet::{Endpoints, TCP, Timestamp};
use lcap::internals::request::{RequestEvent, RequestSettings, RequestTable};

/// A request with its answer, each in one segment.
struct RequestCase {
    name: &'static str,
    settings: RequestSettings,
    request: &'static [u8],
    answer: &'static [u8],
}

const ROWS: RequestSettings = RequestSettings {
    body_limit: 0,
    has_messages: false,
    max_pending: 10_000,
    max_message_len: 1 << 20,
    max_buffered_bytes: 256 << 20,
};
const CONTENTS: RequestSettings = RequestSettings {
    body_limit: 4 << 10,
    ..ROWS
};
const HTTP_REQUEST: &[u8] =
    b"GET /cart/7 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/8.5.0\r\n\
    Accept: */*\r\nAccept-Encoding: gzip\r\n\r\n";
const HTTP_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.24.0\r\n\
    Date: Tue, 01 Jul 2025 18:07:13 GMT\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\
    Connection: keep-alive\r\n\r\n{\"cart\":7,\"items\":[1,2,3]}\n";

const CASES: [RequestCase; 2] = [
    RequestCase {
        name: "HTTP, keep-alive",
        settings: ROWS,
        request: HTTP_REQUEST,
        answer: HTTP_ANSWER,
    },
    RequestCase {
        name: "HTTP, keep-alive, with contents",
        settings: CONTENTS,
        request: HTTP_REQUEST,
        answer: HTTP_ANSWER,
    },
];

/// Number of requests of the connection.
const REQUESTS: u64 = 10_000;

/// Sends the requests and answers of a connection; returns the number of reported requests.
fn send_all(case: &RequestCase) -> u64 {
    let mut table = RequestTable::new(case.settings);
    let id = FlowId {
        number: 1,
        first_time: Timestamp(0),
        first_frame: 1,
        endpoints: Endpoints::from_ipv4([127, 0, 0, 1], [127, 0, 0, 1], [50_000, 80], TCP),
    };
    let mut reported = 0;
    for number in 0..REQUESTS {
        for (side, bytes) in [(Side::Orig, case.request), (Side::Resp, case.answer)] {
            let time = Timestamp(number as i64 * 1000);
            let kind = FlowEventKind::Data {
                captured: Timestamp(number as i64 * 1000),
                side,
                offset: 0,
                bytes,
            };
            let event = FlowEvent {
                id: &id,
                time,
                due: None,
                kind,
            };
            table.follow(&event, &mut |event| {
                reported += u64::from(matches!(event, RequestEvent::Request(_)));
            });
        }
    }
    reported
}

fn request_tables(criterion: &mut Criterion) {
    let mut group = measure::group(criterion, "request");
    for case in &CASES {
        assert_eq!(send_all(case), REQUESTS, "{}", case.name);
        group.throughput(Throughput::Elements(REQUESTS));
        group.bench_function(case.name, |bencher| bencher.iter(|| send_all(case)));
    }
}

criterion_group!(benches, request_tables);
criterion_main!(benches);
