//! Points in time, in nanoseconds since 1970-01-01 00:00:00 UTC.

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

#[cfg(test)]
mod tests {
    use super::Timestamp;

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
}
