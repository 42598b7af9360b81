//! Where the flows stand that packets were of lately. Most packets are of one of those: it is found without a hash and without the table, of
//! which every look-up costs a line of a cache.

/// Places of flows, each where the last one stands whose ends are spread to there; whose they are has to be looked up there.
#[derive(Debug)]
pub(super) struct Recent {
    entries: Box<[Entry; ENTRIES]>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// More bits of the ends, so that nobody looks for them at another's place.
    tag: u32,
    /// Where the flow stands or stood.
    at: u32,
}

/// As many as a [`Hint`] tells apart: 2 KiB, which stay in the nearest cache.
const ENTRIES: usize = 1 << Hint::BITS;

/// Which place is looked at first for a packet's flow, in so few bits that it can be told beforehand.
pub type Hint = u8;

impl Default for Recent {
    fn default() -> Recent {
        let nowhere = Entry {
            tag: 0,
            at: u32::MAX,
        };
        Recent {
            entries: Box::new([nowhere; ENTRIES]),
        }
    }
}

impl Recent {
    /// Where the flow may stand whose ends are [spread](crate::packet::Brief::spread) like this.
    #[inline(always)]
    pub(super) fn place(&self, spread: u64) -> Option<u32> {
        let entry = self.entries[usize::from(hint(spread))];
        (entry.tag == tag(spread)).then_some(entry.at)
    }

    /// Where the flow of a packet with this hint likely stands.
    #[inline(always)]
    pub(super) fn likely(&self, hint: Hint) -> u32 {
        self.entries[usize::from(hint)].at
    }

    /// It stands here.
    #[inline(always)]
    pub(super) fn note(&mut self, spread: u64, at: u32) {
        let tag = tag(spread);
        self.entries[usize::from(hint(spread))] = Entry { tag, at };
    }
}

/// The uppermost four bits are a lane, of which a table may have few.
#[inline(always)]
pub(super) fn hint(spread: u64) -> Hint {
    (spread >> 52) as Hint
}

#[inline(always)]
fn tag(spread: u64) -> u32 {
    (spread >> 20) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_that_was_noted_stands_there() {
        let mut recent = Recent::default();
        let ends = [7 << 52, 7 << 52 | 1 << 40, 8 << 52, 0];
        assert!(
            ends.iter()
                .all(|&ends| recent.place(ends).is_none_or(|at| at == u32::MAX))
        );
        for (at, ends) in ends.into_iter().enumerate() {
            recent.note(ends, at as u32);
            assert_eq!(recent.place(ends), Some(at as u32));
            assert_eq!(recent.likely(hint(ends)), at as u32);
        }
        assert_eq!(
            ends.map(|ends| recent.place(ends)),
            [None, Some(1), Some(2), Some(3)]
        );
    }
}
