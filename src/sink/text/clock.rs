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
    /// The second that `text` shows; none at the start.
    second: Option<i64>,
    /// Date and time of day, or time of day, of that second.
    text: Vec<u8>,
    /// What differences are from: the first packet's time, or the one before. 0 is none yet, as it is in tcpdump.
    reference: Moment,
}

/// A time as it is shown: seconds, and parts of a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    seconds: i64,
    /// Microseconds, or nanoseconds with `--nano`.
    parts: u32,
}

impl Moment {
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
            second: None,
            text: Vec::with_capacity(32),
            reference: Moment::default(),
        }
    }

    /// Writes the time and a space, or nothing with `-t`.
    #[inline]
    pub(in crate::sink) fn write(&mut self, out: &mut Vec<u8>, time: Timestamp, style: &Style) {
        let moment = Moment {
            seconds: time.seconds(),
            parts: if style.nano {
                time.nanos()
            } else {
                time.nanos() / 1000
            },
        };
        match style.clock {
            Clock::None => return,
            Clock::Time | Clock::Date => self.write_local(out, moment, style),
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
    fn write_local(&mut self, out: &mut Vec<u8>, moment: Moment, style: &Style) {
        if moment.is_out_of_range() {
            return out.extend_from_slice(OUT_OF_RANGE);
        }
        if self.second != Some(moment.seconds) {
            self.second = Some(moment.seconds);
            self.text.clear();
            self.describe(moment.seconds, style.clock);
        }
        out.extend_from_slice(&self.text);
        write_parts(out, moment.parts, style);
    }

    fn describe(&mut self, seconds: i64, clock: Clock) {
        let Ok(time) = jiff::Timestamp::from_second(seconds) else {
            return;
        };
        let local = self.zone.to_datetime(time);
        if clock == Clock::Date {
            number::digits2(&mut self.text, u32::from(local.year().unsigned_abs()) / 100);
            number::digits2(&mut self.text, u32::from(local.year().unsigned_abs()));
            for field in [local.month(), local.day()] {
                self.text.push(b'-');
                number::digits2(&mut self.text, u32::from(field.unsigned_abs()));
            }
            self.text.push(b' ');
        }
        let fields = [local.hour(), local.minute(), local.second()];
        write_day(
            &mut self.text,
            fields.map(|field| u32::from(field.unsigned_abs())),
        );
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

#[inline]
fn write_parts(out: &mut Vec<u8>, parts: u32, style: &Style) {
    out.push(b'.');
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
