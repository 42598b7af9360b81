//! Response times: from the last byte of a request to the first byte of its response.
//!
//! Requests and responses are recognized by direction alone, which works for every protocol in
//! which the sides take turns.

use super::side::Side;
use crate::packet::Timestamp;
use crate::time::durations::DurationStatistics;

/// Measures the response times of one flow.
#[derive(Debug, Clone)]
pub(super) struct ResponseTimer {
    /// Time at which the originator last sent new data; absent after new data of the responder.
    request_time: Timestamp,
    statistics: DurationStatistics,
}

impl Default for ResponseTimer {
    fn default() -> ResponseTimer {
        ResponseTimer {
            request_time: Timestamp::ABSENT,
            statistics: DurationStatistics::default(),
        }
    }
}

/// Summary of a flow's response times: each is the time from the originator's last byte before a
/// response to the first byte of that response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseTimes {
    /// Number of responses.
    pub count: u32,
    /// Median, in nanoseconds; accurate to 1 part in 32 beyond 128 responses.
    pub median: u64,
    /// 99th percentile, in nanoseconds; as accurate as the median.
    pub p99: u64,
    /// Maximum, in nanoseconds.
    pub max: u64,
}

impl ResponseTimer {
    /// Records new data from a side at this time.
    #[inline]
    pub(super) fn on_data(&mut self, side: Side, time: i64) {
        if side == Side::Orig {
            self.request_time = Timestamp(time);
        } else if self.request_time.is_present() {
            let duration = time.saturating_sub(self.request_time.0).max(0);
            self.statistics.add(duration as u64);
            self.request_time = Timestamp::ABSENT;
        }
    }

    /// Discards all samples, because originator and responder were swapped: the samples measure the
    /// wrong direction.
    pub(super) fn flip(&mut self) {
        *self = ResponseTimer::default();
    }

    /// Returns the summary of all samples so far; `None` without samples.
    pub(super) fn summary(&self) -> Option<ResponseTimes> {
        let summary = self.statistics.summary()?;
        Some(ResponseTimes {
            count: summary.count,
            median: summary.median,
            p99: summary.p99,
            max: summary.max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_byte_of_a_request_and_the_first_of_its_response_count() {
        let (mut timer, mut now) = (ResponseTimer::default(), 0);
        for time in (1..=100).rev() {
            timer.on_data(Side::Orig, now - 5);
            timer.on_data(Side::Orig, now);
            timer.on_data(Side::Resp, now + time);
            timer.on_data(Side::Resp, now + time + 999_999);
            now += time + 1_000_000;
        }
        let summary = timer.summary().expect("at least one response");
        assert_eq!(
            (summary.count, summary.median, summary.p99, summary.max),
            (100, 50, 99, 100)
        );
    }

    #[test]
    fn server_data_before_a_request_is_not_a_response() {
        let mut timer = ResponseTimer::default();
        timer.on_data(Side::Resp, 10);
        assert_eq!(timer.summary(), None);
        timer.on_data(Side::Orig, 20);
        timer.on_data(Side::Resp, 15);
        assert_eq!(timer.summary().map(|times| times.max), Some(0));
    }
}
