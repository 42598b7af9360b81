//! Flow history as a string of letters (Zeek's `history` in conn.log): upper case for the
//! originator, lower case for the responder.
//!
//! `S` SYN, `H` SYN and ACK, `A` ACK without data, `D` data, `F` FIN, `R` RST, `G` gap, `T`
//! retransmission, `W` zero window, `I` FIN and RST together, `Q` SYN with FIN or RST, `^`
//! originator and responder swapped. Zeek's `C` (bad checksum) is not used: checksums are not
//! filled in on loopback, so lcap does not verify them.

use std::fmt;
use std::ops::Deref;

use super::side::Side;

/// History of one flow. Dereferences to its text.
#[derive(Clone, Default)]
pub struct History {
    letters: String,
    /// Recorded events: one bit per [`HistoryEvent`]; the responder's bits are in the upper byte.
    seen: u16,
}

/// Maximum number of letters, more than any reasonable conversation needs. A longer history is cut
/// and ends in `x`, Zeek's mark for a truncated history.
const MAX_LETTERS: usize = 1000;

/// Events recorded once per side.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum HistoryEvent {
    Syn,
    Fin,
    Rst,
    Ack,
    Data,
    FinRst,
    MultiFlag,
}

impl History {
    /// Adds the letter of an event unless the event was already recorded for this side; returns
    /// true if it was.
    #[inline]
    pub(super) fn add_once(&mut self, side: Side, kind: HistoryEvent, letter: u8) -> bool {
        if self.has_event(side, kind) {
            return true;
        }
        self.add_first(side, kind, letter);
        false
    }

    /// Records the first occurrence of an event. Not inlined, because it is rare.
    #[inline(never)]
    fn add_first(&mut self, side: Side, kind: HistoryEvent, letter: u8) {
        self.seen |= event_bit(side, kind);
        self.add(side, letter);
    }

    /// Returns true if this event was recorded for this side.
    #[inline]
    pub(super) fn has_event(&self, side: Side, kind: HistoryEvent) -> bool {
        self.seen & event_bit(side, kind) != 0
    }

    /// Records a datagram.
    #[inline]
    pub(super) fn add_datagram(&mut self, side: Side) {
        self.add_once(side, HistoryEvent::Data, b'D');
    }

    /// Adds a letter, in lower case for the responder.
    #[inline]
    pub(super) fn add(&mut self, side: Side, letter: u8) {
        let letter = match side {
            Side::Orig => letter,
            Side::Resp => letter.to_ascii_lowercase(),
        };
        self.push(letter);
    }

    /// Increments a counter, and adds a letter for the 1st, 10th, 100th … occurrence.
    pub(super) fn add_scaled(&mut self, side: Side, counter: &mut u32, letter: u8) {
        *counter = counter.saturating_add(1);
        if counter.checked_ilog10().map(|power| 10_u32.pow(power)) == Some(*counter) {
            self.add(side, letter);
        }
    }

    /// Records that originator and responder were swapped.
    pub(super) fn add_flip(&mut self) {
        self.push(b'^');
    }

    fn push(&mut self, letter: u8) {
        match self.letters.len() {
            0..MAX_LETTERS => self.letters.push(char::from(letter)),
            MAX_LETTERS => self.letters.push('x'),
            _ => {}
        }
    }
}

impl Deref for History {
    type Target = str;

    fn deref(&self) -> &str {
        &self.letters
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

fn event_bit(side: Side, kind: HistoryEvent) -> u16 {
    1 << (kind as u8 + 8 * side as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_added_once_and_counters_at_powers_of_ten() {
        let mut history = History::default();
        assert!(!history.add_once(Side::Orig, HistoryEvent::Syn, b'S'));
        assert!(!history.add_once(Side::Resp, HistoryEvent::Syn, b'H'));
        assert!(history.add_once(Side::Orig, HistoryEvent::Syn, b'S'));
        let mut count = 0;
        for _ in 0..1000 {
            history.add_scaled(Side::Resp, &mut count, b'T');
        }
        history.add_flip();
        assert_eq!((&*history, count), ("Shtttt^", 1000));
    }

    #[test]
    fn a_long_history_ends_in_x() {
        let mut history = History::default();
        for _ in 0..3000 {
            history.add(Side::Orig, b'S');
        }
        let text = history.to_string();
        assert_eq!(text.len(), MAX_LETTERS + 1);
        assert!(text.starts_with("SSSS") && text.ends_with("Sx"));
    }
}
