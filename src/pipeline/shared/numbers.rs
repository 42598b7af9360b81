//! The numbers that a thread's flows have among all, by those that the thread gives them: one after the other, from 1.
//!
//! Flows mostly end in about the order in which they began, so their numbers stand in a row, and who asks for one finds it beside the one
//! before. The few that outlive very many others move to a map, so that the row is never much longer than there are flows.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use crate::prefetch::prefetch;

/// Numbers of the flows that have begun and not ended.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Of the flows from `first` on, as the thread numbers them; 0 is one that has ended.
    row: VecDeque<u64>,
    first: u64,
    /// How many in the row have not ended.
    open: usize,
    /// Of flows before the first of the row.
    old: HashMap<u64, u64, RandomState>,
}

/// A row so long is no matter.
const SHORT: usize = 1024;

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers {
            row: VecDeque::new(),
            first: 1,
            open: 0,
            old: HashMap::default(),
        }
    }
}

impl Numbers {
    /// The next flow began, which has this number among all, from 1.
    pub(super) fn begin(&mut self, number: u64) {
        self.row.push_back(number);
        self.open += 1;
        while self.row.len() > SHORT + self.open * 4
            && let Some(number) = self.row.pop_front()
        {
            if number != 0 {
                self.old.insert(self.first, number);
                self.open -= 1;
            }
            self.first += 1;
        }
    }

    /// The number among all of the flow with the thread's number, if it has begun and not ended.
    pub(super) fn of(&self, own: u64) -> Option<u64> {
        match self.place(own) {
            Some(place) => self.row.get(place).copied().filter(|number| *number != 0),
            None => self.old.get(&own).copied(),
        }
    }

    /// Asks for the memory of a flow that will end soon.
    pub(super) fn ask_for(&self, own: u64) {
        if let Some(number) = self.place(own).and_then(|place| self.row.get(place)) {
            prefetch(number);
        }
    }

    /// The same of a flow that ends.
    pub(super) fn end(&mut self, own: u64) -> Option<u64> {
        let Some(place) = self.place(own) else {
            return self.old.remove(&own);
        };
        let number = std::mem::take(self.row.get_mut(place)?);
        if number == 0 {
            return None;
        }
        self.open -= 1;
        while self.row.front() == Some(&0) {
            self.row.pop_front();
            self.first += 1;
        }
        Some(number)
    }

    /// Where in the row a flow is; none if it is older.
    fn place(&self, own: u64) -> Option<usize> {
        own.checked_sub(self.first).map(|place| place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some end soon, some late, some never: as a map has it, in a row that stays short.
    #[test]
    fn as_a_map_in_little_memory() {
        let (mut numbers, mut model) = (Numbers::default(), HashMap::new());
        let mut random = 1_u32;
        for own in 1..=40_000_u64 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            numbers.begin(own * 3);
            model.insert(own, own * 3);
            assert!(numbers.row.len() <= SHORT + model.len() * 4);
            let ends = match random >> 28 {
                0 => own.saturating_sub(u64::from(random >> 8) % 30_000),
                1 => own,
                2 => own + 1,
                _ => own.saturating_sub(20),
            };
            assert_eq!(numbers.of(ends), model.get(&ends).copied());
            assert_eq!(numbers.end(ends), model.remove(&ends));
            assert_eq!(numbers.end(ends), None);
            assert_eq!(numbers.open + numbers.old.len(), model.len());
        }
        assert!(!numbers.old.is_empty());
        for (own, number) in model {
            assert_eq!(numbers.end(own), Some(number));
        }
        assert_eq!((numbers.row.len(), numbers.old.len()), (0, 0));
    }
}
