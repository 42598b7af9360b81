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

    /// Returns the time of a tick; `None` if it is outside the range of [`Timestamp`]. Computed in
    /// 128 bits: 2⁶⁴ ticks of one second and an offset of 2⁶³ seconds stay below 2⁹⁵ ns.
    pub(super) fn time(&self, ticks: u64) -> Option<Timestamp> {
        let nanos = match self.scale {
            TickScale::Multiply(nanos) => i128::from(ticks) * i128::from(nanos),
            TickScale::Divide(Some(ticks_per_nano)) => i128::from(ticks / ticks_per_nano),
            TickScale::Divide(None) => 0,
            TickScale::Shift(n) => (i128::from(ticks) * i128::from(NANOS_PER_SECOND)) >> n,
        };
        let nanos = nanos + i128::from(self.offset) * i128::from(NANOS_PER_SECOND);
        let time = i64::try_from(nanos).ok().map(Timestamp);
        time.filter(|time| time.is_present())
    }
}

#[cfg(test)]
mod tests {
    use super::InterfaceClock;
    use crate::packet::Resolution;

    /// Returns a time in nanoseconds since 1970.
    fn nanos(if_tsresol: u8, if_tsoffset: i64, ticks: u64) -> Option<i64> {
        let time = InterfaceClock::new(if_tsresol, if_tsoffset).time(ticks);
        time.map(|time| time.0)
    }

    /// 1.25 seconds is the same time in every resolution that can represent it.
    #[test]
    fn decimal_resolutions_give_the_same_time() {
        for n in 2..=18_u8 {
            let ticks = 125 * 10_u64.pow(u32::from(n) - 2);
            assert_eq!(nanos(n, 0, ticks), Some(1_250_000_000), "10^-{n}");
        }
        assert_eq!(nanos(0, 0, 3), Some(3_000_000_000));
        assert_eq!(nanos(1, 0, 3), Some(300_000_000));
        assert_eq!(nanos(19, 0, u64::MAX), Some(1_844_674_407));
        assert_eq!(nanos(127, 0, u64::MAX), Some(0));
    }

    #[test]
    fn binary_resolutions_give_the_same_time() {
        for n in 2..=62_u8 {
            let ticks = 5 << (n - 2);
            assert_eq!(nanos(0x80 | n, 0, ticks), Some(1_250_000_000), "2^-{n}");
        }
        assert_eq!(nanos(0x80, 0, 3), Some(3_000_000_000));
        assert_eq!(nanos(0x80 | 63, 0, 1 << 63), Some(1_000_000_000));
        assert_eq!(nanos(0xFF, 0, u64::MAX), Some(0));
    }

    #[test]
    fn offsets_are_signed_seconds() {
        assert_eq!(nanos(9, 7, 1), Some(7_000_000_001));
        assert_eq!(nanos(6, -2, 1), Some(-1_999_999_000));
        // The tick alone is out of range; with the offset it is in range.
        for if_tsresol in [0, 0x80] {
            let offset = -10_000_000_000;
            assert_eq!(
                nanos(if_tsresol, offset, 10_000_000_001),
                Some(1_000_000_000)
            );
            assert_eq!(nanos(if_tsresol, -i64::MAX, i64::MAX as u64), Some(0));
            assert_eq!(nanos(if_tsresol, i64::MIN, 1 << 63), Some(0));
        }
    }

    #[test]
    fn times_out_of_range_are_none() {
        let earliest = i64::MIN.div_euclid(1_000_000_000);
        for (if_tsresol, if_tsoffset, ticks, expected) in [
            (9, 0, i64::MAX as u64, Some(i64::MAX)),
            (9, 0, 1 << 63, None),
            (9, 0, u64::MAX, None),
            // The value that represents a missing time is no time.
            (9, earliest, 145_224_192, None),
            (9, earliest, 145_224_193, Some(i64::MIN + 1)),
            (0, 0, 32_503_680_000, None),
            (6, 0, 32_503_680_000_000_000, None),
            (0x80, 0, u64::MAX, None),
            (0x80 | 30, 0, 32_503_680_000 << 30, None),
            (6, i64::MIN, 0, None),
            (6, i64::MAX, 0, None),
            (0, i64::MAX, u64::MAX, None),
            (0xFF, i64::MIN, u64::MAX, None),
        ] {
            let time = nanos(if_tsresol, if_tsoffset, ticks);
            assert_eq!(time, expected, "{if_tsresol} {if_tsoffset} {ticks}");
        }
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
