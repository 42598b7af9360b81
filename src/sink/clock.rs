//! Times as text, for the timestamps of all formats.

use jiff::tz::TimeZone;

use super::digits;
use crate::packet::Timestamp;
use crate::time::zone;

/// Format of the time of day, for [`Clock::local`].
pub(super) const TIME_OF_DAY: &str = "%H:%M:%S";

/// Formatter of times that caches the text of the last second, because most packets share it.
#[derive(Debug)]
pub(super) struct Clock {
    zone: TimeZone,
    /// strftime(3) format of the text before the fraction.
    format: &'static str,
    precision: TimePrecision,
    /// Start of the last second, in nanoseconds since 1970.
    cached_start: Option<i64>,
    cached_text: String,
}

/// Number of decimal places of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimePrecision {
    /// Three.
    Milliseconds,
    /// Six.
    Microseconds,
    /// Nine.
    Nanoseconds,
}

impl Clock {
    /// Returns a clock for a time zone, with nanoseconds or, if `nano` is false, microseconds.
    pub(super) fn new(zone: TimeZone, format: &'static str, nano: bool) -> Clock {
        Clock {
            zone,
            format,
            precision: match nano {
                true => TimePrecision::Nanoseconds,
                false => TimePrecision::Microseconds,
            },
            cached_start: None,
            cached_text: String::new(),
        }
    }

    /// Returns a clock for the local time zone: `TZ`, or the system's time zone.
    pub(super) fn local(format: &'static str, nano: bool) -> Clock {
        Clock::new(zone::local(), format, nano)
    }

    /// Returns the same clock with this precision.
    pub(super) fn with_precision(self, precision: TimePrecision) -> Clock {
        Clock { precision, ..self }
    }

    /// Writes a time with its fraction.
    #[inline]
    pub(super) fn write(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        let nanos = self.write_second(out, time);
        match self.precision {
            TimePrecision::Milliseconds => {
                out.push(b'.');
                digits::padded::<3>(out, nanos / 1_000_000);
            }
            TimePrecision::Microseconds => write_fraction(out, nanos, false),
            TimePrecision::Nanoseconds => write_fraction(out, nanos, true),
        }
    }

    /// Writes a time without its fraction, and returns the fraction in nanoseconds.
    #[inline]
    pub(super) fn write_second(&mut self, out: &mut Vec<u8>, time: Timestamp) -> u32 {
        let fraction = self.cached_fraction(time);
        let fraction = fraction.unwrap_or_else(|| self.cache_second(time));
        out.extend_from_slice(self.cached_text.as_bytes());
        fraction
    }

    /// Returns the nanoseconds from the start of the cached second to `time`, if it is within it.
    #[inline]
    fn cached_fraction(&self, time: Timestamp) -> Option<u32> {
        let nanos = time.0.checked_sub(self.cached_start?)?;
        (0..1_000_000_000).contains(&nanos).then_some(nanos as u32)
    }

    #[cold]
    fn cache_second(&mut self, time: Timestamp) -> u32 {
        let fraction = time.subsec_nanos();
        // `None` for the first second of the range, which starts before it.
        self.cached_start = time.0.checked_sub(i64::from(fraction));
        // The seconds of any timestamp are within the range of jiff (years -9999 to 9999).
        let second = jiff::Timestamp::from_second(time.seconds()).unwrap_or_default();
        let second = second.to_zoned(self.zone.clone());
        self.cached_text = second.strftime(self.format).to_string();
        fraction
    }
}

/// Writes a decimal point and the fraction of a second, in nanoseconds or, if `nano` is false, in
/// microseconds.
#[inline]
pub(super) fn write_fraction(out: &mut Vec<u8>, nanos: u32, nano: bool) {
    out.push(b'.');
    match nano {
        true => digits::padded::<9>(out, nanos),
        false => digits::padded::<6>(out, nanos / 1000),
    }
}
