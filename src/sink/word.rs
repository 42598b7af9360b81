//! Short texts in a register: what stands at the right of its column is moved there before it is written. Text that was written and is moved
//! then has to reach memory before it can be read as one.

use std::fmt::Write;

use super::number::{eight_digits, piece, spaces, three};
use crate::packet::TimeDelta;

/// At most 16 octets of text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::sink) struct Word {
    /// The first octet lowest, each exclusive-or'ed with a space: so there are spaces before and behind the text, wherever it is moved.
    octets: u128,
    /// How many octets it has, and how many columns it takes.
    len: usize,
    columns: usize,
}

const MOST: usize = size_of::<u128>();
const SPACES: u128 = u128::from_le_bytes([b' '; MOST]);
/// The digit 0 in the low half, as a word has it.
const ZEROS: u64 = 0x1010_1010_1010_1010;

/// Names of units, behind numbers.
const B: Word = Word::new(" B");
const KB: Word = Word::new(" kB");
const MB: Word = Word::new(" MB");
const GB: Word = Word::new(" GB");
const TB: Word = Word::new(" TB");
const NS: Word = Word::new(" ns");
const US: Word = Word::new(" µs");
const MS: Word = Word::new(" ms");
const S: Word = Word::new(" s");

impl Word {
    /// This text, or the front of it.
    pub(in crate::sink) const fn new(text: &str) -> Word {
        let mut word = Word::ascii(0, 0);
        while word.len < MOST && word.len < text.len() {
            let octet = text.as_bytes()[word.len];
            word.octets |= ((octet ^ b' ') as u128) << (word.len * 8);
            word.len += 1;
            // Every character has one octet that is no continuation.
            word.columns += (octet & 0xc0 != 0x80) as usize;
        }
        word
    }

    #[inline]
    const fn ascii(octets: u64, len: usize) -> Word {
        Word {
            octets: octets as u128,
            len,
            columns: len,
        }
    }

    /// `%lu` of a number below 10¹⁶: what is shown in units has fewer digits.
    #[inline]
    fn decimal(value: u64) -> Word {
        const HALF: u64 = 100_000_000;
        if value < 1000 {
            let (digits, count) = three(value as u32);
            // As exclusive-or'ed with spaces.
            return Word::ascii(u64::from(digits) & 0x1f_1f1f, count);
        }
        let low = eight_digits((value % HALF) as u32);
        if value < HALF {
            let skipped = low.trailing_zeros() / 8;
            return Word::ascii((low | ZEROS) >> (skipped * 8), 8 - skipped as usize);
        }
        let front = Word::decimal(value / HALF % HALF);
        front.then(Word::ascii(low | ZEROS, 8))
    }

    /// So many tenths of a unit, which are shown below ten units, and its name.
    #[inline]
    fn tenths(tenths: u64, unit: Word) -> Word {
        let number = match tenths {
            0..100 => {
                let (whole, tenth) = (tenths / 10, tenths % 10);
                let point = u64::from(b'.' ^ b' ');
                Word::ascii(whole | point << 8 | tenth << 16 | 0x10_0010, 3)
            }
            _ => Word::decimal(tenths / 10),
        };
        number.then(unit)
    }

    /// `79 B`, `1.2 kB`, `3.4 GB`: decimal units.
    #[inline(always)]
    pub(in crate::sink) fn bytes(count: u64) -> Word {
        // By what is divided is known beforehand: a division by anything takes far longer.
        match count {
            0..1_000 => Word::decimal(count).then(B),
            1_000..1_000_000 => Word::tenths(count / 100, KB),
            1_000_000..1_000_000_000 => Word::tenths(count / 100_000, MB),
            1_000_000_000..1_000_000_000_000 => Word::tenths(count / 100_000_000, GB),
            _ => Word::tenths(count / 100_000_000_000, TB),
        }
    }

    /// A time as [`TimeDelta`] shows it.
    #[inline(always)]
    pub(in crate::sink) fn span(span: TimeDelta) -> Word {
        let Ok(nanos @ 1..60_000_000_000) = u64::try_from(span.0) else {
            return Word::shown(span);
        };
        match nanos {
            1..1_000 => Word::decimal(nanos).then(NS),
            1_000..1_000_000 => Word::tenths(nanos / 100, US),
            1_000_000..1_000_000_000 => Word::tenths(nanos / 100_000, MS),
            _ => Word::tenths(nanos / 100_000_000, S),
        }
    }

    #[cold]
    fn shown(span: TimeDelta) -> Word {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = write!(text, "{span}");
        Word::new(&text)
    }

    /// This one and another behind it, as far as there is room.
    #[inline]
    fn then(self, other: Word) -> Word {
        Word {
            octets: self.octets | other.octets << (self.len * 8),
            len: self.len + other.len,
            columns: self.columns + other.columns,
        }
    }

    /// Appends it.
    pub(in crate::sink) fn write(self, out: &mut Vec<u8>) {
        piece(out, &(self.octets ^ SPACES).to_le_bytes(), self.len);
    }

    /// Appends it at the right of so many columns, and a space; tells how many columns it takes itself.
    #[inline(always)]
    pub(in crate::sink) fn right(self, out: &mut Vec<u8>, width: usize) -> usize {
        let before = width.saturating_sub(self.columns);
        let len = before + self.len + 1;
        if len <= MOST {
            let octets = self.octets << (before * 8) ^ SPACES;
            piece(out, &octets.to_le_bytes(), len);
        } else {
            spaces(out, before);
            self.write(out);
            out.push(b' ');
        }
        self.columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written<T>(write: impl Fn(&mut Vec<u8>) -> T) -> String {
        let mut out = b"x".to_vec();
        let _ = write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn texts_of_every_length_stand_at_the_right_of_every_width() {
        for (text, width) in (0..=MOST).flat_map(|len| (0..40).map(move |width| (len, width))) {
            let text = "#".repeat(text);
            let right = written(|out| Word::new(&text).right(out, width));
            assert_eq!(right, format!("x{text:>width$} "));
        }
        let right = written(|out| Word::new("7 µs").right(out, 6));
        assert_eq!(right, "x  7 µs ");
    }

    #[test]
    fn as_the_standard_library_writes_them() {
        let mut value: u64 = 1;
        for _ in 0..20 {
            for of_ten in (0..100).map(|tenth| (value / 10).wrapping_mul(tenth) as i64) {
                for nanos in [of_ten - 1, of_ten] {
                    let shown = format!("{}", TimeDelta(nanos.max(0)));
                    let word = Word::span(TimeDelta(nanos.max(0)));
                    assert_eq!(written(|out| word.write(out)), format!("x{shown}"));
                    assert_eq!(word.columns, shown.chars().count());
                }
            }
            for number in [value - 1, value / 7, value / 1000 * 999] {
                if number < 10_u64.pow(16) {
                    let word = written(|out| Word::decimal(number).write(out));
                    assert_eq!(word, format!("x{number}"));
                }
            }
            value = value.wrapping_mul(10).max(1);
        }
    }

    #[test]
    fn bytes_as_people_read_them() {
        for (count, text) in [
            (0, "x0 B"),
            (999, "x999 B"),
            (1_250, "x1.2 kB"),
            (65_483, "x65 kB"),
            (3_400_000_000, "x3.4 GB"),
            (u64::MAX, "x18446744 TB"),
        ] {
            assert_eq!(written(|out| Word::bytes(count).write(out)), text);
        }
    }
}
