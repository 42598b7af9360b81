//! Time stamps of pcapng interfaces: any resolution to nanoseconds (draft-ietf-opsawg-pcapng, `if_tsresol` and `if_tsoffset`).

use crate::packet::{Resolution, Timestamp};

/// How an interface counts time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    scale: Scale,
    /// Seconds to add to every time stamp.
    offset: i64,
    /// How fine it is, for writers.
    pub(super) resolution: Resolution,
}

/// From ticks to nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// 10⁰ to 10⁻⁹ s a tick: so many nanoseconds.
    Times(u64),
    /// 10⁻¹⁰ s and less a tick: so many ticks a nanosecond; none if more than a u64 holds.
    Over(Option<u64>),
    /// 2⁻ⁿ s a tick.
    Shift(u32),
}

const NANOS: u64 = 1_000_000_000;

impl Clock {
    /// What an interface has that says nothing about its time stamps: microseconds.
    pub(super) const MICROSECONDS: u8 = 6;

    /// From the options `if_tsresol` and `if_tsoffset`.
    ///
    /// ```text
    ///  bit  7   6 … 0
    ///     +---+-------+
    ///     | b |   n   |   a tick is 10⁻ⁿ s if b is 0, 2⁻ⁿ s if it is 1
    ///     +---+-------+
    /// ```
    pub(super) fn new(if_tsresol: u8, if_tsoffset: i64) -> Clock {
        let n = u32::from(if_tsresol & 0x7F);
        let scale = if if_tsresol & 0x80 != 0 {
            Scale::Shift(n)
        } else if n <= 9 {
            Scale::Times(10_u64.pow(9 - n))
        } else {
            Scale::Over(10_u64.checked_pow(n - 9))
        };
        // 2⁻⁶ s is the finest power of two that six decimals hold without rounding, as 10⁻⁶ is of ten.
        let resolution = if n <= 6 {
            Resolution::Micro
        } else {
            Resolution::Nano
        };
        Clock {
            scale,
            offset: if_tsoffset,
            resolution,
        }
    }

    /// The time of a tick. Saturates at the ends of the range, and is never [`Timestamp::UNKNOWN`].
    pub(super) fn time(&self, ticks: u64) -> Timestamp {
        if self.offset == 0
            && let Scale::Times(nanos) = self.scale
            && let Some(nanos) = ticks.checked_mul(nanos)
            && let Ok(nanos) = i64::try_from(nanos)
        {
            return Timestamp(nanos);
        }
        self.wide(ticks)
    }

    /// The same in 128 bits: 2⁶⁴ ticks of a second and 2⁶³ seconds of offset stay below 2⁹⁵ ns.
    fn wide(&self, ticks: u64) -> Timestamp {
        let nanos = match self.scale {
            Scale::Times(nanos) => i128::from(ticks) * i128::from(nanos),
            Scale::Over(Some(ticks_per_nano)) => i128::from(ticks / ticks_per_nano),
            Scale::Over(None) => 0,
            Scale::Shift(n) => (i128::from(ticks) * i128::from(NANOS)) >> n,
        };
        let nanos = nanos + i128::from(self.offset) * i128::from(NANOS);
        Timestamp(nanos.clamp(i128::from(i64::MIN + 1), i128::from(i64::MAX)) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use crate::packet::{Resolution, Timestamp};

    /// One second and a quarter is the same time in every resolution that can hold it.
    #[test]
    fn every_decimal_resolution() {
        for n in 2..=18_u8 {
            let ticks = 125 * 10_u64.pow(u32::from(n) - 2);
            assert_eq!(Clock::new(n, 0).time(ticks).0, 1_250_000_000, "10^-{n}");
        }
        assert_eq!(Clock::new(0, 0).time(3).0, 3_000_000_000);
        assert_eq!(Clock::new(1, 0).time(3).0, 300_000_000);
        assert_eq!(Clock::new(19, 0).time(u64::MAX).0, 1_844_674_407);
        assert_eq!(Clock::new(127, 0).time(u64::MAX).0, 0);
    }

    #[test]
    fn every_binary_resolution() {
        for n in 2..=62_u8 {
            let ticks = 5 << (n - 2);
            assert_eq!(
                Clock::new(0x80 | n, 0).time(ticks).0,
                1_250_000_000,
                "2^-{n}"
            );
        }
        assert_eq!(Clock::new(0x80, 0).time(3).0, 3_000_000_000);
        assert_eq!(Clock::new(0x80 | 63, 0).time(1 << 63).0, 1_000_000_000);
        assert_eq!(Clock::new(0xFF, 0).time(u64::MAX).0, 0);
    }

    #[test]
    fn offsets_count_in_seconds_and_both_ways() {
        assert_eq!(Clock::new(9, 7).time(1).0, 7_000_000_001);
        assert_eq!(Clock::new(6, -2).time(1).0, -1_999_999_000);
        // Beyond the range on its own, inside it with the offset.
        assert_eq!(
            Clock::new(0, -10_000_000_000).time(10_000_000_001).0,
            1_000_000_000
        );
    }

    #[test]
    fn times_out_of_range_saturate_and_stay_known() {
        assert_eq!(Clock::new(0, 0).time(u64::MAX), Timestamp(i64::MAX));
        assert_eq!(Clock::new(9, 0).time(u64::MAX), Timestamp(i64::MAX));
        let before = Clock::new(6, i64::MIN).time(0);
        assert_eq!(before, Timestamp(i64::MIN + 1));
        assert!(before.is_known());
    }

    #[test]
    fn finer_than_six_decimals_is_nano() {
        for (if_tsresol, resolution) in [
            (0, Resolution::Micro),
            (6, Resolution::Micro),
            (7, Resolution::Nano),
            (9, Resolution::Nano),
            (0x80 | 6, Resolution::Micro),
            (0x80 | 7, Resolution::Nano),
        ] {
            assert_eq!(Clock::new(if_tsresol, 0).resolution, resolution);
        }
    }
}
