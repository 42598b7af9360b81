//! What happened in a flow, as a string of letters (Zeek's `history` in conn.log): upper case is the originator's.
//!
//! `S` SYN, `H` SYN and ACK, `A` ACK without data, `D` data, `F` FIN, `R` RST, `G` gap, `T` repeated, `W` window of 0, `I` FIN and
//! RST together, `Q` SYN with FIN or RST, `^` the ends were exchanged. Zeek has `C` too, a bad checksum: on loopback checksums are
//! not filled in, so lcap does not look at them.

use std::fmt;
use std::ops::Deref;

use super::key::Side;

/// Letters of one flow, most of them without an allocation. As text, they are those alone.
#[derive(Clone, Default)]
pub struct History {
    short: [u8; INLINE],
    /// How many letters there are.
    len: u16,
    /// All of them, once they are more than [`INLINE`].
    // A vector of its own would make every flow larger for what hardly any has.
    #[allow(clippy::box_collection)]
    long: Option<Box<Vec<u8>>>,
    /// Which kinds were seen: one bit each, the responder's eight higher.
    seen: u16,
}

const INLINE: usize = 20;
/// Longer than any conversation has a reason to make it: then `x`, Zeek's letter for what was not followed to its end.
const LONGEST: u16 = 1000;

/// What is written once for each side.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Once {
    Syn,
    Fin,
    Rst,
    Ack,
    Data,
    FinRst,
    MultiFlag,
}

impl History {
    /// Adds a letter, if this kind was not seen from this side; true where it was.
    #[inline]
    pub(super) fn once(&mut self, side: Side, kind: Once, letter: u8) -> bool {
        if self.has(side, kind) {
            return true;
        }
        self.first(side, kind, letter);
        false
    }

    /// Not inlined: where nearly all packets come by it would be in the way.
    #[inline(never)]
    fn first(&mut self, side: Side, kind: Once, letter: u8) {
        self.seen |= bit(side, kind);
        self.add(side, letter);
    }

    /// Whether this kind was seen from this side.
    #[inline]
    pub(super) fn has(&self, side: Side, kind: Once) -> bool {
        self.seen & bit(side, kind) != 0
    }

    /// A datagram came.
    #[inline]
    pub(super) fn datagram(&mut self, side: Side) {
        self.once(side, Once::Data, b'D');
    }

    /// Adds a letter.
    #[inline]
    pub(super) fn add(&mut self, side: Side, letter: u8) {
        let letter = match side {
            Side::Orig => letter,
            Side::Resp => letter.to_ascii_lowercase(),
        };
        self.push(letter);
    }

    /// Counts, and adds a letter for the 1st, the 10th, the 100th … time.
    pub(super) fn scaled(&mut self, side: Side, counter: &mut u32, letter: u8) {
        *counter = counter.saturating_add(1);
        if counter.checked_ilog10().map(|power| 10_u32.pow(power)) == Some(*counter) {
            self.add(side, letter);
        }
    }

    /// The ends were exchanged.
    pub(super) fn flip(&mut self) {
        self.push(b'^');
    }

    /// All letters so far.
    #[inline]
    pub(super) fn letters(&self) -> &[u8] {
        match &self.long {
            Some(long) => long,
            None => &self.short[..usize::from(self.len)],
        }
    }

    #[inline]
    fn push(&mut self, letter: u8) {
        match self.short.get_mut(usize::from(self.len)) {
            Some(place) => {
                *place = letter;
                self.len += 1;
            }
            None => self.push_long(letter),
        }
    }

    #[cold]
    fn push_long(&mut self, letter: u8) {
        if self.len > LONGEST {
            return;
        }
        let letter = if self.len == LONGEST { b'x' } else { letter };
        let short = || Box::new(self.short.to_vec());
        self.long.get_or_insert_with(short).push(letter);
        self.len += 1;
    }
}

impl Deref for History {
    type Target = str;

    fn deref(&self) -> &str {
        // Letters are text.
        str::from_utf8(self.letters()).unwrap_or_default()
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self)
    }
}

fn bit(side: Side, kind: Once) -> u16 {
    1 << (kind as u8 + 8 * side as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_once_and_counts_in_powers_of_ten() {
        let mut history = History::default();
        assert!(!history.once(Side::Orig, Once::Syn, b'S'));
        assert!(!history.once(Side::Resp, Once::Syn, b'H'));
        assert!(history.once(Side::Orig, Once::Syn, b'S'));
        let mut count = 0;
        for _ in 0..1000 {
            history.scaled(Side::Resp, &mut count, b'T');
        }
        history.flip();
        assert_eq!((&*history, count), ("Shtttt^", 1000));
    }

    #[test]
    fn a_long_history_ends_in_x() {
        let mut history = History::default();
        for _ in 0..3000 {
            history.add(Side::Orig, b'S');
        }
        let text = history.to_string();
        assert_eq!(text.len(), usize::from(LONGEST) + 1);
        assert!(text.starts_with("SSSS") && text.ends_with("Sx"));
    }
}
