//! The time in front of a line: `-t` to `-ttttt`.

use jiff::tz::TimeZone;

use super::number;
use super::printer::{Clock, Style};
use crate::host::zone;
use crate::packet::Timestamp;

/// Writes times, and remembers what the next one needs of those before.
#[derive(Debug)]
pub(in crate::sink) struct Times {
    zone: TimeZone,
    /// The last seconds that were shown: flows that end have begun now in one and now in another.
    seconds: [Second; 2],
    /// What differences are from: the first packet's time, or the one before. 0 is none yet, as it is in tcpdump.
    reference: Moment,
}

/// A second as it is shown.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    /// When it begins, in nanoseconds since 1970; none at the start.
    begin: Option<i64>,
    /// Date and time of day, or time of day, and a point.
    text: [u8; 32],
    len: usize,
}

impl Second {
    /// How many nanoseconds after its begin a time is, if it is within.
    #[inline]
    fn part(&self, time: Timestamp) -> Option<u32> {
        let since = time.0.wrapping_sub(self.begin?) as u64;
        (since < 1_000_000_000).then_some(since as u32)
    }
}

/// A time as it is shown: seconds, and parts of a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    seconds: i64,
    /// Microseconds, or nanoseconds with `--nano`.
    parts: u32,
}

impl Moment {
    fn of(time: Timestamp, style: &Style) -> Moment {
        Moment {
            seconds: time.seconds(),
            parts: parts(time.nanos(), style),
        }
    }

    /// `self` must not be before `other`.
    fn since(self, other: Moment, per_second: u32) -> Moment {
        let borrow = self.parts < other.parts;
        Moment {
            seconds: self.seconds.saturating_sub(other.seconds) - i64::from(borrow),
            parts: if borrow {
                self.parts + per_second
            } else {
                self.parts
            } - other.parts,
        }
    }

    /// tcpdump takes the low 32 bits of the seconds, and those from 2038 on for an error.
    fn is_out_of_range(self) -> bool {
        self.seconds as u32 & 0x8000_0000 != 0
    }
}

const OUT_OF_RANGE: &[u8] = b"[Error converting time]";

impl Times {
    /// In the local time zone: `TZ`, or the system's.
    pub(in crate::sink) fn new() -> Times {
        Times {
            zone: zone::local(),
            seconds: [Second::default(); 2],
            reference: Moment::default(),
        }
    }

    /// Writes the time and a space, or nothing with `-t`.
    #[inline]
    pub(in crate::sink) fn write(&mut self, out: &mut Vec<u8>, time: Timestamp, style: &Style) {
        if matches!(style.clock, Clock::Time | Clock::Date) {
            return self.write_local(out, time, style);
        }
        let moment = Moment::of(time, style);
        match style.clock {
            Clock::None | Clock::Time | Clock::Date => return,
            Clock::Epoch if moment.is_out_of_range() => out.extend_from_slice(OUT_OF_RANGE),
            Clock::Epoch => {
                number::decimal(out, moment.seconds as u32);
                write_parts(out, moment.parts, style);
            }
            Clock::Delta | Clock::SinceFirst => self.write_difference(out, moment, style),
        }
        out.push(b' ');
    }

    #[inline]
    fn write_local(&mut self, out: &mut Vec<u8>, time: Timestamp, style: &Style) {
        let [last, before] = &self.seconds;
        let part = last.part(time);
        let (second, nanos) = match part.or_else(|| before.part(time)) {
            Some(nanos) if part.is_some() => (last, nanos),
            Some(nanos) => (before, nanos),
            None => return self.write_new(out, time, style),
        };
        number::piece(out, &second.text, second.len);
        write_digits(out, parts(nanos, style), style);
        out.push(b' ');
    }

    /// The same of a second that was not shown lately.
    #[cold]
    fn write_new(&mut self, out: &mut Vec<u8>, time: Timestamp, style: &Style) {
        let moment = Moment::of(time, style);
        let start = out.len();
        if moment.is_out_of_range() || self.describe(out, moment.seconds, style.clock).is_none() {
            out.truncate(start);
            out.extend_from_slice(OUT_OF_RANGE);
            return out.push(b' ');
        }
        out.push(b'.');
        let mut second = Second {
            begin: moment.seconds.checked_mul(1_000_000_000),
            ..Second::default()
        };
        if let Some(place) = second.text.get_mut(..out.len() - start) {
            place.copy_from_slice(&out[start..]);
            second.len = place.len();
            self.seconds = [second, self.seconds[0]];
        }
        write_digits(out, parts(time.nanos(), style), style);
        out.push(b' ');
    }

    /// Date and time of day, or time of day; none where it has none.
    fn describe(&self, out: &mut Vec<u8>, seconds: i64, clock: Clock) -> Option<()> {
        let time = jiff::Timestamp::from_second(seconds).ok()?;
        let local = self.zone.to_datetime(time);
        if clock == Clock::Date {
            number::digits2(out, u32::from(local.year().unsigned_abs()) / 100);
            number::digits2(out, u32::from(local.year().unsigned_abs()));
            for field in [local.month(), local.day()] {
                out.push(b'-');
                number::digits2(out, u32::from(field.unsigned_abs()));
            }
            out.push(b' ');
        }
        let fields = [local.hour(), local.minute(), local.second()];
        write_day(out, fields.map(|field| u32::from(field.unsigned_abs())));
        Some(())
    }

    fn write_difference(&mut self, out: &mut Vec<u8>, moment: Moment, style: &Style) {
        let per_second = if style.nano { 1_000_000_000 } else { 1_000_000 };
        if self.reference == Moment::default() {
            self.reference = moment;
        }
        let (sign, difference) = if moment < self.reference {
            (b'-', self.reference.since(moment, per_second))
        } else {
            (b' ', moment.since(self.reference, per_second))
        };
        out.push(sign);
        if difference.is_out_of_range() {
            out.extend_from_slice(OUT_OF_RANGE);
        } else {
            let second = difference.seconds.rem_euclid(86_400) as u32;
            write_day(out, [second / 3600, second / 60 % 60, second % 60]);
            write_parts(out, difference.parts, style);
        }
        if style.clock == Clock::Delta {
            self.reference = moment;
        }
    }
}

/// `HH:MM:SS`.
fn write_day(out: &mut Vec<u8>, [hour, minute, second]: [u32; 3]) {
    number::digits2(out, hour);
    out.push(b':');
    number::digits2(out, minute);
    out.push(b':');
    number::digits2(out, second);
}

/// What is shown of so many nanoseconds.
#[inline]
fn parts(nanos: u32, style: &Style) -> u32 {
    match style.nano {
        true => nanos,
        false => nanos / 1000,
    }
}

fn write_parts(out: &mut Vec<u8>, parts: u32, style: &Style) {
    out.push(b'.');
    write_digits(out, parts, style);
}

#[inline]
fn write_digits(out: &mut Vec<u8>, parts: u32, style: &Style) {
    if style.nano {
        number::digits9(out, parts);
    } else {
        number::digits6(out, parts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(clock: Clock, nano: bool, zone: &str, times: &[(i64, u32)]) -> Vec<String> {
        let style = Style {
            clock,
            nano,
            ..Style::default()
        };
        let mut writer = Times::new();
        writer.zone = TimeZone::get(zone).expect("a zone");
        let show = |&(seconds, nanos): &(i64, u32)| {
            let mut out = Vec::new();
            writer.write(&mut out, Timestamp::new(seconds, nanos), &style);
            String::from_utf8(out).expect("ASCII")
        };
        times.iter().map(show).collect()
    }

    #[test]
    fn local_time_over_a_change_to_summer_time() {
        let times = [(1_616_893_199, 999_999_999), (1_616_893_200, 1_000)];
        assert_eq!(
            shown(Clock::Time, false, "Europe/Berlin", &times),
            ["01:59:59.999999 ", "03:00:00.000001 "]
        );
        assert_eq!(
            shown(Clock::Date, true, "Europe/Berlin", &times),
            [
                "2021-03-28 01:59:59.999999999 ",
                "2021-03-28 03:00:00.000001000 "
            ]
        );
    }

    #[test]
    fn differences() {
        let times = [(100, 5_000), (99, 4_999), (90_000, 0), (90_000, 7_999)];
        assert_eq!(
            shown(Clock::Delta, false, "UTC", &times),
            [
                " 00:00:00.000000 ",
                "-00:00:01.000001 ",
                " 00:58:20.999996 ",
                " 00:00:00.000007 "
            ]
        );
        assert_eq!(
            shown(Clock::SinceFirst, false, "UTC", &times),
            [
                " 00:00:00.000000 ",
                "-00:00:01.000001 ",
                " 00:58:19.999995 ",
                " 00:58:20.000002 "
            ]
        );
    }

    #[test]
    fn no_time_and_late_times() {
        assert_eq!(shown(Clock::None, false, "UTC", &[(1, 1)]), [""]);
        let late = [(1 << 31, 0)];
        assert_eq!(
            shown(Clock::Time, false, "UTC", &late),
            ["[Error converting time] "]
        );
        assert_eq!(
            shown(Clock::Epoch, false, "UTC", &late),
            ["[Error converting time] "]
        );
        assert_eq!(
            shown(Clock::Epoch, false, "UTC", &[(7, 1_999)]),
            ["7.000001 "]
        );
    }
}
