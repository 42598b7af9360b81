//! Intervals and delays of reports while packets are awaited.

#[cfg(feature = "live")]
use std::time::Duration;

/// Time for which a closed flow of a live capture waits for late packets before it is reported, in
/// nanoseconds. It is short, because the flow is awaited.
pub const LIVE_LINGER_NS: i64 = 1_000_000_000;

/// Interval at which timed-out flows are reported while no packets arrive.
#[cfg(feature = "live")]
pub const FLOW_REPORT_INTERVAL: Duration = Duration::from_millis(250);

/// Interval at which requests are reported, with or without packets: short enough to report an
/// answer within 50 ms, also if its end is only that no more of it follows for 30 ms.
#[cfg(feature = "live")]
pub const REQUEST_REPORT_INTERVAL: Duration = Duration::from_millis(15);
