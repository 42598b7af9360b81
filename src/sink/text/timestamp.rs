//! Timestamps at the start of each line (`-t` to `-ttttt`).

use std::io::Write;

use super::digits;
use super::printer::{Style, TimestampFormat};
use crate::packet::Timestamp;
use crate::sink::clock::{Clock, TIME_OF_DAY, write_fraction};

/// Writer of timestamps, with the reference time for differences.
#[derive(Debug)]
pub(super) struct TimestampWriter {
    clock: Clock,
    /// Reference for time differences: the time of the first or the previous packet. As in tcpdump,
    /// the epoch means that there was no packet with a time so far.
    reference: DisplayedTime,
}

impl TimestampWriter {
    pub(super) fn new(style: &Style) -> TimestampWriter {
        TimestampWriter {
            clock: Clock::local(clock_format(style), style.nano),
            reference: DisplayedTime::EPOCH,
        }
    }

    /// Writes the timestamp and a space, or nothing with `-t`.
    #[inline]
    pub(super) fn write(&mut self, out: &mut Vec<u8>, time: Timestamp, style: &Style) {
        match style.timestamp_format {
            TimestampFormat::None => return,
            TimestampFormat::TimeOfDay | TimestampFormat::DateTime => self.clock.write(out, time),
            TimestampFormat::Epoch => {
                let time = DisplayedTime::new(time, style.nano);
                if time < DisplayedTime::EPOCH {
                    out.push(b'-');
                }
                let (seconds, nanos) = time.difference(DisplayedTime::EPOCH);
                digits::decimal(out, seconds);
                write_fraction(out, nanos, style.nano);
            }
            TimestampFormat::Delta | TimestampFormat::SinceFirst => {
                self.write_difference(out, time, style);
            }
        }
        out.push(b' ');
    }

    fn write_difference(&mut self, out: &mut Vec<u8>, time: Timestamp, style: &Style) {
        let time = DisplayedTime::new(time, style.nano);
        if self.reference == DisplayedTime::EPOCH {
            self.reference = time;
        }
        out.push(if time < self.reference { b'-' } else { b' ' });
        let (seconds, nanos) = time.difference(self.reference);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{hour:02}:{minute:02}:{second:02}");
        write_fraction(out, nanos, style.nano);
        if style.timestamp_format == TimestampFormat::Delta {
            self.reference = time;
        }
    }
}

/// A time as it is displayed: nanoseconds since 1970, without the digits that are not printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct DisplayedTime(i128);

impl DisplayedTime {
    const EPOCH: DisplayedTime = DisplayedTime(0);

    /// Returns a time with nanoseconds or microseconds; 1970 if it is absent.
    fn new(time: Timestamp, nano: bool) -> DisplayedTime {
        let hidden = if nano { 1 } else { 1000 };
        let nanos = if time.is_present() { time.0 } else { 0 };
        DisplayedTime(i128::from(nanos).div_euclid(hidden) * hidden)
    }

    /// Returns the seconds and nanoseconds between two times.
    fn difference(self, other: DisplayedTime) -> (u64, u32) {
        let nanos = self.0.abs_diff(other.0);
        (
            (nanos / 1_000_000_000) as u64,
            (nanos % 1_000_000_000) as u32,
        )
    }
}

fn clock_format(style: &Style) -> &'static str {
    match style.timestamp_format {
        TimestampFormat::DateTime => "%Y-%m-%d %H:%M:%S",
        _ => TIME_OF_DAY,
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
        let mut writer = TimestampWriter::new(&style);
        let zone = jiff::tz::TimeZone::get(zone).expect("a zone");
        writer.clock = Clock::new(zone, clock_format(&style), nano);
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

    /// tcpdump prints an error for times outside 1970 to 2038.
    #[test]
    fn times_outside_1970_to_2038_are_printed() {
        use TimestampFormat::{DateTime, Delta, Epoch, None, SinceFirst, TimeOfDay};
        let show = |format, nano, time: i64| {
            let time = Timestamp(time);
            let times = [(time.seconds(), time.subsec_nanos())];
            format_timestamps(format, nano, "UTC", &times).concat()
        };
        let (first, last) = (i64::MIN + 1, i64::MAX);
        for (format, nano, time, expected) in [
            (None, false, -1, ""),
            (TimeOfDay, false, -1, "23:59:59.999999 "),
            (Epoch, true, 7_000_001_999, "7.000001999 "),
            (Epoch, false, -1, "-0.000001 "),
            (Epoch, true, -31_535_990_500_000_000, "-31535990.500000000 "),
            (
                Epoch,
                false,
                4_294_967_296_000_000_000,
                "4294967296.000000 ",
            ),
            (Epoch, true, first, "-9223372036.854775807 "),
            (Epoch, true, last, "9223372036.854775807 "),
            (DateTime, true, first, "1677-09-21 00:12:43.145224193 "),
            (DateTime, true, last, "2262-04-11 23:47:16.854775807 "),
            (Delta, true, first, " 00:00:00.000000000 "),
            (SinceFirst, true, last, " 00:00:00.000000000 "),
        ] {
            assert_eq!(show(format, nano, time), expected, "{format:?} {time}");
        }
    }

    /// No two times share a second, although their difference overflows.
    #[test]
    fn ends_of_the_range_follow_each_other() {
        let (first, last) = (Timestamp(i64::MIN + 1), Timestamp(i64::MAX));
        let ends = [first, last, first, last].map(|time| (time.seconds(), time.subsec_nanos()));
        let dates = format_timestamps(TimestampFormat::DateTime, false, "UTC", &ends);
        let years: Vec<&str> = dates.iter().map(|date| &date[..4]).collect();
        assert_eq!(years, ["1677", "2262", "1677", "2262"]);
        assert_eq!(
            format_timestamps(TimestampFormat::Delta, true, "UTC", &ends[..3]),
            [
                " 00:00:00.000000000 ",
                " 23:34:33.709551614 ",
                "-23:34:33.709551614 "
            ]
        );
    }

    /// As in tcpdump.
    #[test]
    fn times_of_packets_at_the_epoch_are_no_reference() {
        let times = [(0, 0), (100, 0), (103, 0)];
        assert_eq!(
            format_timestamps(TimestampFormat::SinceFirst, false, "UTC", &times),
            [
                " 00:00:00.000000 ",
                " 00:00:00.000000 ",
                " 00:00:03.000000 "
            ]
        );
    }
}
