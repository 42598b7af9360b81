//! Timestamps of pcapng interfaces, converted from any resolution to nanoseconds
//! (draft-ietf-opsawg-pcapng, `if_tsresol` and `if_tsoffset`).

use crate::packet::{Resolution, Timestamp};

/// The timestamp resolution and offset of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InterfaceClock {
    scale: TickScale,
    /// Seconds to add to every timestamp.
    offset: i64,
    /// Resolution to use when the packets are written again.
    pub(super) resolution: Resolution,
}

/// Conversion from ticks to nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TickScale {
    /// A tick is 10⁰ to 10⁻⁹ s: nanoseconds per tick.
    Multiply(u64),
    /// A tick is 10⁻¹⁰ s or less: ticks per nanosecond; `None` if the number exceeds a u64.
    Divide(Option<u64>),
    /// A tick is 2⁻ⁿ s: n.
    Shift(u32),
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

impl InterfaceClock {
    /// `if_tsresol` of an interface without that option: microseconds.
    pub(super) const DEFAULT_TSRESOL: u8 = 6;

    /// Creates a clock from the options `if_tsresol` and `if_tsoffset`.
    ///
    /// ```text
    ///  bit  7   6 … 0
    ///     +---+-------+
    ///     | b |   n   |   a tick is 10⁻ⁿ s if b is 0, 2⁻ⁿ s if it is 1
    ///     +---+-------+
    /// ```
    pub(super) fn new(if_tsresol: u8, if_tsoffset: i64) -> InterfaceClock {
        let n = u32::from(if_tsresol & 0x7F);
        let scale = if if_tsresol & 0x80 != 0 {
            TickScale::Shift(n)
        } else if n <= 9 {
            TickScale::Multiply(10_u64.pow(9 - n))
        } else {
            TickScale::Divide(10_u64.checked_pow(n - 9))
        };
        // 2⁻⁶ s is the finest power of two that six decimals represent without rounding, and 10⁻⁶ s
        // the finest power of ten.
        let resolution = if n <= 6 {
            Resolution::Micro
        } else {
            Resolution::Nano
        };
        InterfaceClock {
            scale,
            offset: if_tsoffset,
            resolution,
        }
    }

    /// Returns the time of a tick. It saturates at the ends of the range and is never
    /// [`Timestamp::ABSENT`]. Computed in 128 bits: 2⁶⁴ ticks of one second and an offset of 2⁶³
    /// seconds stay below 2⁹⁵ ns.
    pub(super) fn time(&self, ticks: u64) -> Timestamp {
        let nanos = match self.scale {
            TickScale::Multiply(nanos) => i128::from(ticks) * i128::from(nanos),
            TickScale::Divide(Some(ticks_per_nano)) => i128::from(ticks / ticks_per_nano),
            TickScale::Divide(None) => 0,
            TickScale::Shift(n) => (i128::from(ticks) * i128::from(NANOS_PER_SECOND)) >> n,
        };
        let nanos = nanos + i128::from(self.offset) * i128::from(NANOS_PER_SECOND);
        Timestamp(nanos.clamp(i128::from(i64::MIN + 1), i128::from(i64::MAX)) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::InterfaceClock;
    use crate::packet::{Resolution, Timestamp};

    /// 1.25 seconds is the same time in every resolution that can represent it.
    #[test]
    fn decimal_resolutions_give_the_same_time() {
        for n in 2..=18_u8 {
            let ticks = 125 * 10_u64.pow(u32::from(n) - 2);
            assert_eq!(
                InterfaceClock::new(n, 0).time(ticks).0,
                1_250_000_000,
                "10^-{n}"
            );
        }
        assert_eq!(InterfaceClock::new(0, 0).time(3).0, 3_000_000_000);
        assert_eq!(InterfaceClock::new(1, 0).time(3).0, 300_000_000);
        assert_eq!(InterfaceClock::new(19, 0).time(u64::MAX).0, 1_844_674_407);
        assert_eq!(InterfaceClock::new(127, 0).time(u64::MAX).0, 0);
    }

    #[test]
    fn binary_resolutions_give_the_same_time() {
        for n in 2..=62_u8 {
            let ticks = 5 << (n - 2);
            assert_eq!(
                InterfaceClock::new(0x80 | n, 0).time(ticks).0,
                1_250_000_000,
                "2^-{n}"
            );
        }
        assert_eq!(InterfaceClock::new(0x80, 0).time(3).0, 3_000_000_000);
        assert_eq!(
            InterfaceClock::new(0x80 | 63, 0).time(1 << 63).0,
            1_000_000_000
        );
        assert_eq!(InterfaceClock::new(0xFF, 0).time(u64::MAX).0, 0);
    }

    #[test]
    fn offsets_are_signed_seconds() {
        assert_eq!(InterfaceClock::new(9, 7).time(1).0, 7_000_000_001);
        assert_eq!(InterfaceClock::new(6, -2).time(1).0, -1_999_999_000);
        // The tick alone is out of range; with the offset it is in range.
        assert_eq!(
            InterfaceClock::new(0, -10_000_000_000)
                .time(10_000_000_001)
                .0,
            1_000_000_000
        );
    }

    #[test]
    fn times_out_of_range_saturate_and_are_never_absent() {
        assert_eq!(
            InterfaceClock::new(0, 0).time(u64::MAX),
            Timestamp(i64::MAX)
        );
        assert_eq!(
            InterfaceClock::new(9, 0).time(u64::MAX),
            Timestamp(i64::MAX)
        );
        let before = InterfaceClock::new(6, i64::MIN).time(0);
        assert_eq!(before, Timestamp(i64::MIN + 1));
        assert!(before.is_present());
    }

    #[test]
    fn resolutions_finer_than_six_decimals_are_nano() {
        for (if_tsresol, resolution) in [
            (0, Resolution::Micro),
            (6, Resolution::Micro),
            (7, Resolution::Nano),
            (9, Resolution::Nano),
            (0x80 | 6, Resolution::Micro),
            (0x80 | 7, Resolution::Nano),
        ] {
            assert_eq!(InterfaceClock::new(if_tsresol, 0).resolution, resolution);
        }
    }
}
