//! Timestamps at the start of each line (`-t` to `-ttttt`).

use jiff::tz::TimeZone;

use super::digits;
use super::printer::{Style, TimestampFormat};
use crate::packet::Timestamp;
use crate::time::zone;

/// Writer of timestamps, with the reference time for differences and the last formatted seconds.
#[derive(Debug)]
pub(in crate::sink) struct TimestampWriter {
    time_zone: TimeZone,
    /// The last two formatted seconds: the start times of flows that end together often alternate
    /// between two seconds.
    recent_seconds: [CachedSecond; 2],
    /// Reference for time differences: the time of the first or the previous packet. As in tcpdump,
    /// 0 means that there was no packet so far.
    reference: DisplayTime,
}

/// A formatted second.
#[derive(Debug, Clone, Copy, Default)]
struct CachedSecond {
    /// Start of the second, in nanoseconds since 1970; `None` if the entry is unused.
    start: Option<i64>,
    /// Optional date, time of day, and a decimal point.
    text: [u8; 32],
    len: usize,
}

impl CachedSecond {
    /// Returns the nanoseconds from the start of this second to `time`, if `time` is within it.
    #[inline]
    fn subsecond_nanos(&self, time: Timestamp) -> Option<u32> {
        let since = time.0.wrapping_sub(self.start?) as u64;
        (since < 1_000_000_000).then_some(since as u32)
    }
}

/// A time at display resolution: seconds and a fraction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct DisplayTime {
    seconds: i64,
    /// Microseconds, or nanoseconds with `--nano`.
    fraction: u32,
}

impl DisplayTime {
    fn new(time: Timestamp, style: &Style) -> DisplayTime {
        DisplayTime {
            seconds: time.seconds(),
            fraction: displayed_fraction(time.subsec_nanos(), style),
        }
    }

    /// Returns the time from `other` to `self`, which must not be earlier.
    fn since(self, other: DisplayTime, per_second: u32) -> DisplayTime {
        let borrow = self.fraction < other.fraction;
        DisplayTime {
            seconds: self.seconds.saturating_sub(other.seconds) - i64::from(borrow),
            fraction: if borrow {
                self.fraction + per_second
            } else {
                self.fraction
            } - other.fraction,
        }
    }

    /// True if tcpdump cannot convert the time: it uses the low 32 bits of the seconds as a signed
    /// number, which overflows in 2038.
    fn is_out_of_range(self) -> bool {
        self.seconds as u32 & 0x8000_0000 != 0
    }
}

const OUT_OF_RANGE_TEXT: &[u8] = b"[Error converting time]";

impl TimestampWriter {
    /// Returns a writer for the local time zone: `TZ`, or the system's time zone.
    pub(in crate::sink) fn new() -> TimestampWriter {
        TimestampWriter {
            time_zone: zone::local(),
            recent_seconds: [CachedSecond::default(); 2],
            reference: DisplayTime::default(),
        }
    }

    /// Writes the timestamp and a space, or nothing with `-t`.
    #[inline]
    pub(in crate::sink) fn write(&mut self, out: &mut Vec<u8>, time: Timestamp, style: &Style) {
        if matches!(
            style.timestamp_format,
            TimestampFormat::TimeOfDay | TimestampFormat::DateTime
        ) {
            return self.write_local(out, time, style);
        }
        let moment = DisplayTime::new(time, style);
        match style.timestamp_format {
            TimestampFormat::None | TimestampFormat::TimeOfDay | TimestampFormat::DateTime => {
                return;
            }
            TimestampFormat::Epoch if moment.is_out_of_range() => {
                out.extend_from_slice(OUT_OF_RANGE_TEXT);
            }
            TimestampFormat::Epoch => {
                digits::decimal(out, moment.seconds as u32);
                write_fraction(out, moment.fraction, style);
            }
            TimestampFormat::Delta | TimestampFormat::SinceFirst => {
                self.write_difference(out, moment, style);
            }
        }
        out.push(b' ');
    }

    #[inline]
    fn write_local(&mut self, out: &mut Vec<u8>, time: Timestamp, style: &Style) {
        let [last, before] = &self.recent_seconds;
        let part = last.subsecond_nanos(time);
        let (second, nanos) = match part.or_else(|| before.subsecond_nanos(time)) {
            Some(nanos) if part.is_some() => (last, nanos),
            Some(nanos) => (before, nanos),
            None => return self.write_uncached(out, time, style),
        };
        out.extend_from_slice(&second.text[..second.len]);
        write_fraction_digits(out, displayed_fraction(nanos, style), style);
        out.push(b' ');
    }

    /// Writes a local time whose second is not cached, and caches it.
    #[cold]
    fn write_uncached(&mut self, out: &mut Vec<u8>, time: Timestamp, style: &Style) {
        let moment = DisplayTime::new(time, style);
        let start = out.len();
        if moment.is_out_of_range()
            || self
                .write_date_time(out, moment.seconds, style.timestamp_format)
                .is_none()
        {
            out.truncate(start);
            out.extend_from_slice(OUT_OF_RANGE_TEXT);
            return out.push(b' ');
        }
        out.push(b'.');
        let mut second = CachedSecond {
            start: moment.seconds.checked_mul(1_000_000_000),
            ..CachedSecond::default()
        };
        if let Some(text) = second.text.get_mut(..out.len() - start) {
            text.copy_from_slice(&out[start..]);
            second.len = text.len();
            self.recent_seconds = [second, self.recent_seconds[0]];
        }
        write_fraction_digits(out, displayed_fraction(time.subsec_nanos(), style), style);
        out.push(b' ');
    }

    /// Writes the time of day, preceded by the date for `DateTime`; returns `None` if the time is
    /// out of range.
    fn write_date_time(
        &self,
        out: &mut Vec<u8>,
        seconds: i64,
        format: TimestampFormat,
    ) -> Option<()> {
        let time = jiff::Timestamp::from_second(seconds).ok()?;
        let local = self.time_zone.to_datetime(time);
        if format == TimestampFormat::DateTime {
            digits::padded::<2>(out, u32::from(local.year().unsigned_abs()) / 100);
            digits::padded::<2>(out, u32::from(local.year().unsigned_abs()));
            for field in [local.month(), local.day()] {
                out.push(b'-');
                digits::padded::<2>(out, u32::from(field.unsigned_abs()));
            }
            out.push(b' ');
        }
        let fields = [local.hour(), local.minute(), local.second()];
        write_time_of_day(out, fields.map(|field| u32::from(field.unsigned_abs())));
        Some(())
    }

    fn write_difference(&mut self, out: &mut Vec<u8>, moment: DisplayTime, style: &Style) {
        let per_second = if style.nano { 1_000_000_000 } else { 1_000_000 };
        if self.reference == DisplayTime::default() {
            self.reference = moment;
        }
        let (sign, difference) = if moment < self.reference {
            (b'-', self.reference.since(moment, per_second))
        } else {
            (b' ', moment.since(self.reference, per_second))
        };
        out.push(sign);
        if difference.is_out_of_range() {
            out.extend_from_slice(OUT_OF_RANGE_TEXT);
        } else {
            let second = difference.seconds.rem_euclid(86_400) as u32;
            write_time_of_day(out, [second / 3600, second / 60 % 60, second % 60]);
            write_fraction(out, difference.fraction, style);
        }
        if style.timestamp_format == TimestampFormat::Delta {
            self.reference = moment;
        }
    }
}

/// Writes `HH:MM:SS`.
fn write_time_of_day(out: &mut Vec<u8>, [hour, minute, second]: [u32; 3]) {
    digits::padded::<2>(out, hour);
    out.push(b':');
    digits::padded::<2>(out, minute);
    out.push(b':');
    digits::padded::<2>(out, second);
}

/// Converts nanoseconds to the display resolution: nanoseconds with `--nano`, otherwise
/// microseconds.
#[inline]
fn displayed_fraction(nanos: u32, style: &Style) -> u32 {
    match style.nano {
        true => nanos,
        false => nanos / 1000,
    }
}

fn write_fraction(out: &mut Vec<u8>, fraction: u32, style: &Style) {
    out.push(b'.');
    write_fraction_digits(out, fraction, style);
}

#[inline]
fn write_fraction_digits(out: &mut Vec<u8>, fraction: u32, style: &Style) {
    if style.nano {
        digits::padded::<9>(out, fraction);
    } else {
        digits::padded::<6>(out, fraction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format_timestamps(
        format: TimestampFormat,
        nano: bool,
        zone: &str,
        times: &[(i64, u32)],
    ) -> Vec<String> {
        let style = Style {
            timestamp_format: format,
            nano,
            ..Style::default()
        };
        let mut writer = TimestampWriter::new();
        writer.time_zone = TimeZone::get(zone).expect("a zone");
        let show = |&(seconds, nanos): &(i64, u32)| {
            let mut out = Vec::new();
            writer.write(&mut out, Timestamp::new(seconds, nanos), &style);
            String::from_utf8(out).expect("ASCII")
        };
        times.iter().map(show).collect()
    }

    #[test]
    fn local_time_follows_the_change_to_daylight_saving_time() {
        let times = [(1_616_893_199, 999_999_999), (1_616_893_200, 1_000)];
        assert_eq!(
            format_timestamps(TimestampFormat::TimeOfDay, false, "Europe/Berlin", &times),
            ["01:59:59.999999 ", "03:00:00.000001 "]
        );
        assert_eq!(
            format_timestamps(TimestampFormat::DateTime, true, "Europe/Berlin", &times),
            [
                "2021-03-28 01:59:59.999999999 ",
                "2021-03-28 03:00:00.000001000 "
            ]
        );
    }

    #[test]
    fn deltas_are_relative_to_the_previous_or_first_time() {
        let times = [(100, 5_000), (99, 4_999), (90_000, 0), (90_000, 7_999)];
        assert_eq!(
            format_timestamps(TimestampFormat::Delta, false, "UTC", &times),
            [
                " 00:00:00.000000 ",
                "-00:00:01.000001 ",
                " 00:58:20.999996 ",
                " 00:00:00.000007 "
            ]
        );
        assert_eq!(
            format_timestamps(TimestampFormat::SinceFirst, false, "UTC", &times),
            [
                " 00:00:00.000000 ",
                "-00:00:01.000001 ",
                " 00:58:19.999995 ",
                " 00:58:20.000002 "
            ]
        );
    }

    #[test]
    fn format_none_prints_nothing_and_times_after_2038_are_errors() {
        assert_eq!(
            format_timestamps(TimestampFormat::None, false, "UTC", &[(1, 1)]),
            [""]
        );
        let late = [(1 << 31, 0)];
        assert_eq!(
            format_timestamps(TimestampFormat::TimeOfDay, false, "UTC", &late),
            ["[Error converting time] "]
        );
        assert_eq!(
            format_timestamps(TimestampFormat::Epoch, false, "UTC", &late),
            ["[Error converting time] "]
        );
        assert_eq!(
            format_timestamps(TimestampFormat::Epoch, false, "UTC", &[(7, 1_999)]),
            ["7.000001 "]
        );
    }
}
