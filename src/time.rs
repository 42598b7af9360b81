//! Timestamps and time differences, in nanoseconds; the epoch is 1970-01-01 00:00:00 UTC.

pub mod durations;
#[cfg(feature = "cli")]
pub mod zone;

use std::fmt;

/// Nanoseconds since the epoch; negative before it. The range is the years 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "live", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Value for a frame without a timestamp (a pcapng simple packet block).
    pub const ABSENT: Timestamp = Timestamp(i64::MIN);
    /// The earliest time: 1677-09-21 00:12:43.145224193 UTC.
    pub const MIN: Timestamp = Timestamp(i64::MIN + 1);
    /// The latest time: 2262-04-11 23:47:16.854775807 UTC.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// Creates a timestamp from whole seconds and nanoseconds; saturates at the ends of the range.
    pub fn new(seconds: i64, nanos: u32) -> Timestamp {
        let time = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let (min, max) = (i128::from(Self::MIN.0), i128::from(Self::MAX.0));
        Timestamp(time.clamp(min, max) as i64)
    }

    /// Returns true if the frame has a timestamp.
    pub fn is_present(self) -> bool {
        self != Self::ABSENT
    }

    /// Returns whole seconds, rounded down; 0 if absent.
    pub fn seconds(self) -> i64 {
        self.value_or_zero().div_euclid(1_000_000_000)
    }

    /// Returns the nanoseconds after [`seconds`](Self::seconds), 0 to 999 999 999; 0 if absent.
    pub fn subsec_nanos(self) -> u32 {
        self.value_or_zero().rem_euclid(1_000_000_000) as u32
    }

    fn value_or_zero(self) -> i64 {
        if self.is_present() { self.0 } else { 0 }
    }
}

/// Time difference in nanoseconds, displayed in readable units: `14 µs`, `1.2 ms`, `3 min 20 s`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeDelta(pub i64);

impl TimeDelta {
    /// Returns the difference in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl fmt::Display for TimeDelta {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let seconds = nanos / 1_000_000_000;
        let (unit, name) = match nanos {
            0 => return f.write_str("0 s"),
            1..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            _ if seconds < 60 => (1_000_000_000, "s"),
            _ if seconds < 3600 => {
                return write!(f, "{sign}{} min {} s", seconds / 60, seconds % 60);
            }
            _ => return write!(f, "{sign}{} h {} min", seconds / 3600, seconds / 60 % 60),
        };
        // One decimal place if only one digit precedes the decimal point.
        match nanos / unit {
            whole @ 0..10 if unit > 1 => {
                write!(f, "{sign}{whole}.{} {name}", nanos % unit * 10 / unit)
            }
            whole => write!(f, "{sign}{whole} {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TimeDelta, Timestamp};

    #[test]
    fn subsec_nanos_of_a_time_before_the_epoch_are_positive() {
        let time = Timestamp(-1);
        assert_eq!((time.seconds(), time.subsec_nanos()), (-1, 999_999_999));
    }

    #[test]
    fn seconds_out_of_range_saturate() {
        assert_eq!(Timestamp::new(i64::MAX, 5), Timestamp::MAX);
        assert_eq!(Timestamp::new(i64::MIN, 5), Timestamp::MIN);
        for time in [Timestamp::MIN, Timestamp(-1), Timestamp::MAX] {
            assert_eq!(Timestamp::new(time.seconds(), time.subsec_nanos()), time);
        }
        assert_eq!(Timestamp::ABSENT.seconds(), 0);
    }

    #[test]
    fn time_deltas_are_displayed_in_readable_units() {
        for (nanos, text) in [
            (0, "0 s"),
            (7, "7 ns"),
            (14_800, "14 µs"),
            (1_250_000, "1.2 ms"),
            (-12_000_000, "-12 ms"),
            (9_990_000_000, "9.9 s"),
            (61_000_000_000, "1 min 1 s"),
            (7_384_000_000_000, "2 h 3 min"),
        ] {
            assert_eq!(TimeDelta(nanos).to_string(), text);
        }
        assert_eq!(TimeDelta(1_500_000_000).as_secs_f64(), 1.5);
    }
}
