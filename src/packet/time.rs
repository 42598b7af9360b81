//! Points in time, in nanoseconds since 1970-01-01 00:00:00 UTC.

use std::fmt;

/// Nanoseconds since the epoch; negative before it. The range is the years 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The frame has no time stamp (a pcapng simple packet block).
    pub const UNKNOWN: Timestamp = Timestamp(i64::MIN);

    /// From whole seconds and nanoseconds; saturates at the ends of the range.
    pub fn new(seconds: i64, nanos: u32) -> Timestamp {
        Timestamp(
            seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(i64::from(nanos)),
        )
    }

    /// Whether there is a time stamp at all.
    pub fn is_known(self) -> bool {
        self != Self::UNKNOWN
    }

    /// Whole seconds, rounded down; 0 where unknown.
    pub fn seconds(self) -> i64 {
        self.known().div_euclid(1_000_000_000)
    }

    /// Nanoseconds past [`seconds`](Self::seconds), 0 to 999 999 999; 0 where unknown.
    pub fn nanos(self) -> u32 {
        self.known().rem_euclid(1_000_000_000) as u32
    }

    fn known(self) -> i64 {
        if self.is_known() { self.0 } else { 0 }
    }
}

/// A length of time in nanoseconds, shown as people read it: `14 µs`, `1.2 ms`, `3 min 20 s`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub i64);

impl Span {
    /// In seconds.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl fmt::Display for Span {
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
        // One decimal where there is one digit before it.
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
    use super::{Span, Timestamp};

    #[test]
    fn parts_of_a_time_before_the_epoch() {
        let time = Timestamp(-1);
        assert_eq!((time.seconds(), time.nanos()), (-1, 999_999_999));
    }

    #[test]
    fn seconds_out_of_range_saturate() {
        assert_eq!(Timestamp::new(i64::MAX, 5).0, i64::MAX);
        assert_eq!(Timestamp::UNKNOWN.seconds(), 0);
    }

    #[test]
    fn spans_as_people_read_them() {
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
            assert_eq!(Span(nanos).to_string(), text);
        }
        assert_eq!(Span(1_500_000_000).as_seconds(), 1.5);
    }
}
