//! Timestamps at the start of each line (`-t` to `-ttttt`).

use std::io::Write;

use super::digits;
use super::printer::{Style, TimestampFormat};
use crate::packet::Timestamp;
use crate::sink::clock::{Clock, OUT_OF_RANGE_TEXT, TIME_OF_DAY, is_out_of_range, write_fraction};

/// Writer of timestamps, with the reference time for differences.
#[derive(Debug)]
pub(super) struct TimestampWriter {
    clock: Clock,
    /// Reference for time differences: the time of the first or the previous packet in nanoseconds
    /// since 1970. As in tcpdump, 0 means that there was no packet so far.
    reference: i128,
}

impl TimestampWriter {
    pub(super) fn new(style: &Style) -> TimestampWriter {
        TimestampWriter {
            clock: Clock::local(clock_format(style), style.nano),
            reference: 0,
        }
    }

    /// Writes the timestamp and a space, or nothing with `-t`.
    #[inline]
    pub(super) fn write(&mut self, out: &mut Vec<u8>, time: Timestamp, style: &Style) {
        match style.timestamp_format {
            TimestampFormat::None => return,
            TimestampFormat::TimeOfDay | TimestampFormat::DateTime => self.clock.write(out, time),
            TimestampFormat::Epoch if is_out_of_range(time.seconds()) => {
                out.extend_from_slice(OUT_OF_RANGE_TEXT);
            }
            TimestampFormat::Epoch => {
                digits::decimal(out, time.seconds() as u32);
                write_fraction(out, time.subsec_nanos(), style.nano);
            }
            TimestampFormat::Delta | TimestampFormat::SinceFirst => {
                self.write_difference(out, time, style);
            }
        }
        out.push(b' ');
    }

    fn write_difference(&mut self, out: &mut Vec<u8>, time: Timestamp, style: &Style) {
        // The difference of the displayed times.
        let hidden = if style.nano { 1 } else { 1000 };
        let time = i128::from(time.0).div_euclid(hidden) * hidden;
        if self.reference == 0 {
            self.reference = time;
        }
        out.push(if time < self.reference { b'-' } else { b' ' });
        let difference = time.abs_diff(self.reference);
        let (seconds, nanos) = (difference / 1_000_000_000, difference % 1_000_000_000);
        if is_out_of_range(seconds as i64) {
            out.extend_from_slice(OUT_OF_RANGE_TEXT);
        } else {
            let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{hour:02}:{minute:02}:{second:02}");
            write_fraction(out, nanos as u32, style.nano);
        }
        if style.timestamp_format == TimestampFormat::Delta {
            self.reference = time;
        }
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
