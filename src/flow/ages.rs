//! Flows in the order in which they were last heard of, class by class: who is due next, and who was quiet for the longest time.
//!
//! Doubly linked lists over the places of the flows, beside them in memory so that a move touches little.

/// How long a flow is waited for depends on how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(super) enum Class {
    /// TCP of which one side was seen only, and how it opens.
    Opening = 0,
    /// TCP, connected, or met midway.
    Open = 1,
    /// TCP, ended.
    Ended = 2,
    /// UDP and ICMP.
    #[default]
    Datagrams = 3,
}

impl Class {
    pub(super) const ALL: [Class; 4] =
        [Class::Opening, Class::Open, Class::Ended, Class::Datagrams];
}

/// The lists.
#[derive(Debug)]
pub(super) struct Ages {
    links: Vec<Link>,
    /// By class: the oldest and the newest.
    lists: [Link; Class::ALL.len()],
}

#[derive(Debug, Clone, Copy)]
struct Link {
    older: u32,
    newer: u32,
}

/// No place.
const NONE: u32 = u32::MAX;

impl Default for Ages {
    fn default() -> Ages {
        const EMPTY: Link = Link {
            older: NONE,
            newer: NONE,
        };
        Ages {
            links: Vec::new(),
            lists: [EMPTY; Class::ALL.len()],
        }
    }
}

impl Ages {
    /// The flow of a class that was quiet for the longest time.
    pub(super) fn oldest(&self, class: Class) -> Option<u32> {
        let at = self.lists[class as usize].newer;
        (at != NONE).then_some(at)
    }

    /// A flow was heard of; it stands in no list.
    #[inline]
    pub(super) fn add(&mut self, class: Class, at: u32) {
        if self.links.len() <= at as usize {
            self.grow(at as usize + 1);
        }
        // A list is a ring that its own link closes: `newer` leads to the oldest, `older` to the newest.
        let newest = self.lists[class as usize].older;
        self.links[at as usize] = Link {
            older: newest,
            newer: NONE,
        };
        self.lists[class as usize].older = at;
        *self.newer_of(class, newest) = at;
    }

    /// There is room for so many flows.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, flows: usize) {
        let unused = Link {
            older: NONE,
            newer: NONE,
        };
        self.links.resize(flows, unused);
    }

    /// A flow is gone from its class.
    #[inline]
    pub(super) fn remove(&mut self, class: Class, at: u32) {
        let Link { older, newer } = self.links[at as usize];
        *self.newer_of(class, older) = newer;
        match newer {
            NONE => self.lists[class as usize].older = older,
            newer => self.links[newer as usize].older = older,
        }
    }

    /// A flow was heard of again.
    #[inline]
    pub(super) fn touch(&mut self, class: Class, at: u32) {
        if self.lists[class as usize].older != at {
            self.remove(class, at);
            self.add(class, at);
        }
    }

    #[inline]
    fn newer_of(&mut self, class: Class, at: u32) -> &mut u32 {
        match at {
            NONE => &mut self.lists[class as usize].newer,
            at => &mut self.links[at as usize].newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    fn drain(ages: &mut Ages, class: Class) -> Vec<u32> {
        std::iter::from_fn(|| {
            let at = ages.oldest(class)?;
            ages.remove(class, at);
            Some(at)
        })
        .collect()
    }

    #[test]
    fn as_a_queue_of_which_any_can_be_taken() {
        let mut ages = Ages::default();
        let mut model = VecDeque::new();
        let mut random = 1_u32;
        for _ in 0..2000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = random >> 16 & 31;
            let is_there = model.contains(&at);
            match random >> 28 {
                0..8 if is_there => {
                    ages.touch(Class::Open, at);
                    model.retain(|&other| other != at);
                    model.push_back(at);
                }
                0..8 => {
                    ages.add(Class::Open, at);
                    model.push_back(at);
                }
                _ if is_there => {
                    ages.remove(Class::Open, at);
                    model.retain(|&other| other != at);
                }
                _ => {}
            }
            assert_eq!(ages.oldest(Class::Open), model.front().copied());
            assert_eq!(ages.oldest(Class::Ended), None);
        }
        assert_eq!(drain(&mut ages, Class::Open), Vec::from(model));
    }
}
