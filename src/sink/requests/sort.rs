//! Sort orders of requests (`--sort`).

use crate::packet::TimeDelta;
use crate::request::Request;
use crate::sink::rows::RowOrder;

/// All sort orders; the first is the default of `--top`.
pub const REQUEST_ORDERS: &[RowOrder<Request>] = &[
    RowOrder {
        name: "duration",
        about: "slowest first; without an answer, by the time that the client waited",
        key: |request| nanos(request.waiting_time()),
    },
    RowOrder {
        name: "first_byte",
        about: "slowest first byte of the answer first",
        key: |request| nanos(request.first_byte()),
    },
    RowOrder {
        name: "size",
        about: "largest answer first",
        key: |request| request.answer_bytes,
    },
    RowOrder {
        name: "request_size",
        about: "largest request first",
        key: |request| request.request_bytes,
    },
    RowOrder {
        name: "time",
        about: "earliest request first",
        key: |request| i64::MAX.abs_diff(request.time.0),
    },
];

/// Returns a time as a sort key.
fn nanos(time: Option<TimeDelta>) -> u64 {
    time.map_or(0, |time| time.0.max(0) as u64)
}
